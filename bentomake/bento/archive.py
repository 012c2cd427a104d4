"""An archive of a Bento: tar or zip, of files as they lie, without a copy of anything; equal bytes for equal files."""

from __future__ import annotations

import os
import stat
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO, NamedTuple

from ..engine.tree import EXECUTABLE, FILE
from ..errors import StepError, StoreError, UsageError
from .compression import Blocks, Bzip2, Gzip, Stream, Write
from .xz import Xz

_CHUNK = 1 << 20
_ZIP_YEARS = (315532800, 4354819198)  # 1980-01-01 to 2107-12-31: zip has no others
_STREAMS: Mapping[str, Callable[[Write, int], Stream]] = {
    "tar": lambda write, at: Stream(write),
    "xz": lambda write, at: Blocks(Xz(), write),
    "gz": lambda write, at: Blocks(Gzip(at), write),
    "bz2": lambda write, at: Bzip2(write),
}
FORMATS = (*_STREAMS, "zip")


class Member(NamedTuple):
    """A file: FILE or EXECUTABLE, its `size`, and where it lies, `source`, or else its bytes, `data`.

    There are no links: bentoml 1.1 imports none.
    """

    mode: int
    size: int
    source: str | None = None
    data: bytes = b""


Members = Mapping[str, Member]
Moved = Callable[[int], None]


def member(source: str) -> Member:
    """A file as a member, also by way of a link; StoreError if it cannot be one."""
    try:
        st = os.stat(source)
    except OSError as error:
        raise _unread(source, error) from error
    if not stat.S_ISREG(st.st_mode):
        raise StoreError(f"{source} is no file.")
    return Member(EXECUTABLE if st.st_mode & 0o100 else FILE, st.st_size, source)


def write(members: Members, kind: str, out: IO[bytes], at: int, moved: Moved) -> None:
    """Write an archive of one of FORMATS; all in it is of the time `at`, in seconds since 1970, and of nobody.

    `moved` is told how many bytes of the members went in. StoreError or StepError for one that cannot be read, OSError
    if `out` cannot be written, UsageError, before anything is, for what a zip file cannot hold.
    """
    if kind == "zip":
        _zip(members, out, at, moved)
        return
    with _STREAMS[kind](out.write, at) as stream:
        _tar(members, stream, at, moved)
        stream.end()


def _tar(members: Members, stream: Stream, at: int, moved: Moved) -> None:
    size = 0
    for path, each in _with_directories(members):
        info = tarfile.TarInfo(path)
        info.mtime = at
        if each is None:
            info.type, info.mode = tarfile.DIRTYPE, EXECUTABLE
        else:
            info.size, info.mode = each.size, each.mode
        head = info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
        stream.write(head)
        for chunk in _bytes_of(each, moved) if each is not None else ():
            stream.write(chunk)
        padding = -info.size % tarfile.BLOCKSIZE
        stream.write(bytes(padding))
        size += len(head) + info.size + padding
    size += 2 * tarfile.BLOCKSIZE
    stream.write(bytes(2 * tarfile.BLOCKSIZE + -size % tarfile.RECORDSIZE))


def _zip(members: Members, out: IO[bytes], at: int, moved: Moved) -> None:
    for path in members:
        if any("\ud800" <= char <= "\udfff" for char in path):
            what = f"{ascii(path)[1:-1]} is no name in UTF-8: a zip file cannot hold it."
            raise UsageError(what, hint="Export to .bento.")
    date = time.gmtime(min(max(at, _ZIP_YEARS[0]), _ZIP_YEARS[1]))[:6]
    with zipfile.ZipFile(out, "w") as archive:
        for path, each in _with_directories(members):
            info = zipfile.ZipInfo(path if each is not None else f"{path}/", date)
            info.create_system, info.compress_type = 3, zipfile.ZIP_DEFLATED  # 3: the modes are those of Unix
            if each is None:
                info.external_attr = (stat.S_IFDIR | EXECUTABLE) << 16 | 0x10
                archive.writestr(info, b"")
                continue
            info.external_attr, info.file_size = (stat.S_IFREG | each.mode) << 16, each.size
            with archive.open(info, "w") as packed:
                for chunk in _bytes_of(each, moved):
                    packed.write(chunk)


def _with_directories(members: Members) -> Iterator[tuple[str, Member | None]]:
    """The members, and before the first one in it each directory, which is None."""
    seen: set[str] = set()
    for path, each in members.items():
        for parent in _parents(path):
            if parent not in seen:
                seen.add(parent)
                yield parent, None
        yield path, each


def _parents(path: str) -> Iterable[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _bytes_of(each: Member, moved: Moved) -> Iterator[bytes]:
    """As many bytes as the member has; StepError if its file has others by now."""
    if each.source is None:
        yield each.data
        moved(each.size)
        return
    left = each.size
    try:
        with open(each.source, "rb") as file:
            before = os.fstat(file.fileno())
            while left and (chunk := file.read(min(_CHUNK, left))):
                left -= len(chunk)
                yield chunk
                moved(len(chunk))
            after = os.fstat(file.fileno())
    except OSError as error:
        raise _unread(each.source, error) from error
    if (after.st_size, after.st_mtime_ns) != (each.size, before.st_mtime_ns):
        raise StepError(f"{each.source} changed while it was read.", hint="Export again.")


def _unread(path: str, error: OSError) -> StoreError:
    return StoreError(f"{path} cannot be read: {error.strerror}.")
