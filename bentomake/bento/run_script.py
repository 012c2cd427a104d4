"""A script that is run while the image is built: its bytes, and what is odd about them."""

from __future__ import annotations

import re

from ..engine.rule import Context
from ..errors import BentofileError
from . import context_file
from .reading import Remark

# `src` as a part of a path of its own where the script starts, which is the Bento; or another word for that place.
_SOURCES = re.compile(
    rb"\bBENTO_PATH\b|\bbento/src(?![\w.-])|(?:\$\{?PWD\}?|\$\(pwd\))/src(?![\w.-])|(?<![\w/.~$})-])(?:\./)?src(?![\w.-])"
)


def read(ctx: Context, option: str, path: str, what: str = "setup script", place: str | None = None) -> bytes:
    """The script of an option; BentofileError if Linux would not find what runs it."""
    place = place or ctx.place(option)
    script = context_file.read(ctx, option, path, place)
    found = judge(script, path, place, what)
    if isinstance(found, BentofileError):
        raise found
    if found is not None:
        ctx.warn(found.message, place=found.place, hint=found.hint)
    return script


def judge(script: bytes, path: str, place: str | None, what: str = "setup script") -> BentofileError | Remark | None:
    """What its first line says of a script: who runs it, and that Linux will find that."""
    first = script.partition(b"\n")[0]
    if not first.startswith(b"#!"):
        message = f"The {what} {path} has no shebang, so sh runs it."
        return Remark(message, place, "Begin it with #!/bin/bash or #!/usr/bin/env python.")
    if not first.endswith(b"\r"):
        return None
    message = f"The {what} {path} has Windows line ends, with which Linux does not find its interpreter."
    return BentofileError(message, place=place, hint=f"Run dos2unix {path}, or save it with the line ends of Linux.")


def needs_sources(ctx: Context, option: str, script: bytes) -> bool:
    """Whether it mentions the sources outside of comments, which a warning then says."""
    lines = [line for line in script.splitlines() if not line.lstrip().startswith(b"#")]
    if not any(_SOURCES.search(line) for line in lines):
        return False
    ctx.warn(
        "The setup script mentions src or BENTO_PATH, so it runs after the sources are copied, at every change of one.",
        place=ctx.place(option),
        hint="If it does not read them, give what it calls src another name; then it runs before, and seldom.",
    )
    return True
