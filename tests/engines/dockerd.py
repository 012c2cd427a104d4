"""A dockerd with BuildKit, on a socket, a bridge and directories of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from base_image import NAME, Base
from machine import Missing, State, call, succeeds

_FRONTEND = Path(__file__).resolve().parent / "frontend"
_FRONTEND_TAGS = ("1", "1.4", "1-labs", "1.4-labs")


def up(
    state: State, base: Base, step: Callable[[str], None], *, containerd: bool, first: State | None = None
) -> dict[str, str]:
    """Start it, if it does not run, and see that it has the base image and the frontend. What to export.

    `first` has them already: they are taken from there.
    """
    place = state.work / "docker"
    (place / "config").mkdir(parents=True, exist_ok=True)
    (place / "config/config.json").write_text("{}\n")  # buildah reads it too, and wants it to be there
    socket = state.work / "docker.sock"
    exports = _reach(state)
    if not succeeds("docker", "version", env=exports):
        _start(state, place, socket, containerd)
        _wait(exports, place / "log")
    about = call("docker", "info", "--format", "{{.ServerVersion}}, {{.Driver}}", env=exports).strip()
    step(f"docker {about}")
    if not succeeds("docker", "image", "inspect", NAME, env=exports):
        if not base.pulled("docker", "pull", "-q", NAME, env=exports):
            call("docker", "load", "-q", "-i", base.archive(), env=exports)
        step(f"docker: {NAME}")
    frontend = "docker/dockerfile:1"
    if first is not None and not succeeds("docker", "image", "inspect", frontend, env=exports):
        call("docker", "load", "-q", "-i", _frontend_of(first), env=exports)
    if not succeeds("docker", "image", "inspect", frontend, env=exports) and not base.pulled(
        "docker", "pull", "-q", frontend, env=exports
    ):
        tags = [word for tag in _FRONTEND_TAGS for word in ("-t", f"docker/dockerfile:{tag}")]
        call("docker", "build", "-q", *tags, _FRONTEND, env={**exports, "DOCKER_BUILDKIT": "1"})
        step("docker: a frontend for `# syntax=` that passes on to BuildKit's own")
    return exports


def _frontend_of(first: State) -> Path:
    """The frontend of that directory's docker as a file."""
    path = first.work / "frontend.tar"
    if not path.exists():
        tags = [f"docker/dockerfile:{tag}" for tag in _FRONTEND_TAGS]
        there = [tag for tag in tags if succeeds("docker", "image", "inspect", tag, env=_reach(first))]
        call("docker", "save", "-o", path, *there, env=_reach(first))
    return path


def _reach(state: State) -> dict[str, str]:
    return {"DOCKER_HOST": f"unix://{state.work / 'docker.sock'}", "DOCKER_CONFIG": str(state.work / "docker/config")}


def _start(state: State, place: Path, socket: Path, containerd: bool) -> None:
    name, _ = state.bridge("d")
    settings = {
        "hosts": [f"unix://{socket}"],
        "data-root": str(place / "data"),
        "exec-root": str(place / "exec"),
        "pidfile": str(place / "pid"),
        "bridge": name,
        "iptables": False,  # the bridge has rules already
        "ip6tables": False,
        "shutdown-timeout": 5,
        "features": {"containerd-snapshotter": containerd},
    }
    (place / "daemon.json").write_text(json.dumps(settings, indent=1) + "\n")
    with (place / "log").open("ab") as log:
        subprocess.Popen(
            ["dockerd", "--config-file", str(place / "daemon.json")],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )


def _wait(exports: dict[str, str], log: Path) -> None:
    until = time.monotonic() + 30
    while not succeeds("docker", "version", env=exports):
        if time.monotonic() > until:
            last = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
            raise Missing(f"dockerd did not come up in 30 s ({log}):\n{last}")
        time.sleep(0.1)


def down(state: State) -> None:
    """End the dockerd of that directory, and its containerd, by their pid files."""
    place = state.work / "docker"
    env = _reach(state)
    if place.is_dir() and succeeds("docker", "version", env=env):
        succeeds("docker", "kill", *call("docker", "ps", "-q", env=env).split(), env=env)  # else each has 10 s to stop
    for file in (place / "pid", place / "exec/containerd/containerd.pid"):
        try:
            pid = int(file.read_text())
        except (OSError, ValueError):
            continue
        for sent, seconds in ((signal.SIGTERM, 20), (signal.SIGKILL, 5)):
            until = time.monotonic() + seconds
            if _is_ours(pid, place):
                os.kill(pid, sent)
            while _is_ours(pid, place) and time.monotonic() < until:
                time.sleep(0.1)


def _is_ours(pid: int, place: Path) -> bool:
    """Whether that number is still a process that was started with a file of this place."""
    try:
        return bytes(place) in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
