"""docker.env: a mapping, a list or a dotenv file, as one mapping of strings; and how an image is told a value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ..engine.rule import Context
from ..errors import BentofileError
from . import context_file

OPTION = "docker.env"


def docker_env(ctx: Context) -> dict[str, str]:
    """Name → value, in the user's order; BentofileError with the place of what cannot be a variable."""
    declared = ctx.param(OPTION) or {}
    if isinstance(declared, Mapping):
        pairs = [(str(name), "" if value is None else str(value)) for name, value in declared.items()]
    elif isinstance(declared, str):
        pairs = list(dotenv(context_file.read(ctx, OPTION, declared), declared))
    else:
        pairs = [_assignment(ctx, str(item)) for item in declared]
    for name, value in pairs:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", name):
            raise BentofileError(f"{name!r} cannot name an environment variable.", place=ctx.place(f"{OPTION}.{name}"))
        if re.search(r"[\n\r\0]", value):
            raise BentofileError(
                f"A value of {OPTION}.{name} has a line break, which a Dockerfile cannot hold.",
                place=ctx.place(f"{OPTION}.{name}"),
            )
    return dict(pairs)


def _assignment(ctx: Context, item: str) -> tuple[str, str]:
    name, equals, value = item.partition("=")
    if not equals:
        raise BentofileError(
            f"{OPTION} has {item!r}, which is not NAME=VALUE.", place=ctx.place(OPTION), hint=f"{name}=value"
        )
    return name.strip(), value


def dotenv(data: bytes, shown: str) -> Iterator[tuple[str, str]]:
    """The variables of a dotenv file: `export`, quotes and comments are understood, nothing is expanded."""
    for number, line in enumerate(data.decode("utf-8-sig", "replace").splitlines(), 1):
        stripped = line.strip().removeprefix("export ").strip()
        if not stripped or stripped.startswith("#"):
            continue
        name, equals, value = (part.strip() for part in stripped.partition("="))
        if not equals:
            raise BentofileError(f"Line {number} is not NAME=VALUE.", place=f"{shown}:{number}")
        if quoted := re.match(r"""'([^']*)'\s*(?:#.*)?$|"((?:[^"\\]|\\.)*)"\s*(?:#.*)?$""", value):
            value = quoted[1] if quoted[2] is None else re.sub(r'\\([\\"$])', r"\1", quoted[2])
        else:
            value = re.sub(r"(^|\s+)#.*$", "", value)
        yield name, value


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
