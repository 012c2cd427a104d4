"""docker.env: a mapping, a list or a dotenv file, as one mapping of strings; and how an image is told a value."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from ..engine.rule import Context
from ..errors import BentofileError
from . import context_file

OPTION = "docker.env"
LINE_BREAK = "Encode it, for example in base64, or give it when the image is run."

# Each reads a line once: no two neighbouring parts of a pattern can match the same characters.
_LINE = re.compile(r"(?:export\s+)?([^\s=:#]+)(?:\s*=|:(?=\s))(.*)$")
_SINGLE = re.compile(r"'([^']*)'\s*(?:#.*)?$|'((?:[^'\\]|\\.)*)'\s*(?:#.*)?$")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(?:#.*)?$')
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


class Variable(NamedTuple):
    """One variable of docker.env, and where it is written."""

    name: str
    value: str
    place: str | None


def docker_env(ctx: Context, *, remark: bool = False) -> dict[str, str]:
    """Name → value, in the user's order; BentofileError with the place of what cannot be a variable.

    With `remark`, lines of a dotenv file that mean nothing are said; of many who ask, one does that.
    """
    declared = ctx.param(OPTION) or {}
    if isinstance(declared, Mapping):
        found = [
            Variable(str(name), "" if value is None else str(value), ctx.place(f"{OPTION}.{name}"))
            for name, value in declared.items()
        ]
    elif isinstance(declared, str):

        def skipped(place: str) -> None:
            if remark:
                hint = "Write NAME=VALUE; a name alone does not take the value that this machine has."
                ctx.warn("The line is not NAME=VALUE and is skipped.", place=place, hint=hint)

        found = list(dotenv(context_file.read(ctx, OPTION, declared), declared, skipped))
    else:
        found = [_assignment(ctx, str(item)) for item in declared]
    for variable in found:
        check(variable)
    return {name: value for name, value, _ in found}


def check(variable: Variable) -> None:
    """BentofileError for what a Dockerfile cannot give an image."""
    name, value, place = variable
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", name):
        hint = "Use letters, digits and `_`, and no digit first."
        raise BentofileError(f"{name!r} cannot be the name of an environment variable.", place=place, hint=hint)
    if re.search(r"[\n\r\0]", value):
        message = f"A value of {OPTION}.{name} has a line break, which a Dockerfile cannot hold."
        raise BentofileError(message, place=place, hint=LINE_BREAK)


def _assignment(ctx: Context, item: str) -> Variable:
    name, equals, value = item.partition("=")
    if not equals:
        raise BentofileError(
            f"{OPTION} has {item!r}, which is not NAME=VALUE.", place=ctx.place(OPTION), hint=f"{name}=value"
        )
    return Variable(name.strip(), value, ctx.place(f"{OPTION}.{name.strip()}"))


def dotenv(data: bytes, shown: str, skipped: Callable[[str], None] = lambda place: None) -> Iterator[Variable]:
    """The variables of a dotenv file: `export`, quotes, escapes and comments are understood, nothing is expanded.

    A line that is none is left out, as BentoML does; `skipped` is told its place.
    """
    for number, line in enumerate(data.decode("utf-8-sig", "replace").splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        match = _LINE.match(stripped)
        if match is None:
            skipped(f"{shown}:{number}")
        else:
            yield Variable(match[1], _value(match[2]), f"{shown}:{number}")


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
