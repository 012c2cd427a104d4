"""What a container said that ends by itself, read from its engine's log.

`docker run` that stays attached may say nothing and end well: its stream is joined to the container beside its start,
and on a busy machine the container can be through first. podman that waits may wait 20 seconds too long: conmon starts
a podman that notes the end, and where that one cannot (in a container) the other has no news.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping


def what_it_said(engine: str, words: tuple[str, ...], env: Mapping[str, str]) -> str:
    """The standard output of `ENGINE run WORDS`; AssertionError with all that it said if it does not end well."""

    def call(*argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([engine, *argv], capture_output=True, text=True, env=env)

    def good(*argv: str) -> str:
        done = call(*argv)
        assert done.returncode == 0, f"{engine} {' '.join(argv)}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    container = good("run", "-d", *words)
    try:
        look = ("container", "inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", container)
        while not (state := good(*look)).startswith(("exited ", "stopped ", "dead ")):
            time.sleep(0.05)
        logs = call("logs", container)
        assert state.endswith(" 0"), f"{engine} run {' '.join(words)}: {state}: {logs.stdout}{logs.stderr}"
        return logs.stdout
    finally:
        call("rm", "-f", container)
