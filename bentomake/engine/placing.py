"""Placing: files made of blobs, by the cheapest way that the file system has."""

from __future__ import annotations

import contextlib
import errno
import os

from . import reflink
from .content_store import ContentStore, Missing
from .tree import EXECUTABLE, FILE, LINK, Entry, Tree

_CHUNK = 1 << 20
NO_LINK = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EACCES, errno.EOPNOTSUPP, errno.ENOSYS, errno.EROFS}


def reflinks(store: ContentStore, trial: str) -> bool:
    """Whether reflinks work from the store to where the file `trial` can be made."""
    blob = store.path(store.put_bytes(b"bentomake"))
    try:
        with open(blob, "rb") as file, open(trial, "wb") as out:
            return reflink.clone(file.fileno(), out.fileno())
    finally:
        with contextlib.suppress(OSError):
            os.unlink(trial)


def sound(store: ContentStore, entry: Entry) -> str:
    """Where a sound blob of that mode lies; Missing if there is none."""
    if not store.has(entry.digest, entry.mode):
        other = FILE if entry.mode == EXECUTABLE else EXECUTABLE
        if not store.has(entry.digest, other):
            raise Missing(entry.digest.sha256)
        store.put_file(store.path(entry.digest, other), entry.digest, entry.mode)
    return store.path(entry.digest, entry.mode)


class Placing:
    """Places blobs of a content store below a directory: as a reflink, else a hard link, else a copy."""

    def __init__(self, store: ContentStore, directory: str, *, reflinks: bool):
        self._store = store
        self._directory = directory
        self._reflinks = reflinks

    def tree(self, tree: Tree, linked: str) -> None:
        """Make every file of a tree, and the directories that they need.

        Only what lies below `linked` may share its bytes with a blob: the rest will be written to by others. Missing
        if a blob is not sound.
        """
        store, known, link = self._store, self._store.known if not self._reflinks else (), os.link
        here, parent = -1, None
        blobs = os.open(f"{store.root}/blobs", os.O_RDONLY)
        try:
            for path, entry in tree.items():
                directory, _, name = path.rpartition("/")
                if directory != parent:
                    os.makedirs(os.path.join(self._directory, directory), exist_ok=True)
                    if here >= 0:
                        os.close(here)
                    here, parent = os.open(os.path.join(self._directory, directory), os.O_RDONLY), directory
                # `file`, spelled out where it is called ten thousand times, with names that are short for the kernel
                (sha256, size), mode = entry
                if size and mode == FILE and entry in known and path.startswith(linked):
                    try:
                        blob = f"{sha256[:2]}/{sha256[2:]}"
                        link(blob, name, src_dir_fd=blobs, dst_dir_fd=here, follow_symlinks=False)
                        continue
                    except OSError:
                        pass
                self.file(path, entry, own=not path.startswith(linked))
        finally:
            os.close(blobs)
            if here >= 0:
                os.close(here)

    def file(self, path: str, entry: Entry, *, own: bool) -> None:
        """Make a file of a blob; `own`: it is never a hard link. Missing if the blob is not sound."""
        store, destination = self._store, os.path.join(self._directory, path)
        if entry.mode == LINK:
            os.symlink(os.fsdecode(store.read(entry.digest)), destination)
            return
        blob = sound(store, entry)
        if not own and entry.digest.size and not self._reflinks:
            try:
                os.link(blob, destination)
                return
            except OSError as error:
                if error.errno not in NO_LINK:
                    raise
                store.notes.append(f"{destination} is a copy: no hard link ({os.strerror(error.errno or 0)})")
        with open(blob, "rb") as file, open(destination, "wb") as out:
            if not (self._reflinks and reflink.clone(file.fileno(), out.fileno())):
                while chunk := file.read(_CHUNK):
                    out.write(chunk)
            os.fchmod(out.fileno(), entry.mode)
