"""Of several that want one action, one runs; the others wait, and go on when it is done or dead."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

from bentomake.engine.single_flight import SingleFlight

HOLDER = """
import sys, time
from bentomake.engine.single_flight import SingleFlight
with SingleFlight(sys.argv[1]).hold("k" * 64, lambda: None):
    print("held", flush=True)
    time.sleep(60)
"""


def nobody_waits():
    raise AssertionError("nobody else should hold it")


def test_threads_of_one_process_take_turns(tmp_path):
    flights, inside, most = SingleFlight(str(tmp_path)), [], []

    def work():
        with flights.hold("k", lambda: None):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.02)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 5


def test_different_keys_do_not_wait_for_each_other(tmp_path):
    flights = SingleFlight(str(tmp_path))
    with flights.hold("a", nobody_waits), flights.hold("b", nobody_waits):
        pass


def test_a_waiter_says_so_and_goes_on_when_the_holder_is_killed(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
    try:
        with SingleFlight(str(tmp_path)).hold("k" * 64, lambda: os.kill(holder.pid, signal.SIGKILL)):
            assert holder.wait(10) == -signal.SIGKILL
    finally:
        holder.kill()


def test_it_is_free_again_after_an_exception(tmp_path):
    flights = SingleFlight(str(tmp_path))
    try:
        with flights.hold("k", nobody_waits):
            raise RuntimeError
    except RuntimeError:
        pass
    with SingleFlight(str(tmp_path)).hold("k", nobody_waits):
        pass
