"""The action cache: key → trace, and which facts an action discovered; small JSON text in diskcache, hardened.

diskcache 5.6.3 unpickles values, and keys with raw=0, that it finds in its file (CVE-2025-69872). This cache writes and
accepts nothing but text: a row of any other form is a miss.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator, Set
from typing import Any, NamedTuple

import diskcache

from ..errors import StoreError
from .digest import Digest, of_value
from .manifest import Manifest
from .tree import Tree, dump, load

_SETS = 8  # how many sets of discovered names are remembered for one static key
_LOG_LIMIT = 64 * 1024
_VERSION = 1
_OF_TRACES = ("trace", "used", "sets", "names")  # kinds of rows; see Trace.rows
# What sqlite says (an OperationalError) when the disk, or somebody else, is in the way, and the file is as it was.
_IN_THE_WAY = ("locked", "full", "disk I/O error", "readonly", "unable to open")


class Refused(Exception):
    """A row that this cache did not write."""


class _TextDisk(diskcache.Disk):  # type: ignore[misc]  # diskcache has no types
    """Text keys and text values in the row itself; no pickle, no value files."""

    def put(self, key: Any) -> tuple[Any, bool]:
        if not isinstance(key, str):
            raise Refused("a key is text")
        return key, True

    def get(self, key: Any, raw: Any) -> Any:
        if not raw or not isinstance(key, str):
            raise Refused("a key is text")
        return key

    def store(self, value: Any, read: bool, key: Any = None) -> tuple[int, int, None, str]:
        if not isinstance(value, str):
            raise Refused("a value is text")
        return 0, 1, None, value  # 1 is diskcache's MODE_RAW

    def fetch(self, mode: Any, filename: Any, value: Any, read: bool) -> Any:
        if mode != 1 or filename is not None or not isinstance(value, str) or read:
            raise Refused("a value is text")
        return value

    def remove(self, file_path: Any) -> None:
        """Nothing: no row of this cache has a file, and one that names a file was planted."""


class Trace(NamedTuple):
    """What is remembered of one run: the manifest that keys it, what it made, what it said, how long it took."""

    rule: str
    action: str
    manifest: Manifest
    static: int  # how many lines of the manifest were known before it ran
    tree: Digest
    seconds: float
    at: float  # seconds since the epoch
    log: str
    warnings: list[dict[str, Any]]
    origin: str  # which project of this user ran it

    @property
    def key(self) -> str:
        return self.manifest.key

    @property
    def names(self) -> list[list[str]]:
        """What it discovered, without digests: what to ask for again on the next build."""
        return [[line.kind, line.name] for line in self.manifest.lines[self.static :]]

    @property
    def rows(self) -> set[str]:
        """The rows by which it is found."""
        static = Manifest(self.manifest.lines[: self.static])
        return {f"trace/{self.key}", f"used/{self.key}", f"sets/{static.key}", f"names/{of_value(self.names)}"}

    def to_json(self) -> dict[str, Any]:
        return {
            "version": _VERSION,
            "rule": self.rule,
            "action": self.action,
            "manifest": self.manifest.to_json(),
            "static": self.static,
            "tree": str(self.tree),
            "seconds": round(self.seconds, 4),
            "at": round(self.at, 3),
            "log": self.log[-_LOG_LIMIT:],
            "warnings": self.warnings,
            "origin": self.origin,
        }

    @classmethod
    def from_json(cls, data: Any, key: str) -> Trace:
        """Read and verify; ValueError unless the manifest's digest is the key it was found under."""
        try:
            if data["version"] != _VERSION:
                raise ValueError("a trace of another version")
            trace = cls(
                rule=str(data["rule"]),
                action=str(data["action"]),
                manifest=Manifest.from_json(data["manifest"]),
                static=int(data["static"]),
                tree=Digest.parse(data["tree"]),
                seconds=float(data["seconds"]),
                at=float(data["at"]),
                log=str(data["log"]),
                warnings=[dict(warning) for warning in data["warnings"]],
                origin=str(data["origin"]),
            )
        except (KeyError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError(f"not a trace: {error}") from error
        if trace.key != key:
            raise ValueError("a trace's manifest does not give its key")
        if not 0 <= trace.static <= len(trace.manifest.lines):
            raise ValueError("a trace with more static lines than lines")
        return trace


class ActionCache:
    """Traces by key; every odd row is a miss, said in `notes`."""

    def __init__(self, directory: str):
        self.directory = directory
        self.notes: list[str] = []
        try:
            os.makedirs(directory, mode=0o700, exist_ok=True)
            os.chmod(directory, 0o700)
        except OSError as error:
            raise StoreError(f"The action cache {directory} cannot be made: {error.strerror}.") from error
        self._cache = self._open()

    def _open(self) -> Any:
        settings: dict[str, Any] = {
            "disk": _TextDisk,
            "eviction_policy": "none",
            "cull_limit": 0,
            "statistics": 0,
            "tag_index": 0,
            "size_limit": 1 << 40,
            "sqlite_synchronous": 0,
        }
        try:
            cache = diskcache.Cache(self.directory, timeout=60, **settings)
            cache.get("probe")
        except diskcache.Timeout as busy:
            raise StoreError(f"The action cache {self.directory} is in use by others for too long.") from busy
        except (sqlite3.Error, ValueError, TypeError, AttributeError, Refused) as error:
            if not self._is_damage(error):
                raise StoreError(f"The action cache {self.directory} cannot be used: {error}.") from error
            self.notes.append(f"the action cache was damaged ({error}); it starts anew")
            shutil.rmtree(self.directory, ignore_errors=True)
            try:
                os.makedirs(self.directory, mode=0o700, exist_ok=True)
                cache = diskcache.Cache(self.directory, timeout=60, **settings)
            except (sqlite3.Error, OSError) as again:
                raise StoreError(f"The action cache {self.directory} cannot be used: {again}.") from again
        return cache

    def _is_damage(self, error: Exception) -> bool:
        if isinstance(error, sqlite3.OperationalError) and any(said in str(error) for said in _IN_THE_WAY):
            return os.path.isdir(os.path.join(self.directory, "cache.db"))
        return True

    def read(self, name: str) -> Any:
        """A row's JSON value, or None if there is none that is sound."""
        try:
            text = self._cache.get(name)
            return None if text is None else json.loads(text)
        except (Refused, ValueError, sqlite3.Error, OSError, RecursionError, diskcache.Timeout) as error:
            self.notes.append(f"a row of the action cache is not one of ours ({error}); it counts as missing")
            return None

    def write(self, name: str, value: Any, *, days: int | None = None) -> None:
        """Keep a JSON value, for so many days, or as long as a trace needs it."""
        text = json.dumps(value, separators=(",", ":"))
        try:
            self._cache.set(name, text, expire=None if days is None else days * 86400)
        except (sqlite3.Error, OSError, diskcache.Timeout) as error:
            raise StoreError(
                f"The action cache cannot be written: {error}.", place=self.directory, hint="Is the disk full?"
            ) from error

    def trace(self, key: str) -> Trace | None:
        data = self.read(f"trace/{key}")
        if data is None:
            return None
        try:
            return Trace.from_json(data, key)
        except ValueError as error:
            self.notes.append(f"{error}; it counts as missing")
            return None

    def remember(self, trace: Trace, static_key: str) -> None:
        """Keep a trace, and the names that it discovered, under its static key."""
        identity = of_value(trace.names)
        self.write(f"trace/{trace.key}", trace.to_json())
        self.write(f"names/{identity}", trace.names)
        known = self.read(f"sets/{static_key}")
        sets = [identity, *(s for s in known if s != identity)] if isinstance(known, list) else [identity]
        self.write(f"sets/{static_key}", sets[:_SETS])

    def discovered(self, static_key: str) -> Iterator[list[tuple[str, str]]]:
        """The sets of names that runs with this static key discovered, the newest first."""
        sets = self.read(f"sets/{static_key}")
        for identity in sets if isinstance(sets, list) else []:
            names = self.read(f"names/{identity}")
            if isinstance(names, list) and all(isinstance(n, list) and len(n) == 2 for n in names):
                yield [(str(kind), str(name)) for kind, name in names]

    def part(self, key: str) -> Tree | None:
        """A part of results that actions share; its blobs are kept as long as a trace names them."""
        text = self.read(f"part/{key}")
        try:
            return load(text.encode("utf-8", "surrogateescape")) if isinstance(text, str) else None
        except ValueError as error:
            self.notes.append(f"a shared part is {error}; it counts as missing")
            return None

    def keep_part(self, key: str, tree: Tree) -> None:
        self.write(f"part/{key}", dump(tree).decode("utf-8", "surrogateescape"))

    def touch(self, key: str) -> None:
        """Say that a trace was of use now; at most once an hour, since collection only needs days."""
        now = time.time()
        last = self.read(f"used/{key}")
        if not isinstance(last, (int, float)) or now - last > 3600:
            self.write(f"used/{key}", int(now))

    def traces(self) -> Iterator[str]:
        """The keys of all traces."""
        for name in self._names():
            if name.startswith("trace/"):
                yield name.removeprefix("trace/")

    def _names(self) -> list[str]:
        rows = self._cache._sql("SELECT key, raw FROM Cache").fetchall()
        return [key for key, raw in rows if raw and isinstance(key, str)]

    def forget(self, key: str) -> None:
        for prefix in ("trace/", "used/"):
            with contextlib.suppress(sqlite3.Error, Refused, diskcache.Timeout):
                self._cache.delete(f"{prefix}{key}")

    def prune(self, needed: Set[str], blobs: Set[str]) -> None:
        """Drop what is not among the `needed` rows of traces, and parts that lack one of the `blobs` (sha256)."""
        doomed = [name for name in self._names() if not self._is_needed(name, needed, blobs)]
        with contextlib.suppress(sqlite3.Error, Refused, diskcache.Timeout), self._cache.transact():
            for name in doomed:
                self._cache.delete(name)
            self._cache.expire()

    def _is_needed(self, name: str, needed: Set[str], blobs: Set[str]) -> bool:
        kind, _, rest = name.partition("/")
        if kind == "last":
            return f"trace/{self.read(name)}" in needed
        if kind == "part":
            part = self.part(rest)
            return part is not None and all(digest.sha256 in blobs for digest, _ in part.values())
        return kind not in _OF_TRACES or name in needed

    def clear(self) -> None:
        self._cache.clear()

    def size(self) -> int:
        """Bytes on disk."""
        return sum(os.stat(os.path.join(self.directory, name)).st_size for name in os.listdir(self.directory))

    def close(self) -> None:
        self._cache.close()
