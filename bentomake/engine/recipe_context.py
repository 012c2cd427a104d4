"""The context that a recipe is given: what its rule declared, and nothing else; it keeps what was discovered."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ..errors import RuleError
from . import process
from .action import Action, Binding
from .content_store import ContentStore
from .digest import Digest, of_file, of_value
from .fact import Fact
from .manifest import Line
from .progress import Progress
from .rule import Rule, Tool
from .trace import ActionCache
from .tree import FILE, LINK, Entry, Tree


class StoredFiles:
    """An input's outputs, read from the content store."""

    def __init__(self, store: ContentStore, digest: Digest):
        self._store = store
        self.digest = digest
        self._tree: Tree | None = None

    @property
    def tree(self) -> Tree:
        if self._tree is None:
            self._tree = self._store.tree(self.digest)
        return self._tree

    @property
    def parts(self) -> Tree:
        """The same as it was made: a tree in it is one entry."""
        return self._store.shallow(self.digest)

    def read(self, path: str) -> bytes:
        return self._store.read(self.tree[path].digest)

    def text(self, path: str) -> str:
        return self.read(path).decode("utf-8")

    def __contains__(self, path: object) -> bool:
        return path in self.tree


class UserFiles:
    """A declared set of the user's files, read where they lie."""

    def __init__(self, binding: Binding, name: str):
        self._binding = binding
        self._name = name
        self.tree: Tree = binding.source(name).tree
        self.parts = self.tree
        self.digest = binding.source(name).digest

    def read(self, path: str) -> bytes:
        where = self._binding.fetch(self._name, path)
        if self.tree[path].mode == LINK:
            return os.fsencode(os.readlink(where))
        with open(where, "rb") as file:
            return file.read()

    def path(self, path: str) -> str:
        return self._binding.fetch(self._name, path)

    def text(self, path: str) -> str:
        return self.read(path).decode("utf-8")

    def __contains__(self, path: object) -> bool:
        return path in self.tree


class RecipeContext:
    """The engine's Context (see rule.Context); raises RuleError for anything undeclared."""

    def __init__(
        self,
        action: Action,
        inputs: Mapping[str, Digest],
        store: ContentStore,
        cache: ActionCache,
        workdir: str,
        progress: Progress,
    ):
        self._action = action
        self._rule: Rule = action.rule
        self._binding = action.binding
        self._inputs = inputs
        self._store = store
        self._cache = cache
        self._progress = progress
        self.workdir = workdir
        self.discovered: list[Line] = []
        self.warnings: list[dict[str, Any]] = []
        self.log_lines: list[str] = []
        self.forgotten: str | None = None

    def _declared(self, name: str, names: tuple[str, ...], what: str) -> None:
        if name not in names:
            raise RuleError(f"The rule {self._rule.name} asks for the {what} {name}, which it does not declare.")

    def param(self, name: str) -> Any:
        self._declared(name, self._rule.params, "parameter")
        return self._binding.param(name)

    def place(self, name: str) -> str | None:
        return self._binding.place(name)

    def input(self, rule: str) -> StoredFiles:
        self._declared(rule, self._rule.inputs, "input")
        return StoredFiles(self._store, self._inputs[rule])

    def source(self, name: str) -> UserFiles:
        self._declared(name, self._rule.sources, "sources")
        return UserFiles(self._binding, name)

    def oracle(self, name: str) -> Any:
        self._declared(name, self._rule.oracles, "oracle")
        return self._binding.oracle(name)

    def tool(self, name: str) -> Tool:
        self._declared(name, self._rule.tools, "tool")
        return self._binding.tool(name)

    def template(self, name: str) -> str:
        self._declared(name, self._rule.templates, "template")
        with open(os.path.join(os.path.dirname(self._rule.file), name), encoding="utf-8") as file:
            return file.read()

    def discover(self, kind: str, name: str) -> Fact:
        fact = self._binding.facts.ask(kind, name)
        self.discovered.append(Line(kind, name, fact.digest, fact.shown))
        return fact

    def changed(self, kind: str) -> list[str]:
        known = {line.name: line.digest for line in self.discovered if line.kind == kind}
        return [name for name, digest in known.items() if self._binding.facts.ask(kind, name).digest != digest]

    def run(
        self,
        argv: list[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        timeout: float | None = None,
        stdin: str | None = None,
        hide: Callable[[str], str] | None = None,
        live: bool = False,
        begun: process.Begun | None = None,
        keeps: Collection[int] = (),
    ) -> process.Completed:
        def tell(line: str) -> None:
            self._progress.printed(self._action.id, line if hide is None else hide(line))

        on_line = tell if live else None
        if begun is None:
            begun = process.Begun(argv, env=env, cwd=cwd or self.workdir, stdin=stdin, keeps=keeps)
        done = begun.wait(timeout, on_line, stdin)
        if hide is not None:
            done = done._replace(stdout=hide(done.stdout), stderr=hide(done.stderr))
        self.log_lines.extend(text.rstrip("\n") for text in (done.stdout, done.stderr) if text.strip())
        return done

    def host(self, name: str) -> Any:
        return self._binding.host(name)

    def put_file(self, path: str, mode: int = FILE) -> Entry:
        digest = of_file(path)
        self._store.put_file(path, digest, mode)
        return Entry(digest, mode)

    def part(self, name: Any) -> Tree | None:
        kept = self._cache.part(of_value(name))
        return kept if kept is not None and self._store.complete(kept) else None

    def keep_part(self, name: Any, tree: Tree) -> None:
        self._cache.keep_part(of_value(name), tree)

    def lacking(self, files: Tree) -> list[str]:
        lacking = set(self._store.lacking(files.values()))
        return [path for path, entry in files.items() if entry in lacking] if lacking else []

    def keep_file(self, path: str, entry: Entry) -> None:
        self._store.bring(path, entry.digest, entry.mode)

    def keep_bytes(self, data: bytes, mode: int = FILE) -> Entry:
        return Entry(self._store.put_bytes(data, mode), mode)

    def log(self, text: str) -> None:
        self.log_lines.append(text)

    def warn(self, message: str, *, place: str | None = None, hint: str | None = None) -> None:
        self.warnings.append({"message": message, "place": place, "hint": hint})

    def progress(self, done: int, total: int, unit: str) -> None:
        self._progress.moved(self._action.id, unit, done, total)

    def forget(self, why: str) -> None:
        self.forgotten = why
