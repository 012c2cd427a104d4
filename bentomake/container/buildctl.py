"""buildctl: BuildKit's own command, whose words are not docker's; what it built is loaded into another engine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping

from ..engine.process import Completed
from ..errors import StepError
from . import buildkitd
from .backend import BackendUnhealthy, Image
from .buildctl_words import NATIVE, OWN, frontend_opts, outputs
from .docker import Docker, buildkit_wanted, refuse_loading_several
from .engine_command import EngineCommand, spell
from .nerdctl import Nerdctl
from .noted import noted, noted_id
from .options import Options
from .podman import Podman
from .request import Request

ARCHIVE = "image.tar"
METADATA = "metadata.json"


class Buildctl(EngineCommand):
    """Without an output or a push, the image is an archive in the request's scratch directory, and `after` loads it."""

    name = "buildctl"
    binary = "buildctl"
    words = NATIVE | OWN
    instead: Mapping[str, str] = {"builder": "BUILDKIT_HOST says which buildkitd is meant."}
    get = "https://github.com/moby/buildkit/releases, or choose another engine with --backend."

    def __init__(self, env: Mapping[str, str]) -> None:
        super().__init__()
        self.wanted = buildkit_wanted(env)

    def check(self, options: Options) -> None:
        super().check(options)
        if not options.values("output") or options.on("load"):
            refuse_loading_several(self.name, options)

    def argv(self, request: Request) -> list[str]:
        options = request.options
        self.check(options)
        directory, name = os.path.split(request.dockerfile)
        words = [self.binary, "build", "--frontend", options.value("frontend") or "dockerfile.v0"]
        words += ["--local", f"context={request.context}", "--local", f"dockerfile={directory or '.'}"]
        if name != "Dockerfile":
            words += ["--opt", f"filename={name}"]
        words += frontend_opts(request)
        for secret in request.all_secrets():
            words += ["--secret", secret]
        for option, value in options.given:
            if option in NATIVE - {"frontend", "metadata-file", "output", "progress", "secret"}:
                words += spell(option, value)
        for output in outputs(request, self._archive(request)):
            words += ["--output", output]
        metadata = request.metadata_file or options.value("metadata-file")
        metadata = metadata or (os.path.join(request.scratch, METADATA) if request.scratch else None)
        words += self._wish("metadata-file", metadata)
        return [*words, *self._wish("progress", options.value("progress") or request.progress)]

    def _archive(self, request: Request) -> str | None:
        return os.path.join(request.scratch, ARCHIVE) if request.scratch else None

    def stores(self, options: Options) -> bool:
        return options.on("load") or not (options.values("output") or options.on("push"))

    def version(self, env: Mapping[str, str]) -> str:
        self.find(env)
        buildkitd.expect(self.name, env)
        asked = self.ask(env, "debug", "workers", "--format", "{{range .}}{{.ID}} {{end}}")
        if asked.returncode != 0:
            where = env.get("BUILDKIT_HOST") or "unix:///run/buildkit/buildkitd.sock"
            hint = "Start it (`sudo buildkitd`, or rootlesskit buildkitd), or let BUILDKIT_HOST name one that runs."
            raise self.unhealthy(f"The buildkitd at {where} cannot be reached.", asked, hint)
        return f"{' '.join(self.ask(env, '--version').stdout.split()[:3])} (workers {asked.stdout.strip()})"

    def image(self, reference: str, env: Mapping[str, str]) -> Image | None:
        """Of the engine that what was built is loaded into."""
        loader = self._loader(env)
        try:
            return loader.image(reference, env) if loader is not None else None
        except (BackendUnhealthy, StepError):
            return None

    def _loader(self, env: Mapping[str, str]) -> EngineCommand | None:
        loader = loader_of(env)
        if loader is not None:
            loader.rooted = self.rooted
        return loader

    def sent(self, request: Request, image_id: str | None, env: Mapping[str, str]) -> Image | None:
        """The image that was made to be elsewhere."""
        from .sent import as_noted

        return as_noted(request)

    def base_digest(self, image: str, env: Mapping[str, str]) -> str | None:
        return None  # buildkitd has layers, not images

    def after(self, request: Request, completed: Completed, env: Mapping[str, str]) -> str | None:
        if completed.returncode != 0:
            return None
        archive = self._archive(request)
        if archive is not None and os.path.exists(archive):
            loader = self._loader(env)
            if loader is None:
                raise StepError(
                    "The image was built, but there is no docker, podman or nerdctl to load it into.",
                    hint="Install one of them, or keep the image: --opt output=type=oci,dest=FILE, or --opt push.",
                )
            loaded = loader.run([loader.binary, "load", "-i", archive], env, None)
            if loaded.returncode != 0:
                raise StepError(f"{loader.name} could not load the image.", detail=loaded.stderr.strip())
            os.unlink(archive)
        found = noted_id(request)
        if found is None and request.scratch:
            found = noted_id(Request("", "", (), metadata_file=os.path.join(request.scratch, METADATA)))
        return noted(found, request) if found else None


def loader_of(env: Mapping[str, str]) -> EngineCommand | None:
    """The first of docker, podman and nerdctl that is installed."""
    for kind in (Docker(env), Podman(env), Nerdctl(env)):
        if shutil.which(kind.binary, path=env.get("PATH")):
            return kind
    return None
