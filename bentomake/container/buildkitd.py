"""buildkitd: the daemon that buildctl and nerdctl build with."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

from .backend import BackendUnhealthy

_GET = "https://github.com/moby/buildkit#quick-start"


def expect(name: str, env: Mapping[str, str]) -> None:
    """Raise BackendUnhealthy if there is no buildkitd to be seen."""
    if env.get("BUILDKIT_HOST") or shutil.which("buildkitd", path=env.get("PATH")):
        return
    portable = ""
    for tool in ("docker", "podman"):
        if shutil.which(tool, path=env.get("PATH")):
            portable = (
                f" Or in a container: {tool} run -d --name buildkitd --privileged moby/buildkit:latest, then "
                f"export BUILDKIT_HOST={tool}-container://buildkitd"
            )
            break
    raise BackendUnhealthy(
        f"{name} needs a buildkitd: none is on the PATH, and BUILDKIT_HOST does not name one.",
        hint=f"Install and start it ({_GET}).{portable}",
    )
