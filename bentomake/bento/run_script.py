"""A script that is run while the image is built: its bytes, and what is odd about them."""

from __future__ import annotations

import re

from ..engine.rule import Context
from . import context_file


def read(ctx: Context, option: str, path: str, what: str = "setup script", place: str | None = None) -> bytes:
    """The script of an option; a warning if Linux would not find what runs it."""
    place = place or ctx.place(option)
    script = context_file.read(ctx, option, path, place)
    first = script.partition(b"\n")[0]
    if not first.startswith(b"#!"):
        ctx.warn(
            f"The {what} {path} has no shebang, so sh runs it.",
            place=place,
            hint="Begin it with #!/bin/bash or #!/usr/bin/env python.",
        )
    elif first.endswith(b"\r"):
        ctx.warn(
            f"The {what} {path} has Windows line ends, with which Linux does not find its interpreter.",
            place=place,
            hint=f"Run dos2unix {path}.",
        )
    return script


def needs_sources(ctx: Context, option: str, script: bytes) -> bool:
    """Whether it mentions the sources, which a warning then says."""
    if not re.search(rb"\bBENTO_PATH\b|\bbento/src\b|(?<![\w/.-])(?:\./)?src\b(?!-)", script):
        return False
    ctx.warn(
        "The setup script mentions src or BENTO_PATH, so it runs after the sources are copied, at every change of one.",
        place=ctx.place(option),
    )
    return True
