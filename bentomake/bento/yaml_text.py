"""YAML text of JSON values, and back; written without PyYAML, whose import costs more than the rest of a Bento."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

# What every reader of YAML 1.1 and 1.2 takes for a string without quotes, unless it is one of the words.
_PLAIN = re.compile(r"[A-Za-z_/][\w./+-]*(?: [\w./+-]+)*", re.ASCII)
_WORDS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}
_LONGEST_KEY = 128  # a longer one, with its quotes, might not be read as one


def dump(value: Any) -> str:
    """A mapping as YAML: block style, in the given order; strings are quoted wherever they could be anything else."""
    return "".join(f"{line}\n" for line in _block(value)) if value else f"{_scalar(value)}\n"


def load(data: bytes) -> Any:
    """The value of a YAML text that a tool wrote; ValueError if it is damaged."""
    import yaml

    try:
        return yaml.load(data, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - safe
    except (AttributeError, LookupError, OverflowError, RecursionError, yaml.YAMLError) as error:
        raise ValueError(str(error)) from error  # a date that is none is a ValueError already


def glance(text: str) -> dict[str, Any]:
    """Of a mapping that `dump` wrote, the strings at its top, and mappings there of strings alone; without a parser.

    What else stands there is left out. ValueError for what `dump` has escaped as only YAML does.
    """
    found: dict[str, Any] = {}
    mapping = ""  # the key whose lines follow
    for line in text.split("\n"):
        key, _, value = line.strip().partition(": ")
        string = _string(value)
        if line[:1] not in (" ", ""):
            mapping = ""
            if key[0] in '"{?:':  # a key that is quoted, or none
                continue
            if not value:
                mapping = key.removesuffix(":")
            if mapping or value == "{}":
                found[mapping or key] = {}
            elif string is not None:
                found[key] = string
        elif mapping and string is not None and line[2] not in ' -?"':
            found[mapping][key] = string
        elif mapping and line:
            del found[mapping]
            mapping = ""
    return found


def _string(text: str) -> str | None:
    """The string that a scalar of ours stands for; None if it is none."""
    if text.startswith('"'):
        return str(json.loads(text))
    return text if _PLAIN.fullmatch(text) and text.lower() not in _WORDS else None


def _block(value: Any) -> Iterator[str]:
    """The lines of a mapping or a list that is not empty."""
    pairs = value.items() if isinstance(value, dict) else (("-", item) for item in value)
    for key, item in pairs:
        head = "-" if not isinstance(value, dict) else f"{_scalar(key)}:"
        if len(head) > _LONGEST_KEY:
            yield f"? {head[:-1]}"
            head = ":"
        if not (isinstance(item, dict | list | tuple) and item):
            yield f"{head} {_scalar(item)}"
        elif head != "-":
            yield head
            yield from (f"  {line}" for line in _block(item))
        else:
            first, *rest = _block(item)
            yield f"{head} {first}"
            yield from (f"  {line}" for line in rest)


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
            return value
        return '"' + "".join(_escaped(char) for char in value) + '"'
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, dict | list | tuple):
        return "{}" if isinstance(value, dict) else "[]"
    return "null" if value is None else str(value).lower()


def _escaped(char: str) -> str:
    return _ESCAPES.get(char) or (char if char.isprintable() and char != "\ufeff" else f"\\U{ord(char):08x}")


def _float(value: float) -> str:
    text = repr(value)
    if text.endswith(("inf", "nan")):
        return f"{text[:-3]}.{text[-3:]}"
    return text if "." in text else text.replace("e", ".0e")  # 1e-05 would be a string
