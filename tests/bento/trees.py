"""Trees of files to select from, for the tests of selections."""

from __future__ import annotations

import os
from pathlib import Path

from bentomake.bento.selection import select
from bentomake.engine.tree import LINK


def make(root: Path, *paths: str, **texts: str) -> Path:
    """Files at the paths; `a -> b` is a link, `a/` an empty directory."""
    for path in paths:
        name, arrow, target = path.partition(" -> ")
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if arrow:
            place.symlink_to(target)
        elif name.endswith("/"):
            place.mkdir(parents=True, exist_ok=True)
        else:
            place.write_bytes(os.fsencode(name))
    return root


def packed(
    context: Path, include: list[str] | None = None, exclude: list[str] | None = None, **more: list[str]
) -> list[str]:
    return [
        file.path for file in select(str(context), ["*"] if include is None else include, exclude or [], **more).files
    ]


def shown(context: Path, include: list[str] | None = None, exclude: list[str] | None = None) -> list[str]:
    """As `packed`, and links as `path -> text`."""
    files = select(str(context), ["*"] if include is None else include, exclude or []).files
    return [file.path if file.mode != LINK else f"{file.path} -> {file.link}" for file in files]
