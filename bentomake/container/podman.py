"""podman: `podman build`, which is buildah's; on macOS in podman's machine."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

from .backend import BackendUnhealthy
from .buildah import Buildah
from .engine_command import EngineCommand
from .words import BUILDAH


class Podman(Buildah):
    name = "podman"
    binary = "podman"
    words = BUILDAH | {"squash-all"}
    instead: Mapping[str, str] = {
        **Buildah.instead,
        "push": "`podman push TAG` does that afterwards; buildctl, buildx, docker and nerdctl push when they build.",
    }
    oldest = (4, 3)
    get = "https://podman.io/getting-started/installation, or choose another engine with --backend."

    def __init__(self, env: Mapping[str, str] | None = None) -> None:
        super().__init__(env)
        self.tidy = ()  # so it is by itself

    def version(self, env: Mapping[str, str]) -> str:
        if sys.platform == "darwin":
            asked = self.ask(env, "machine", "info", "--format", "{{json .Host.MachineState}}")
            if asked.stdout.strip().strip('"').lower() != "running":
                raise BackendUnhealthy(
                    "podman's machine does not run.", hint="podman machine init; podman machine start"
                )
        asked = self.ask(env, "info", "--format", "json")
        try:
            told = json.loads(asked.stdout)
            store = f"{told['store']['graphDriverName']} {told['store']['graphRoot']}"
            version = str(told["version"]["Version"])
        except (ValueError, LookupError, TypeError):
            raise self.unhealthy("podman is installed, but does not work.", asked, "Try `podman info`.") from None
        self.expect(version)
        return f"podman {version} ({store}, {self.env(env)['BUILDAH_FORMAT']})"

    image = EngineCommand.image
    image_of = EngineCommand.image_of
