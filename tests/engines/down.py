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
    state = State.found(work)
    if state is None:
        print(f"down.py: {work} holds no engine", file=sys.stderr)
        return 0
    containers.down(state)
    dockerd.down(state)
    unmount_below(work)
    state.take_back()
    shutil.rmtree(work)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
