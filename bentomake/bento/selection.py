"""Which files of a context a Bento packs: include and exclude, .bentoignore, what is never packed, and links.

The walk asks the patterns once a path and keeps the answers in a `Memo`; with it, a context where no name is new costs
its directory listings and one stat a packed file.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from operator import itemgetter
from typing import NamedTuple

from ..errors import Several
from .links import place
from .memo import Memo
from .walk import Packed, Seen, Walk


class Selection(NamedTuple):
    """The packed files by path, and all that must stay as it is for the answer to stay the same.

    `unmatched` are the patterns that matched no file, as (include or exclude, index); below a directory that the
    patterns leave out as a whole nothing is looked at. `leaving` are links whose content is packed from outside of the
    context, and where that lies. `memo` makes the next selection cheap.
    """

    files: list[Packed]
    directories: list[Seen]
    ignore_files: list[Seen]
    unmatched: list[tuple[str, int]]
    leaving: list[tuple[str, str]]
    memo: Memo


def select(
    context: str,
    include: Sequence[str],
    exclude: Sequence[str],
    *,
    never: Sequence[str] = (),
    memo: Memo | None = None,
) -> Selection:
    """The files that a Bento packs; `never` are absolute directories that are not entered, by whatever name.

    Raises UsageError for a broken link, an endless one, a socket, pipe or device, and a pattern that is none;
    StepError for a directory that cannot be read; Several if there are several of these.
    """
    walk = Walk(os.path.abspath(context), include, exclude, never, memo)
    walk.begin()
    place(walk)
    if walk.errors:
        found = [walk.errors[path] for path in sorted(walk.errors)]
        raise found[0] if len(found) == 1 else Several(found)
    walk.files.sort(key=itemgetter(0))
    lists = (walk.include, walk.exclude)
    unmatched, leaving = walk.memo.look(lists, walk.known), sorted(walk.leaving.items())
    return Selection(walk.files, walk.directories, walk.ignore_files, unmatched, leaving, walk.memo)
