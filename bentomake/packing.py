"""The packed files of a project: selected once, judged, hashed; and where each one's bytes lie."""

from __future__ import annotations

import json
import os
import posixpath
import time
from collections.abc import Callable
from functools import cached_property

from .bento.bentofile import Bentofile, Remark
from .bento.memo import Memo
from .bento.selection import Selection
from .bento.walk import Packed
from .engine.digest import Digest, of_bytes
from .engine.fresh import Watch
from .engine.stat_index import StatIndex, write_atomically
from .engine.tree import LINK, Dumped, dumped, entry_of
from .errors import StepError, UsageError

SOURCE_LAYOUT = "src/"
_NO_STAMP = -1  # which no hash is


class Packing:
    """What one build packs of one context; `never` are directories that hold no sources, `memo` a file of its own."""

    def __init__(
        self,
        bentofile: Bentofile,
        context: str,
        never: list[str],
        memo: str,
        watch: Watch,
        index: StatIndex,
        source_layout: Callable[[], bool],
    ):
        self._bentofile = bentofile
        self.context = context
        self._never = never
        self._memo = memo
        self._watch = watch
        self._index = index
        self._source_layout = source_layout
        self._lie: dict[str, Packed] = {}
        self._stamps: list[int] = []  # of the selected files

    @cached_property
    def selection(self) -> Selection:
        """The files that the patterns leave; what decided it is told to `watch`."""
        from .bento.patterns import PatternError
        from .bento.selection import select

        asked_at = time.time_ns()
        values = self._bentofile.values
        memo = _read_memo(self._memo)
        try:
            found = select(self.context, values["include"], values["exclude"], never=self._never, memo=memo)
        except PatternError as error:
            error.place = self._bentofile.place(f"{error.kind}[{error.index}]")
            raise
        files = [packed for packed in found.files if packed[2] != LINK]
        seen = iter(self._watch.many([packed[1] for packed in files], [packed[4] for packed in files], asked_at))
        self._stamps = [_NO_STAMP if packed[2] == LINK else next(seen) for packed in found.files]
        self._watch.many([path for path, _ in found.directories], [st for _, st in found.directories], asked_at)
        self._watch.many([path for path, _ in found.ignore_files], [st for _, st in found.ignore_files], asked_at)
        if not found.memo.is_as(memo):
            write_atomically(self._memo, json.dumps(found.memo.to_json()).encode())
        return found

    @cached_property
    def tree(self) -> Dumped:
        """The files as they lie in the Bento's src/, hashed."""
        files = self.selection.files
        paths = self._paths(files)
        self._lie = dict(zip(paths, files, strict=True))
        known = self._index.all_known([packed[1] for packed in files], self._stamps)
        for number, digest in enumerate(known):
            if digest is None:
                known[number] = self._hashed(paths[number], files[number])
        tree = dict(zip(paths, map(entry_of, zip(known, [packed[2] for packed in files], strict=True)), strict=True))
        return dumped(tree)

    def _paths(self, files: list[Packed]) -> list[str]:
        """Where the files lie in src/."""
        if not self._source_layout():
            return [packed[0] for packed in files]
        there: dict[str, str] = {}
        for path, *_ in files:
            moved = path.removeprefix(SOURCE_LAYOUT)
            if moved in there:
                raise UsageError(
                    f"{there[moved]} and {path} would both be packed as {moved}.",
                    place=self._bentofile.place("python.is_src_layout"),
                    hint="Rename one, leave it out with `exclude`, or set python.is_src_layout: false.",
                )
            there[moved] = path
        return list(there)

    def _hashed(self, path: str, packed: Packed) -> Digest:
        if packed.mode == LINK:
            return of_bytes(os.fsencode(self.link(path)))
        self._watch.first(packed.source)
        try:
            return self._index.digest(packed.source, packed.stat)
        except OSError as error:
            raise StepError(f"{packed.path} cannot be read: {error.strerror}.", hint="Exclude it?") from error

    def source(self, path: str) -> str:
        """Where the bytes of a packed file lie."""
        return self._lie[path].source

    def link(self, path: str) -> str:
        """What a packed link says, in the Bento."""
        packed = self._lie[path]
        text = packed.link or ""
        if path == packed.path or os.path.isabs(text):
            return text
        target = posixpath.normpath(posixpath.join(posixpath.dirname(packed.path), text))
        return posixpath.relpath(target.removeprefix(SOURCE_LAYOUT) or ".", posixpath.dirname(path) or ".")

    def unmatched(self) -> list[Remark]:
        """A remark for each written pattern that matches nothing, unless its line has one already."""
        said = [(remark.place, remark.message) for remark in self._bentofile.remarks]
        found = []
        for kind, index in self.selection.unmatched:
            patterns = self._bentofile.values[kind]
            if not patterns:
                continue  # the default
            place, pattern = self._bentofile.place(f"{kind}[{index}]"), patterns[index]
            if not any(place == where and f"`{pattern}`" in message for where, message in said):
                hint = "Patterns are gitignore patterns, relative to the build context."
                found.append(Remark(f"The {kind} pattern {pattern!r} matches no file.", place, hint))
        return found


def _read_memo(path: str) -> Memo | None:
    try:
        with open(path, encoding="utf-8") as file:
            return Memo.from_json(json.load(file))
    except (OSError, ValueError):
        return None
