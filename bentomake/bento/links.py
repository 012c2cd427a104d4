"""Which symbolic links of a selection stay links, and what is packed in the place of the others."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

from ..errors import UsageError
from .patterns import leave_out
from .reading import Remark
from .walk import FoundLink, Walk

_SAID = 3  # links by name; more of them are counted
_HOPS = 40  # as many as Linux follows


def place(walk: Walk) -> None:
    """Add each link that the walk found to its files: as a link, or as the content that it shows.

    A link stays one if its text is relative and leads, through what is packed alone, to where it leads in the context.
    Links to directories come first, because other links may lead through them; where none can stay, one that leads
    through no other is walked, which may show more.
    """
    if not walk.file_links and not walk.directory_links:
        return
    tree = _PackedTree(walk.context)
    tree.add(packed.path for packed in walk.files)
    tree.add(link.path for link in walk.file_links)
    waiting: list[FoundLink] = []
    while waiting or walk.directory_links:
        waiting = sorted(waiting + walk.directory_links)
        walk.directory_links = []
        undecided = []
        for link in waiting:
            if tree.leads(link) in tree.directories and (link.whole or _holds_itself(link, walk)):
                walk.add_link(link)
                tree.add_link(link)
            else:
                undecided.append(link)
        if len(undecided) == len(waiting):
            names = {link.path for link in undecided}
            content = next((link for link in undecided if tree.reach(link)[0] not in names), undecided[0])
            undecided.remove(content)
            _walk_through(content, tree, walk)
        waiting = undecided
    for link in sorted(walk.file_links):
        if tree.leads(link) in tree.files:
            walk.add_link(link)
        else:
            walk.add_file(link.path, link.source, link.stat)
            _note(link, walk)


def warning(leaving: Sequence[tuple[str, str]], place: str | None) -> Iterator[Remark]:
    """One remark for all links whose content is packed from outside of the context; none if there is none."""
    if not leaving:
        return
    named = ", ".join(f"{path} → {real}" for path, real in leaving[:_SAID])
    more = f" and {len(leaving) - _SAID} more" if len(leaving) > _SAID else ""
    what = "A link leads" if len(leaving) == 1 else f"{len(leaving)} links lead"
    message = f"{what} out of the build context, and what is there is packed: {named}{more}."
    yield Remark(message, place, "Leave it out with `exclude`, or replace the link by a copy to say it is meant.")


def _note(link: FoundLink, walk: Walk) -> None:
    """Remember a link whose content is packed, if that lies outside; those below such a link go without saying."""
    real, context = os.path.realpath(link.source), os.path.realpath(walk.context)
    if (real + "/").startswith(context.rstrip("/") + "/"):
        return
    above = link.path.rpartition("/")[0]
    while above and above not in walk.leaving:
        above = above.rpartition("/")[0]
    if not above:
        walk.leaving[link.path] = real


def _walk_through(link: FoundLink, tree: _PackedTree, walk: Walk) -> None:
    if _holds_itself(link, walk):
        walk.errors[link.path] = UsageError(
            f"The link {link.path} points to {link.text}, a directory that holds the link itself.",
            hint=leave_out(link.path),
        )
        return
    _note(link, walk)
    files, file_links = len(walk.files), len(walk.file_links)
    walk.directory(link.path + "/", link.stat, link.rules)
    tree.add(packed.path for packed in walk.files[files:])
    tree.add(found.path for found in walk.file_links[file_links:])


def _holds_itself(link: FoundLink, walk: Walk) -> bool:
    """Whether the link's target is one of the directories on the way to it, as seen through other links."""
    parts = link.path.split("/")
    for end in range(len(parts)):
        try:
            stat = os.stat(os.path.join(walk.context, *parts[:end]))
        except FileNotFoundError:  # removed meanwhile
            return False
        if (stat.st_dev, stat.st_ino) == (link.stat.st_dev, link.stat.st_ino):
            return True
    return False


class _PackedTree:
    """The paths that will be packed, as a link will find them in the Bento."""

    def __init__(self, context: str):
        self.files: set[str] = set()
        self.directories: set[str] = set()  # those with something in them; the context itself is ""
        self._links: dict[str, str] = {}
        self._context = context

    def add(self, paths: Iterable[str]) -> None:
        for path in paths:
            self.files.add(path)
            parent = path
            while parent:
                parent = parent.rpartition("/")[0]
                if parent in self.directories:
                    break
                self.directories.add(parent)

    def add_link(self, link: FoundLink) -> None:
        self.add([link.path])
        self._links[link.path] = link.text

    def leads(self, link: FoundLink) -> str | None:
        """The packed path that a link of the Bento would lead to, if it is the one that it leads to here."""
        path, arrived = self.reach(link)
        if not arrived or os.path.realpath(link.source) != os.path.realpath(os.path.join(self._context, path)):
            return None
        return path

    def reach(self, link: FoundLink) -> tuple[str, bool]:
        """How far a link leads in the Bento, and whether that is all the way."""
        here = link.path.split("/")[:-1]
        steps = link.text.split("/")[::-1]
        hops = 0
        if link.text.startswith("/"):
            return "", False
        while steps:
            step = steps.pop()
            if step in ("", "."):
                continue
            if step == "..":
                if not here:
                    return "", False
                here.pop()
                continue
            path = "/".join([*here, step])
            text = self._links.get(path)
            if text is not None:
                hops += 1
                if hops > _HOPS:
                    return path, False
                steps += text.split("/")[::-1]
            elif path in self.directories or path in self.files:
                here.append(step)
            else:
                return path, False
        return "/".join(here), True
