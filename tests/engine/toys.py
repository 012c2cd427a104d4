"""A toy world for the engine: a binding made of dicts, rules that are written to disk, and everything else real."""

from __future__ import annotations

import importlib.util
import itertools
import os
import resource
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bentomake.engine import graph, tree
from bentomake.engine.action import Action, Outcome
from bentomake.engine.code import CodeIdentity
from bentomake.engine.content_store import ContentStore
from bentomake.engine.digest import of_bytes
from bentomake.engine.fact import ABSENT, Fact
from bentomake.engine.progress import Silent
from bentomake.engine.rebuilder import DryRebuilder, Rebuilder
from bentomake.engine.rule import Rule, Tool
from bentomake.engine.scheduler import schedule
from bentomake.engine.single_flight import SingleFlight
from bentomake.engine.trace import ActionCache
from bentomake.engine.tree import Dumped, Entry, dumped

_serial = itertools.count()


class Bindings:
    """A project in memory; `files` are the facts of kind `file`, `packed` is a declared set of sources."""

    def __init__(self, directory: Path, origin: str = "here", label: str = ""):
        self.directory = directory
        self.label = label
        self.origin = origin
        self.params: dict[str, Any] = {}
        self.places: dict[str, str] = {}
        self.secrets: set[str] = set()
        self.oracles: dict[str, Any] = {}
        self.tools: dict[str, Tool] = {}
        self.files: dict[str, str] = {}
        self.packed: dict[str, str] = {}

    @property
    def facts(self) -> Bindings:
        return self

    def ask(self, kind: str, name: str) -> Fact:
        text = self.files.get(name)
        return ABSENT if text is None else Fact(of_bytes(text.encode()).sha256, text, text)

    def param(self, name: str) -> Any:
        return self.params[name]

    def place(self, name: str) -> str | None:
        return self.places.get(name)

    def oracle(self, name: str) -> Any:
        return self.oracles[name]

    def tool(self, name: str) -> Tool:
        return self.tools[name]

    def secret(self, name: str) -> bool:
        return name in self.secrets

    def host(self, name: str) -> Any:
        raise KeyError(name)

    def source(self, name: str) -> Dumped:
        return dumped({path: Entry(of_bytes(text.encode()), tree.FILE) for path, text in self.packed.items()})

    def fetch(self, name: str, path: str) -> str:
        target = self.directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(self.packed[path])
        return str(target)


class Toy:
    """A cache on disk and what builds with it; each `build` is as a new process would do it."""

    def __init__(self, directory: Path):
        self.cache = directory / "toy-cache"
        self.directory = directory
        self.binding = Bindings(directory / "toy-files")
        self.dry = False
        self.forced: frozenset[str] = frozenset()
        self.jobs = 2
        self.keep_going = False
        self.notes: list[str] = []

    def open(self) -> tuple[ContentStore, ActionCache]:
        return ContentStore(str(self.cache)), ActionCache(str(self.cache / "actions"))

    def build(self, rules: Sequence[Rule], goal: str | None = None, binding: Bindings | None = None) -> dict[str, Any]:
        """The outcomes by action id."""
        store, cache = self.open()
        kind = DryRebuilder if self.dry else Rebuilder
        code = CodeIdentity("1", str(self.cache / "state" / "code.json"))
        flights = SingleFlight(str(self.cache / "locks"))
        rebuilder = kind(store, cache, flights, code, forced=self.forced)
        bound = binding or self.binding
        nodes = graph.order(rules, [(bound.label, goal or rules[-1].name)])
        actions = graph.bind(rules, nodes, {bound.label: bound})
        outcomes = schedule(actions, rebuilder, Silent(), jobs=self.jobs, keep_going=self.keep_going)
        code.save()
        self.notes = [*store.notes, *cache.notes]
        self.store = store
        cache.close()
        return {action.id: outcomes[action.id] for action in actions}

    def text(self, outcome: Outcome, path: str) -> str:
        """What an action made."""
        assert outcome.tree is not None, outcome.error
        return self.store.read(self.store.tree(outcome.tree)[path].digest).decode()


@contextmanager
def full_disk(at: int) -> Iterator[None]:
    """No file of this process grows beyond `at` bytes: writing more fails, as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (at, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def states(outcomes: Mapping[str, Outcome]) -> dict[str, str]:
    return {name: outcome.state for name, outcome in outcomes.items()}


def rules_from(file: Path, text: str, names: Iterable[str]) -> tuple[Rule, ...]:
    """Rules written to a file and imported from it, so that the file can be edited."""
    file.write_text("from bentomake.engine.rule import rule\n" + text)
    spec = importlib.util.spec_from_file_location(f"toy_rules_{next(_serial)}", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    exec(compile(file.read_text(), str(file), "exec"), module.__dict__)  # no bytecode that could be older than the file
    made = tuple(getattr(module, name) for name in names)
    return tuple(_in_file(rule, str(file)) for rule in made)


def _in_file(rule: Rule, file: str) -> Rule:
    return rule._replace(file=file)


def an_action(rule: Rule, binding: Bindings) -> Action:
    return Action(rule.name, rule, binding, rule.inputs)


def everything_in(directory: Path) -> bytes:
    """The bytes of all files below a directory."""
    found = []
    for root, _, names in os.walk(directory):
        found.extend(Path(root, name).read_bytes() for name in sorted(names))
    return b"\n".join(found)
