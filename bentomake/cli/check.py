"""`bentomake check`: what is wrong with a bentofile, and what is odd, without running anything."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

import click

from .. import console
from ..bento import bentofile
from ..bento.bentofile import Remark
from ..build import rulebook
from ..console.display import progress_for
from ..errors import EXIT_OK, EXIT_USAGE, BentofileError, BentomakeError, Several, UsageError
from ..project import Project
from ..rehearsal import rehearse
from ..session import Session
from ..surroundings import judge
from ..workspace import Goal, Settings, enter, goals

Judged = tuple[list[BentomakeError], list[Remark]]


@click.command("check", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@click.option(
    "-f", "--bentofile", "file", metavar="FILE", help="The bentofile; the one TARGET is then the build context."
)
@click.option("-C", "--directory", metavar="DIR", help="Work in this directory.")
@click.option("--python", metavar="PATH", help="The Python that will run the service.")
@click.option("--strict", is_flag=True, help="A warning is an error.")
@click.option("--syntax", is_flag=True, help="Judge the text alone, not the files around it.")
@click.option("-o", "--output", type=click.Choice(["json"]), help="For machines, on stdout.")
def check_command(
    targets: tuple[str, ...],
    file: str | None,
    directory: str | None,
    python: str | None,
    strict: bool,
    syntax: bool,
    output: str | None,
) -> int:
    """Judge the bentofile of each TARGET: a directory, or a bentofile. Nothing is run, nothing is imported.

    Exit code 0, or 2 if there are errors.
    """
    enter(directory)
    settings = Settings(cwd=os.getcwd(), env=dict(os.environ), python=python)
    asked = goals(targets, settings, [], file)
    errors, remarks = _texts(asked, settings) if syntax else _projects(asked, settings)
    if strict:
        errors += [BentofileError(odd.message, place=odd.place, hint=odd.hint) for odd in remarks]
        remarks = []
    if output == "json":
        warnings = [{"warning": odd.message, "place": odd.place, "hint": odd.hint} for odd in remarks]
        found: dict[str, Any] = {"errors": [error.to_json() for error in errors], "warnings": warnings}
        console.out(json.dumps(found, indent=1))
    else:
        for odd in remarks:
            for line in console.warning_lines(odd.message, odd.place, odd.hint):
                console.say(line)
        for error in errors:
            console.show_error(error)
        console.say(f"{_counted(errors, 'error')}, {_counted(remarks, 'warning')}")
    return EXIT_USAGE if errors else EXIT_OK


def _counted(found: Sequence[object], what: str) -> str:
    return f"{len(found) or 'no'} {what}{'' if len(found) == 1 else 's'}"


def _single(error: BentomakeError) -> list[BentomakeError]:
    return error.errors if isinstance(error, Several) else [error]


def _texts(asked: Sequence[Goal], settings: Settings) -> Judged:
    errors: list[BentomakeError] = []
    remarks: list[Remark] = []
    for goal in asked:
        try:
            found, wrong = bentofile.judged(goal.bentofile or bentofile.find(goal.context, settings.cwd), settings.cwd)
            errors += [error for _, error in wrong]
            remarks += found.remarks
        except BentomakeError as error:
            errors += _single(error)
    return errors, remarks


def _projects(asked: Sequence[Goal], settings: Settings) -> Judged:
    errors: list[BentomakeError] = []
    remarks: list[Remark] = []
    session = Session(settings)
    try:
        for goal in asked:
            try:
                wrong, odd = _project(goal, session)
                errors += wrong
                remarks += odd
            except BentomakeError as error:
                errors += _single(error)
    finally:
        session.close()
    return errors, list(dict.fromkeys(remarks))


def _project(goal: Goal, session: Session) -> Judged:
    """What is to be said of one project: of its text, of what is around it, and what its steps would say."""
    settings = session.settings
    path = goal.bentofile or bentofile.find(goal.context, settings.cwd)
    found, of_text = bentofile.judged(path, settings.cwd)
    moved = progress_for("plain", True, False).moved
    project = Project("", found, goal.context, settings, session.cache, session.key, session.watch, moved)
    errors: list[BentomakeError] = [error for _, error in of_text]
    said = {error.place for error in errors}
    # What the patterns mean is not known where the text is wrong: a misspelt `exclude` leaves nothing out.
    wrong, odd = judge(project, sources=not errors)
    errors += [error for error in wrong if error.place not in said]
    try:
        more, warned = rehearse(project, rulebook(), errors)
    except UsageError:  # there is no bentoml: a build says so
        more, warned = [], []
    project.save()
    return [*errors, *more], [*project.remarks, *odd, *warned]
