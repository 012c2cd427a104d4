"""The composition: from goals to Bentos in the library, for a build and for a plan of one."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from importlib import import_module

from .bento.arrival import arriving
from .bento.library import Library
from .engine.action import CACHED, RAN, RESTORED, Action, Outcome
from .engine.content_store import Missing
from .engine.explain import explain
from .engine.progress import Progress
from .engine.rule import Rule
from .errors import BentofileError, BentomakeError, Several, StoreError
from .execution import Built, Result, actions, carry_out
from .images import images
from .loading import projects
from .origins import note_published
from .project import Project
from .session import Session
from .workspace import Goal, Settings


def rulebook() -> Sequence[Rule]:
    """The rules that a target can name."""
    rules: Sequence[Rule] = import_module("bentomake.rules").building()  # type checkers do not know package-dir
    return rules


def run(
    goals: Sequence[Goal],
    session: Session,
    progress: Progress,
    *,
    dry: bool = False,
) -> Result:
    """Build the goals, or only plan them (`dry`); errors of steps are in the result, errors of usage are raised."""
    with session.at_work():
        return _run(goals, session, progress, dry)


def _run(goals: Sequence[Goal], session: Session, progress: Progress, dry: bool) -> Result:
    began = time.monotonic()
    settings = session.settings
    found, wanted = projects(goals, session, progress)
    for project in found if any(goal == "image" for _, goal in wanted) else ():
        from .imaging import Imaging

        project.imaging = Imaging(settings, session.key, session.store, project.home, project.model_index)
        project.imaging.published = project.published
    plan = actions(rulebook(), session, {project.label: project for project in found}, wanted)
    _judge(found, plan, settings)
    for project in found:
        progress.said(
            f"{project.interpreter.path} (Python {project.interpreter.version}, "
            f"bentoml {project.interpreter.bentoml}), from {project.interpreter.chosen_by}"
        )
    result = carry_out(plan, session, progress, dry)
    ordered = result.outcomes
    for action in plan:
        outcome = ordered[action.id]
        if settings.strict and result.errors:
            break
        if action.rule.name == "bento" and outcome.known and _asked(action, wanted):
            try:
                result.bentos.append(_arrive(outcome, session, dry))
            except BentomakeError as error:
                result.errors.append(error)
            except Missing as error:
                result.errors.append(StoreError(f"The cache lost {error} while the build ran.", hint="Build again."))
    for project in found:
        result.remarks.extend(project.remarks)
        project.save()
    session.code.save()
    result.records = explain(ordered, session.store)
    result.images = images(ordered.values(), session.store)
    result.seconds = time.monotonic() - began
    return result


def _asked(action: Action, wanted: Sequence[tuple[str, str]]) -> bool:
    """Whether the Bento of this action is to arrive in the library: it is a goal, or its image is."""
    return any((action.binding.label, goal) in wanted for goal in ("bento", "image"))


def _judge(found: Sequence[Project], plan: Sequence[Action], settings: Settings) -> None:
    """Raise what is wrong with the projects before anything runs; what is odd becomes their remarks."""
    from .surroundings import judge

    errors: list[BentomakeError] = []
    for project in found:
        packs = any(action.rule.name == "sources" and action.binding is project for action in plan)
        wrong, odd = judge(project, sources=packs)
        project.remarks.extend(odd)
        errors += wrong
        if settings.strict:
            errors += [BentofileError(odd.message, place=odd.place, hint=odd.hint) for odd in project.remarks]
    if errors:
        raise errors[0] if len(errors) == 1 else Several(errors)


def _arrive(outcome: Outcome, session: Session, dry: bool) -> Built:
    """Put the composed Bento into the library, and make `latest` name it; or only say whether it is there (`dry`)."""
    assert outcome.tree is not None
    tree = session.store.shallow(outcome.tree)
    tag, digest, models = arriving(session.store.read(tree["bento.json"].digest))
    project = outcome.action.binding
    assert isinstance(project, Project)
    library = Library(project.home)
    directory = library.directory(tag)
    if dry:
        if not os.path.isdir(directory):
            outcome.state = RESTORED
        return Built(tag, directory, "there" if outcome.state == CACHED else "restored", [])
    below = {path[len("bento/") :]: entry for path, entry in tree.items() if path.startswith("bento/")}
    whole = session.store.whole(below)
    state, put_back = library.install(tag, digest, whole, models, session.store, project.model_index)
    for path, stamp in project.model_index.linked.items():
        session.watch.linked(path, stamp)
    library.set_latest(tag)
    note_published(session.settings, project.home, tag.name, project.published())
    if outcome.state == CACHED and state != "there":
        outcome.state = RESTORED
    for path in (directory, os.path.join(directory, "bento.yaml"), os.path.join(directory, "src")):
        session.watch.made(path)
    for model in models:
        session.watch.made(os.path.join(directory, "models", model.name, model.version or ""))
    session.watch.made(os.path.join(library.root, tag.name, "latest"))
    return Built(tag, directory, state, put_back)


def memorable(result: Result) -> bool:
    """Whether the same command, in an unchanged world, would do nothing: what fresh may remember."""
    outcomes = result.outcomes.values()
    sound = all(o.state in (RAN, CACHED, RESTORED) and o.trace is not None for o in outcomes)
    return sound and not result.errors and not result.images and all(o.why != "forced" for o in outcomes)
