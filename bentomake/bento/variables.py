"""docker.env: a mapping, a list or a dotenv file, as one mapping of strings; and how an image is told a value."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from ..engine.rule import Context
from ..errors import BentofileError
from . import context_file
from .schema import VARIABLE, VARIABLE_HINT

OPTION = "docker.env"
LINE_BREAK = "Encode it, for example in base64, or give it when the image is run."

# Each reads a line once: no two neighbouring parts of a pattern can match the same characters.
_LINE_BREAK = re.compile(r"\r\n|\n|\r")
_LINE = re.compile(r"(?:export\s+)?([^\s=:#]+)(?:\s*=|:(?=\s))(.*)$")
_SINGLE = re.compile(r"'([^']*)'\s*(?:#.*)?$|'((?:[^'\\]|\\.)*)'\s*(?:#.*)?$")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(?:#.*)?$')
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


class Variable(NamedTuple):
    """One variable of docker.env, and where it is written."""

    name: str
    value: str
    place: str | None


def docker_env(ctx: Context) -> dict[str, str]:
    """Name → value, in the user's order; BentofileError with the place of what cannot be a variable."""
    return {variable.name: variable.value for variable in docker_variables(ctx)}


def docker_variables(ctx: Context, *, remark: bool = False) -> list[Variable]:
    """The variables of docker.env with their places.

    With `remark`, lines of a dotenv file that mean nothing are said; of many who ask, one does that.
    """
    declared = ctx.param(OPTION) or {}
    if isinstance(declared, Mapping):
        found = [
            Variable(str(name), "" if value is None else str(value), ctx.place(f"{OPTION}.{name}"))
            for name, value in declared.items()
        ]
    else:

        def skipped(place: str) -> None:
            if remark:
                hint = "Write NAME=VALUE; a name alone does not take the value that this machine has."
                ctx.warn("The line is not NAME=VALUE and is skipped.", place=place, hint=hint)

        found = list(dotenv(context_file.read(ctx, OPTION, declared), declared, skipped))
    for variable in found:
        check(variable)
    return found


def check(variable: Variable, what: str = OPTION) -> None:
    """BentofileError for what a Dockerfile cannot give an image."""
    name, value, place = variable
    if not re.fullmatch(VARIABLE, name):
        message = f"{name!r} cannot be the name of an environment variable."
        raise BentofileError(message, place=place, hint=VARIABLE_HINT)
    if re.search(r"[\n\r\0]", value):
        message = f"A value of {what}.{name} has a line break, which a Dockerfile cannot hold."
        raise BentofileError(message, place=place, hint=LINE_BREAK)


def dotenv(data: bytes, shown: str, skipped: Callable[[str], None] = lambda place: None) -> Iterator[Variable]:
    """The variables of a dotenv file: `export`, quotes, escapes and comments are understood, nothing is expanded.

    A line that is none is left out, as BentoML does; `skipped` is told its place.
    """
    for number, line in enumerate(_LINE_BREAK.split(_decode(data, shown)), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        match = _LINE.match(stripped)
        if match is None:
            skipped(f"{shown}:{number}")
        else:
            yield Variable(match[1], _value(match[2]), f"{shown}:{number}")


def _decode(data: bytes, shown: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = len(_LINE_BREAK.split(data[: error.start].decode("utf-8-sig")))
        message = f"{shown} is not text in UTF-8."
        raise BentofileError(message, place=f"{shown}:{line}", hint="Save it as UTF-8.") from None


def _value(raw: str) -> str:
    """Single quotes keep all as it is; a `#` begins a comment after whitespace; `\\$` is a dollar."""
    value = raw.strip()
    if single := _SINGLE.match(value):
        return single[1] if single[1] is not None else re.sub(r"\\([\\'])", r"\1", single[2])
    if double := _DOUBLE.match(value):
        return re.sub(r"\\([\\'\"$abfnrtv])", lambda found: _ESCAPES.get(found[1], found[1]), double[1])
    if comment := re.search(r"\s#", raw):
        value = raw[: comment.start()].strip()
    return re.sub(r"\\(\$\{?\w)", r"\1", value)


def refers_to_another(name: str, value: str) -> bool:
    """Whether a value looks as if it wanted another variable's value, which it does not get."""
    return any(other.strip("${}") != name for other in re.findall(r"\$\{[A-Za-z_]\w*\}|\$[A-Z_][A-Z0-9_]*\b", value))


def env_value(value: str, name: str = "") -> str:
    """A value as the ENV instruction wants it: all of it literal, but a reference to `name` itself (PATH=/x:$PATH)."""
    quoted = re.sub(r'([\\"$])', r"\\\1", value)
    if name:
        itself = re.escape(name)
        quoted = re.sub(rf"\\(\$(?:\{{{itself}\}}|{itself}(?!\w)))", r"\1", quoted)
    return f'"{quoted}"'
