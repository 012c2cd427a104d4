"""The execution of a plan: its actions, their outcomes, and the result that a command shows."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .bento.tag import Tag
from .engine import graph
from .engine.action import CACHED, FAILED, RAN, RESTORED, SKIPPED, Action, Binding, Outcome
from .engine.digest import of_value
from .engine.progress import Progress
from .engine.rebuilder import DryRebuilder, Rebuilder
from .engine.rule import KEYED, Rule
from .engine.scheduler import schedule
from .engine.stat_index import write_atomically
from .errors import BentofileError, BentomakeError
from .images import Image
from .session import Session


class Built(NamedTuple):
    """A Bento that is in the store now."""

    tag: Tag
    directory: str
    state: str  # "new", "there", "restored"
    put_back: list[str]


class Result:
    """What a build did: outcomes by action id, Bentos, warnings, and the explanation's records."""

    def __init__(self, outcomes: dict[str, Outcome]):
        self.outcomes = outcomes
        self.bentos: list[Built] = []
        self.images: list[Image] = []
        self.remarks: list[Any] = []
        self.records: list[dict[str, Any]] = []
        self.errors: list[BentomakeError] = []
        self.seconds = 0.0

    @property
    def saved(self) -> float:
        hits = [o.trace for o in self.outcomes.values() if o.state in (CACHED, RESTORED) and o.trace is not None]
        return sum(trace.seconds for trace in hits)

    @property
    def exit_code(self) -> int:
        return max((error.exit_code for error in self.errors), default=0)


def actions(
    rules: Sequence[Rule], session: Session, bindings: Mapping[str, Binding], wanted: Sequence[tuple[str, str]]
) -> list[Action]:
    """The actions that the goals need, in order; the order of an unchanged rulebook and goals is remembered."""
    name = of_value([[[getattr(rule, field) for field in KEYED] for rule in rules], wanted])
    kept = session.settings.state("plans", name[:32])
    try:
        with open(kept, encoding="utf-8") as file:
            nodes = [(str(label), str(rule)) for label, rule in json.load(file)]
        graph.check(rules, nodes, wanted)
    except (OSError, ValueError, TypeError):
        nodes = graph.order(rules, wanted)
        write_atomically(kept, json.dumps(nodes).encode())
    return graph.bind(rules, nodes, bindings)


def carry_out(plan: Sequence[Action], session: Session, progress: Progress, dry: bool) -> Result:
    """The outcomes of a plan's actions, with the errors of those that failed."""
    settings = session.settings
    forced = frozenset(action.id for action in plan) if settings.force else frozenset()
    if settings.upgrade:
        forced |= {action.id for action in plan if action.rule.name == "lock"}
    if settings.image.forced:
        forced |= {action.id for action in plan if action.rule.name == "image"}
    kind = DryRebuilder if dry else Rebuilder
    rebuilder = kind(session.store, session.cache, session.flights, session.code, forced=forced)
    jobs = settings.jobs or os.cpu_count() or 1
    outcomes = schedule(plan, rebuilder, progress, jobs=jobs, keep_going=settings.keep_going)
    result = Result({action.id: outcomes[action.id] for action in plan})
    failed = [o.error for o in result.outcomes.values() if o.state == FAILED and o.error is not None]
    result.errors = list({(error.message, error.place): error for error in failed}.values())  # two steps, one mistake
    if settings.strict:
        result.errors += _strict(result.outcomes.values())
    return result


def _strict(outcomes: Iterable[Outcome]) -> list[BentomakeError]:
    """The warnings of the steps as errors."""
    warnings = [warning for outcome in outcomes for warning in outcome.warnings]
    return [BentofileError(said["message"], place=said["place"], hint=said["hint"]) for said in warnings]


def summary(result: Result) -> dict[str, Any]:
    """The numbers of the summary line."""
    states = [outcome.state for outcome in result.outcomes.values()]
    return {
        "steps": len(states),
        "ran": states.count(RAN),
        "cached": states.count(CACHED),
        "restored": states.count(RESTORED),
        "failed": states.count(FAILED),
        "skipped": states.count(SKIPPED),
        "seconds": round(result.seconds, 3),
        "saved": round(result.saved, 3),
    }
