"""Belonging: which files of a stored Bento are its own, and which a server or its user left there."""

from __future__ import annotations

import os
import stat

from ..errors import StoreError
from .layout import BENTO_YAML, DIGESTS, MODELS, listed

_AGAIN = "Build or import the Bento again."
_MODELS = (MODELS, "hf-models")  # at the top: they are found by their tags
_LEFT_BEHIND = frozenset({"__pycache__", ".ipynb_checkpoints"})


def belonging(directory: str) -> dict[str, os.stat_result]:
    """Path → what `os.lstat` says of it, for each file and link of a stored Bento, by path; models are not among them.

    Those that bentomake's list names, and what an archive has in the place of its links; of a Bento without a list,
    all but models and what servers leave behind. StoreError if one of the list is missing, or anything cannot be read.
    """
    found: dict[str, os.stat_result] = {}
    try:
        files, links = _listed(directory)
        for root, directories, names in os.walk(directory, onerror=_raise):
            top = root == directory
            directories[:] = sorted(d for d in directories if not (top and d in _MODELS))
            names += [d for d in directories if os.path.islink(os.path.join(root, d))]
            if files is None:
                directories[:] = [d for d in directories if d not in _LEFT_BEHIND]
            for each in names:
                full = os.path.join(root, each)
                path, st = os.path.relpath(full, directory), os.lstat(full)
                if stat.S_ISLNK(st.st_mode):
                    own = links is None or path in links
                else:
                    own = stat.S_ISREG(st.st_mode) and (files is None or path in files or _in_place(path, links))
                if own:
                    found[path] = st
    except OSError as error:
        raise StoreError(f"{error.filename or directory} cannot be read: {error.strerror}.") from error
    if BENTO_YAML not in found:
        raise StoreError(f"{directory} has no {BENTO_YAML}.", hint=_AGAIN)
    missing = {*(files or ()), *(links or ())} - found.keys()
    missing -= {link for link in missing & (links or set()) if any(path.startswith(f"{link}/") for path in found)}
    lost = sorted(path for path in missing if path.partition("/")[0] not in _MODELS)
    if lost:
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        raise StoreError(f"{directory} lacks {lost[0]}{more}, which {DIGESTS} lists.", hint=_AGAIN)
    return dict(sorted(found.items()))


def _in_place(path: str, links: set[str] | None) -> bool:
    """Whether a file stands where the Bento had a link, or below it."""
    if not links:
        return False
    parts = path.split("/")
    above = ("/".join(parts[:count]) for count in range(1, len(parts) + 1))
    return not _LEFT_BEHIND & {*parts} and any(each in links for each in above)


def _listed(directory: str) -> tuple[set[str] | None, set[str] | None]:
    """The files and the links in bentomake's own list of the Bento; None for what nobody has listed."""
    try:
        with open(os.path.join(directory, DIGESTS), "rb") as file:
            files, links = listed(os.fsdecode(file.read()))
            return {DIGESTS, *files}, links
    except FileNotFoundError:
        return None, None


def _raise(error: OSError) -> None:
    raise error
