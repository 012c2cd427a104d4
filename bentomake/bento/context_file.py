"""A file of the build context that an option names: found, read, and watched for the next build."""

from __future__ import annotations

import posixpath

from ..engine.fact import ABSENT
from ..engine.rule import Context
from ..errors import BentofileError


def inside(ctx: Context, option: str, path: str, place: str | None = None) -> str:
    """The path relative to the context, normalised; BentofileError for one that leaves it.

    `place` is where it is written, if that is no option.
    """
    normal = posixpath.normpath(path)
    if normal.startswith(("/", "../", "~")) or normal in (".", ".."):
        raise BentofileError(
            f"{option} names {path}, which is not a file inside the build context.",
            place=place or ctx.place(option),
            hint="Put the file into the context and name it relative to that.",
        )
    return normal


def read(ctx: Context, option: str, path: str, place: str | None = None) -> bytes:
    """The bytes; another version of the file is another key. BentofileError if it is not there."""
    data = read_if_there(ctx, option, path, place)
    if data is None:
        raise BentofileError(f"{option} names {path}, which does not exist.", place=place or ctx.place(option))
    return data


def read_if_there(ctx: Context, option: str, path: str, place: str | None = None) -> bytes | None:
    """As `read`, but None if there is no such file."""
    name = f"ctx/{inside(ctx, option, path, place)}"
    if ctx.discover("file", name).digest == ABSENT.digest:
        return None
    try:
        data = ctx.host("read")(name)
    except OSError as error:
        raise BentofileError(f"{option} names {path}: {error.strerror}.", place=place or ctx.place(option)) from error
    assert isinstance(data, bytes)
    return data
