"""Brings up real image engines in a directory: `eval "$(python3 tests/engines/up.py ENGINE… WORK)"`.

ENGINE is docker, buildah or podman, or several of them; `--beside 3` in front of them brings up three more of each.
What it prints is for the shell's `eval`; what it does is told on stderr. Everything but Debian packages lies in WORK,
and `tests/engines/down.py WORK` takes it away again.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path

import base_image
import containers
import dockerd
import packages
from machine import Missing, State


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="up.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("engines", nargs="+", choices=["docker", "buildah", "podman"], metavar="ENGINE")
    parser.add_argument("work", type=Path, metavar="WORK", help="a directory of their own")
    parser.add_argument("--containerd", action="store_true", help="docker keeps images in containerd's store")
    parser.add_argument("--beside", type=int, default=0, metavar="N", help="so many more of each, in WORK/beside-1 …")
    parser.add_argument("--python", help="the Python 3.11 of the base image, if it cannot be pulled")
    given = parser.parse_args(arguments)
    began = time.monotonic()

    def step(message: str) -> None:
        print(f"[{time.monotonic() - began:4.0f} s] {message}", file=sys.stderr, flush=True)

    places = [given.work, *(given.work / f"beside-{number + 1}" for number in range(given.beside))]
    first: State | None = None
    exports: dict[str, str] = {}
    try:
        for place in places:
            state = State.at(place.resolve())
            made = _bring_up(state, first, given, step)
            noted = state.work / "exports.json"  # an earlier call may have brought up others
            told = json.loads(noted.read_text()) if noted.exists() else {}
            noted.write_text(json.dumps({**told, **made}, indent=1) + "\n")
            exports, first = exports or made, first or state
    except Missing as error:
        print(f"up.py: {error}", file=sys.stderr)
        return 1
    step("ready: " + ", ".join(given.engines))
    exports["BENTOMAKE_TEST_ENGINES_AT"] = " ".join(str(place.resolve()) for place in places)
    for name, value in exports.items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def _bring_up(
    state: State, first: State | None, given: argparse.Namespace, step: Callable[[str], None]
) -> dict[str, str]:
    """The engines of one directory, with the images of the first one's; what to export."""
    packages.install(given.engines, state, step)
    base = base_image.Base(state, given.python, step, first)
    exports: dict[str, str] = {}
    if "docker" in given.engines:
        exports |= dockerd.up(state, base, step, containerd=given.containerd, first=first)
    if tools := [name for name in given.engines if name != "docker"]:
        exports |= containers.up(state, base, step, tools)
    return exports


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
