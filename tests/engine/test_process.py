"""Processes: an exit code is the caller's business, and nothing that was started is left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bentomake.engine import process
from bentomake.engine.process import run
from bentomake.errors import UsageError


def gone(pid):
    """Whether a process is dead, or only waits to be reaped by somebody."""
    for _ in range(3000):
        try:
            os.kill(pid, 0)
            with open(f"/proc/{pid}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.02)
    return False


def test_what_it_says_and_how_it_ends():
    done = run(["sh", "-c", "cat; echo err >&2; exit 7"], stdin="said to it\n")
    assert (done.returncode, done.stdout, done.stderr, done.timed_out) == (7, "said to it\n", "err\n", False)


def test_its_environment_and_directory_are_those_that_were_given(tmp_path):
    done = run(["/bin/sh", "-c", "pwd; echo $A; echo ${HOME-none}"], env={"A": "b"}, cwd=str(tmp_path))
    assert done.stdout.split() == [os.path.realpath(tmp_path), "b", "none"]


def test_after_its_time_it_is_killed_with_all_that_it_started(tmp_path):
    done = run(["sh", "-c", f"sleep 60 & echo $! > {tmp_path}/pid; wait"], timeout=3)
    assert done.timed_out and done.returncode < 0
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_program_that_is_not_there_is_a_usage_error():
    with pytest.raises(UsageError, match="cannot be started"):
        run(["/no/such/program"])


def test_so_is_a_file_of_garbage_that_is_called_a_program(tmp_path):
    (tmp_path / "python").write_bytes(b"\x7fgarbage")
    (tmp_path / "python").chmod(0o755)
    with pytest.raises(UsageError, match="Exec format error"):
        run([str(tmp_path / "python")])


def test_output_that_is_not_utf_8_is_no_traceback():
    assert run(["printf", "\\377"]).stdout == "\ufffd"


def test_each_line_is_told_as_it_comes_and_kept():
    told = []

    def tell(line):
        told.append((line, time.monotonic()))

    done = run(["sh", "-c", "echo one; echo two >&2; sleep 2; printf three; exit 4"], on_line=tell)
    assert (done.returncode, done.stdout, done.stderr) == (4, "one\nthree", "two\n")
    assert sorted(line for line, _ in told) == ["one", "three", "two"]
    assert told[-1][0] == "three" and told[-1][1] - told[0][1] > 0.3  # the first was told while it ran


def test_what_was_told_before_its_time_was_over_is_kept(tmp_path):
    told = []
    done = run(["sh", "-c", f"echo one; sleep 60 & echo $! > {tmp_path}/pid; wait"], timeout=3, on_line=told.append)
    assert done.timed_out and done.stdout == "one\n" and told == ["one"]
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_listener_that_fails_ends_the_call_and_does_not_stop_the_process():
    """It prints more than a pipe holds after the first line; the listener is not told anything more."""
    told = []

    def tell(line):
        told.append(line)
        raise ValueError("the terminal is gone")

    with pytest.raises(ValueError, match="the terminal is gone"):
        run(["sh", "-c", "yes | head -c 200000; yes | head -c 200000 >&2"], on_line=tell, timeout=60)
    assert told == ["y"]


# Interrupts: a process is asked to end, has a while for it, and is killed then


PUTS_AWAY = "trap 'echo put away > said; exit 3' TERM; echo ready; while :; do sleep 0.05; done"
GOES_ON = "trap 'echo asked' TERM; echo ready; while :; do sleep 0.05; done"
DEAF = "trap '' TERM; echo $$ > pid; echo ready; sleep 60"


def interrupt_at(*lines):
    """Ctrl-C, as the main thread gets it, at each of these lines; a shell also says what became of its `sleep`."""

    def tell(line):
        if line in lines:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    return tell


def test_an_interrupted_process_may_put_away_what_it_made(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(["sh", "-c", PUTS_AWAY], cwd=str(tmp_path), on_line=interrupt_at("ready"))
    assert (tmp_path / "said").read_text() == "put away\n"


# The helper itself says that it is there: a shell that is only forked yet may miss a signal.
AT_ONCE = "trap 'echo at once > said; exit' TERM; sh -c 'echo ready; exec sleep 60' & wait $!; echo put away > said"


@pytest.mark.skipif(sys.platform != "linux", reason="which processes are of a group is asked of /proc")
@pytest.mark.parametrize(("by_helpers", "said"), [(True, "put away\n"), (False, "at once\n")])
def test_one_that_puts_nothing_away_at_a_signal_is_ended_by_its_helpers(tmp_path, by_helpers, said):
    begun = process.Begun(["sh", "-c", AT_ONCE], cwd=str(tmp_path), by_helpers=by_helpers)
    with pytest.raises(KeyboardInterrupt):
        begun.wait(on_line=interrupt_at("ready"))
    assert (tmp_path / "said").read_text() == said


def test_one_without_a_helper_is_asked_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "HELPED", 0.2)
    begun = process.Begun(["sh", "-c", PUTS_AWAY.replace("sleep 0.05", ":")], cwd=str(tmp_path), by_helpers=True)
    with pytest.raises(KeyboardInterrupt):
        begun.wait(on_line=interrupt_at("ready"))
    assert (tmp_path / "said").read_text() == "put away\n"


def test_what_it_leaves_behind_is_killed(tmp_path):
    leaves = f"(trap '' TERM; sleep 60) & echo $! > pid; {PUTS_AWAY}"
    with pytest.raises(KeyboardInterrupt):
        run(["sh", "-c", leaves], cwd=str(tmp_path), on_line=interrupt_at("ready"))
    assert (tmp_path / "said").exists() and gone(int((tmp_path / "pid").read_text()))


def test_one_that_does_not_end_is_killed_after_a_while(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "GRACE", 0.2)
    with pytest.raises(KeyboardInterrupt):
        run(["sh", "-c", DEAF], cwd=str(tmp_path), on_line=interrupt_at("ready"))
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_second_interrupt_kills_it_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "GRACE", 120)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run(["sh", "-c", f"echo $$ > pid; {GOES_ON}"], cwd=str(tmp_path), on_line=interrupt_at("ready", "asked"))
    assert gone(int((tmp_path / "pid").read_text()))
    assert time.monotonic() - began < process.GRACE / 2


def test_one_that_may_not_be_signalled_loses_no_interrupt(tmp_path, monkeypatch):
    def refused(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(process, "GRACE", 0.1)
    with monkeypatch.context() as as_another_user, pytest.raises(KeyboardInterrupt):
        as_another_user.setattr(os, "killpg", refused)
        as_another_user.setattr(subprocess.Popen, "send_signal", refused)
        run(["sh", "-c", DEAF], cwd=str(tmp_path), on_line=interrupt_at("ready"))
    os.killpg(int((tmp_path / "pid").read_text()), signal.SIGKILL)


@pytest.mark.parametrize("twice", [False, True])
def test_all_that_run_in_other_threads_are_ended_and_a_second_interrupt_only_hurries(tmp_path, twice):
    ready, ended = threading.Event(), []

    def tell(line):
        if line == "ready":
            ready.set()
        interrupt_at("asked")(line)

    def work():
        ended.append(run(["sh", "-c", GOES_ON if twice else PUTS_AWAY], cwd=str(tmp_path), on_line=tell).returncode)

    worker = threading.Thread(target=work)
    worker.start()
    assert ready.wait(60)
    process.end_all()
    worker.join(60)
    assert ended == [-signal.SIGKILL if twice else 3]
    assert (tmp_path / "said").exists() is not twice


def test_one_that_stands_at_its_input_is_not_asked_to_end(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "GRACE", 60)
    standing = PUTS_AWAY.replace("echo ready", "echo $$ > new; mv new pid")
    begun = process.Begun(["sh", "-c", standing], cwd=str(tmp_path), fed=True)
    until = time.monotonic() + 60
    while not (tmp_path / "pid").exists() and time.monotonic() < until:
        time.sleep(0.01)
    process.end_all()
    begun.end()
    assert gone(int((tmp_path / "pid").read_text())) and not (tmp_path / "said").exists()


def a_sudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sudo that notes what it is asked, and by which group and session; nobody may signal it but itself."""
    (tmp_path / "sudo").write_text(
        f'#!/bin/sh\nread -r _ _ _ _ group session _ </proc/$$/stat\necho "$group $session $*" >>{tmp_path}/asked\n'
        '[ "$1" = -n ] && shift\nexec "$@"\n'
    )
    (tmp_path / "sudo").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


def test_sudo_has_our_terminal_and_our_ctrl_c(tmp_path, monkeypatch):
    a_sudo(tmp_path, monkeypatch)
    assert run(["sudo", "true"]).returncode == 0 and run(["true"]).returncode == 0
    assert (tmp_path / "asked").read_text() == f"{os.getpgrp()} {os.getsid(0)} true\n"


def test_what_is_roots_is_ended_by_sudo_from_another_group(tmp_path, monkeypatch):
    def refused(process: object, number: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    a_sudo(tmp_path, monkeypatch)
    monkeypatch.setattr(subprocess.Popen, "send_signal", refused)
    done = run(["sudo", "sleep", "60"], timeout=0.5)
    assert done.timed_out and done.returncode == -signal.SIGKILL
    group, session, *words = (tmp_path / "asked").read_text().splitlines()[1].split()
    assert words[:3] == ["-n", "kill", "-9"] and int(group) != os.getpgrp() and int(session) == os.getsid(0)
