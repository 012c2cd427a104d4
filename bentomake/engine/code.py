"""The code identity: which of bentomake's own files a rule can reach, so that editing one reruns what it may change."""

from __future__ import annotations

import json
import os
import threading
from typing import Any

from .digest import of_bytes, of_value
from .stat_index import settled, signature, write_atomically

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_PARSER = threading.Lock()  # CPython 3.11's parser is not safe in several threads at once


def released(rules_directory: str) -> bool:
    """Whether this is an installed release: its rules lie inside the package, and its version says it all."""
    return os.path.dirname(rules_directory) == _PACKAGE


class CodeIdentity:
    """Digests of rules and of the modules behind them; what a file imports is remembered by its stat signature."""

    def __init__(self, version: str, kept: str):
        self._version = version
        self._kept = kept
        self._lock = _PARSER
        self._files: dict[str, tuple[str, list[str]]] = {}
        self._known: dict[str, Any] | None = None
        self._changed = False

    def rule(self, file: str, templates: tuple[str, ...]) -> str:
        """The digest of a rule's own file and of the templates beside it."""
        directory = os.path.dirname(file)
        with self._lock:
            return of_value([self._file(path)[0] for path in (file, *(f"{directory}/{name}" for name in templates))])

    def reach(self, file: str) -> tuple[str, str]:
        """(digest, shown) of bentomake itself as seen from a rule's file."""
        if released(os.path.dirname(file)):
            return of_value(self._version), self._version
        with self._lock:
            reached = sorted(self._closure(file))
            digests = [[os.path.relpath(path, _PACKAGE), self._file(path)[0]] for path in reached]
            return of_value(digests), "a checkout"

    def _closure(self, file: str) -> set[str]:
        """The modules below the package that a file imports, and theirs."""
        seen: set[str] = set()
        waiting = [file]
        while waiting:
            for path in self._file(waiting.pop())[1]:
                if path not in seen:
                    seen.add(path)
                    waiting.append(path)
        return seen

    def _file(self, path: str) -> tuple[str, list[str]]:
        """(sha256, the files that its imports name)."""
        if path not in self._files:
            self._files[path] = self._look(path)
        return self._files[path]

    def _look(self, path: str) -> tuple[str, list[str]]:
        import time

        if self._known is None:
            self._known = self._read()
        asked_at = time.time_ns()
        sig = list(signature(os.stat(path)))
        known = self._known.get(path)
        if isinstance(known, list) and len(known) == 3 and known[0] == sig:
            return known[1], known[2]
        with open(path, "rb") as stream:
            data = stream.read()
        found = imports(data, path) if path.endswith(".py") else []
        sha256 = of_bytes(data).sha256
        if settled(signature(os.stat(path)), asked_at):
            self._known[path] = [sig, sha256, found]
            self._changed = True
        return sha256, found

    def _read(self) -> dict[str, Any]:
        try:
            with open(self._kept, encoding="utf-8") as file:
                data = json.load(file)
            return data if isinstance(data, dict) else {}
        except (OSError, ValueError):
            return {}

    def save(self) -> None:
        if self._changed and self._known is not None:
            write_atomically(self._kept, json.dumps(self._known).encode())


def imports(data: bytes, file: str) -> list[str]:
    """The files of bentomake that a module's import statements name, wherever they stand."""
    import ast

    found: dict[str, None] = {}
    for node in ast.walk(ast.parse(data, file)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found.update(dict.fromkeys(_files(alias.name.split("."))))
        elif isinstance(node, ast.ImportFrom):
            module = [*_base(file, node.level), *(node.module.split(".") if node.module else ())]
            found.update(dict.fromkeys(_files(module)))
            for alias in node.names:
                found.update(dict.fromkeys(_files([*module, alias.name])))
    return list(found)


def _base(file: str, level: int) -> list[str]:
    if level == 0:
        return []
    directory = os.path.dirname(os.path.abspath(file))
    parts = ["bentomake", *(part for part in os.path.relpath(directory, _PACKAGE).split(os.sep) if part != ".")]
    return parts[: len(parts) - level + 1]


def _files(parts: list[str]) -> list[str]:
    if len(parts) < 2 or parts[0] != "bentomake" or parts[1] == "rules":
        return []
    path = os.path.join(_PACKAGE, *parts[1:])
    return [name for name in (f"{path}.py", os.path.join(path, "__init__.py")) if os.path.isfile(name)]
