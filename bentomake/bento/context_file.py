"""A file of the build context that an option names: found, read, and watched for the next build."""

from __future__ import annotations

import os
import posixpath

from ..engine.fact import ABSENT
from ..engine.rule import Context
from ..errors import BentofileError

_HINT = "Put the file into the context and name it relative to that."
_HOPS = 40  # as many as Linux follows


def inside(ctx: Context, option: str, path: str, place: str | None = None) -> str:
    """The path relative to the context, normalised; BentofileError for one that leaves it.

    `place` is where it is written, if that is no option.
    """
    normal = posixpath.normpath(path)
    if normal.startswith(("/", "../", "~")) or normal in (".", ".."):
        raise BentofileError(
            f"{option} names {path}, which is not a file inside the build context.",
            place=place or ctx.place(option),
            hint=_HINT,
        )
    return normal


def leads_out(context: str, path: str, *, parents: bool = False) -> str | None:
    """Where symbolic links take a path of the context to, if that is outside of it; None for all others.

    With `parents`, relative links of the context may lead out, as `..` may; a link that names an absolute path may not.
    """
    root = os.path.realpath(context)
    full = os.path.normpath(os.path.join(root, path))
    real = os.path.realpath(full)
    if (real + os.sep).startswith(root.rstrip(os.sep) + os.sep):
        return None
    return None if parents and not _by_absolute_link(root, full) else real


def _by_absolute_link(root: str, full: str) -> bool:
    for _ in range(_HOPS):
        if not full.startswith(root + os.sep):
            return False
        link, text, rest = root, None, os.path.relpath(full, root).split(os.sep)
        while rest and text is None:
            link = os.path.join(link, rest.pop(0))
            text = os.readlink(link) if os.path.islink(link) else None
        if text is None:
            return False
        if os.path.isabs(text):
            return True
        full = os.path.normpath(os.path.join(os.path.dirname(link), text, *rest))
    return True


def led_out(option: str, path: str, real: str, place: str | None) -> BentofileError:
    """The error for a path that `leads_out` to `real`."""
    message = f"{option} names {path}, which leads to {real}, outside of the build context."
    return BentofileError(message, place=place, hint="Replace the link by a copy of what it leads to.")


def read(ctx: Context, option: str, path: str, place: str | None = None) -> bytes:
    """The bytes; another version of the file is another key. BentofileError if it is not there."""
    data = read_if_there(ctx, option, path, place)
    if data is None:
        raise BentofileError(
            f"{option} names {path}, which does not exist.",
            place=place or ctx.place(option),
            hint="Paths are relative to the build context.",
        )
    return data


def read_if_there(
    ctx: Context, option: str, path: str, place: str | None = None, *, parents: bool = False
) -> bytes | None:
    """As `read`, but None if there is no such file; with `parents`, it may lie in a directory further up."""
    path = path if parents else inside(ctx, option, path, place)
    name = f"ctx/{path}"
    if ctx.discover("file", name).digest == ABSENT.digest:
        return None
    real = ctx.host("leads_out")(path, parents=parents)
    if real is not None:
        raise led_out(option, path, real, place or ctx.place(option))
    try:
        data = ctx.host("read")(name)
    except OSError as error:
        raise BentofileError(f"{option} names {path}: {error.strerror}.", place=place or ctx.place(option)) from error
    assert isinstance(data, bytes)
    return data
