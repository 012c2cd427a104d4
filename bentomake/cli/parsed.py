"""Command lines that were parsed before: the words' meaning is looked up, and click need not be imported.

click takes longer to import than an image's context takes to make, and a user writes the same line all day.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

from .. import __version__
from ..engine.fresh import cache_directory, mac, read_key, stamp_of

# command → the module that carries it out, by `carry_out(given, line)`; its words are in the module of its own name
_CARRIED_OUT_BY = {"build": "building", "containerize": "containerizing"}
_SECRET = ("build-arg", "build_arg", "creds", "decryption")  # a line with one of these in it is not written down


class Line(NamedTuple):
    """The command line and where it was given, before -C: that is what fresh is asked."""

    argv: Sequence[str]
    cwd: str


def known(argv: Sequence[str], env: Mapping[str, str]) -> tuple[str, dict[str, Any]] | None:
    """The command and what it was given, as click had read it; None if this line was not seen, or click has changed."""
    try:
        command, stamp, given = json.loads(_read(_path(argv, env)))
        if stamp != _stamp(command):
            return None
        return command, {name: _value(value) for name, value in given.items()}
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        return None


def perform(command: str, given: dict[str, Any], argv: Sequence[str]) -> int:
    """Carry out a command that click has read, and remember how it read the line `argv`."""
    from ..container.secret_source import masked

    if not any(word in text or masked(text) != text for text in argv for word in _SECRET):
        try:
            path = _path(argv, os.environ)
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            temporary = f"{path}.{os.getpid()}"
            with open(temporary, "w", encoding="utf-8") as file:
                json.dump([command, _stamp(command), given], file)
            os.replace(temporary, path)
        except (OSError, ValueError):
            pass  # it is read anew next time
    return carry_out(command, given, argv)


def carry_out(command: str, given: dict[str, Any], argv: Sequence[str]) -> int:
    """The exit code of a command."""
    module = import_module(f".{_CARRIED_OUT_BY[command]}", __package__)
    code: int = module.carry_out(given, Line(argv, os.getcwd()))
    return code


def _path(argv: Sequence[str], env: Mapping[str, str]) -> str:
    cache = cache_directory(env)
    asked = mac(read_key(cache), chr(0).join((__version__, sys.version, *argv)))
    return f"{cache}/state/words/{asked}.json"


def _stamp(command: str) -> list[int]:
    """Of the command's words, and of click: another release of either may read a line otherwise."""
    here = os.path.dirname(os.path.abspath(__file__))
    installed = os.path.dirname(os.path.dirname(here))
    return [stamp_of(os.stat(f"{here}/{command}.py")), stamp_of(os.stat(installed))]


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def _value(value: Any) -> Any:
    """As click gives it: many values are a tuple."""
    if isinstance(value, dict):
        return {name: _value(each) for name, each in value.items()}
    return tuple(value) if isinstance(value, list) else value
