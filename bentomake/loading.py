"""Loading: the projects that a command's goals mean, each bentofile read once, and parsed only if its bytes are new."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable

from . import __version__
from .bento import bentofile, schema
from .bento.schema import MAX_BYTES
from .engine.progress import Progress
from .engine.stat_index import write_atomically
from .errors import BentomakeError, Several
from .project import Project
from .session import Session
from .workspace import Goal, Settings


def load_bentofile(path: str, settings: Settings) -> bentofile.Bentofile:
    """The parsed bentofile; unchanged bytes are not parsed again."""
    from .engine.digest import of_value

    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe would wait
            return bentofile.load(path, settings.cwd)
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError:
        return bentofile.load(path, settings.cwd)  # it says what is wrong
    options = [repr(field) for field in schema.FIELDS]  # a bentomake with other options reads it anew
    name = of_value([__version__, options, os.path.relpath(path, settings.cwd), data.hex()])
    kept = settings.state("bentofiles", name[:32])
    try:
        with open(kept, encoding="utf-8") as file_:
            return bentofile.Bentofile.from_json(json.load(file_))
    except (OSError, ValueError, KeyError, TypeError):
        parsed = bentofile.load(path, settings.cwd)
        write_atomically(kept, json.dumps(parsed.to_json()).encode())
        return parsed


def projects(
    goals: Iterable[Goal], session: Session, progress: Progress
) -> tuple[list[Project], list[tuple[str, str]]]:
    """The projects of the goals, each bentofile once, and the goals as (label, rule)."""
    settings = session.settings
    found: dict[tuple[str, str], Project] = {}
    wanted: list[tuple[str, str]] = []
    errors: list[BentomakeError] = []
    goals = list(goals)
    alone = len({(goal.bentofile, goal.context) for goal in goals}) == 1
    for goal in goals:
        try:
            path = goal.bentofile or bentofile.find(goal.context, settings.cwd)
            name = (os.path.realpath(path), os.path.realpath(goal.context))
            if name not in found:
                label = "" if alone else _label(path, goal.context, settings.cwd)
                loaded = load_bentofile(path, settings)
                found[name] = Project(
                    label, loaded, goal.context, settings, session.cache, session.key, session.watch, progress.moved
                )
            wanted.append((found[name].label, goal.rule))
        except BentomakeError as error:
            errors.append(error)
    if errors:
        raise errors[0] if len(errors) == 1 else Several(errors)
    return list(found.values()), wanted


def _label(path: str, context: str, cwd: str) -> str:
    directory = os.path.relpath(context, cwd)
    name = os.path.basename(path)
    return directory if name in ("bentofile.yaml", "bentofile.yml", "pyproject.toml") else os.path.join(directory, name)
