"""podman: `podman build`, which is buildah's; on macOS in podman's machine."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

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
    ends_by_helpers = True
    get = "https://podman.io/getting-started/installation, or choose another engine with --backend."

    def __init__(self, env: Mapping[str, str] | None = None) -> None:
        super().__init__(env)
        self.tidy = ()  # so it is by itself
        self._info: dict[str, Any] | None = None

    def version(self, env: Mapping[str, str]) -> str:
        told = self._told(env)
        store = f"{told['store']['graphDriverName']} {told['store']['graphRoot']}"
        return f"podman {told['version']['Version']} ({store}, {self.env(env)['BUILDAH_FORMAT']})"

    def number(self, env: Mapping[str, str]) -> str:
        return str(self._told(env)["version"]["Version"])

    def _told(self, env: Mapping[str, str]) -> dict[str, Any]:
        """What `podman info` tells, with all that is wanted of it; asked once."""
        if self._info is None:
            self._info = self._asked(env)
        return self._info

    def _asked(self, env: Mapping[str, str]) -> dict[str, Any]:
        if sys.platform == "darwin":
            asked = self.ask(env, "machine", "info", "--format", "{{json .Host.MachineState}}")
            if asked.stdout.strip().strip('"').lower() != "running":
                raise BackendUnhealthy(
                    "podman's machine does not run.", hint="podman machine init; podman machine start"
                )
        asked = self.ask(env, "info", "--format", "json")
        try:
            told: dict[str, Any] = json.loads(asked.stdout)
            _ = told["store"]["graphDriverName"], told["store"]["graphRoot"], told["version"]["Version"]
        except (ValueError, LookupError, TypeError):
            raise self.unhealthy("podman is installed, but does not work.", asked, "Try `podman info`.") from None
        return told

    image = EngineCommand.image
    image_of = EngineCommand.image_of
