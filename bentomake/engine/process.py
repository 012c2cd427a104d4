"""Processes: the only place that starts one; each in a group of its own, ended as a group."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from typing import NamedTuple

from ..errors import UsageError

_running: set[subprocess.Popen[str]] = set()
_lock = threading.Lock()


class Completed(NamedTuple):
    """A process that ended: its exit code (negative: a signal), what it printed, how long it took."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str
    seconds: float
    timed_out: bool = False


def run(
    argv: list[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    timeout: float | None = None,
    stdin: str | None = None,
) -> Completed:
    """Start a process and wait for its end; its exit code is the caller's business.

    Raises UsageError when the program is not there. `timeout` is in seconds; the whole group is killed after it.
    """
    began = time.monotonic()
    try:
        process = subprocess.Popen(
            argv,
            env=None if env is None else dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
    except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
        raise UsageError(f"{argv[0]} cannot be started: {error.strerror}.", hint="Is it installed?") from error
    with _lock:
        _running.add(process)
    timed_out = False
    try:
        try:
            out, err = process.communicate(stdin, timeout=timeout)
        except subprocess.TimeoutExpired:
            timed_out = True
            end_group(process)
            out, err = process.communicate()
    except BaseException:
        end_group(process)
        process.wait()
        raise
    finally:
        with _lock:
            _running.discard(process)
    return Completed(tuple(argv), process.returncode, out, err, time.monotonic() - began, timed_out)


def end_group(process: subprocess.Popen[str]) -> None:
    """Kill a process and all that it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()


def end_all() -> None:
    """Kill every process that still runs: for an interrupt, which reaches only the main thread."""
    with _lock:
        running = list(_running)
    for process in running:
        end_group(process)
