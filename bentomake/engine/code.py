"""The code identity: which of bentomake's own files a rule can reach, so that editing one reruns what it may change."""

from __future__ import annotations

import ast
import os
from functools import cache

from .digest import of_bytes, of_value

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def released(rules_directory: str) -> bool:
    """Whether this is an installed release: its rules lie inside the package, and its version says it all."""
    return os.path.dirname(rules_directory) == _PACKAGE


def rule_digest(file: str, templates: tuple[str, ...]) -> str:
    """The digest of a rule's own file and of the templates beside it."""
    directory = os.path.dirname(file)
    return of_value([_bytes(path) for path in (file, *(os.path.join(directory, name) for name in templates))])


def identity(file: str, version: str) -> tuple[str, str]:
    """(digest, shown) of bentomake itself as seen from a rule's file."""
    if released(os.path.dirname(file)):
        return of_value(version), version
    return of_value(sorted((os.path.relpath(path, _PACKAGE), _bytes(path)) for path in _closure(file))), "a checkout"


@cache
def _bytes(path: str) -> str:
    with open(path, "rb") as stream:
        return of_bytes(stream.read()).sha256


def _closure(file: str) -> frozenset[str]:
    """The modules below the package that a file imports, and theirs; the engine itself is what runs, not what is run."""
    seen: set[str] = set()
    waiting = [file]
    while waiting:
        for path in _imports(waiting.pop()):
            if path not in seen:
                seen.add(path)
                waiting.append(path)
    return frozenset(seen)


@cache
def _imports(file: str) -> tuple[str, ...]:
    with open(file, "rb") as stream:
        tree = ast.parse(stream.read(), file)
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found.extend(_files(alias.name.split(".")))
        elif isinstance(node, ast.ImportFrom):
            base = _base(file, node.level)
            module = (*base, *(node.module.split(".") if node.module else ()))
            found.extend(_files(list(module)))
            for alias in node.names:
                found.extend(_files([*module, alias.name]))
    return tuple(found)


def _base(file: str, level: int) -> tuple[str, ...]:
    if level == 0:
        return ()
    directory = os.path.dirname(os.path.abspath(file))
    parts = ["bentomake", *(p for p in os.path.relpath(directory, _PACKAGE).split(os.sep) if p != ".")]
    return tuple(parts[: len(parts) - level + 1])


def _files(parts: list[str]) -> list[str]:
    if len(parts) < 2 or parts[0] != "bentomake" or parts[1] == "rules":
        return []
    path = os.path.join(_PACKAGE, *parts[1:])
    return [name for name in (f"{path}.py", os.path.join(path, "__init__.py")) if os.path.isfile(name)]
