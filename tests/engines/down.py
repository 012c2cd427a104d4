"""Takes away what up.py brought up in a directory: `python3 tests/engines/down.py WORK`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import containers
import dockerd
from machine import State, unmount_below


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: down.py WORK", file=sys.stderr)
        return 2
    work = Path(arguments[0]).resolve()
    if State.found(work) is None:
        print(f"down.py: {work} holds no engine", file=sys.stderr)
        return 0
    for place in (*sorted(work.glob("beside-*"), reverse=True), work):  # in the opposite order of their coming
        if state := State.found(place):
            containers.down(state)
            dockerd.down(state)
            unmount_below(place)
            state.take_back()
    shutil.rmtree(work)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
