"""The display: how the progress of a build looks, live on a terminal, in plain lines, or as JSON."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from ..engine.action import Action, Outcome
from . import say

_LINE = 100  # characters of a process's line, on a terminal
_PATIENCE = 2.0  # seconds until a plain display says that a step is at work


class Plain:
    """A line when a step starts to take long, and one when it ends."""

    def __init__(self, quiet: bool = False, verbose: bool = False):
        self.quiet = quiet
        self.verbose = verbose
        self._width = 12
        self._last: dict[str, float] = {}

    def planned(self, actions: list[Action]) -> None:
        self._width = max((len(action.id) for action in actions), default=12)

    def started(self, action: Action) -> None:
        if self.verbose and not self.quiet:
            say(f"  {action.id:<{self._width}}  starts")

    def begun(self, name: str) -> None:
        """Work that is no action is about to move."""

    def moved(self, action: str, text: str, done: int, total: int) -> None:
        now = time.monotonic()
        if not self.quiet and now - self._last.setdefault(action, now) > _PATIENCE:
            part = f" {100 * done // total} %" if total else ""
            say(f"  {action:<{self._width}}  {text}{part}")
            self._last[action] = now

    def printed(self, action: str, line: str) -> None:
        if not self.quiet and line.strip():
            say(f"  {action} | {line}")

    def ended(self, outcome: Outcome) -> None:
        pass

    def said(self, text: str) -> None:
        if self.verbose and not self.quiet:
            say(text)

    def close(self) -> None:
        pass


class Json(Plain):
    """One JSON object a line on stderr, for machines."""

    def _emit(self, **data: Any) -> None:
        say(json.dumps(data))

    def planned(self, actions: list[Action]) -> None:
        self._emit(event="planned", actions=[action.id for action in actions])

    def started(self, action: Action) -> None:
        self._emit(event="started", action=action.id)

    def moved(self, action: str, text: str, done: int, total: int) -> None:
        self._emit(event="moved", action=action, text=text, done=done, total=total)

    def printed(self, action: str, line: str) -> None:
        self._emit(event="printed", action=action, line=line)

    def ended(self, outcome: Outcome) -> None:
        self._emit(event="ended", action=outcome.action.id, state=outcome.state, seconds=round(outcome.seconds, 4))

    def said(self, text: str) -> None:
        self._emit(event="said", text=text)


class Live(Plain):
    """What runs now, redrawn in place on a terminal."""

    def __init__(self, verbose: bool = False):
        super().__init__(False, verbose)
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            TextColumn("{task.fields[text]}", style="dim", markup=False),  # engines write [stage 2/9]
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._tasks: dict[str, Any] = {}
        self._progress.start()

    def started(self, action: Action) -> None:
        self.begun(action.id)

    def begun(self, name: str) -> None:
        self._tasks[name] = self._progress.add_task(name, total=None, text="")

    def moved(self, action: str, text: str, done: int, total: int) -> None:
        if action in self._tasks:
            part = f" {100 * done // total} %" if total else ""
            self._progress.update(self._tasks[action], text=text + part)

    def printed(self, action: str, line: str) -> None:
        if line.strip():
            self.moved(action, line.strip()[:_LINE], 0, 0)

    def ended(self, outcome: Outcome) -> None:
        task = self._tasks.pop(outcome.action.id, None)
        if task is not None:
            self._progress.remove_task(task)

    def said(self, text: str) -> None:
        if self.verbose:
            self._progress.console.print(text, style="dim", markup=False, highlight=False)

    def close(self) -> None:
        self._progress.stop()


def progress_for(kind: str, quiet: bool, verbose: bool) -> Plain:
    """The display that `--progress KIND` means; `auto` is live on a terminal."""
    if kind == "json":
        return Json()
    if not quiet and (kind == "tty" or (kind == "auto" and sys.stderr.isatty())):
        return Live(verbose)
    return Plain(quiet, verbose)
