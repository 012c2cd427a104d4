"""Outfile: where an archive goes, and how it comes to be there: whole, or not at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from typing import IO, NamedTuple

from ..errors import StoreError, UsageError
from .archive import FORMATS
from .tag import Tag

_NATIVE, _PACKED_BY = "bento", "xz"
_STAGED = ".bentomake-export-"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


class Place(NamedTuple):
    """An absolute path, and which of FORMATS its suffix means."""

    path: str
    kind: str


def place(out: str, tag: Tag, cwd: str) -> Place:
    """Where OUT of a command line is; an empty one is `cwd`. UsageError if no archive can be there.

    As with bentoml: a directory gets NAME-VERSION.bento; .bento is tar.xz, and appended to what ends with no known
    suffix. Unlike with bentoml 1.4.39, a relative path is relative to `cwd`.
    """
    if "://" in out:
        raise UsageError(f"{out} is a URL; bentomake exports to files.", hint="Export to a file, and copy it there.")
    path = os.path.abspath(os.path.join(cwd, out))
    if not out or out.endswith("/") or os.path.isdir(path):
        path = os.path.join(path, f"{tag.name}-{tag.version}.{_NATIVE}")
    suffix = os.path.splitext(path)[1][1:]
    if suffix not in (*FORMATS, _NATIVE):
        suffix, path = _NATIVE, f"{path}.{_NATIVE}"
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        raise UsageError(f"There is no directory {directory}.", hint=f"mkdir -p {directory}")
    with _said(path):
        try:
            mode = os.stat(path).st_mode
        except FileNotFoundError:
            mode = stat.S_IFREG
    if not stat.S_ISREG(mode):
        what = "a directory" if stat.S_ISDIR(mode) else "no file"
        raise UsageError(f"{path} is {what}, which no archive can replace.", hint="Name another place.")
    return Place(path, _PACKED_BY if suffix == _NATIVE else suffix)


@contextlib.contextmanager
def whole(path: str) -> Iterator[IO[bytes]]:
    """A file that is at `path`, in place of what was there, once the context ends well; else nothing has changed.

    Meanwhile it stands beside it under a name of its own; what exports left there that were killed is removed.
    StoreError if it cannot be written.
    """
    path = os.path.realpath(path)  # a link to an archive stays one
    with _said(path):
        directory = os.path.dirname(path)
        _sweep(directory)
        staged, lock = _staged(directory)
        try:
            with os.fdopen(os.dup(lock), "wb", buffering=1 << 20) as file:
                yield file
            os.replace(staged, path)  # only when it is closed: some disks are full only then
        finally:
            with contextlib.suppress(OSError):
                os.unlink(staged)
            os.close(lock)


def _staged(directory: str) -> tuple[str, int]:
    """A new file, and what holds its lock."""
    while True:
        path = os.path.join(directory, f"{_STAGED}{os.getpid()}-{os.urandom(6).hex()}")
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        with contextlib.suppress(OSError):  # where files cannot be locked, nobody sweeps either
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(fd), os.stat(path)):  # else somebody swept before it was locked
                return path, fd
        os.close(fd)


def _sweep(directory: str) -> None:
    """Remove what exports left that died: nobody has it locked."""
    with os.scandir(directory) as entries:
        left = [entry.path for entry in entries if entry.name.startswith(_STAGED)]
    for path in left:
        with contextlib.suppress(OSError):
            fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(path)
            finally:
                os.close(fd)


@contextlib.contextmanager
def _said(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = None
        if error.errno in _NO_ROOM:
            hint = "Make room, or name a place on another disk."
        elif error.errno in _FORBIDDEN:
            hint = "Name a place where you may write."
        raise StoreError(f"{path} cannot be written: {error.strerror or error}.", hint=hint) from error
