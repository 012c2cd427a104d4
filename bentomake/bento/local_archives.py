"""Wheels and sdists that a requirement names by their path in the project: they are copied into the Bento."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from ..errors import BentofileError

DIRECTORY = "env/python/wheels"  # of the Bento
NAMED = "./wheels/"  # as requirement files name it: whoever installs does that in env/python, as BentoML does
ELSEWHERE = "Name a package of the index, or a URL; or put the file into the build context."
ARCHIVES = (".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2")
_LOCAL = re.compile(
    r"(?:[\w.-]+\s*(?:(?P<named>\[[^\]]*\])\s*)?@\s*(?=file:|\.{0,2}/))?"
    r"(?P<file>file:(?!//))?(?P<path>[^\s;#\[]+)(?:#[^\s;\[]*)?(?P<extras>\[[^\]]*\])?(?P<marker>\s*;\s.*)?$",
    re.I,
)


class Local(NamedTuple):
    """An archive of the project: its path relative to the context, and what stands around it."""

    path: str
    extras: str
    marker: str

    @property
    def name(self) -> str:
        return posixpath.basename(self.path)

    @property
    def outside(self) -> bool:
        return self.path.startswith(("/", "~", "../"))

    def packed(self) -> str:
        """The requirement as it is written in the Bento."""
        return f"{NAMED}{self.name}{self.extras}{self.marker}"


def parse(spec: str) -> Local | None:
    """The archive that a requirement names by its path; None for any other requirement, and for a directory."""
    match = _LOCAL.match(spec.strip())
    if match is None or "://" in match["path"] or not match["path"].lower().endswith(ARCHIVES):
        return None
    path = match["path"]
    if match["file"] is None and "/" not in path and "@" in spec.partition(";")[0]:
        return None
    return Local(posixpath.normpath(path), match["extras"] or match["named"] or "", match["marker"] or "")


def pack(
    found: Iterable[tuple[Local, str | None]], read: Callable[[str], bytes | None], known: Iterable[str]
) -> dict[str, bytes]:
    """Path in the Bento → bytes of the archives, given with their places; `known` are those that are there already.

    Raises BentofileError for one that is not there, or whose name another one has.
    """
    made: dict[str, bytes] = {}
    origins: dict[str, str] = {}
    taken = set(known)
    for local, place in found:
        data = read(local.path)
        if data is None:
            raise BentofileError(
                f"There is no file {local.path}, which is required.",
                place=place,
                hint="Paths of packages are relative to the build context.",
            )
        target = f"{DIRECTORY}/{local.name}"
        if origins.setdefault(local.name, local.path) != local.path or target in taken:
            raise BentofileError(
                f"Two packages have the name {local.name}; a Bento has its wheels in one directory.",
                place=place,
                hint="Name it once.",
            )
        made[target] = data
    return made
