"""The last runs of a directory: what each did and why, for `bentomake explain` later."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from typing import Any

from .build import Result, Session, summary
from .engine.digest import of_value
from .engine.stat_index import write_atomically
from .workspace import Settings


def record_run(session: Session, result: Result, command: Sequence[str]) -> None:
    """Keep what this run did, for `bentomake explain` later; the newest twenty."""
    directory = session.settings.state("runs", _place(session.settings))
    os.makedirs(directory, exist_ok=True)
    numbers = sorted(int(name[:-5]) for name in os.listdir(directory) if name[:-5].isdigit())
    number = numbers[-1] + 1 if numbers else 1
    data = {
        "run": number,
        "at": time.time(),
        "command": list(command),
        "bentos": [str(built.tag) for built in result.bentos],
        "summary": summary(result),
        "actions": result.records,
    }
    write_atomically(os.path.join(directory, f"{number}.json"), json.dumps(data).encode("utf-8", "surrogatepass"))
    for old in numbers[:-19]:
        os.unlink(os.path.join(directory, f"{old}.json"))


def recorded_run(settings: Settings, number: int | None) -> dict[str, Any] | None:
    """A recorded run of this directory, the newest if no number is given."""
    directory = settings.state("runs", _place(settings))
    try:
        numbers = sorted(int(name[:-5]) for name in os.listdir(directory) if name[:-5].isdigit())
        if number is None:
            number = numbers[-1]
        with open(os.path.join(directory, f"{number}.json"), encoding="utf-8") as file:
            data = json.load(file)
    except (OSError, ValueError, IndexError):
        return None
    return data if isinstance(data, dict) else None


def _place(settings: Settings) -> str:
    return of_value(os.path.realpath(settings.cwd))[:16]
