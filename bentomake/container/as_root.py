"""sudo: an engine that obeys only root is asked, and builds, by it; it has our terminal, to ask for a password."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from ..engine.process import SUDO, Completed
from .backend import Backend, BackendUnhealthy

_ENGINES = ("BUILDAH_", "BUILDKIT_", "BUILDX_", "CONTAINERD_", "CONTAINERS_", "CONTAINER_", "DOCKER_", "NERDCTL_")
_SAYS = f"{SUDO}: "


def asked_as_root(backend: Backend) -> Backend:
    """The backend, all of whose questions are root's from now on; those of a registered one are its own affair."""
    if hasattr(backend, "rooted"):
        backend.rooted = os.geteuid() != 0
    return backend


def as_root(argv: list[str], env: Mapping[str, str], more: Iterable[str] = ()) -> list[str]:
    """The same by sudo, with the variables kept by name that engines or this build need; root needs no sudo."""
    if os.geteuid() == 0:
        return argv
    kept = sorted({*(name for name in env if name.startswith(_ENGINES)), *more})
    return [SUDO, *([f"--preserve-env={','.join(kept)}"] if kept else []), *argv]


def admitted(asked: Completed) -> Completed:
    """What root was told; BackendUnhealthy if sudo did not let it be asked."""
    said = [line for line in asked.stderr.splitlines() if line.startswith(_SAYS)]
    if asked.returncode != 0 and said:
        program = next(word for word in asked.argv[1:] if not word.startswith("-"))
        raise BackendUnhealthy(
            f"--run-as-root, and sudo does not start {program}.",
            detail="\n".join(said),
            hint=f"Does `sudo {program} version` work in this terminal?",
        )
    return asked
