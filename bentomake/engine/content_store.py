"""The content store: digest → bytes, as plain read-only files that can be linked into a Bento."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import sys
import threading
from collections.abc import Iterator

from ..errors import StoreError
from .digest import Digest, of_bytes
from .tree import EXECUTABLE, LINK, Entry, Tree, differing, dump, load

# A blob carries this time (2000-01-01, UTC) from the moment its bytes were hashed. A blob of the right size that
# carries it was not written to since; anything else is hashed again before it is believed.
HASHED = 946_684_800 * 10**9
_CHUNK = 1 << 20
_TREES = 32  # kept in memory
_NO_LINK = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EACCES, errno.EOPNOTSUPP, errno.ENOSYS, errno.EROFS}


class Changed(Exception):
    """A file's bytes were not those that its digest had promised."""


class Missing(Exception):
    """A blob is not there, or not what its name says."""


class ContentStore:
    """Blobs below `root`; safe for many processes at once, since a blob arrives by rename."""

    def __init__(self, root: str):
        self.root = root
        self.added = 0  # bytes, by this process
        self.notes: list[str] = []  # odd things found, for `-v`
        self._known: set[str] = set()
        self._trees: dict[Digest, Tree] = {}  # the last that this process read or put
        self._reflink = sys.platform == "linux"
        self._serial = 0
        self._lock = threading.Lock()
        try:
            os.makedirs(os.path.join(root, "tmp"), mode=0o700, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"The cache directory {root} cannot be made: {error.strerror}.", hint="Set BENTOMAKE_CACHE_DIR."
            ) from error

    def path(self, digest: Digest, mode: int = 0o644) -> str:
        """Where a blob lies; one that is to be executable is a file of its own, since a link shares its mode."""
        name = digest.sha256
        return f"{self.root}/blobs/{name[:2]}/{name[2:]}" + (".x" if mode == EXECUTABLE else "")

    def has(self, digest: Digest, mode: int = 0o644) -> bool:
        """Whether the blob is there and sound."""
        path = self.path(digest, mode)
        if path in self._known:
            return True
        try:
            st = os.stat(path)
        except OSError:
            return False
        if st.st_size != digest.size or (st.st_mtime_ns != HASHED and not self._sound(path, digest)):
            self.notes.append(f"blob {digest.sha256[:12]} is damaged; it counts as missing")
            with contextlib.suppress(OSError):
                os.unlink(path)
            return False
        self._known.add(path)
        return True

    def _sound(self, path: str, digest: Digest) -> bool:
        try:
            with open(path, "rb") as file:
                sha256 = hashlib.sha256()
                while chunk := file.read(_CHUNK):
                    sha256.update(chunk)
            if sha256.hexdigest() != digest.sha256:
                return False
            os.utime(path, ns=(HASHED, HASHED))
        except OSError:
            return False
        return True

    def _temporary(self) -> str:
        with self._lock:
            self._serial += 1
            return os.path.join(self.root, "tmp", f"{os.getpid()}-{threading.get_ident()}-{self._serial}")

    def _arrive(self, fd: int, temporary: str, path: str, size: int) -> None:
        os.fchmod(fd, 0o555 if path.endswith(".x") else 0o444)
        os.utime(fd, ns=(HASHED, HASHED))
        try:
            os.rename(temporary, path)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.rename(temporary, path)
        self.added += size
        self._known.add(path)

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
                self._arrive(fd, temporary, self.path(digest, mode), digest.size)
            finally:
                os.close(fd)
        except OSError as error:
            raise StoreError(f"The content store cannot be written: {error.strerror}.", place=self.root) from error

    def put_file(self, source: str, digest: Digest, mode: int = 0o644) -> None:
        """Bring in a file whose digest is known; Changed if the bytes are no longer those."""
        if self.has(digest, mode):
            return
        if digest.size <= 8 * _CHUNK:
            with open(source, "rb", buffering=0) as file:
                data = file.read()
            if of_bytes(data) != digest:
                raise Changed(source)
            self._write(data, digest, mode)
            return
        temporary = self._temporary()
        try:
            sha256, size = hashlib.sha256(), 0
            with open(source, "rb") as file, open(temporary, "wb") as out:
                cloned = self._clone(file.fileno(), out.fileno())
                while chunk := file.read(_CHUNK):
                    sha256.update(chunk)
                    size += len(chunk)
                    if not cloned:
                        out.write(chunk)
                if Digest(sha256.hexdigest(), size) != digest:
                    raise Changed(source)
                out.flush()
                self._arrive(out.fileno(), temporary, self.path(digest, mode), size)
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

    def put_tree(self, tree: Tree) -> Digest:
        digest = self.put_bytes(dump(tree))
        self._keep(digest, tree)
        return digest

    def tree(self, digest: Digest) -> Tree:
        """A tree that was put; Missing if it, or its form, is damaged."""
        tree = self._trees.get(digest)
        if tree is None:
            try:
                tree = load(self.read(digest))
            except ValueError as error:
                raise Missing(str(error)) from error
            self._keep(digest, tree)
        return tree

    def _keep(self, digest: Digest, tree: Tree) -> None:
        with self._lock:
            if len(self._trees) >= _TREES:
                del self._trees[next(iter(self._trees))]
            self._trees[digest] = tree

    def differing(self, old: Digest, new: Digest) -> tuple[Tree, Tree]:
        """Two trees without what both have; Missing if one, or its form, is damaged."""
        try:
            return differing(self.read(old), self.read(new))
        except ValueError as error:
            raise Missing(str(error)) from error

    def complete(self, tree: Tree) -> bool:
        """Whether every blob of a tree is there."""
        return all(self.has(entry.digest, entry.mode) for entry in tree.values())

    def place(self, entry: Entry, destination: str, *, own: bool = False) -> None:
        """Make a file of a blob: reflink, else hard link of the read-only blob, else copy.

        `own`: the file will be written to by others, so it is never a link. Missing if the blob is not sound.
        """
        if entry.mode == LINK:
            os.symlink(os.fsdecode(self.read(entry.digest)), destination)
            return
        blob = self.path(entry.digest, entry.mode)
        if blob not in self._known and not self.has(entry.digest, entry.mode):
            other = 0o644 if entry.mode == EXECUTABLE else EXECUTABLE
            if not self.has(entry.digest, other):
                raise Missing(entry.digest.sha256)
            self.put_file(self.path(entry.digest, other), entry.digest, entry.mode)
        if not own and entry.digest.size and not self._reflink:
            try:
                os.link(blob, destination)
                return
            except OSError as error:
                if error.errno not in _NO_LINK:
                    raise
                self.notes.append(f"{destination} is a copy: no hard link ({os.strerror(error.errno or 0)})")
        self._copy(blob, destination, entry.mode)

    def _copy(self, blob: str, destination: str, mode: int) -> None:
        with open(blob, "rb") as file, open(destination, "wb") as out:
            if not self._clone(file.fileno(), out.fileno()):
                while chunk := file.read(_CHUNK):
                    out.write(chunk)
            os.fchmod(out.fileno(), mode)

    def _clone(self, source: int, destination: int) -> bool:
        """Share the extents (Linux FICLONE); False where the file system cannot."""
        if not self._reflink:
            return False
        import fcntl

        try:
            fcntl.ioctl(destination, 0x40049409, source)  # FICLONE of linux/fs.h
        except OSError:
            self._reflink = False
            return False
        return True

    def probe_links(self, directory: str) -> None:
        """Find out whether reflinks work from here to a directory, so that `place` asks the question once."""
        self._reflink = sys.platform == "linux"
        digest = self.put_bytes(b"bentomake")
        name = os.path.join(directory, f".bentomake-{os.getpid()}-{threading.get_ident()}")
        try:
            self._copy(self.path(digest), name, 0o644)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(name)

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
