"""Packing: the packed files of a context with their digests, and what has to stay for them to stay the same."""

from __future__ import annotations

import json
import os
import time
from typing import NamedTuple

from .bento.bentofile import Bentofile, Remark
from .bento.memo import Memo
from .engine import tree as trees
from .engine.digest import Digest, of_bytes
from .engine.fresh import Watch
from .engine.stat_index import StatIndex, write_atomically
from .engine.tree import LINK, Entry, Tree
from .errors import StepError


class Packed(NamedTuple):
    """`paths` says where the bytes of each path of the tree lie; `remarks` are the patterns that match nothing."""

    tree: Tree
    digest: Digest
    paths: dict[str, str]
    remarks: list[Remark]


def pack(
    bentofile: Bentofile, context: str, never: list[str], index: StatIndex, watch: Watch, memo_file: str
) -> Packed:
    """Select and hash; `never` are directories that are never packed, `memo_file` keeps the patterns' decisions."""
    from .bento.patterns import PatternError
    from .bento.selection import select

    asked_at = time.time_ns()
    memo = _read_memo(memo_file)
    include, exclude = bentofile.values["include"], bentofile.values["exclude"] or []
    try:
        selection = select(context, ["*"] if include is None else include, exclude, never=never, memo=memo)
    except PatternError as error:
        error.place = bentofile.place(f"{error.kind}[{error.index}]")
        raise
    tree: dict[str, Entry] = {}
    where: dict[str, str] = {}
    paths, stats = [], []
    for path, source, mode, link, stat in selection.files:
        where[path] = source
        if mode == LINK:
            tree[path] = Entry(of_bytes(os.fsencode(link or "")), LINK)
            continue
        try:
            tree[path] = Entry(index.digest(source, stat), mode)
        except OSError as error:
            raise StepError(f"{path} cannot be read: {error.strerror}.", hint="Exclude it?") from error
        paths.append(source)
        stats.append(stat)
    watch.many(paths, stats, asked_at)
    watch.many([path for path, _ in selection.directories], [st for _, st in selection.directories], asked_at)
    for path, stat in selection.ignore_files:
        watch.path(path, stat)
    if memo is None or selection.memo.to_json() != memo.to_json():
        write_atomically(memo_file, json.dumps(selection.memo.to_json()).encode())
    return Packed(tree, of_bytes(trees.dump(tree)), where, _unmatched(bentofile, selection.unmatched))


def _unmatched(bentofile: Bentofile, unmatched: list[tuple[str, int]]) -> list[Remark]:
    said = [(remark.place, remark.message) for remark in bentofile.remarks]
    remarks = []
    for field, index in unmatched:
        if not bentofile.values[field]:
            continue  # the default
        place, pattern = bentofile.place(f"{field}[{index}]"), bentofile.values[field][index]
        if not any(place == where and f"`{pattern}`" in message for where, message in said):
            hint = "Patterns are gitignore patterns, relative to the build context."
            remarks.append(Remark(f"The {field} pattern {pattern!r} matches no file.", place, hint))
    return remarks


def _read_memo(path: str) -> Memo | None:
    try:
        with open(path, encoding="utf-8") as file:
            return Memo.from_json(json.load(file))
    except (OSError, ValueError):
        return None
