"""Fresh: is this the very command that last found nothing to do, and has nothing it looked at changed since?

Imports only what the interpreter has built in: it is asked before anything else, and usually is all that runs. It
answers from a record that the full path wrote, or not at all; any doubt is a "not at all".
"""

from __future__ import annotations

import os
import sys
import time
from _blake2 import blake2b  # hashlib would load OpenSSL, which costs more than all of the rest

TYPE_CHECKING = False  # typing's own, and collections.abc, would cost a tenth of all that a no-op costs
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MAGIC = "bentomake fresh 1"
_PREFIXES = ("BENTO", "PIP_", "UV_", "HF_", "PYTHON")
_NAMES = ("HOME", "PATH", "SOURCE_DATE_EPOCH", "VIRTUAL_ENV", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "NO_COLOR")
SETTLE = 0.025  # seconds; kernels stamp files with a clock that ticks every 1 to 10 ms
_TICK = int(SETTLE * 1e9)
_COARSE = 2_000_000_000  # ns; file systems that keep whole seconds (HFS+; FAT keeps two)


def cache_directory(env: Mapping[str, str]) -> str:
    """$BENTOMAKE_CACHE_DIR, or the platform's user cache directory."""
    own = env.get("BENTOMAKE_CACHE_DIR")
    if own:
        return os.path.abspath(os.path.expanduser(own))
    if sys.platform == "linux":
        base = env.get("XDG_CACHE_HOME") or ""
        if not os.path.isabs(base):
            base = os.path.join(env.get("HOME") or os.path.expanduser("~"), ".cache")
        return os.path.join(base, "bentomake")
    import platformdirs

    return platformdirs.user_cache_dir("bentomake", appauthor=False)


def mac(key: bytes, text: str) -> str:
    """A keyed digest (BLAKE2b, 128 bits) of a value that may be a secret."""
    return blake2b(text.encode("utf-8", "surrogateescape"), key=key, digest_size=16).hexdigest()


def read_key(cache: str) -> bytes:
    """This cache's own key for `mac`; FileNotFoundError if it has none yet."""
    fd = os.open(f"{cache}/state/key", os.O_RDONLY)
    try:
        return os.read(fd, 64)
    finally:
        os.close(fd)


def _record_path(cache: str, key: bytes, argv: Sequence[str], env: Mapping[str, str], cwd: str) -> str:
    asked = [_MAGIC, sys.version, cwd, *argv, ""]
    asked.extend(f"{name}={env[name]}" for name in sorted(env) if name.startswith(_PREFIXES) or name in _NAMES)
    return f"{cache}/state/fresh/{mac(key, chr(0).join(asked))}"


def settled(newest: int, asked_at: int) -> bool:
    """Whether a file whose newest time is this, seen at `asked_at` (ns), cannot change any more without showing it.

    As in git's racy-clean rule: a stamp that is not older than the clock's tick proves nothing.
    """
    return newest + (_COARSE if newest % 1_000_000_000 == 0 else _TICK) < asked_at


def stamp_of(st: os.stat_result) -> int:
    return hash((st.st_size, st.st_mtime_ns, st.st_ctime_ns, st.st_ino, st.st_mode))


def answer(argv: Sequence[str], env: Mapping[str, str], cwd: str) -> tuple[str, str] | None:
    """(stdout, stderr) of the full path, if it would do nothing; None if it has to be asked."""
    try:
        cache = cache_directory(env)
        key = read_key(cache)
        with open(_record_path(cache, key, argv, env, cwd), "rb") as file:
            magic, out, err, variables, absent, paths, stamps = file.read().split(b"\0\0\0", 6)
        if magic != _MAGIC.encode():
            return None
        for pair in variables.decode().split("\n") if variables else ():
            name, _, value = pair.partition("=")
            if (mac(key, env[name]) if name in env else "") != value:
                return None
        for path in absent.split(b"\0") if absent else ():
            if os.path.lexists(path):
                return None
        recorded = memoryview(stamps).cast("q")
        stat, names = os.stat, paths.split(b"\0")
        if len(recorded) != len(names):
            return None
        for path, stamp in zip(names, recorded):  # noqa: B905 - the lengths were compared
            st = stat(path)
            if hash((st.st_size, st.st_mtime_ns, st.st_ctime_ns, st.st_ino, st.st_mode)) != stamp:
                return None
        return out.decode("utf-8", "surrogateescape"), err.decode("utf-8", "surrogateescape")
    except (OSError, ValueError, TypeError):
        return None


class Watch:
    """Collects what a build looked at, each with the stat signature that it saw."""

    def __init__(self) -> None:
        self._stamps: dict[str, int] = {}
        self._first: list[str] = []
        self._absent: set[str] = set()
        self._variables: dict[str, str | None] = {}
        self._unsettled: str | None = None

    def path(self, path: str, st: os.stat_result | None = None) -> None:
        """A path whose unchanged signature means an unchanged answer; a path that is not there is watched as absent."""
        if path in self._stamps:
            return
        now = time.time_ns()
        if st is None:
            try:
                st = os.stat(path)
            except OSError:
                self._absent.add(path)
                return
        if not settled(max(st.st_mtime_ns, st.st_ctime_ns), now):
            self._unsettled = path
        self._stamps[path] = stamp_of(st)

    def many(self, paths: Sequence[str], stats: Sequence[os.stat_result], asked_at: int) -> list[int]:
        """The same for many paths whose stats were taken after `asked_at` (ns); gives their stamps."""
        young, stamps = asked_at - _COARSE, []
        for st in stats:
            mtime, ctime = st.st_mtime_ns, st.st_ctime_ns
            stamps.append(hash((st.st_size, mtime, ctime, st.st_ino, st.st_mode)))
            if (ctime >= young or mtime >= young) and not settled(max(ctime, mtime), asked_at):
                self._unsettled = paths[len(stamps) - 1]
        self._stamps.update(zip(paths, stamps, strict=True))
        return stamps

    def first(self, path: str) -> None:
        """What was edited just now will be edited again: the next answer looks at it before all else."""
        self._first.append(path)

    def variable(self, name: str, value: str | None) -> None:
        self._variables[name] = value

    def linked(self, path: str, stamp: int) -> None:
        """A file that the build made a hard link of: it is the same, and has this signature since."""
        if path in self._stamps:
            self._stamps[path] = stamp

    def made(self, path: str) -> None:
        """Something that this build itself put there: its signature is taken when the record is written."""
        self._stamps.setdefault(path, 0)

    def write(
        self, cache: str, argv: Sequence[str], env: Mapping[str, str], cwd: str, stdout: str, stderr: str
    ) -> bool:
        """Write the record; False if something is too new to be trusted, or changed meanwhile."""
        if self._unsettled is not None:
            return False
        from array import array

        own = [path for path, stamp in self._stamps.items() if stamp == 0]
        try:
            for path in own:
                st = os.stat(path)
                wait = max(st.st_mtime_ns, st.st_ctime_ns) / 1e9 + SETTLE - time.time()
                if 0 < wait <= SETTLE:
                    time.sleep(wait + 0.001)
                asked_at, st = time.time_ns(), os.stat(path)
                if not settled(max(st.st_mtime_ns, st.st_ctime_ns), asked_at):
                    return False
                self._stamps[path] = stamp_of(st)
            stamps = {path: self._stamps[path] for path in self._first if path in self._stamps} | self._stamps
            key = read_key(cache)
            variables = "\n".join(f"{n}={'' if v is None else mac(key, v)}" for n, v in sorted(self._variables.items()))
            parts = [
                _MAGIC.encode(),
                stdout.encode("utf-8", "surrogateescape"),
                stderr.encode("utf-8", "surrogateescape"),
                variables.encode(),
                os.fsencode("\0".join(sorted(self._absent))),
                os.fsencode("\0".join(stamps)),
                array("q", stamps.values()).tobytes(),
            ]
            target = _record_path(cache, key, argv, env, cwd)
            os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
            temporary = f"{target}.{os.getpid()}"
            try:
                with open(temporary, "wb") as file:
                    file.write(b"\0\0\0".join(parts))
                os.replace(temporary, target)
            except OSError:
                os.unlink(temporary)
                raise
        except OSError:
            return False
        return True
