"""Collection: forgets the traces that were of no use for longest, and the blobs that none of the rest names."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterator

from ..errors import UsageError
from .content_store import ContentStore, Missing
from .digest import Digest
from .trace import ActionCache

DEFAULT_LIMIT = 20 << 30
_GRACE = 3600  # seconds; a blob may arrive before the trace that names it
_DUE = 256 << 20  # bytes that were added since the last collection


class Freed:
    """What a collection removed."""

    def __init__(self) -> None:
        self.traces = self.blobs = self.bytes = 0


def parse_size(text: str) -> int:
    """`5G`, `500M`, `1.5 GiB` → bytes; UsageError for anything else."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*", text, re.IGNORECASE)
    if not found:
        raise UsageError(f"{text!r} is no size.", hint="Write it like 20G or 500M.")
    return int(float(found.group(1)) * 1024 ** " KMGT".index(found.group(2).upper() or " "))


@contextlib.contextmanager
def in_use(cache: str) -> Iterator[None]:
    """Hold while building: a collection waits for nobody, it does not start."""
    fd = os.open(os.path.join(cache, "state", "in-use"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _sweep(os.path.join(cache, "tmp"))  # nobody else builds: what lies there is of builds that died
        fcntl.flock(fd, fcntl.LOCK_SH)
        yield
    finally:
        os.close(fd)


def _sweep(directory: str) -> None:
    for name in os.listdir(directory) if os.path.isdir(directory) else []:
        path = os.path.join(directory, name)
        if os.path.isdir(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                os.unlink(path)


def collect(cache: str, store: ContentStore, actions: ActionCache, limit: int, grace: int = _GRACE) -> Freed | None:
    """Bring the content store below `limit` bytes; None if a build is using it."""
    fd = os.open(os.path.join(cache, "state", "in-use"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        return _collect(store, actions, limit, time.time() - grace)
    finally:
        os.close(fd)


def _collect(store: ContentStore, actions: ActionCache, limit: int, young: float) -> Freed:
    freed, total = Freed(), 0
    kept: set[str] = set()
    used = []
    for key in actions.traces():
        trace = actions.trace(key)
        if trace is None:
            actions.forget(key)
            freed.traces += 1
            continue
        last = actions.read(f"used/{key}")
        seen = [line.digest for line in trace.manifest.lines if line.kind == "source"]
        used.append((max(trace.at, last if isinstance(last, (int, float)) else 0), key, trace.tree, seen))
    for at, key, tree, seen in sorted(used, reverse=True):
        try:
            named = dict([*store.reach(tree), *map(Digest.parse, seen)])
        except Missing:
            named = {}
        more = sum(size for sha256, size in named.items() if sha256 not in kept)
        if not named or (total + more > limit and at < young):
            actions.forget(key)
            freed.traces += 1
            continue
        kept |= named.keys()
        total += more
    for path, digest, st in list(store.blobs()):
        if digest.sha256 not in kept and st.st_ctime < young:
            with contextlib.suppress(OSError):
                os.unlink(path)
                freed.blobs += 1
                freed.bytes += digest.size
    return freed


def collect_if_due(cache: str, store: ContentStore, actions: ActionCache) -> Freed | None:
    """After a build: collect when enough was added. The limit is BENTOMAKE_CACHE_LIMIT, or 20 GiB."""
    if not store.added:
        return None
    path = os.path.join(cache, "state", "added")
    with open(path, "ab") as file:
        file.write(b"%d\n" % store.added)
    with open(path, "rb") as file:
        added = sum(int(line) for line in file.read().split() if line.isdigit())
    limit = parse_size(os.environ.get("BENTOMAKE_CACHE_LIMIT") or str(DEFAULT_LIMIT))
    if added < min(_DUE, limit // 10):
        return None
    if sum(digest.size for _, digest, _ in store.blobs()) <= limit:
        os.unlink(path)
        return None
    freed = collect(cache, store, actions, limit * 9 // 10)
    if freed is not None:
        os.unlink(path)
    return freed
