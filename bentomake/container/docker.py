"""docker: `docker build`, with BuildKit unless DOCKER_BUILDKIT=0."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from ..engine.process import Completed
from ..errors import UsageError
from . import docker_direct
from .backend import BackendUnhealthy, Image
from .engine_command import INSPECT, SECONDS, EngineCommand, output_type
from .options import Options
from .request import Request
from .words import BUILDKIT, CLASSIC

OLDEST = (18, 9)
BETTER = "`docker buildx create --name NAME --bootstrap` makes a builder that can, --opt builder=NAME chooses it"
_GET_DOCKER = "https://docs.docker.com/get-docker/"
_NETWORKS = ("default", "host", "none")
_IMAGES = ("docker", "image")

_VERSION = ("version", "--format", "{{json .}}")


class Docker(EngineCommand):
    """The docker daemon. Without BuildKit it has the classic builder's options only, and no other contexts."""

    name = "docker"
    binary = "docker"
    # No git: the context is not the user's checkout, and may lie in one that has nothing to do with it.
    defaults: ClassVar[Mapping[str, str]] = {
        "DOCKER_BUILDKIT": "1",
        "DOCKER_SCAN_SUGGEST": "false",
        "BUILDX_GIT_INFO": "0",
        "GOGC": "800",  # buildx is small and short-lived: it would collect garbage before it has said a word
    }
    opening = (_VERSION,)
    waits = True
    get = f"{_GET_DOCKER}, or choose another engine with --backend."

    def __init__(self, env: Mapping[str, str]) -> None:
        super().__init__()
        self.wanted = buildkit_wanted(env)
        self.classic = not self.wanted and self.head == ("build",)
        self.builder = env.get("BUILDX_BUILDER")
        self.named_contexts = self.dated = not self.classic
        self.words = CLASSIC if self.classic else BUILDKIT
        classic = "docker has it only with BuildKit, and DOCKER_BUILDKIT is 0."
        self.instead = dict.fromkeys(BUILDKIT - CLASSIC, classic) if self.classic else {}

    def check(self, options: Options) -> None:
        super().check(options)
        if not self.classic:
            network = options.value("network")
            if network not in (None, *_NETWORKS):
                raise UsageError(
                    f"BuildKit has no network {network!r} for a build.", hint=f"It can be {', '.join(_NETWORKS)}."
                )
            own = not (options.value("builder") or self.builder)
            refuse_loading_several(self.name, options, f"{BETTER}; then add" if own else "Add")
        elif len(options.platforms()) > 1:
            raise UsageError("docker without BuildKit builds for one platform.", hint="Leave DOCKER_BUILDKIT=0 out.")

    def handled(self, request: Request) -> set[str]:
        outputs = [output_type(output) for output in request.options.values("output")]
        return {"load", "push"} if {"local", "tar"} & set(outputs) else set()

    def stores(self, options: Options) -> bool:
        outputs = options.values("output")
        if options.on("load"):
            return not {"local", "tar"} & {output_type(output) for output in outputs}
        images = [output for output in outputs if output_type(output) in _IMAGES and "dest=" not in output]
        return bool(images) if outputs else not options.on("push")

    def platform(self, env: Mapping[str, str]) -> str | None:
        return env.get("DOCKER_DEFAULT_PLATFORM") or None

    def ahead(self, env: Mapping[str, str], references: Iterable[str]) -> None:
        with contextlib.suppress(UsageError):  # said when it matters
            if self._daemon(env) is None:  # else it answers at once
                super().ahead(env, references)

    def ask(self, env: Mapping[str, str], *words: str) -> Completed:
        return self._told(env, words) or super().ask(env, *words)

    def _daemon(self, env: Mapping[str, str]) -> docker_direct.Daemon | None:
        """The daemon, where the client adds nothing but time."""
        return None if self.rooted or docker_direct.wrapped(self.find(env)) else docker_direct.daemon(env)

    def _told(self, env: Mapping[str, str], words: tuple[str, ...]) -> Completed | None:
        """What the client would say, from the daemon itself; None if it is not to be reached, or has other news."""
        daemon = self._daemon(env)
        if daemon is None or (words != _VERSION and words[:-1] != INSPECT):
            return None
        try:
            if words == _VERSION:
                # `Docker/26.1.5 (linux)`; /version would start other programs to ask for theirs
                answer = docker_direct.get(daemon.socket, "/_ping", SECONDS)
                program, _, version = answer.headers.get("server", "").partition(" ")[0].partition("/")
                if answer.status != 200 or program != "Docker" or not version:
                    return None
                told = {"Server": {"Version": version}, "Client": {"Context": daemon.context}}
                return Completed(words, 0, json.dumps(told), "", 0.0)
            answer = docker_direct.get(daemon.socket, f"/images/{words[-1]}/json", SECONDS)
            text = answer.body.decode()
        except (OSError, ValueError):
            return None
        if answer.status == 404:
            return Completed(words, 1, "", f"No such image: {words[-1]}", 0.0)
        return Completed(words, 0, text, "", 0.0) if answer.status == 200 else None

    def direct(self, argv: list[str], env: dict[str, str]) -> list[str]:
        """The same build without the client; `env` is told which builder the client would choose."""
        daemon = self._daemon(env)
        program = docker_direct.buildx(env) if daemon is not None and not self.classic else None
        if daemon is None or program is None:
            return argv
        if self.head == ("build",):
            env.setdefault("BUILDX_BUILDER", daemon.context)
        return [program, "build", *argv[1 + len(self.head) :]]

    def sent(self, request: Request, image_id: str | None, env: Mapping[str, str]) -> Image | None:
        """The image that was made to be elsewhere; docker's own builder keeps it here, too."""
        from .sent import as_found, as_noted, pushes  # few images are sent away

        noted = as_noted(request)
        if noted is None:
            return None
        here = self.image(noted.reference, env)
        if here is not None and here.id == image_id:
            return here._replace(digest=noted.digest)

        def inspect(*words: str) -> str:
            asked = self.ask(env, "buildx", "imagetools", "inspect", *words)
            if asked.returncode != 0:
                raise ValueError(asked.stderr)
            return asked.stdout

        return as_found(noted, inspect) if pushes(request.options) else noted

    def waiting(self, argv: list[str]) -> list[str] | None:
        """buildx itself: it asks its daemon for all that it needs before it reads a Dockerfile from its stdin."""
        if argv[0] == self.binary:  # by the client, which hands a stdin on when it likes
            return None
        *words, _, context = argv  # see EngineCommand.argv: no option's value is taken for `--file`
        return [*words, "-", context]

    def version(self, env: Mapping[str, str]) -> str:
        asked = self.ask(env, *_VERSION)
        told = _json(asked) or {}
        server = told.get("Server")
        if not server:
            raise self.unreachable(asked, env)
        components = " ".join(str(part.get("Name")) for part in server.get("Components") or [])
        version = str(server.get("Version"))
        if "podman" in components.lower():
            raise BackendUnhealthy(f"docker is podman {version} here.", hint="Choose it by its name: --backend podman.")
        if self.buildkit and numbers(version) < OLDEST:
            raise BackendUnhealthy(
                f"docker {version} has no BuildKit: that came with 18.09.",
                hint=f"Upgrade ({_GET_DOCKER}), or set DOCKER_BUILDKIT=0.",
            )
        client = told.get("Client") or {}
        where = env.get("DOCKER_HOST") or f"context {client.get('Context') or 'default'}"
        builder = f", builder {env['BUILDX_BUILDER']}" if env.get("BUILDX_BUILDER") and not self.classic else ""
        platform = f", for {self.platform(env)}" if self.platform(env) else ""
        how = "classic" if self.classic else "BuildKit"
        return f"docker {version}, {how} ({where}){builder}{platform}"

    def unreachable(self, asked: Completed, env: Mapping[str, str]) -> BackendUnhealthy:
        where = f" at {env['DOCKER_HOST']}" if env.get("DOCKER_HOST") else ""
        return self.unhealthy(
            f"docker is installed, but its daemon{where} cannot be reached.",
            asked,
            "Start it (Docker Desktop, or `sudo systemctl start docker`); DOCKER_HOST and `docker context ls` say "
            "which one is meant. May you use it? Else --run-as-root, or the group `docker`.",
        )


def refuse_loading_several(name: str, options: Options, hint: str = "Add") -> None:
    """Several platforms are a list of images, which a local store does not take; `hint` is its beginning."""
    platforms = options.platforms()
    if len(platforms) < 2 or options.on("push") or (options.values("output") and not options.on("load")):
        return
    raise UsageError(
        f"{name} cannot load an image of {len(platforms)} platforms ({', '.join(platforms)}) into its store.",
        hint=f"{hint} --opt push, or --opt output=type=oci,dest=FILE; or build one platform at a time.",
    )


def buildkit_wanted(env: Mapping[str, str]) -> bool:
    """DOCKER_BUILDKIT=0 wants a Dockerfile without BuildKit's syntax."""
    return env.get("DOCKER_BUILDKIT", "").strip().lower() not in ("0", "f", "false")


def numbers(version: str) -> tuple[int, ...]:
    """`20.10.5+dfsg1` is (20, 10, 5)."""
    found = re.match(r"v?(\d+(?:\.\d+)*)", version)
    return tuple(int(part) for part in found.group(1).split(".")) if found else ()


def _json(completed: Completed) -> dict[str, Any] | None:
    try:
        found = json.loads(completed.stdout)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
