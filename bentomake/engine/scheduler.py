"""The scheduler: walks the actions in order, as many at once as allowed, and keeps going or stops at a failure."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence
from typing import Protocol

from . import process
from .action import FAILED, SKIPPED, Action, Outcome
from .digest import Digest
from .progress import Progress

_PUTTING_AWAY = 3.0  # seconds that steps have for it after an interrupt


class Decides(Protocol):
    """The rebuilder, as the scheduler sees it."""

    def bring(self, action: Action, inputs: dict[str, Digest], progress: Progress) -> Outcome: ...


class _OneAtATime:
    """A progress that is told by several threads, one at a time."""

    def __init__(self, inner: Progress):
        self._inner = inner
        self._lock = threading.Lock()

    def planned(self, actions: list[Action]) -> None:
        with self._lock:
            self._inner.planned(actions)

    def started(self, action: Action) -> None:
        with self._lock:
            self._inner.started(action)

    def moved(self, action: str, text: str, done: int, total: int) -> None:
        with self._lock:
            self._inner.moved(action, text, done, total)

    def printed(self, action: str, line: str) -> None:
        with self._lock:
            self._inner.printed(action, line)

    def ended(self, outcome: Outcome) -> None:
        with self._lock:
            self._inner.ended(outcome)

    def said(self, text: str) -> None:
        with self._lock:
            self._inner.said(text)


def schedule(
    actions: Sequence[Action], rebuilder: Decides, progress: Progress, *, jobs: int, keep_going: bool
) -> dict[str, Outcome]:
    """Bring every action; the outcomes by id, in the order of their ends.

    An action whose input failed is skipped. Without `keep_going` nothing new starts after a failure; what runs ends.
    """
    told = _OneAtATime(progress)
    told.planned(list(actions))
    outcomes: dict[str, Outcome] = {}
    waiting = {action.id: action for action in actions}
    ended: queue.SimpleQueue[Outcome | BaseException] = queue.SimpleQueue()
    running = 0
    stopping = False
    trouble: BaseException | None = None

    todo: queue.SimpleQueue[tuple[Action, dict[str, Digest]] | None] = queue.SimpleQueue()
    workers: list[threading.Thread] = []  # kept from action to action: each has its own connection to the action cache

    def work() -> None:
        while (item := todo.get()) is not None:
            try:
                ended.put(rebuilder.bring(*item, told))
            except BaseException as error:
                ended.put(error)

    try:
        while waiting or running:
            for action in list(waiting.values()):
                if stopping or any(outcomes[n].state in (FAILED, SKIPPED) for n in action.needs if n in outcomes):
                    del waiting[action.id]
                    outcomes[action.id] = Outcome(action, SKIPPED)
                    told.ended(outcomes[action.id])
                elif running < jobs and all(need in outcomes for need in action.needs):
                    del waiting[action.id]
                    running += 1
                    inputs = {
                        name: tree
                        for name, need in zip(action.rule.inputs, action.needs, strict=True)
                        if (tree := outcomes[need].tree) is not None
                    }
                    todo.put((action, inputs))
                    if running > len(workers):
                        workers.append(threading.Thread(target=work, daemon=True))
                        workers[-1].start()
            if not running:
                continue
            result = ended.get()
            running -= 1
            if isinstance(result, BaseException):
                trouble, stopping = trouble or result, True
                continue
            outcomes[result.action.id] = result
            told.ended(result)
            if result.state == FAILED and not keep_going:
                stopping = True
    except KeyboardInterrupt:
        process.end_all()
        until = time.monotonic() + _PUTTING_AWAY
        for _ in workers:
            todo.put(None)
        for worker in workers:  # each puts away what it had made for its process
            worker.join(max(0.0, until - time.monotonic()))
        raise
    finally:
        for _ in workers:
            todo.put(None)
    if trouble is not None:
        raise trouble
    return outcomes
