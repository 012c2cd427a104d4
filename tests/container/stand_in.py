"""Stand-ins for image engines: programs on a PATH of their own that note how they were called, and answer as told."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ENGINES = ("docker", "podman", "buildah", "nerdctl", "buildctl")
NOTED = ("DOCKER_BUILDKIT", "DOCKER_SCAN_SUGGEST", "BUILDAH_FORMAT", "BUILDAH_LAYERS", "BUILDKIT_HOST")

_PROGRAM = """#!{python}
import json, os, sys
here = os.path.dirname(os.path.abspath(__file__))
name = os.path.basename(__file__)
env = {{key: os.environ[key] for key in {noted} if key in os.environ}}
with open(os.path.join(here, "calls"), "a") as file:
    file.write(json.dumps({{"argv": [name, *sys.argv[1:]], "env": env, "cwd": os.getcwd()}}) + "\\n")
with open(os.path.join(here, "answers")) as file:
    answers = json.load(file)
said = " ".join([name, *sys.argv[1:]])
for beginning, code, out, err in answers:
    if said.startswith(beginning):
        sys.stdout.write(out)
        sys.stderr.write(err)
        sys.exit(code)
"""


class StandIns:
    """A PATH with nothing but the stand-ins that were asked for."""

    def __init__(self, directory: Path, *engines: str):
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "answers").write_text("[]")
        (directory / "calls").write_text("")
        for name in engines:
            program = directory / name
            program.write_text(_PROGRAM.format(python=sys.executable, noted=NOTED))
            program.chmod(0o755)

    @property
    def env(self) -> dict[str, str]:
        # no context of this machine: a daemon that answers on a socket is asked without the client
        return {"PATH": str(self.directory), "HOME": str(self.directory), "DOCKER_CONTEXT": "stand-in"}

    def answer(self, beginning: str, out: object = "", *, err: str = "", code: int = 0) -> None:
        """What a call that begins so is answered; the newest answer holds. What is no text is said as JSON."""
        answers = json.loads((self.directory / "answers").read_text())
        answers.insert(0, [beginning, code, out if isinstance(out, str) else json.dumps(out), err])
        (self.directory / "answers").write_text(json.dumps(answers))

    @property
    def calls(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.directory / "calls").read_text().splitlines()]


HEALTHY: dict[str, list[tuple[str, object]]] = {
    "docker": [
        (
            "docker version",
            {
                "Client": {"Version": "28", "Context": "mine"},
                "Server": {"Version": "26.1.5", "Components": [{"Name": "Engine"}]},
            },
        ),
        ("docker buildx version", "github.com/docker/buildx 0.13.1 abc\n"),
    ],
    "podman": [
        (
            "podman info",
            {"store": {"graphDriverName": "overlay", "graphRoot": "/store"}, "version": {"Version": "4.3.1"}},
        ),
    ],
    "buildah": [
        ("buildah --version", "buildah version 1.28.2 (image-spec 1.1.0)\n"),
        ("buildah info", {"store": {"GraphDriverName": "overlay", "GraphRoot": "/store"}}),
    ],
    "nerdctl": [
        (
            "nerdctl version",
            {
                "Client": {"Version": "v1.7.0"},
                "Server": {"Components": [{"Name": "containerd", "Version": "v1.7.11"}]},
            },
        ),
    ],
    "buildctl": [
        ("buildctl debug workers", "abc123 "),
        ("buildctl --version", "buildctl github.com/moby/buildkit v0.12.4 833949d\n"),
    ],
}


def healthy(directory: Path, *engines: str) -> StandIns:
    made = StandIns(directory, *engines)
    for name in engines:
        for beginning, out in HEALTHY.get(name, []):
            made.answer(beginning, out)
    return made
