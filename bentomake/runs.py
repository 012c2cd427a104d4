"""The runs of a directory: what each build did, kept for `bentomake explain`."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Sequence
from typing import Any

from .engine.digest import of_value
from .engine.stat_index import write_atomically
from .workspace import Settings

_KEPT = 20


def record_run(
    settings: Settings,
    command: Sequence[str],
    bentos: list[str],
    summary: dict[str, Any],
    actions: list[dict[str, Any]],
) -> None:
    """Keep what this run did; the newest twenty stay, for a month. `actions` are the explanation's records."""
    directory = _directory(settings)
    os.makedirs(directory, exist_ok=True)
    numbers = _numbers(directory)
    number = numbers[-1] + 1 if numbers else 1
    data = {"run": number, "at": time.time(), "command": list(command), "bentos": bentos}
    data |= {"summary": summary, "actions": actions}
    write_atomically(os.path.join(directory, f"{number}.json"), json.dumps(data).encode("utf-8", "surrogatepass"))
    for old in numbers[: 1 - _KEPT]:
        with contextlib.suppress(FileNotFoundError):  # another build was faster
            os.unlink(os.path.join(directory, f"{old}.json"))


def recorded_run(settings: Settings, number: int | None) -> dict[str, Any] | None:
    """A recorded run of this directory, the newest if no number is given; None if there is none."""
    directory = _directory(settings)
    try:
        number = _numbers(directory)[-1] if number is None else number
        with open(os.path.join(directory, f"{number}.json"), encoding="utf-8") as file:
            data = json.load(file)
    except (OSError, ValueError, IndexError):
        return None
    return data if isinstance(data, dict) else None


def _numbers(directory: str) -> list[int]:
    return sorted(int(name[:-5]) for name in os.listdir(directory) if name[:-5].isdigit())


def _directory(settings: Settings) -> str:
    return settings.state("runs", of_value(os.path.realpath(settings.cwd))[:16])
