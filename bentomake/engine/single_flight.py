"""Single flight: of several builds that want one action, one runs it and the others look again when it is done."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Callable, Iterator

from ..errors import StoreError


class SingleFlight:
    """One flock per key below `directory`; the kernel frees it when its holder dies."""

    def __init__(self, directory: str):
        self._directory = directory
        self._threads: dict[str, threading.Lock] = {}  # flock is per open file: threads of one process need their own
        self._guard = threading.Lock()

    @contextlib.contextmanager
    def hold(self, key: str, waits: Callable[[], None]) -> Iterator[None]:
        """Hold a key; `waits` is called once if somebody else has it."""
        with self._guard:
            thread_lock = self._threads.setdefault(key, threading.Lock())
        with thread_lock:
            path = os.path.join(self._directory, key[:40])
            try:
                os.makedirs(self._directory, exist_ok=True)
                fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            except OSError as error:
                raise StoreError(f"The lock {path} cannot be made: {error.strerror}.") from error
            try:
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    waits()
                    fcntl.flock(fd, fcntl.LOCK_EX)
                yield
            finally:
                os.close(fd)
