"""The composition of an image: a Bento of the store, its wheels, the engine."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from importlib import import_module

from .bento.library import Library, home
from .container.begun import HeadStart
from .container.noted import note
from .engine.action import CACHED
from .engine.explain import explain
from .engine.progress import Progress
from .engine.rule import Rule
from .execution import Result, actions, carry_out
from .images import images
from .session import Session
from .stored import StoredBento


def rulebook() -> Sequence[Rule]:
    """The rules of a stored Bento; `bento` is the stored one."""
    rules: Sequence[Rule] = import_module("bentomake.rules").containerizing()
    return rules


def containerize(
    text: str,
    session: Session,
    progress: Progress,
    *,
    dry: bool = False,
    goal: str = "image",
    head_start: HeadStart | None = None,
) -> Result:
    """Make the image of the Bento that `text` names (name, name:latest, name:version or a unique prefix).

    What to make is in `session.settings.image`; `head_start` is the engine, if it was started already.
    Errors of steps are in the result, errors of usage are raised.
    """
    began = time.monotonic()
    with session.at_work():
        tag = Library(home(session.settings.env)).resolve(text)
        stored = StoredBento(tag, session, head_start)
        stored.ahead()
        plan = actions(rulebook(), session, {"": stored}, [("", goal)])
        result = carry_out(plan, session, progress, dry)
        stored.save()
        session.code.save()
        result.records = explain(result.outcomes, session.store)
        result.images = images(result.outcomes.values(), session.store)
        if not dry:
            _note_ids(result, session)
        result.seconds = time.monotonic() - began
        return result


def _note_ids(result: Result, session: Session) -> None:
    """Write the user's --iidfile where no engine ran that could."""
    options = session.settings.image.options
    path = options.value("iidfile") if options is not None else None
    if path is None or result.errors:
        return
    for outcome in result.outcomes.values():
        if outcome.action.rule.name == "image" and outcome.state == CACHED:
            for image in result.images:
                note(os.path.join(session.settings.cwd, path), image.id or "")
