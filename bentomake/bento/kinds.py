"""How scalars and lists of strings are read: each kind a function of the reading, its field, its name and its node."""

from __future__ import annotations

import posixpath
import re

from ..errors import UsageError
from . import distros, model_query, tag
from .reading import Reading, described, quoted
from .schema import OLDEST_PYTHON, VARIABLE, VARIABLE_HINT, Field
from .yaml_place import BAD, Node, Pair

_VARIABLE = re.compile(VARIABLE)
_PYTHON = re.compile(r"(\d)\.(\d{1,2})(\.\w+)?")


def text_of(node: Node) -> str:
    """A scalar as the user wrote it."""
    return node.text if node.text is not None else str(node.value)


def is_scalar(node: Node) -> bool:
    return node.value is not None and not isinstance(node.value, (list, dict))


def string(reading: Reading, field: Field, name: str, node: Node) -> str | None:
    value = node.value
    if not isinstance(value, str):
        hint = (
            f"Quote it: {field.key}: {quoted(text_of(node))}"
            if is_scalar(node)
            else f"Write {field.key}: {example(field)}"
        )
        reading.wrong_kind(name, "a string", node, hint)
        return None
    if not value and not field.required and not field.choices:
        return None  # as good as none
    if not value.strip() and not field.choices:
        or_not = "" if field.required else ", or remove the line."
        reading.error(node.line, f"{name} is empty.", f"Write {field.key}: {example(field)}{or_not}")
    if field.choices and value not in field.choices:
        import difflib

        close = difflib.get_close_matches(value.lower(), field.choices, n=1)
        there_are = f"There are {', '.join(field.choices)}."
        hint = f"Did you mean {close[0]}? {there_are}" if close else there_are
        reading.error(node.line, f"{name} cannot be `{value}`.", hint)
    return value


def example(field: Field) -> str:
    return field.example or field.choices[0]


def a_name(reading: Reading, field: Field, dotted: str, node: Node) -> str | None:
    value = string(reading, field, dotted, node)
    if not value or not value.strip():
        return value
    if not tag.fits(value.lower()):
        reading.error(node.line, f"{dotted} cannot be `{value}`.", f"Allowed are {tag.GRAMMAR}.")
    elif value != value.lower():
        reading.remark(node.line, f"{dotted} becomes `{value.lower()}`: names are in lower case.", "Write it so.")
    return value.lower()


def a_tag(reading: Reading, field: Field, dotted: str, node: Node) -> str | None:
    value = string(reading, field, dotted, node)
    if not value or not value.strip():
        return value
    try:
        parsed = str(tag.Tag.parse(value))
    except UsageError as error:
        reading.error(node.line, f"{dotted}: {error.message}", error.hint or "")
        return value
    if parsed != value:
        reading.remark(node.line, f"{dotted} becomes `{parsed}`: tags are in lower case.", "Write it so.")
    return parsed


def variable(reading: Reading, field: Field, dotted: str, node: Node) -> str | None:
    value = string(reading, field, dotted, node)
    if value:
        check_variable(reading, value, node.line, dotted)
    return value


def check_variable(reading: Reading, text: str, line: int, dotted: str) -> None:
    if not _VARIABLE.fullmatch(text):
        reading.error(line, f"{dotted}: `{text}` cannot be the name of an environment variable.", VARIABLE_HINT)


def boolean(reading: Reading, field: Field, dotted: str, node: Node) -> bool | None:
    if isinstance(node.value, bool):
        return node.value
    meant = str(node.value).lower()
    hint = f"Write {field.key}: {'false' if meant in ('false', 'no', 'off', '0') else 'true'}, without quotes."
    reading.wrong_kind(dotted, "true or false", node, hint)
    return None


def items(reading: Reading, field: Field, dotted: str, node: Node, wanted: str = "a list") -> list[Node]:
    """The items of a list, their lines noted; empty, with an error, for anything else."""
    if isinstance(node.value, list):
        for index, item in enumerate(node.value):
            reading.lines[f"{dotted}[{index}]"] = item.line
        return node.value
    hint = f"Write {field.key}: {example(field)}"
    if is_scalar(node):
        hint = f"Write it as a list: {field.key}: [{quoted(text_of(node))}]"
    elif isinstance(node.value, dict) and field.kind in ("models", "envs"):
        hint = "Put a dash before its first name: it is one item of a list."
    reading.wrong_kind(dotted, wanted, node, hint)
    return []


def texts(reading: Reading, field: Field, dotted: str, node: Node) -> list[tuple[int, str]]:
    """The strings of a list with their lines; an error for each item that is none."""
    found = []
    for index, item in enumerate(items(reading, field, dotted, node, "a list of strings")):
        at = f"{dotted}[{index}]"
        if item.value is BAD:
            continue
        if item.value is None or item.value == "":
            reading.error(item.line, f"{at} is empty.", "Remove the dash, or write something after it.")
        elif isinstance(item.value, str):
            found.append((item.line, item.value))
        else:
            hint = f"Write - {quoted('…')}"
            if is_scalar(item):
                hint = f"Quote it: - {quoted(text_of(item))}"
            elif isinstance(item.value, dict) and len(item.value) == 1:
                pair: Pair = next(iter(item.value.values()))
                between = "=" if field.kind == "env" else ": "
                if is_scalar(pair.node):
                    hint = f"Quote it: - {quoted(f'{pair.key}{between}{text_of(pair.node)}')}"
            reading.error(item.line, f"{at} must be a string, not {described(item)}.", hint)
    for index, (line, _) in enumerate(found):  # where the rest is judged all the same
        reading.lines[f"{dotted}[{index}]"] = line
    return found


def strings(reading: Reading, field: Field, dotted: str, node: Node) -> list[str]:
    return [text for _, text in texts(reading, field, dotted, node)]


def strings_or_one(reading: Reading, field: Field, dotted: str, node: Node) -> list[str]:
    if isinstance(node.value, str) and (node.value.strip() or not node.value):
        return [node.value] if node.value else []
    return strings(reading, field, dotted, node)


def patterns(reading: Reading, field: Field, dotted: str, node: Node) -> list[str]:
    found = texts(reading, field, dotted, node)
    for line, pattern in found:
        _pattern(reading, field, line, pattern)
    return [pattern for _, pattern in found]


def _pattern(reading: Reading, field: Field, line: int, pattern: str) -> None:
    """What git's grammar of patterns says about one, before any file is looked at."""
    negated = "!" if pattern.startswith("!") else ""
    body = pattern[len(negated) :]
    parts = body.split("/")
    where = posixpath.normpath(body.lstrip("/") or "*")
    leaves = where == ".." or where.startswith("../")
    if not body or (len(body) - len(body.rstrip("\\"))) % 2:
        hint = "Write / between directories." if body else "Write a pattern after it, or `\\!` for a file of that name."
        reading.error(line, f"`{pattern}` is not a pattern of .gitignore's grammar.", hint)
    elif leaves and field.name == "include":
        reading.error(
            line,
            f"The pattern `{pattern}` leaves the build context: only what lies in it can be packed.",
            "Build from a directory further up (`bentomake build -f FILE CONTEXT`), or copy the files in.",
        )
    elif ".." in parts or "." in parts:
        meant = f"{negated}{'/' if body.startswith('/') else ''}{where}{'/' if body.endswith('/') else ''}"
        reading.remark(
            line,
            f"The pattern `{pattern}` never matches anything: as in .gitignore, no path has a part `.` or `..`.",
            "Remove it: nothing outside of the context is ever packed."
            if leaves
            else f'Write "{"*" if where == "." else meant}".',
        )
    elif pattern.startswith("#"):
        reading.remark(line, f"The pattern `{pattern}` is a comment, as in .gitignore.", f"Write '\\{pattern}'.")


def version(reading: Reading, field: Field, dotted: str, node: Node) -> str | None:
    """A version as it is written; an unquoted one whose number is not its text (3.10 is 3.1) is an error."""
    value = node.value
    if isinstance(value, str):
        return None if value.strip() in ("", "None") else value.strip()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        reading.wrong_kind(dotted, "a version", node, f"Write {field.key}: {example(field)}")
        return None
    if node.text is not None and node.text != str(value):
        message = f"{dotted}: {node.text} without quotes is the number {value} to {reading.grammar}."
        reading.error(node.line, message, f"Quote it: {field.key}: {quoted(node.text)}")
        return None
    return str(value)


def python(reading: Reading, field: Field, dotted: str, node: Node) -> str | None:
    value = version(reading, field, dotted, node)
    if value is None:
        return None
    match = _PYTHON.fullmatch(value)
    if not match:
        hint = f"Write MAJOR.MINOR: {field.key}: {example(field)}"
        reading.error(node.line, f"{dotted} cannot be `{value}`.", hint)
        return None
    short = f"{match[1]}.{match[2]}"
    if (int(match[1]), int(match[2])) < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        hint = f"It needs {oldest} or newer." + (f' Did you mean "{short}0"?' if short == "3.1" else "")
        reading.error(node.line, f"{dotted}: BentoML does not run on Python {short}.", hint)
        return None
    if match[3]:
        message = f"{dotted}: the image gets the newest Python {short}, not exactly {value}."
        reading.remark(node.line, message, f'Write "{short}", or use docker.base_image for an exact version.')
    return short


def cuda(reading: Reading, field: Field, dotted: str, node: Node) -> str | None:
    value = version(reading, field, dotted, node)
    if value is None or distros.cuda_version(value):
        return value
    hint = f"There are {', '.join(distros.CUDA)}; `11.8`, `12` or `default` will do."
    reading.error(node.line, f"{dotted}: there is no image with CUDA {value}.", hint)
    return None


def query(reading: Reading, field: Field, dotted: str, node: Node) -> str | None:
    value = string(reading, field, dotted, node)
    if value and value.strip():
        try:
            model_query.parse(value)
        except UsageError as error:
            reading.error(node.line, f"{dotted}: {error.message}", error.hint or "")
    return value
