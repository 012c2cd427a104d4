"""A tree: path → (digest, mode), what a recipe returns; also its text form in the content store."""

import re
from collections.abc import Iterable, Mapping
from functools import partial
from operator import itemgetter
from typing import NamedTuple

from .digest import Digest, of_bytes

FILE = 0o644
EXECUTABLE = 0o755
LINK = 0o120000  # the digest is that of the link's target text
TREE = 0o40000  # the digest is that of another tree, whose paths lie below this one


class Entry(NamedTuple):
    """One path's content: its digest, and a mode of FILE, EXECUTABLE or LINK; TREE where a tree is made of trees."""

    digest: Digest
    mode: int


Tree = Mapping[str, Entry]

entry_of = partial(tuple.__new__, Entry)  # an Entry of (digest, mode), where ten thousand are made

_NAMES = {mode: f"{mode:o}" for mode in (FILE, EXECUTABLE, LINK, TREE)}
_MODES = {name: mode for mode, name in _NAMES.items()}
_RECORD = re.compile(r"(?<![^\0])([0-7]+) ([0-9a-f]{64})-([0-9]+) ([^\0]+)\0")
_SUSPECT = re.compile(r"[ /]\.{0,2}[/\0]")  # what a path that is absolute or climbs has in it, and few others have


class Dumped(NamedTuple):
    """A tree with its text form and the digest of that."""

    tree: Tree
    text: bytes
    digest: Digest


def dumped(tree: Tree) -> Dumped:
    text = dump(tree)
    return Dumped(tree, text, of_bytes(text))


def dump(tree: Tree) -> bytes:
    """A record a path, sorted, each `mode sha256-size path` and NUL; the sha256 of it all is the tree's digest."""
    lines = []
    for path in sorted(tree):
        (sha256, size), mode = tree[path]
        lines.append(f"{_NAMES[mode]} {sha256}-{size} {path}\0")
    return "".join(lines).encode("utf-8", "surrogateescape")


def load(data: bytes) -> dict[str, Entry]:
    """Read what `dump` wrote; ValueError for anything else (a path that is absolute, climbs or lies behind a link)."""
    text = data.decode("utf-8", "surrogateescape")
    records = _RECORD.findall(text)
    if len(records) != text.count("\0") or (text and not text.endswith("\0")):
        raise ValueError("not the form of a tree")
    if _SUSPECT.search(text):
        for *_, path in records:
            if not _plain(path.split("/")):
                raise ValueError(f"not a path of a tree: {path!r}")
    try:
        tree = {path: Entry(Digest(sha256, int(size)), _MODES[mode]) for mode, sha256, size, path in records}
    except KeyError as error:
        raise ValueError(f"not a mode of a tree: {error}") from None
    check_links(tree)
    return tree


def check_links(tree: Tree) -> None:
    """ValueError if a path lies behind a link: it would be written to wherever that shows."""
    if LINK not in map(itemgetter(1), tree.values()):
        return
    links = {path for path, (_, mode) in tree.items() if mode == LINK}
    for path in tree:
        above = path
        while above := above.rpartition("/")[0]:
            if above in links:
                raise ValueError(f"a path of a tree lies behind a link: {path!r}")


def differing(old: bytes, new: bytes) -> tuple[dict[str, Entry], dict[str, Entry]]:
    """What `load` gives of two dumped trees, without the records that both have; ValueError as `load`."""
    before, after = set(old.split(b"\0")), set(new.split(b"\0"))
    return _load_records(before - after), _load_records(after - before)


def _load_records(records: Iterable[bytes]) -> dict[str, Entry]:
    return load(b"".join(record + b"\0" for record in records))


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
