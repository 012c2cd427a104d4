"""Collection: forgets the traces that were of no use for longest, what none of the rest names, and old records."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping

from ..errors import StoreError, UsageError
from .content_store import ContentStore, Missing
from .digest import Digest
from .trace import ActionCache

_LIMIT = 20 << 30
_GRACE = 3600  # seconds; a blob may arrive before the trace that names it
_DUE = 256 << 20  # bytes that were added since the last collection
_DAY = 86400  # seconds
_OLD = 30 * _DAY
# Below state/: each is made again when it is asked for and not there. Not the digests of models: that takes minutes.
_RECORDS = ("bentofiles", "bentos", "fresh", "interpreters", "plans", "projects", "runs")
_SETTLED = ("git_commits.json", "hf_revisions.json")  # which commits a project keeps to until `--upgrade`


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


def limit_of(env: Mapping[str, str]) -> int:
    """What the content store is kept below, in bytes: BENTOMAKE_CACHE_LIMIT, or 20 GiB."""
    text = env.get("BENTOMAKE_CACHE_LIMIT")
    try:
        return parse_size(text) if text else _LIMIT
    except UsageError as error:
        error.place = "BENTOMAKE_CACHE_LIMIT"
        raise


@contextlib.contextmanager
def in_use(cache: str) -> Iterator[None]:
    """Hold while building: a collection waits for nobody, it does not start."""
    with _lock(cache) as fd:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _sweep(os.path.join(cache, "tmp"))  # nobody else builds: what lies there is of builds that died
            _tidy(cache)
        fcntl.flock(fd, fcntl.LOCK_SH)
        yield


@contextlib.contextmanager
def alone(cache: str) -> Iterator[bool]:
    """Whether nobody builds; then nobody begins to, as long as this is held."""
    with _lock(cache) as fd:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


@contextlib.contextmanager
def _lock(cache: str) -> Iterator[int]:
    path = os.path.join(cache, "state", "in-use")
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StoreError(f"The lock {path} cannot be made: {error.strerror}.") from error
    try:
        yield fd
    finally:
        os.close(fd)


def _tidy(cache: str) -> None:
    """Once a day, while nobody builds: remove the locks of actions, and records that were not written for long."""
    now, state = time.time(), os.path.join(cache, "state")
    done = os.path.join(state, "tidied")
    with contextlib.suppress(OSError):
        if os.stat(done).st_mtime > now - _DAY:
            return
    _sweep(os.path.join(cache, "locks"))
    for name in _RECORDS:
        for root, _, names in os.walk(os.path.join(state, name)):
            for path in (os.path.join(root, each) for each in names if each not in _SETTLED):
                with contextlib.suppress(OSError):
                    if os.lstat(path).st_mtime < now - _OLD:
                        os.unlink(path)
    with contextlib.suppress(OSError), open(done, "wb"):
        os.utime(done)


def clear(cache: str) -> bool:
    """Remove all that a cache holds; False if a build is using it."""
    with alone(cache) as free:
        if free:
            for name in ("actions", "blobs", "locks", "tmp"):
                shutil.rmtree(os.path.join(cache, name), ignore_errors=True)
            _sweep(os.path.join(cache, "state"), but="in-use")  # for which a build may be waiting
    return free


def _sweep(directory: str, but: str = "") -> None:
    for name in os.listdir(directory) if os.path.isdir(directory) else []:
        path = os.path.join(directory, name)
        if name == but:
            continue
        if os.path.isdir(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                os.unlink(path)


def collect(cache: str, store: ContentStore, actions: ActionCache, limit: int, grace: int = _GRACE) -> Freed | None:
    """Bring the content store below `limit` bytes; None if a build is using it."""
    with alone(cache) as free:
        return _collect(store, actions, limit, time.time() - grace) if free else None


def _collect(store: ContentStore, actions: ActionCache, limit: int, young: float) -> Freed:
    freed, total = Freed(), 0
    kept: set[str] = set()
    rows: set[str] = set()
    used = []
    for key in actions.traces():
        trace = actions.trace(key)
        if trace is None:
            freed.traces += 1
            continue
        last = actions.read(f"used/{key}")
        seen = [line.digest for line in trace.manifest.lines if line.kind == "source"]
        at = max(trace.at, last if isinstance(last, (int, float)) else 0)
        used.append((at, key, trace.tree, seen, trace.rows))
    for at, _, tree, seen, own in sorted(used, reverse=True):
        try:
            named = dict([*store.reach(tree), *map(Digest.parse, seen)])
        except (Missing, ValueError):
            named = {}
        more = sum(size for sha256, size in named.items() if sha256 not in kept)
        if not named or (total + more > limit and at < young):
            freed.traces += 1
            continue
        kept |= named.keys()
        rows |= own
        total += more
    for path, digest, st in list(store.blobs()):
        if digest.sha256 in kept or st.st_ctime >= young:
            kept.add(digest.sha256)
            continue
        with contextlib.suppress(OSError):
            os.unlink(path)
            freed.blobs += 1
            freed.bytes += digest.size
    actions.prune(rows, kept)
    return freed


def collect_if_due(cache: str, store: ContentStore, actions: ActionCache, limit: int) -> Freed | None:
    """After a build: collect when enough was added."""
    if not store.added:
        return None
    path = os.path.join(cache, "state", "added")
    try:
        with open(path, "ab") as file:
            file.write(b"%d\n" % store.added)
        with open(path, "rb") as file:
            added = sum(int(line) for line in file.read().split() if line.isdigit())
    except OSError:  # what was built is built, whatever becomes of this note
        return None
    freed = None
    if added < min(_DUE, limit // 10):
        return None
    if sum(digest.size for _, digest, _ in store.blobs()) > limit:
        freed = collect(cache, store, actions, limit * 9 // 10)
        if freed is None:
            return None
    with contextlib.suppress(OSError):  # another build, that ended as well, was faster
        os.unlink(path)
    return freed
