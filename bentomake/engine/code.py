"""The code identity: bentomake's own files that a rule can reach, so that editing one reruns what it may change."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from typing import Any

from .digest import of_bytes, of_file, of_value
from .stat_index import settled, signature, write_atomically

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_SHOWING = ("cli", "console", "__pycache__")  # what no recipe reaches
_BESIDE = re.compile(rb"^\s*from \.(\w+) import ", re.MULTILINE)


def released(rules_directory: str) -> bool:
    """Whether this is an installed release: its rules lie inside the package, and its version says it all."""
    return os.path.dirname(rules_directory) == _PACKAGE


class CodeIdentity:
    """Digests of rules, and of the modules behind them; a module is remembered by its stat signature."""

    def __init__(self, version: str, kept: str):
        self._version = version
        self._kept = kept
        self._lock = threading.Lock()
        self._rules: dict[tuple[str, tuple[str, ...]], str] = {}
        self._modules: str | None = None
        self._known: dict[str, Any] | None = None
        self._changed = False

    def rule(self, file: str, templates: tuple[str, ...]) -> str:
        """The digest of a rule's own file, of the rules that it imports, and of the templates beside it."""
        with self._lock:
            if (file, templates) not in self._rules:
                self._rules[file, templates] = _rule(file, templates)
            return self._rules[file, templates]

    def reach(self, file: str) -> tuple[str, str]:
        """(digest, shown) of bentomake itself as seen from a rule's file.

        In a checkout these are all modules: a rule's context gives ways to the machine that its imports do not tell,
        and these load others by name (the backend of an engine, what the probe of a service consists of).
        """
        if released(os.path.dirname(file)):
            return of_value(self._version), self._version
        with self._lock:
            if self._modules is None:
                self._modules = of_value([[os.path.relpath(path, _PACKAGE), self._sha256(path)] for path in modules()])
            return self._modules, "a checkout"

    def _sha256(self, path: str) -> str:
        if self._known is None:
            self._known = self._read()
        asked_at = time.time_ns()
        sig = list(signature(os.stat(path)))
        known = self._known.get(path)
        if isinstance(known, list) and known[:1] == [sig] and isinstance(known[-1], str):
            return known[-1]
        sha256 = of_file(path).sha256
        if settled(signature(os.stat(path)), asked_at):
            self._known[path] = [sig, sha256]
            self._changed = True
        return sha256

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


def _rule(file: str, templates: tuple[str, ...]) -> str:
    directory = os.path.dirname(file)
    found: dict[str, str] = {}
    waiting = [file]
    while waiting:
        path = waiting.pop()
        if path not in found:
            with open(path, "rb") as stream:
                data = stream.read()
            found[path] = of_bytes(data).sha256
            waiting += [f"{directory}/{name.decode()}.py" for name in _BESIDE.findall(data)]
    return of_value([*found.values(), *(of_file(f"{directory}/{name}").sha256 for name in templates)])


def modules() -> list[str]:
    """The files of bentomake's modules, but for those that show."""
    found = []
    for root, directories, names in os.walk(_PACKAGE):
        directories[:] = [name for name in directories if name not in _SHOWING]
        found += [os.path.join(root, name) for name in names if name.endswith(".py")]
    return sorted(found)
