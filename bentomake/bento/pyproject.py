"""[tool.bentoml.build] of a pyproject.toml: the same options as a bentofile's, as nodes that know their lines."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import Any

from ..errors import BentofileError
from . import kinds
from .reading import Reading
from .schema import MAX_BYTES, Field, keys
from .yaml_place import MAX_DEPTH, Node, Pair

NAME = "pyproject.toml"
TABLE = ("tool", "bentoml", "build")
_HEADER = re.compile(r"\s*(\[\[?)(.+?)\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")
_LONG_TEXT = re.compile(r"\"{3}|\'{3}")
_AT_LINE = re.compile(r"\(at line (\d+)|\(at end of document\)")

Path = tuple[Any, ...]


class _Number(float):
    """A TOML float that remembers how it was written: 3.10 is 3.1."""

    text = ""


@dataclass(frozen=True)
class Table:
    """`root`: the build options; `name` and `dependencies`: what [project] says, None where it says nothing."""

    root: Node | None
    name: Pair | None
    dependencies: Pair | None
    dynamic: bool  # the dependencies are known only to the project's build backend
    beside: tuple[Pair, ...]  # what [tool.bentoml] has beside `build`


def configured(path: str) -> bool:
    """Whether a pyproject.toml has build options; quick, and without an error for one that cannot be read."""
    try:
        with open(path, "rb") as file:
            return re.search(rb"^[^\S\n]*(?:\[+\s*tool\s*\.\s*)?bentoml\b", file.read(MAX_BYTES), re.M) is not None
    except OSError:
        return False


def read(data: bytes, shown: str) -> Table:
    """Read the bytes of a pyproject.toml; BentofileError if it is no TOML."""
    text = _decode(data, shown)
    parsed = _parse(text, shown)
    lines = _lines(text)
    written = text.splitlines()
    project = parsed.get("project")
    project = project if isinstance(project, dict) else {}

    def pair(*path: str) -> Pair:
        table: Any = parsed
        for part in path:
            table = table[part]
        line = lines.get(path, 1)
        return Pair(line, path[-1], _node(table, path, line, lines, written, shown))

    build: Any = parsed
    for part in TABLE:
        build = build.get(part) if isinstance(build, dict) else None
    tool = parsed.get("tool")
    if not isinstance(tool, dict | None) or not isinstance((tool or {}).get("bentoml", {}), dict):
        hint = 'Write at least:\n\n[tool.bentoml.build]\nservice = "service:svc"'
        raise BentofileError(f"{NAME} has no table [tool.bentoml.build].", place=shown, hint=hint)
    dynamic = project.get("dynamic")
    return Table(
        None if build is None else pair(*TABLE).node,
        pair("project", "name") if "name" in project else None,
        pair("project", "dependencies") if "dependencies" in project else None,
        isinstance(dynamic, list) and "dependencies" in dynamic,
        tuple(pair(*TABLE[:2], key) for key in (tool or {}).get("bentoml", {}) if key != TABLE[2]),
    )


def _decode(data: bytes, shown: str) -> str:
    if len(data) > MAX_BYTES:
        raise BentofileError(
            f"The file has more than {MAX_BYTES >> 20} MiB: that is no {NAME}.",
            place=shown,
            hint="Is this the file you meant?",
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"The file is not UTF-8: the byte 0x{data[error.start]:02x} cannot stand there."
        raise BentofileError(message, place=f"{shown}:{line}", hint="Save the file as UTF-8.") from None


def _parse(text: str, shown: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    def number(written: str) -> float:
        value = _Number(written)
        value.text = written
        return value

    try:
        return tomllib.loads(text.replace("\r\n", "\n"), parse_float=number)
    except tomllib.TOMLDecodeError as error:
        match = _AT_LINE.search(str(error))
        place = f"{shown}:{match[1]}" if match and match[1] else shown
        message = f"This is not TOML: {str(error).partition(' (at ')[0].rstrip('.')}."
        raise BentofileError(message, place=place, hint="See https://toml.io for the grammar.") from None
    except RecursionError:
        message = f"Lists and mappings are nested more than {MAX_DEPTH} levels deep."
        raise BentofileError(message, place=shown, hint="No option needs that; is a bracket left open?") from None


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part[1:-1] if part[0] in "\"'" else part for part in _PART.findall(text))


def _lines(text: str) -> dict[Path, int]:
    """Where each key of the file is written; what stands inside of an inline table has no line of its own."""
    found: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    inside = False  # of a string over several lines
    for number, line in enumerate(text.splitlines(), 1):
        odd = len(_LONG_TEXT.findall(line)) % 2 == 1
        if inside:
            inside = not odd
            continue
        inside = odd
        if header := _HEADER.match(line):
            table = _parts(header[2])
            if header[1] == "[[":
                index = counts[table] = counts.get(table, -1) + 1
                found.setdefault(table, number)
                table = (*table, index)
            for depth in range(1, len(table) + 1):
                found.setdefault(table[:depth], number)
        elif key := _KEY.match(line):
            path = (*table, *_parts(key[1]))
            for depth in range(len(table) + 1, len(path) + 1):
                found.setdefault(path[:depth], number)
    return found


def _node(value: Any, path: Path, line: int, lines: dict[Path, int], written: list[str], shown: str) -> Node:
    if len(path) > MAX_DEPTH:
        message = f"Lists and mappings are nested more than {MAX_DEPTH} levels deep."
        raise BentofileError(message, place=f"{shown}:{line}", hint="No option needs that.")
    line = lines.get(path, line)
    if isinstance(value, dict):
        pairs = {}
        for key, item in value.items():
            at = lines.get((*path, key), line)
            pairs[key] = Pair(at, key, _node(item, (*path, key), at, lines, written, shown))
        return Node(line, pairs)
    if isinstance(value, list):
        items, at = [], line
        for index, item in enumerate(value):
            at = lines.get((*path, index)) or _line_of(item, at, written)
            items.append(_node(item, (*path, index), at, lines, written, shown))
        return Node(line, items)
    if isinstance(value, _Number):
        return Node(line, float(value), value.text)
    if isinstance(value, bool):
        return Node(line, value, str(value).lower())
    return Node(line, value)


def _line_of(item: Any, start: int, written: list[str]) -> int:
    """The line of a list's item: the next one that holds its text, among the lines that follow."""
    if isinstance(item, str) and item:
        for number in range(start, min(start + 200, len(written) + 1)):
            if item in written[number - 1]:
                return number
    return start


def adopt(table: Table) -> Node:
    """The build options as one root node, with the project's name where the options have none; none are well."""
    root = Node(0, {}) if table.root is None else table.root
    if isinstance(root.value, dict) and table.name is not None:
        root.value.setdefault("name", table.name)
    return root


def judge_beside(reading: Reading, table: Table) -> None:
    """What stands beside [tool.bentoml.build] is read by nobody: a mistake where it looks like build options."""
    import difflib

    for pair in table.beside:
        message = f"tool.bentoml.{pair.key} is not read: the options of a build are those of [tool.bentoml.build]."
        if difflib.get_close_matches(pair.key.lower(), TABLE[2:]):
            reading.error(pair.line, message, "Did you mean [tool.bentoml.build]?")
        elif pair.key in keys(""):
            reading.error(pair.line, message, f"Did you mean tool.bentoml.build.{pair.key}?")
        else:
            reading.remark(pair.line, message, "If it is another tool's, all is well.")


def add_dependencies(reading: Reading, values: dict[str, Any], table: Table) -> None:
    """The project's dependencies behind python.packages, as BentoML 1.4 reads them."""
    if table.dynamic:
        message = "The project's dependencies are dynamic: none of them is known here, so none gets into the Bento."
        reading.remark(reading.lines.get("", 0), message, "Write them under [project], or under python.packages.")
    if table.dependencies is None:
        return
    line = reading.lines["project.dependencies"] = table.dependencies.line
    field = Field("project.dependencies", "strings", "the project's own", [], example='["scikit-learn"]')
    for at, text in kinds.texts(reading, field, field.name, table.dependencies.node):
        reading.lines[f"python.packages[{len(values['python.packages'])}]"] = at
        values["python.packages"] = [*values["python.packages"], text]
    if values["python.packages"]:
        reading.lines.setdefault("python.packages", line)
