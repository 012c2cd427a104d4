"""A registered backend: an engine that somebody else's functions describe, called as BentoML calls them."""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ..engine.process import Completed, run
from ..errors import StepError, UsageError
from .backend import BackendUnhealthy, Image
from .noted import noted_id
from .options import Options
from .request import Request


@dataclass(frozen=True)
class Registered:
    """What `register_backend` was told. It says nothing of images, so bentomake cannot know whether one is there."""

    name: str
    buildkit: bool
    healthy: Callable[[], bool]
    construct_build_args: Callable[..., Sequence[object]]
    binary: str
    build_cmd: tuple[str, ...] = ("build",)
    defaults: Mapping[str, str] = field(default_factory=dict)
    named_contexts: bool = False

    def health(self, env: Mapping[str, str]) -> None:
        try:
            healthy = self.healthy()
        except Exception as error:
            raise BackendUnhealthy(
                f"The backend {self.name} cannot say whether it works: {type(error).__name__}: {error}."
            ) from error
        if not healthy:
            raise BackendUnhealthy(
                f"The backend {self.name} says that it cannot build.",
                hint=f"Is {self.binary} installed and running? Its own health function decides.",
            )

    def version(self, env: Mapping[str, str]) -> str:
        self.health(env)
        found = shutil.which(self.binary, path=env.get("PATH"))
        if found is None:
            raise BackendUnhealthy(
                f"{self.binary} is not installed, or not on the PATH.", hint=f"The backend {self.name} needs it."
            )
        said = run([found, "--version"], env=self.env(env), timeout=10)
        return said.stdout.strip() if said.returncode == 0 else self.name

    def check(self, options: Options) -> None:
        unknown = [name for name in options.keywords if not self.takes(name)]
        if unknown:
            name = unknown[0].replace("_", "-")
            raise UsageError(f"{self.name} has no option {name}.", hint="Its construct_build_args does not take it.")

    def takes(self, keyword: str) -> bool:
        """Whether its construct_build_args has this option."""
        try:
            parameters = inspect.signature(self.construct_build_args).parameters
        except (TypeError, ValueError):
            return True
        found = parameters.get(keyword)
        anything = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
        return anything or (found is not None and found.kind is not found.POSITIONAL_ONLY)

    def argv(self, request: Request) -> list[str]:
        self.check(request.options)
        offered = {"context_path": request.context, "file": request.dockerfile, "tag": request.tags}
        keywords: dict[str, object] = {name: value for name, value in offered.items() if self.takes(name)}
        keywords.update(request.options.keywords)
        if request.options.values("label") and self.takes("label"):  # the Bento's own labels are among them
            keywords["label"] = request.options.values("label")
        if request.options.value("network") and self.takes("network"):
            keywords["network"] = request.options.value("network")
        if request.build_args:
            told = dict(request.build_args)
            if not self.takes("build_arg"):
                told.pop("SOURCE_DATE_EPOCH", None)  # nobody asked for it by name
            own = (*(f"{name}={value}" for name, value in told.items()), *request.options.values("build-arg"))
            keywords |= {"build_arg": own} if own else {}
        if request.all_secrets():
            keywords["secret"] = request.all_secrets()
        for name, value in (("iidfile", request.iidfile), ("progress", request.progress)):
            if value and self._anything() and name not in keywords:
                keywords[name] = value
        try:
            words = self.construct_build_args(**keywords)
        except Exception as error:
            raise StepError(
                f"construct_build_args of the backend {self.name} failed: {type(error).__name__}: {error}."
            ) from error
        if not isinstance(words, (list, tuple)):
            kind = type(words).__name__
            raise StepError(f"construct_build_args of the backend {self.name} gave a {kind}, not a list of words.")
        return [self.binary, *self.build_cmd, *_flat(words)]

    def _anything(self) -> bool:
        return self.takes("any_keyword_at_all")

    def env(self, base: Mapping[str, str]) -> dict[str, str]:
        return {**self.defaults, **base}

    def stores(self, options: Options) -> bool:
        return False

    def image(self, reference: str, env: Mapping[str, str]) -> Image | None:
        return None

    def base_digest(self, image: str, env: Mapping[str, str]) -> str | None:
        return None

    def after(self, request: Request, completed: Completed, env: Mapping[str, str]) -> str | None:
        return noted_id(request) if completed.returncode == 0 else None


def _flat(words: Sequence[object]) -> list[str]:
    """As words; `--flag` before several values is said once for each."""
    found: list[str] = []
    for word in words:
        if isinstance(word, (tuple, list)):
            flag = found.pop() if found and found[-1].startswith("-") else None
            for each in word:
                found += [str(each)] if flag is None else [flag, str(each)]
        else:
            found.append(str(word))
    return found
