"""Blobs: digest → bytes, as plain read-only files that can be linked into a Bento."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
from collections.abc import Iterable, Iterator

from ..errors import StoreError
from . import reflink
from .digest import Digest, of_bytes
from .tree import EXECUTABLE, Entry

_YEAR_2000 = 946_684_800 * 10**9  # 2000-01-01, UTC
_SECOND = 10**9
_GRAINS = (1, 100, 1000, 10**6, 10**7, _SECOND)  # ns; how exactly file systems keep a time
_CHUNK = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Changed(Exception):
    """A file's bytes were not those that its digest had promised."""


class Missing(Exception):
    """A blob is not there, or not what its name says."""


def hashed_at(digest: Digest) -> int:
    """The time (ns) that a blob carries from the moment its bytes were hashed.

    A blob of the right size that carries it was not written to since; anything else is hashed again before it is
    believed. It is another for another content: image engines call two files the same by size and time alone, and a
    Bento's file that is a link to a blob has the blob's time.
    """
    return _YEAR_2000 + int(digest.sha256[:8], 16) % _SECOND


class Blobs:
    """Blobs below `root`; safe for many processes at once, since a blob arrives by rename."""

    def __init__(self, root: str):
        self.root = root
        self.added = 0  # bytes, by this process
        self.notes: list[str] = []  # odd things found, for `-v`
        self.known: set[tuple[Digest, int]] = set()  # (digest, mode) of blobs that are there and sound
        self._grain = 1  # ns; how exactly the file system keeps a time, as far as is known
        self._serial = 0
        self._lock = threading.Lock()
        # Who looks at thousands of files takes turns: threads that give the interpreter away at every file, and want
        # it back, cost more than they gain.
        self.turn = threading.RLock()
        try:
            os.makedirs(os.path.join(root, "tmp"), mode=0o700, exist_ok=True)
            os.makedirs(os.path.join(root, "blobs"), exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"The cache directory {root} cannot be made: {error.strerror}.", hint="Set BENTOMAKE_CACHE_DIR."
            ) from error

    def path(self, digest: Digest, mode: int = 0o644) -> str:
        """Where a blob lies; one that is to be executable is a file of its own, since a link shares its mode."""
        return f"{self.root}/blobs/{self.name(digest, mode)}"

    def name(self, digest: Digest, mode: int = 0o644) -> str:
        """The same, below `blobs/`."""
        name = digest[0]
        return f"{name[:2]}/{name[2:]}" if mode != EXECUTABLE else f"{name[:2]}/{name[2:]}.x"

    def has(self, digest: Digest, mode: int = 0o644) -> bool:
        """Whether the blob is there and sound."""
        return (digest, mode) in self.known or not self.lacking([Entry(digest, mode)])

    def lacking(self, entries: Iterable[Entry]) -> list[Entry]:
        """Those whose blob is not there, or not sound."""
        with self.turn:
            return self._lacking([entry for entry in entries if entry not in self.known])

    def _lacking(self, entries: list[Entry]) -> list[Entry]:
        try:
            blobs = os.open(f"{self.root}/blobs", os.O_RDONLY)  # names below it are short ways for the kernel
        except OSError:
            return entries
        lacking, known, look = [], self.known, os.stat
        try:
            for entry in entries:
                # `name` and `hashed_at`, spelled out where they are called ten thousand times
                (sha256, size), mode = entry
                name = f"{sha256[:2]}/{sha256[2:]}"
                try:
                    st = look(name if mode != EXECUTABLE else f"{name}.x", dir_fd=blobs)
                except OSError:
                    lacking.append(entry)
                    continue
                time = _YEAR_2000 + int(sha256[:8], 16) % _SECOND
                time -= time % self._grain
                if (st.st_size == size and st.st_mtime_ns == time) or self._is_sound(entry, st):
                    known.add(entry)
                else:
                    lacking.append(entry)
        finally:
            os.close(blobs)
        return lacking

    def _is_sound(self, entry: Entry, st: os.stat_result) -> bool:
        """Whether a blob that cannot be believed is what its name says; one that is not is removed."""
        path = self.path(*entry)
        if st.st_size == entry.digest.size and self._sound(path, entry.digest):
            return True
        self.notes.append(f"blob {entry.digest.sha256[:12]} is damaged; it counts as missing")
        with contextlib.suppress(OSError):
            os.unlink(path)
        return False

    def _sound(self, path: str, digest: Digest) -> bool:
        """Hash a blob; a sound one is given its time again."""
        from hashlib import sha256 as openssl

        wanted = hashed_at(digest)
        try:
            with open(path, "rb") as file:
                sha256 = openssl()
                while chunk := file.read(_CHUNK):
                    sha256.update(chunk)
            if sha256.hexdigest() != digest.sha256:
                return False
            os.utime(path, ns=(wanted, wanted))
            kept = os.stat(path).st_mtime_ns
        except OSError:
            return False
        grains = [grain for grain in _GRAINS if wanted - wanted % grain == kept]
        self._grain = max(self._grain, min(grains, default=1))
        return True

    def _temporary(self) -> str:
        with self._lock:
            self._serial += 1
            return os.path.join(self.root, "tmp", f"{os.getpid()}-{threading.get_ident()}-{self._serial}")

    def _arrive(self, fd: int, temporary: str, digest: Digest, mode: int) -> None:
        os.fchmod(fd, 0o555 if mode == EXECUTABLE else 0o444)
        time, path = hashed_at(digest), self.path(digest, mode)
        os.utime(fd, ns=(time, time))
        try:
            os.rename(temporary, path)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.rename(temporary, path)
        self.added += digest.size
        self.known.add((digest, mode))

    def put_bytes(self, data: bytes, mode: int = 0o644) -> Digest:
        digest = of_bytes(data)
        if not self.has(digest, mode):
            self._write(data, digest, mode)
        return digest

    def _write(self, data: bytes, digest: Digest, mode: int) -> None:
        temporary = self._temporary()
        try:
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(fd, view) :]
                self._arrive(fd, temporary, digest, mode)
            finally:
                os.close(fd)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise self._unwritten(error) from error

    def _unwritten(self, error: OSError) -> StoreError:
        return StoreError(f"The content store cannot be written: {error.strerror}.", place=self.root)

    def put_file(self, source: str, digest: Digest, mode: int = 0o644) -> None:
        """Bring in a file whose digest is known; Changed if the bytes are no longer those."""
        if not self.has(digest, mode):
            self.bring(source, digest, mode)

    def bring(self, source: str, digest: Digest, mode: int) -> None:
        """The same, of a blob that was found lacking."""
        if (digest, mode) in self.known:
            return
        if digest.size <= 8 * _CHUNK:
            with open(source, "rb", buffering=0) as file:
                data = file.read()
            if of_bytes(data) != digest:
                raise Changed(source)
            self._write(data, digest, mode)
            return
        from hashlib import sha256 as openssl

        temporary = self._temporary()
        try:
            sha256, size = openssl(), 0
            with open(source, "rb") as file, open(temporary, "wb") as out:
                cloned = reflink.clone(file.fileno(), out.fileno())
                while chunk := file.read(_CHUNK):
                    sha256.update(chunk)
                    size += len(chunk)
                    if not cloned:
                        out.write(chunk)
                if Digest(sha256.hexdigest(), size) != digest:
                    raise Changed(source)
                out.flush()
                self._arrive(out.fileno(), temporary, digest, mode)
        except OSError as error:
            if error.errno in _FULL:
                raise self._unwritten(error) from error
            raise
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)

    def read(self, digest: Digest) -> bytes:
        """The bytes; Missing if the blob is gone or is not what its name says."""
        for mode in (0o644, EXECUTABLE):
            if self.has(digest, mode):
                try:
                    with open(self.path(digest, mode), "rb") as file:
                        return file.read()
                except OSError:
                    continue
        raise Missing(digest.sha256)

    def blobs(self) -> Iterator[tuple[str, Digest, os.stat_result]]:
        """Every blob: path, the digest that its name promises with today's size, and its stat."""
        top = f"{self.root}/blobs"
        for shard in sorted(_names(top)):
            for name in _names(f"{top}/{shard}"):
                path = f"{top}/{shard}/{name}"
                try:
                    st = os.lstat(path)
                except OSError:
                    continue
                if stat.S_ISREG(st.st_mode):
                    yield path, Digest(shard + name.removesuffix(".x"), st.st_size), st

    def verify(self) -> tuple[int, list[str]]:
        """Hash every blob; the number of sound ones and the paths of damaged ones, which are removed."""
        sound, damaged = 0, []
        for path, digest, _ in list(self.blobs()):
            if self._sound(path, digest):
                sound += 1
            else:
                damaged.append(path)
                with contextlib.suppress(OSError):
                    os.unlink(path)
        return sound, damaged


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []
