"""A registry of images on this machine: Debian's docker-registry, for as long as a test needs it."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

USER = "me:$2b$04$e5WtoMZtMlME7sD/wYIZeuIhO7djNlDpEoHIc5kgUG/l7z4iiXVAK"  # with the password `geheim`
_CONFIG = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {directory}/data}}}}
http: {{addr: "{address}"}}
"""


@contextlib.contextmanager
def registry(directory: Path, *, login: bool = False) -> Iterator[str]:
    """HOST:PORT of a registry that keeps its images in that directory; with `login`, it wants USER's password."""
    directory.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    config = _CONFIG.format(directory=directory, address=address)
    if login:
        (directory / "users").write_text(f"{USER}\n")
        config += f"auth: {{htpasswd: {{realm: test, path: {directory}/users}}}}\n"
    (directory / "config.yml").write_text(config)
    with (directory / "log").open("w") as log:
        process = subprocess.Popen(["docker-registry", "serve", directory / "config.yml"], stdout=log, stderr=log)
    try:
        until = time.monotonic() + 30
        while not _answers(address):
            assert process.poll() is None and time.monotonic() < until, (directory / "log").read_text()
            time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait(10)


def _answers(address: str) -> bool:
    try:
        urllib.request.urlopen(f"http://{address}/v2/", timeout=5).close()
    except urllib.error.HTTPError as error:
        return error.code == 401
    except OSError:
        return False
    return True
