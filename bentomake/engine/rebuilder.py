"""The rebuilder: decides hit or run for one action, over constructive traces with discovered inputs."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from typing import Any

from ..errors import BentomakeError, RuleError, StoreError, UsageError
from .action import CACHED, FAILED, MAY_RUN, RAN, RUNS, Action, Outcome
from .code import CodeIdentity
from .content_store import ContentStore, Missing
from .digest import Digest, of_value
from .manifest import OWN, Line, Manifest, Reason, diff
from .progress import Progress
from .recipe_context import RecipeContext
from .rule import KEYED, check_outputs
from .single_flight import SingleFlight
from .trace import ActionCache, Trace
from .tree import FILE, Entry


class Rebuilder:
    """`bring` makes an action's tree known: from a trace whose manifest is today's, or by running its recipe."""

    def __init__(
        self,
        store: ContentStore,
        cache: ActionCache,
        flights: SingleFlight,
        code: CodeIdentity,
        *,
        forced: frozenset[str] = frozenset(),
    ):
        self.store = store
        self.cache = cache
        self._flights = flights
        self._code = code
        self._forced = forced  # ids of actions that run whatever is known

    def static(self, action: Action, inputs: Mapping[str, object]) -> Manifest:
        """What is known before it runs: rule, code, tools, params, oracles, sources, inputs."""
        rule, binding = action.rule, action.binding
        declared = of_value({name: getattr(rule, name) for name in KEYED})
        lines = [Line("rule", rule.name, of_value([declared, self._code.rule(rule.file, rule.templates)]))]
        lines.append(Line("bentomake", "code", *self._code.reach(rule.file)))
        for name in rule.tools:
            version = binding.tool(name).version
            lines.append(Line("tool", name, of_value(version), version))
        for name in rule.params:
            value = binding.param(name)
            shown = None if binding.secret(name) else _shown(value)
            lines.append(Line("param", name, of_value(value), shown))
        for name in rule.oracles:
            answer = binding.oracle(name)
            lines.append(Line("oracle", name, of_value(answer), _shown(answer)))
        lines.extend(Line("source", name, str(binding.source(name).digest)) for name in rule.sources)
        lines.extend(Line("input", name, str(inputs[name])) for name in rule.inputs)
        return Manifest(lines)

    def find(self, action: Action, static: Manifest) -> Trace | None:
        """A trace whose discovered facts are today's, and whose tree is whole."""
        with self.store.turn:
            return self._find(action, static)

    def _find(self, action: Action, static: Manifest) -> Trace | None:
        tried: set[str] = set()
        for names in self.cache.discovered(static.key):
            lines = [line for kind, name in names if (line := _today(action, kind, name)) is not None]
            key = Manifest((*static.lines, *lines)).key
            if key in tried:
                continue
            tried.add(key)
            trace = self.cache.trace(key)
            if trace is not None and self.store.has(trace.tree):
                try:
                    if self.store.complete(self.store.tree(trace.tree)):
                        return trace
                except Missing:
                    continue
        return None

    def bring(self, action: Action, inputs: Mapping[str, Digest], progress: Progress) -> Outcome:
        """Hit or run. Never raises for what a user can cause: the outcome carries the error."""
        began = time.monotonic()
        try:
            static = self.static(action, inputs)
            forced = action.id in self._forced
            trace = None if forced else self.find(action, static)
            if trace is None:
                with self._flights.hold(static.key, lambda: progress.moved(action.id, "waits for another build", 0, 0)):
                    trace = None if forced else self.find(action, static)
                    if trace is None:
                        progress.started(action)
                        return self._run(action, inputs, static, progress, began, forced)
            return self._hit(action, trace, began)
        except BentomakeError as error:
            return Outcome(action, FAILED, error=error, seconds=time.monotonic() - began)

    def _hit(self, action: Action, trace: Trace, began: float) -> Outcome:
        self.cache.touch(trace.key)
        outcome = Outcome(action, CACHED, trace.manifest, trace.tree, trace, warnings=trace.warnings)
        outcome.reasons = self._since(action, trace)
        self._remember_last(action, trace)
        outcome.seconds = time.monotonic() - began
        return outcome

    def _since(self, action: Action, trace: Trace) -> list[Reason]:
        """What is different from the action's last manifest, though it had been seen before."""
        if self.cache.read(f"last/{action.memory}") == trace.key:
            return []
        previous = self.previous(action)
        return [] if previous is None else diff(previous, trace.manifest)

    def _run(
        self,
        action: Action,
        inputs: Mapping[str, Digest],
        static: Manifest,
        progress: Progress,
        began: float,
        forced: bool,
    ) -> Outcome:
        try:
            workdir = tempfile.mkdtemp(prefix="action-", dir=os.path.join(self.store.root, "tmp"))
        except OSError as error:
            raise StoreError(f"The cache cannot be written: {error.strerror}.", place=self.store.root) from error
        context = RecipeContext(action, inputs, self.store, self.cache, workdir, progress)
        previous = self.previous(action)
        outcome = Outcome(action, RAN, static, first=previous is None)
        own: list[Line] = []  # of its result, as it is before the recipe makes another
        try:
            own = self._as_before(action, previous, OWN) if previous is not None else []
            for name in action.rule.sources:  # so that an explanation can say which file changed
                self.store.put_dumped(action.binding.source(name))
            produced = action.rule.recipe(context)
            tree = {p: made if isinstance(made, Entry) else self._entry(made) for p, made in produced.items()}
            check_outputs(action.rule, tree)
            outcome.tree = self.store.put_tree(tree)
        except BentomakeError as error:
            outcome.state, outcome.error = FAILED, error
        except (OSError, KeyError, ValueError, Missing) as error:
            if os.environ.get("BENTOMAKE_TRACEBACK"):
                raise
            outcome.state = FAILED
            outcome.error = RuleError(f"The step {action.id} failed: {type(error).__name__}: {error}.")
        finally:
            shutil.rmtree(workdir, ignore_errors=True)
        outcome.seconds = time.monotonic() - began
        outcome.log, outcome.warnings = "\n".join(context.log_lines), context.warnings
        found = context.discovered
        if outcome.state == FAILED and previous is not None:  # it may have failed before it looked at anything
            try:
                found = [*self._as_before(action, previous), *found]
            except BentomakeError:  # what made it fail, as a daemon that died: nobody can be asked, the failure is told
                found = [*(line for line in previous.lines if line.kind not in _STATIC_KINDS), *found]
        outcome.manifest = static.extended(found)
        if previous is not None:
            outcome.reasons = diff(previous, static.extended([*found, *own]))
            if not outcome.reasons and outcome.state != FAILED:
                outcome.why = "forced" if forced else "its remembered output is gone"
        elif forced:
            outcome.why = "forced"
        if outcome.tree is not None:
            trace = Trace(
                rule=action.rule.name,
                action=action.id,
                manifest=outcome.manifest,
                static=len(static.lines),
                tree=outcome.tree,
                seconds=outcome.seconds,
                at=time.time(),
                log=outcome.log,
                warnings=context.warnings,
                origin=action.binding.origin,
            )
            if context.forgotten is None:
                outcome.trace = trace
                self.cache.remember(trace, static.key)
                self._remember_last(action, trace)
            else:
                outcome.why = context.forgotten
        return outcome

    def _as_before(self, action: Action, previous: Manifest, beginning: str = "") -> list[Line]:
        """Today's answers to what the action discovered last time, of the kinds that begin so."""
        asked = [(kind, name) for kind, name, *_ in previous.lines if kind not in _STATIC_KINDS]
        lines = [_today(action, kind, name) for kind, name in asked if kind.startswith(beginning)]
        return [line for line in lines if line is not None]

    def _entry(self, made: str | bytes) -> Entry:
        data = made.encode("utf-8") if isinstance(made, str) else made
        return Entry(self.store.put_bytes(data), FILE)

    def previous(self, action: Action) -> Manifest | None:
        """The manifest that this action of this project had last."""
        key = self.cache.read(f"last/{action.memory}")
        trace = self.cache.trace(key) if isinstance(key, str) else None
        return None if trace is None else trace.manifest

    def _remember_last(self, action: Action, trace: Trace) -> None:
        name = f"last/{action.memory}"
        if self.cache.read(name) != trace.key:
            self.cache.write(name, trace.key)


class DryRebuilder(Rebuilder):
    """Decides, but runs nothing: an action that misses *runs*; one whose inputs are not known *may run*."""

    def bring(self, action: Action, inputs: Mapping[str, Digest], progress: Progress) -> Outcome:
        previous = self.previous(action)
        first = previous is None
        try:
            if any(name not in inputs for name in action.rule.inputs):
                return self._uncertain(action, inputs, previous)
            static = self.static(action, inputs)
            if action.id in self._forced:
                return Outcome(action, RUNS, static, first=first, why="forced")
            trace = self.find(action, static)
            for name in action.rule.sources if trace is None else ():  # so that the explanation can say which file
                self.store.put_dumped(action.binding.source(name))
        except BentomakeError as error:
            return Outcome(action, FAILED, error=error)
        if trace is not None:
            hit = Outcome(action, CACHED, trace.manifest, trace.tree, trace, warnings=trace.warnings)
            hit.reasons = self._since(action, trace)
            return hit
        outcome = Outcome(action, RUNS, static, first=first)
        if previous is not None:
            outcome.reasons = diff(previous, static.extended(self._as_before(action, previous)))
        return outcome

    def _uncertain(self, action: Action, inputs: Mapping[str, Digest], previous: Manifest | None) -> Outcome:
        """One whose inputs may change: its reasons are those that hold if they do not."""
        outcome = Outcome(action, MAY_RUN, first=previous is None)
        if previous is not None:
            before = {line.name: line.digest for line in previous.lines if line.kind == "input"}
            if all(name in inputs or name in before for name in action.rule.inputs):
                assumed = self.static(action, {**before, **inputs})
                outcome.reasons = diff(previous, assumed.extended(self._as_before(action, previous)))
        return outcome


def _today(action: Action, kind: str, name: str) -> Line | None:
    """Today's answer to what a trace says was asked; None where it cannot be asked, as of a newer bentomake's trace."""
    try:
        fact = action.binding.facts.ask(kind, name)
    except (KeyError, ValueError, UsageError, StoreError):  # a kind, a place or a name that there is not, or is broken
        return None
    return Line(kind, name, fact.digest, fact.shown)


_STATIC_KINDS = frozenset({"rule", "bentomake", "tool", "param", "oracle", "source", "input"})


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False, sort_keys=True)
