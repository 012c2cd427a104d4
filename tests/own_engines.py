"""The engines that a worker of pytest-xdist has for itself, and their health.

docker 26.1 crashes now and then when it builds several images at once (BuildKit's walkProvenance reads a vertex that
another build has just merged with its own), and with it go all tests that follow. So an engine is asked by one worker
only. BENTOMAKE_TEST_ENGINES_AT names directories in which up.py has brought up engines; with as many as there are
workers each has its own, and tests of engines run beside each other. With fewer, one worker runs them all.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import warnings
from pathlib import Path

_PLACES = os.environ.get("BENTOMAKE_TEST_ENGINES_AT", "").split()
_UP = Path(__file__).resolve().parent / "engines" / "up.py"
_PATIENCE = 20  # seconds in which a daemon says that it is there, on a machine that does much else


def for_each_worker() -> bool:
    """Whether there are engines enough for all workers of this run."""
    return len(_PLACES) >= int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))


def place() -> Path | None:
    """Where this worker's engines are, if up.py brought them up: nobody else's, and a test may end them."""
    if not _PLACES:
        return None
    # a worker that replaces a dead one counts on
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return Path(_PLACES[worker % len(_PLACES) if for_each_worker() else 0])


def take() -> None:
    """Let this worker's engines be those that its tests reach: the variables that up.py told."""
    if there := place():
        os.environ.update(json.loads((there / "exports.json").read_text()))


def see_that_they_live() -> None:
    """Bring up this worker's docker once more, if it has died in an earlier test, and tell so."""
    there = place()
    if there is not None and (there / "docker").is_dir() and not _answers(there / "docker.sock"):
        bring_up(there)
        last = "".join((there / "docker/log").read_text(errors="replace").splitlines(keepends=True)[-400:])
        (there / "docker/log-of-a-death").write_text(last)
        warnings.warn(f"the docker of {there} had died in an earlier test; it was brought up once more", stacklevel=1)


def bring_up(there: Path) -> None:
    """The docker of that place, once more."""
    done = subprocess.run([sys.executable, str(_UP), "docker", str(there)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_PATIENCE)
        try:
            client.connect(str(path))
            client.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in client.recv(1 << 12)
        except TimeoutError:
            return True  # busy is not dead
        except OSError:
            return False
