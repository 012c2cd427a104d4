"""Plain command lines: options and words as nearly everybody writes them, read without click.

click takes longer to import than an image's context takes to make. What is not plain, or not right, is click's to read.
"""

import os
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple

from .options import BUILD, CHOICE, COMMANDS, CONTAINERIZE, COUNT, FLAG, MANY, OLDER, ONE, Table, default

# command → the module that carries it out, by `carry_out(given, line)`; its words are in the module of its own name
_CARRIED_OUT_BY = {"build": "building", "containerize": "containerizing"}


class Line(NamedTuple):
    """The command line and where it was given, before -C: that is what fresh is asked."""

    argv: Sequence[str]
    cwd: str


def read(argv: Sequence[str]) -> tuple[str, dict[str, Any]] | None:
    """The command and what it is given, as click would say; None if click has to."""
    first = argv[0] if argv else ""
    if first == "containerize":
        found = _read(argv[1:], {**CONTAINERIZE, **OLDER})
        if found is None or len(found[0]) != 1:
            return None
        (tag,), values = found
        flags = {name: values.pop(name) for name in OLDER}
        return first, {"tag": tag, "flags": flags, **values}
    if first != "build" and (first in COMMANDS or first == "--version"):  # as main.with_command has it
        return None
    found = _read(argv[1:] if first == "build" else argv, BUILD)
    return None if found is None else ("build", {"targets": tuple(found[0]), **found[1]})


def _read(words: Sequence[str], table: Table) -> tuple[list[str], dict[str, Any]] | None:
    """The words that are no options, and all values; None if anything is not plain."""
    spelled = {}
    for name, (spellings, *_) in table.items():
        on, _, off = spellings.partition("/")
        for spelling in on.split():
            spelled[spelling] = name, True
        if off:
            spelled[off] = name, False
    targets: list[str] = []
    given: dict[str, Any] = {}
    rest = iter(words)
    for word in rest:
        if not word.startswith("-") and word:
            targets.append(word)
            continue
        option, equals, value = word.partition("=")
        if option not in spelled or (equals and not option.startswith("--")):
            return None
        name, on_ = spelled[option]
        _, kind, choices, _ = table[name]
        if kind == FLAG:
            if equals or name in given:
                return None
            given[name] = on_
            continue
        if not equals:
            value = next(rest, "")
        if not value or (value.startswith("-") and not equals):
            return None
        if kind == MANY:
            given[name] = (*given.get(name, ()), value)
        elif name in given:
            return None
        elif kind == ONE or (kind == CHOICE and value in choices):
            given[name] = value
        elif kind == COUNT and value.isascii() and value.isdigit() and len(value) < 10 and int(value) > 0:
            given[name] = int(value)
        else:
            return None
    return targets, {name: given.get(name, default(name, kind)) for name, (_, kind, *_) in table.items()}


def carry_out(command: str, given: dict[str, Any], argv: Sequence[str]) -> int:
    """The exit code of a command."""
    module = import_module(f".{_CARRIED_OUT_BY[command]}", __package__)
    code: int = module.carry_out(given, Line(argv, os.getcwd()))
    return code
