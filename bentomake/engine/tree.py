"""A tree: path → (digest, mode), what a recipe returns; also its text form in the content store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .digest import Digest

FILE = 0o644
EXECUTABLE = 0o755
LINK = 0o120000  # the digest is that of the link's target text


class Entry(NamedTuple):
    """One path's content: its digest, and a mode of FILE, EXECUTABLE or LINK."""

    digest: Digest
    mode: int


Tree = Mapping[str, Entry]


def dump(tree: Tree) -> bytes:
    """A record a path, sorted, each `mode sha256-size path` and NUL; the sha256 of it all is the tree's digest."""
    lines = [f"{e.mode:o} {e.digest.sha256}-{e.digest.size} {path}\0" for path, e in sorted(tree.items())]
    return "".join(lines).encode("utf-8", "surrogateescape")


def load(data: bytes) -> dict[str, Entry]:
    """Read what `dump` wrote; ValueError for anything else (a path that is absolute or climbs, a bad digest)."""
    tree: dict[str, Entry] = {}
    for line in data.decode("utf-8", "surrogateescape").split("\0")[:-1]:
        mode, digest, path = line.split(" ", 2)
        if path.startswith("/") or not _plain(path.split("/")):
            raise ValueError(f"not a path of a tree: {path!r}")
        value = int(mode, 8)
        if value not in (FILE, EXECUTABLE, LINK):
            raise ValueError(f"not a mode of a tree: {mode!r}")
        tree[path] = Entry(Digest.parse(digest), value)
    return tree


def _plain(parts: list[str]) -> bool:
    return not any(part in ("", ".", "..") for part in parts)


def under(prefix: str, tree: Tree) -> dict[str, Entry]:
    """The same tree below a directory."""
    return {f"{prefix}/{path}": entry for path, entry in tree.items()}


def merge(trees: Iterable[Tree]) -> dict[str, Entry]:
    """One tree out of several; ValueError if two of them give one path different content."""
    merged: dict[str, Entry] = {}
    for tree in trees:
        for path, entry in tree.items():
            if merged.setdefault(path, entry) != entry:
                raise ValueError(f"two actions make {path}")
    return merged
