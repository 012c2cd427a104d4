"""How options that name files are read: a path is relative to the build context and does not leave it."""

from __future__ import annotations

import posixpath

from . import kinds
from .reading import Reading
from .schema import FILE, Field
from .yaml_place import Node


def inside(path: str, *, parents: bool = False) -> bool:
    """Whether a path names something below the build context, on any machine; with `parents`, `..` may lead out."""
    normal = posixpath.normpath(path)
    if normal.startswith(("/", "~", "$")) or "\0" in normal or normal == ".":
        return False
    return parents or not (normal == ".." or normal.startswith("../"))


def _check(reading: Reading, dotted: str, line: int, path: str, parents: bool = False) -> None:
    if not path.strip() or inside(path, parents=parents):
        return
    hint = "Put the file into the context and name it relative to that."
    if path.startswith(("~", "$")):
        hint = f"`{path[0]}` means something else on each machine. {hint}"
    reading.error(line, f"{dotted} names {path}, which is not a file inside the build context.", hint)


def a_path(reading: Reading, field: Field, dotted: str, node: Node) -> str | None:
    value = kinds.string(reading, field, dotted, node)
    if value is not None:
        _check(reading, dotted, node.line, value)
    return value


def parent_path(reading: Reading, field: Field, dotted: str, node: Node) -> str | None:
    """A path that may lead to a directory further up: what it names is read as lines, never packed."""
    value = kinds.string(reading, field, dotted, node)
    if value is not None:
        _check(reading, dotted, node.line, value, parents=True)
    return value


def some_paths(reading: Reading, field: Field, dotted: str, node: Node) -> list[str]:
    found = kinds.texts(reading, field, dotted, node)
    for index, (line, path) in enumerate(found):
        _check(reading, f"{dotted}[{index}]", line, path)
    return [path for _, path in found]


def description(reading: Reading, field: Field, dotted: str, node: Node) -> str | None:
    """Markdown, or `file:` and a path."""
    value = kinds.string(reading, field, dotted, node)
    if value is not None and value.startswith(FILE):
        path = value[len(FILE) :].strip()
        if path:
            _check(reading, dotted, node.line, path)
        else:
            reading.error(node.line, f"{dotted} names no file.", "Write description: file:README.md")
    return value


def dotenv(reading: Reading, dotted: str, node: Node) -> str:
    """docker.env as the path of a dotenv file."""
    _check(reading, dotted, node.line, node.value)
    return str(node.value)
