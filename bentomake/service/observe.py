"""Runs in the user's interpreter: sees what an import looks at (files, listings, names, variables)."""

from __future__ import annotations

import collections.abc
import importlib.machinery
import os
import posix
import sys
from typing import Any

WRITING = os.O_WRONLY | os.O_RDWR
FRESH = os.O_TRUNC | os.O_EXCL
CHANGES = ("os.mkdir", "os.remove", "os.rmdir", "os.rename", "os.link", "os.symlink", "os.truncate")
MADE_SECOND = ("os.link", "os.symlink")
LISTINGS = ("os.listdir", "os.scandir")
FINDER = "<frozen importlib._bootstrap_external>"
IMPORTING = "<frozen importlib._bootstrap>"
METADATA = ("/importlib/metadata/", "/importlib_metadata/", "/pkg_resources/")
READS = {collections.abc.Mapping.get.__code__, collections.abc.Mapping.__contains__.__code__, os.getenv.__code__}
# Where things lie on this machine: a library that asks says nothing about the service, the service's own file does.
PLACES = {"HOME", "BENTOML_HOME", "TMPDIR", "TEMP", "TMP", "PWD", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"}
MAPPING_COPIES = {collections.abc.ItemsView.__iter__.__code__, collections.abc.ValuesView.__iter__.__code__}
KEYS = collections.abc.KeysView.__iter__.__code__


class Watched:
    """A function of `os` that tells which path it was given; no descriptor, so that it may be a class attribute."""

    def __init__(self, function: Any, note: Any) -> None:
        self.__wrapped__ = function
        self.__name__ = self.__qualname__ = function.__name__
        self.__doc__ = function.__doc__
        self._note = note

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._note(args[0] if args else kwargs.get("path"))
        return self.__wrapped__(*args, **kwargs)


class Observer:
    """What was looked at, as absolute paths and bare names; `report.py` turns it into names under roots."""

    def __init__(self, contexts: list[str], models: list[str], library: list[str], paths: list[str], own: str) -> None:
        self.contexts = tuple(context + "/" for context in contexts)
        self.models = tuple(path + "/" for path in models)
        self.roots = self.contexts + self.models
        self.tops = (*contexts, *models)
        self.library = tuple(path + "/" for path in library)
        self.bytecode = (*self.library, *(path + "/" for path in paths))
        self.own = own + "/"
        self.files: dict[str, tuple[int, int] | None] = {}
        self.stats: set[str] = set()
        self.listings: set[str] = set()
        self.dists: set[str] = set()
        self.written: set[str] = set()
        self.variables: set[str] = set()
        self.searches: dict[tuple[str, tuple[str, ...]], None] = {}
        self.refused: str | None = None
        self.paused = 0  # while positive, what is looked at does not count
        self._kinds: dict[str, str] = {}
        self._copying: tuple[Any, int] | None = None

    def install(self) -> None:
        """Begin to observe; there is no end, the process is this observer's own."""
        for name in ("stat", "lstat", "access"):
            function = getattr(os, name)
            watched = Watched(function, self.note_stat)
            setattr(os, name, watched)
            for group in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks, os.supports_effective_ids):
                if function in group:
                    group.add(watched)
            # Python 3.10 keeps early references to these functions.
            accessor = getattr(sys.modules.get("pathlib"), "_NormalAccessor", None)
            if accessor is not None and hasattr(accessor, name):
                setattr(accessor, name, watched)
        self._watch_environment()
        self._without_bytecode()
        sys.meta_path.insert(0, self)
        sys.addaudithook(self._audit)

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        """As the first finder: note which name is looked for in which directories, and find nothing."""
        self.searches[fullname, tuple(sys.path if path is None else path)] = None

    def note_stat(self, path: Any) -> None:
        try:
            full = absolute(path)
        except (OSError, TypeError, ValueError):
            return
        if full is not None and full.startswith(self.roots) and not self.paused:
            self.stats.add(full)

    def saw(self, path: str) -> None:
        """Count a file that was read while this observer was paused."""
        full = os.path.normpath(path)
        self.files.setdefault(full, signature(full))

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            self._opened(*args)
        elif event in LISTINGS:
            self._listed(args[0])
        elif event in CHANGES:
            for path in args[:2] if event == "os.rename" else args[1:2] if event in MADE_SECOND else args[:1]:
                self._changed(path)

    def _opened(self, path: Any, mode: Any, flags: int) -> None:
        try:
            full = absolute(path)
        except (OSError, TypeError, ValueError):
            return
        if full is None or not full.startswith(self.roots):
            return
        if flags & WRITING:
            self._changed(full)
            if full not in self.files:
                self.written.add(full)
            if not flags & os.O_RDWR or flags & FRESH:
                return
        if full not in self.files and full not in self.written and not self.paused:
            self.files[full] = signature(full)

    def _changed(self, path: Any) -> None:
        try:
            full = absolute(path)
        except (OSError, TypeError, ValueError):
            return
        if full is None:
            return
        for root in self.models:
            if full.startswith(root):
                parts = full[len(root) :].split("/")
                if len(parts) != 2 or parts[1] != "latest":
                    self.refused = self.refused or full
                    raise PermissionError(1, "the model store is read-only while a service is imported", full)
                if full not in self.files:  # a `latest` that the store itself repaired
                    self.files[full] = None

    def _listed(self, path: Any) -> None:
        caller = sys._getframe(2).f_code.co_filename
        if caller == FINDER:
            return
        try:
            full = os.getcwd() if path is None else absolute(path)
        except (OSError, TypeError, ValueError):
            return
        if full is not None and (full.startswith(self.roots) or full in self.tops):
            (self.dists if any(part in caller for part in METADATA) else self.listings).add(full)

    def _watch_environment(self) -> None:
        kind: Any = type(os.environ)
        read, names = kind.__getitem__, kind.__iter__

        def getitem(mapping: Any, key: Any) -> Any:
            self._read_variable(key, sys._getframe(1))
            return read(mapping, key)

        def iterate(mapping: Any) -> Any:
            for key in names(mapping):
                frame: Any = sys._getframe(1)
                if frame is not None and frame.f_code is KEYS:
                    frame = frame.f_back
                # dict(os.environ) asks for the values from the very instruction that asked for the names.
                self._copying = None if frame is None else (frame.f_code, frame.f_lasti)
                yield key

        kind.__getitem__, kind.__iter__ = getitem, iterate

    def _read_variable(self, key: Any, frame: Any) -> None:
        if frame.f_code in MAPPING_COPIES or (frame.f_code, frame.f_lasti) == self._copying:
            return
        while frame.f_code in READS and frame.f_back is not None:
            frame = frame.f_back
        if key in PLACES and self._kind_of_code(frame.f_code.co_filename) != "user":
            return
        while frame is not None:
            kind = self._kind_of_code(frame.f_code.co_filename)
            if kind == "user":
                self.variables.add(key if isinstance(key, str) else os.fsdecode(key))
            if kind != "library":
                return
            frame = frame.f_back

    def _kind_of_code(self, filename: str) -> str:
        kind = self._kinds.get(filename)
        if kind is None:
            if filename == IMPORTING:
                kind = "import"  # a library's own import reads for itself, not for who imports it
            elif filename.startswith(self.own):
                kind = "probe"
            elif filename.startswith("<") or filename.startswith(self.library):
                kind = "library"
            else:
                kind = "user"
            self._kinds[filename] = kind
        return kind

    def _without_bytecode(self) -> None:
        """The project's modules are compiled from their source: a .pyc is neither believed nor left behind."""
        loader: Any = importlib.machinery.SourceFileLoader
        original = loader.path_stats

        def path_stats(this: Any, path: str) -> Any:
            inside = path.startswith(self.contexts)
            if not path.startswith(self.library if inside else self.bytecode):
                raise OSError("no bytecode for the project's own modules")
            return original(this, path)

        loader.path_stats = path_stats


def absolute(path: Any) -> str | None:
    """An absolute path without `.` and `..`; None for a file descriptor."""
    if type(path) is not str:
        if path is None or isinstance(path, int):
            return None
        path = os.fsdecode(path)
    if not path.startswith("/"):
        path = os.getcwd() + "/" + path
    if "/." in path or "//" in path or path.endswith("/"):
        path = os.path.normpath(path)
    return str(path)


def signature(path: str) -> tuple[int, int] | None:
    """Size and time of a regular file; None if it is not there or is something else."""
    try:
        found = posix.stat(path)
    except (OSError, ValueError):
        return None
    return (found.st_size, found.st_mtime_ns) if found.st_mode & 0o170000 == 0o100000 else None
