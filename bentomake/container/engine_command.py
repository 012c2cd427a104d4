"""What the command lines of docker, podman, buildah and nerdctl have in common."""

from __future__ import annotations

import contextlib
import json
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from ..engine.process import Begun, Completed, run
from ..errors import StepError, UsageError
from .as_root import admitted, as_root
from .backend import BackendUnhealthy, Image
from .noted import noted, noted_id, with_algorithm
from .options import Options, Value
from .request import Request
from .values import checked
from .words import PROGRESS, SWITCHES

_OURS = {
    "tag": "-t/--image-tag names the image.",
    "file": "docker.dockerfile_template in the bentofile makes the Dockerfile your own.",
    "context-path": "The context is the Bento.",
}
_WHOLE = ("local", "tar")  # outputs that are files, not images
_ABSENT = ("no such image", "not known", "not found", "no such object")
SECONDS = 60.0
INSPECT = ("image", "inspect", "--format", "{{json .}}")


class EngineCommand(ABC):
    """A backend whose command is `BINARY build --option value … --tag T --file F CONTEXT`."""

    name: str = ""
    binary: str = ""
    head: tuple[str, ...] = ("build",)
    wanted: bool = False  # whether it is to get the Dockerfile with BuildKit's syntax
    named_contexts: bool = True
    words: frozenset[str] = frozenset()
    defaults: ClassVar[Mapping[str, str]] = {}
    instead: Mapping[str, str] = {}
    valued_switches: frozenset[str] = frozenset()  # `--pull=always`
    get: str = ""  # where to get it
    dated: bool = True  # whether its images are of the time that SOURCE_DATE_EPOCH says
    waits: bool = False  # whether `waiting` has an answer, and it is of use
    ends_by_helpers: bool = False  # whether a signal to itself would leave a RUN, and its containers, behind
    rooted: bool = False  # whether root is to ask it, by sudo
    opening: tuple[tuple[str, ...], ...] = ()  # the questions of `version`, where `ahead` may ask them

    def __init__(self) -> None:
        self._begun: dict[tuple[str, ...], Begun] = {}

    # What is asked for

    @property
    def buildkit(self) -> bool:
        return self.wanted

    def check(self, options: Options) -> None:
        for name, value in options.given:
            self.check_one(name, value)

    def check_one(self, name: str, value: Value) -> None:
        if name in _OURS:
            raise UsageError(f"The option {name} is bentomake's own.", hint=_OURS[name])
        if name not in self.words:
            raise UsageError(f"{self.name} has no option {name}.", hint=self._instead(name))
        if name not in SWITCHES:
            checked(name, value)
        if name == "progress" and value not in PROGRESS:
            raise UsageError(f"There is no progress {value!r}.", hint=f"It can be {', '.join(PROGRESS)}.")
        if name in SWITCHES and isinstance(value, str) and name not in self.valued_switches:
            raise UsageError(f"The option {name} is on or off, not {value!r}.", hint=f"Write --opt {name}.")

    def _instead(self, name: str) -> str:
        import difflib

        from .registry import having

        if name in self.instead:
            return self.instead[name]
        others = having(name)
        if others:
            return f"{', '.join(others)} {'has' if len(others) == 1 else 'have'} it (--backend)."
        close = difflib.get_close_matches(name, sorted(self.words), n=1)
        return f"Did you mean {close[0]}?" if close else f"It has: {', '.join(sorted(self.words))}."

    def argv(self, request: Request) -> list[str]:
        self.check(request.options)
        words = [self.binary, *self.head, *self.spelled(request)]
        for flag, values in (
            ("--build-context", request.all_contexts()),
            ("--build-arg", request.all_build_args()),
            ("--secret", request.all_secrets()),
        ):
            if values and flag[2:] not in self.words:
                raise UsageError(f"{self.name} has no option {flag[2:]}.", hint=self._instead(flag[2:]))
            for value in values:
                words += [flag, value]
        if not _files_only(request.options):  # there is no id of what is no image
            words += self._wish("iidfile", request.iidfile or request.options.value("iidfile"))
        words += self._wish("metadata-file", request.metadata_file or request.options.value("metadata-file"))
        if not request.options.on("quiet"):
            asked = request.options.value("progress")
            words += self._wish("progress", request.progress if asked in (None, "auto", "tty") else asked)
        for tag in request.tags:
            words += ["--tag", tag]
        return [*words, "--file", self.file(request.dockerfile), request.context]

    def file(self, path: str) -> str:
        """How it is told where the Dockerfile is."""
        return path

    def _wish(self, name: str, value: str | None) -> list[str]:
        return [f"--{name}", value] if value and name in self.words else []

    def spelled(self, request: Request) -> list[str]:
        """The user's options that have no place of their own in `argv`, in the order given."""
        apart = {"build-context", "build-arg", "secret", "iidfile", "metadata-file", "progress", *self.handled(request)}
        return [word for name, value in request.options.given if name not in apart for word in spell(name, value)]

    def handled(self, request: Request) -> set[str]:
        """Options that `spelled` must leave out."""
        return set()

    def direct(self, argv: list[str], env: dict[str, str]) -> list[str]:
        """The same command with nothing in between, if there is such a way; it may add to `env`."""
        return argv

    def plain_because(self) -> tuple[str, str] | None:
        """Why it is given the plain Dockerfile though nobody asked for that, and what would be better; else None."""
        return None

    def waiting(self, argv: list[str]) -> list[str] | None:
        """The same command, to be started before its Dockerfile and contexts are there; None if that is no use."""
        return None

    # The engine

    def env(self, base: Mapping[str, str]) -> dict[str, str]:
        return {**self.defaults, **base}

    def platform(self, env: Mapping[str, str]) -> str | None:
        """What it builds for if no option says so; None for its own machine."""
        return None

    def health(self, env: Mapping[str, str]) -> None:
        self.version(env)

    @abstractmethod
    def version(self, env: Mapping[str, str]) -> str:
        """Which engine answers, and which version of it; BackendUnhealthy if none does."""

    def ahead(self, env: Mapping[str, str], references: Iterable[str]) -> None:
        """Begin to ask what will be asked soon: an engine answers slowly, and many questions at once."""
        if self.rooted or not self.opening:  # one password at a time
            return
        for words in (*self.opening, *((*INSPECT, reference) for reference in references)):
            with contextlib.suppress(UsageError):
                if self.find(env) and words not in self._begun:
                    self._begun[words] = Begun([self.binary, *words], env=self.env(env))

    def forget(self) -> None:
        """What was begun and not asked for is of no use any more: something is going to change."""
        while self._begun:
            self._begun.popitem()[1].wait(SECONDS)

    def ask(self, env: Mapping[str, str], *words: str) -> Completed:
        """Run the engine's command with these words; BackendUnhealthy if it is not there."""
        begun = self._begun.pop(words, None)
        if begun is not None:
            return begun.wait(SECONDS)
        self.find(env)
        return self.run([self.binary, *words], env)

    def run(self, argv: list[str], env: Mapping[str, str], seconds: float | None = SECONDS) -> Completed:
        """A command of the engine's, as root if that is wanted: who is asked for a password has all the time."""
        mine = self.env(env)
        return admitted(run(as_root(argv, mine), env=mine)) if self.rooted else run(argv, env=mine, timeout=seconds)

    def find(self, env: Mapping[str, str]) -> str:
        found = shutil.which(self.binary, path=env.get("PATH"))
        if found is None:
            raise BackendUnhealthy(f"{self.binary} is not installed, or not on the PATH.", hint=self.get)
        return found

    def unhealthy(self, what: str, completed: Completed, hint: str) -> BackendUnhealthy:
        said = "It did not answer." if completed.timed_out else completed.stderr.strip()
        return BackendUnhealthy(what, hint=hint, detail=said or None)

    def stores(self, options: Options) -> bool:
        return not options.values("output")

    def image(self, reference: str, env: Mapping[str, str]) -> Image | None:
        return self.inspected(reference, self.ask(env, *INSPECT, reference))

    def inspected(self, reference: str, completed: Completed) -> Image | None:
        """The image that an `inspect` tells of; StepError if the engine failed otherwise than by not having it."""
        if completed.returncode != 0:
            if any(word in completed.stderr.lower() for word in _ABSENT):
                return None
            raise StepError(f"{self.name} cannot say whether it has {reference}.", detail=completed.stderr.strip())
        try:
            found = json.loads(completed.stdout)
            return self.image_of(reference, found[0] if isinstance(found, list) else found)
        except (ValueError, LookupError, TypeError) as error:
            raise StepError(f"{self.name} says of {reference} what nobody can read: {error}.") from error

    def image_of(self, reference: str, found: Mapping[str, Any]) -> Image:
        digests = [text.partition("@")[2] for text in found.get("RepoDigests") or []]
        parts = [found.get("Os") or "linux", found.get("Architecture"), found.get("Variant")]
        return Image(
            reference,
            with_algorithm(found["Id"]),
            found.get("Digest") or (digests[0] if digests else None),
            "/".join(part for part in parts if part),
            int(found.get("Size") or 0),
            tuple(found.get("RepoTags") or ()),
            (found.get("Config") or {}).get("Labels") or {},
        )

    def base_digest(self, image: str, env: Mapping[str, str]) -> str | None:
        found = self.image(image, env)
        return found.id if found is not None else None

    def after(self, request: Request, completed: Completed, env: Mapping[str, str]) -> str | None:
        found = noted_id(request) if completed.returncode == 0 else None
        return noted(found, request) if found else None


def spell(name: str, value: Value) -> list[str]:
    """`--name`, `--name value`; a switch with a value is one word."""
    if value is True:
        return [f"--{name}"]
    if value is False:
        return [f"--{name}=false"]
    return [f"--{name}={value}"] if name in SWITCHES else [f"--{name}", str(value)]


def output_type(output: str) -> str:
    """`type=local,dest=x` and a bare path are `local`, `-` is `tar`."""
    fields = dict(part.strip().partition("=")[::2] for part in output.split(","))
    return fields.get("type") or ("tar" if output == "-" else "local")


def _files_only(options: Options) -> bool:
    return any(output_type(output) in _WHOLE for output in options.values("output"))
