"""The stat index: a user's file → its digest, hashed again only when its stat signature says it may have changed."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from ..errors import StoreError
from . import fresh
from .digest import Digest, digest_of, of_bytes

Signature = tuple[int, int, int, int, int]  # size, mtime, ctime (ns), inode, mode
_CHUNK = 1 << 20
_BIG = 1 << 20  # from here on a touched file is compared by xxh3 before sha256 is asked
_VERSION = 3


def signature(st: os.stat_result) -> Signature:
    return (st.st_size, st.st_mtime_ns, st.st_ctime_ns, st.st_ino, st.st_mode)


def settled(sig: Signature, asked_at: int) -> bool:
    """Whether a file with this signature, seen at `asked_at` (ns), cannot have changed since without showing it."""
    return fresh.settled(max(sig[1], sig[2]), asked_at)


class StatIndex:
    """Digests of files by path; saved as a line of JSON, and one for each later change."""

    def __init__(self, file: str, progress: Callable[[str, int, int], None] | None = None):
        self.file = file
        self.hashed = 0  # files that were read in this process
        self.linked: dict[str, int] = {}  # those of which bentomake made or removed a link → the stamp since
        self._progress = progress
        self._changed: set[str] = set()
        self._room = 0  # how many lines may be appended before the file is written anew
        # path → stamp, digest, xxh3 (of big files only); the stamp is numbers, so it is the same in every process
        self._entries: dict[str, tuple[int, Digest, str]] = {}
        try:
            with open(file, "rb") as stream:
                first, *rest = stream.read().split(b"\n")
            data = json.loads(first)
            if data["version"] == _VERSION:
                digests = map(digest_of, zip(data["sha256"], data["sizes"], strict=True))
                known = zip(data["stamps"], digests, data["xxh3"], strict=True)
                self._entries = dict(zip(data["paths"], known, strict=True))
                for path, stamp, sha256, size, xxh3 in map(json.loads, rest):
                    self._entries[path] = (stamp, Digest(sha256, size), xxh3)
                self._room = len(self._entries) // 20 - len(rest)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            pass

    def known(self, path: str, stamp: int) -> Digest | None:
        """The digest of a file that has this stamp, if it is known."""
        entry = self._entries.get(path)
        return entry[1] if entry is not None and entry[0] == stamp else None

    def all_known(self, paths: Sequence[str], stamps: Sequence[int]) -> list[Digest | None]:
        """The same for many, each with its stamp."""
        get = self._entries.get
        found = zip(map(get, paths), stamps, strict=True)
        return [None if entry is None or entry[0] != stamp else entry[1] for entry, stamp in found]

    def digest(self, path: str, st: os.stat_result | None = None) -> Digest:
        """The file's digest; OSError if it cannot be read."""
        sig = signature(os.stat(path) if st is None else st)
        found = self.known(path, hash(sig))
        if found is not None:
            return found
        asked_at, fast = time.time_ns(), ""
        if sig[0] >= _BIG:
            _, digest, before = self._entries.get(path, (0, None, ""))
            if digest is not None and before and digest.size == sig[0]:
                fast = self._xxh3(path)
                if fast == before:
                    self._keep(path, sig, asked_at, digest, fast)
                    return digest
            sha256, fast = self._both(path, sig[0])
        else:
            with open(path, "rb", buffering=0) as file:
                sha256 = of_bytes(file.read()).sha256
        self.hashed += 1
        after = os.stat(path)
        if signature(after) != sig:
            sig = signature(after)
            asked_at = 0  # it moved while it was read: do not remember
        digest = Digest(sha256, sig[0])
        self._keep(path, sig, asked_at, digest, fast)
        return digest

    def link(self, path: str, target: str) -> None:
        """Make a hard link of a file (through symbolic links); OSError if that cannot be."""
        with self._same(path):
            os.link(os.path.realpath(path), target)

    def unlink(self, path: str, target: str) -> None:
        """Remove such a link."""
        with self._same(path):
            os.unlink(target)

    @contextlib.contextmanager
    def _same(self, path: str) -> Iterator[None]:
        """While bentomake makes or removes one link of a file: it has another ctime afterwards, and is the same file.

        One that was known a moment before, and that has kept its mtime. No longer than one link takes: an edit that
        keeps the mtime shows in the ctime alone, and would be taken for what bentomake did.
        """
        try:
            before = os.stat(path)
            known = self.known(path, hash(signature(before))) is not None
            known = known and fresh.settled(before.st_mtime_ns, time.time_ns())
        except OSError:
            known = False
        yield
        if not known:
            return
        with contextlib.suppress(OSError):
            now = os.stat(path)
            if signature(now)[:2] + signature(now)[3:] == signature(before)[:2] + signature(before)[3:]:
                self.linked[path] = stamp = hash(signature(now))
                self._entries[path] = (stamp, *self._entries[path][1:])
                self._changed.add(path)

    def _keep(self, path: str, sig: Signature, asked_at: int, digest: Digest, fast: str) -> None:
        if settled(sig, asked_at):
            self._entries[path] = (hash(sig), digest, fast)
            self._changed.add(path)
        else:
            self._entries.pop(path, None)

    def _xxh3(self, path: str) -> str:
        import xxhash

        fast = xxhash.xxh3_128()
        with open(path, "rb") as file:
            while chunk := file.read(_CHUNK):
                fast.update(chunk)
        return str(fast.hexdigest())

    def _both(self, path: str, size: int) -> tuple[str, str]:
        import hashlib

        import xxhash

        sha256, fast, done = hashlib.sha256(), xxhash.xxh3_128(), 0
        buffer = bytearray(_CHUNK >> 2)  # stays in the processor's cache from one digest to the other
        view = memoryview(buffer)
        with open(path, "rb", buffering=0) as file:
            while count := file.readinto(buffer):
                sha256.update(view[:count])
                fast.update(view[:count])
                done += count
                if self._progress is not None and size > 64 * _CHUNK:
                    self._progress(path, done, size)
        return sha256.hexdigest(), str(fast.hexdigest())

    def save(self) -> None:
        """Append what is new, or, where that is much, write the file anew."""
        if not self._changed:
            return
        if len(self._changed) <= self._room:
            lines = [json.dumps([p, *self._row(p)]) for p in self._changed if p in self._entries]
            try:
                with open(self.file, "ab", buffering=0) as file:  # in one piece; a line cut off ends the reading
                    file.write("".join(f"\n{line}" for line in lines).encode())
            except OSError as error:
                raise _unwritten(self.file, error) from error
        else:
            rows = [self._row(path) for path in self._entries]
            stamps, sha256, sizes, xxh3 = zip(*rows, strict=True) if rows else [()] * 4
            columns = {"paths": list(self._entries), "stamps": stamps, "sha256": sha256, "sizes": sizes, "xxh3": xxh3}
            text = json.dumps({"version": _VERSION, **columns})  # by column: that is read and written much faster
            write_atomically(self.file, text.encode())
        self._changed = set()

    def _row(self, path: str) -> tuple[int, str, int, str]:
        stamp, (sha256, size), xxh3 = self._entries[path]
        return stamp, sha256, size, xxh3


def write_atomically(path: str, data: bytes) -> None:
    """Replace a file in one step, so that a reader or a crash never sees half of it; StoreError if it cannot be."""
    temporary = f"{path}.{os.getpid()}-{threading.get_ident()}.tmp"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise _unwritten(path, error) from error


def _unwritten(path: str, error: OSError) -> StoreError:
    return StoreError(f"{path} cannot be written: {error.strerror}.", hint="Is the disk full?")
