"""Processes: the only place that starts one; each in a group of its own, ended as a group."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import IO, NamedTuple

from ..errors import UsageError

SUDO = "sudo"  # what it starts is root's: it has our terminal, for a password and for Ctrl-C, and so our group
GRACE = 10.0  # seconds that an interrupted process has: buildah puts away containers and mounts, which takes a while
HELPED = 2.0  # seconds in which one that is ended by its helpers starts the next one

_running: set[subprocess.Popen[str]] = set()
_standing: set[subprocess.Popen[str]] = set()  # of these, those at an input that nobody feeds yet: they hear no SIGTERM
_by_helpers: set[subprocess.Popen[str]] = set()  # these put away what they made only if a helper of theirs fails
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
    on_line: Callable[[str], None] | None = None,
) -> Completed:
    """Start a process and wait for its end; its exit code is the caller's business.

    Raises UsageError when the program cannot be started. `timeout` is in seconds; the whole group is killed after it.
    `on_line` is told each line, of stdout and stderr, as it comes.
    """
    return Begun(argv, env=env, cwd=cwd, stdin=stdin).wait(timeout, on_line)


class Begun:
    """A process that was started, and that somebody will wait for, or end.

    Raises UsageError when the program cannot be started. One that is `fed` gets its standard input when it is waited
    for, and until then stands at it. It `keeps` open files of ours, by their descriptors: a lock is held until it ends,
    too, even if we are killed before. One that ends at a signal as it stands is ended `by_helpers`, which it started.
    """

    def __init__(
        self,
        argv: list[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        stdin: str | None = None,
        fed: bool = False,
        keeps: Collection[int] = (),
        by_helpers: bool = False,
    ):
        self._argv = tuple(argv)
        self._stdin = stdin
        self._began = time.monotonic()
        try:
            self._process = subprocess.Popen(
                argv,
                env=None if env is None else dict(env),
                cwd=cwd,
                stdin=subprocess.PIPE if fed or stdin is not None else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=argv[0] != SUDO,
                pass_fds=tuple(keeps),
            )
        except OSError as error:  # not there, not executable, no program (ENOEXEC), arguments too long
            raise UsageError(f"{argv[0]} cannot be started: {error.strerror}.", hint="Is it installed?") from error
        with _lock:
            _running.add(self._process)
            if fed:
                _standing.add(self._process)
            if by_helpers:
                _by_helpers.add(self._process)

    def wait(
        self,
        timeout: float | None = None,
        on_line: Callable[[str], None] | None = None,
        stdin: str | None = None,
    ) -> Completed:
        """Wait for its end, as `run` does, with its `timeout` and `on_line`; `stdin` is for one that is fed."""
        process, text, timed_out = self._process, self._stdin if stdin is None else stdin, False
        with _lock:
            _standing.discard(process)
        try:
            try:
                if on_line is None:
                    out, err = process.communicate(text, timeout=timeout)
                else:
                    out, err, timed_out = _watch(process, timeout, on_line, text)
            except subprocess.TimeoutExpired:
                timed_out = True
                _send(process, signal.SIGKILL)
                out, err = process.communicate()
        except BaseException:
            _end([process])
            with contextlib.suppress(subprocess.TimeoutExpired):  # one that could not be killed is not waited for
                process.wait(1)
            raise
        finally:
            self._forget()
        return Completed(self._argv, process.returncode, out, err, time.monotonic() - self._began, timed_out)

    def end(self) -> None:
        """End it at once, with all that it started: it is of no use, and has done nothing yet."""
        _send(self._process, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.communicate(timeout=1)
        self._forget()

    def _forget(self) -> None:
        with _lock:
            _running.discard(self._process)
            _standing.discard(self._process)
            _by_helpers.discard(self._process)


def _watch(
    process: subprocess.Popen[str], timeout: float | None, on_line: Callable[[str], None], stdin: str | None
) -> tuple[str, str, bool]:
    """Both streams, told line by line, and whether the time was over before the process was."""
    texts: tuple[list[str], list[str]] = ([], [])
    telling = threading.Lock()
    trouble: list[BaseException] = []

    def read(stream: IO[str], text: list[str]) -> None:
        for line in stream:  # to its end, whatever becomes of the listener: a full pipe would stop the process for ever
            text.append(line)
            with telling:
                try:
                    if not trouble:
                        on_line(line.rstrip("\n"))
                except BaseException as error:
                    trouble.append(error)

    assert process.stdout is not None and process.stderr is not None
    streams = (process.stdout, process.stderr)
    readers = [threading.Thread(target=read, args=pair, daemon=True) for pair in zip(streams, texts, strict=True)]
    for reader in readers:
        reader.start()
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):  # it ended, or does not read: its exit code tells
            process.stdin.write(stdin or "")
            process.stdin.flush()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
    late = False
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        late = True
        _send(process, signal.SIGKILL)
        process.wait()
    for reader in readers:  # what the process left behind may hold the pipe open: nobody waits long for that
        reader.join(5)
    if trouble:
        raise trouble[0]
    return "".join(texts[0]), "".join(texts[1]), late


def end_all() -> None:
    """End every process that still runs: for an interrupt, which reaches only the main thread; a second one hurries."""
    with _lock:
        running = list(_running)
    with contextlib.suppress(KeyboardInterrupt):  # the caller has the first
        _end(running)


def _end(processes: Collection[subprocess.Popen[str]]) -> None:
    """Ask processes, and all that they started, to end; kill what is left after a while, or at an interrupt."""
    until = time.monotonic() + GRACE
    try:
        for process in processes:
            if process not in _by_helpers or not _ended_by_helpers(process):
                _send(process, signal.SIGKILL if process in _standing else signal.SIGTERM)
        for process in processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, until - time.monotonic()))
    finally:
        for process in processes:
            _send(process, signal.SIGKILL)


def _ended_by_helpers(process: subprocess.Popen[str]) -> bool:
    """Ask the helpers of a process to end, as soon as it has some; whether there were any."""
    until = time.monotonic() + HELPED
    while process.poll() is None and time.monotonic() < until:
        helpers = _helpers(process)
        for helper in helpers:
            with contextlib.suppress(OSError):
                os.kill(helper, signal.SIGTERM)
        if helpers:
            return True
        time.sleep(0.02)
    return process.poll() is not None


def _helpers(process: subprocess.Popen[str]) -> list[int]:
    """The other processes of its group, where /proc tells."""
    found = []
    with contextlib.suppress(OSError):
        for each in (int(name) for name in os.listdir("/proc") if name.isdigit()):
            with contextlib.suppress(ProcessLookupError):
                if each != process.pid and os.getpgid(each) == process.pid:
                    found.append(each)
    return found


def _send(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Send a signal to a process and all that it started."""
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        try:
            process.send_signal(number)
        except PermissionError:
            _send_as_root(process.pid, number)


def _send_as_root(pid: int, number: signal.Signals) -> None:
    """Signal a sudo, if that needs no password now; it hands on what comes from another group than its own."""
    argv = [SUDO, "-n", "kill", f"-{number.value}", str(pid)]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        subprocess.run(
            argv, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=1, preexec_fn=os.setpgrp
        )
