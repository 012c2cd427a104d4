"""Runs in the user's interpreter: turns what was observed into sorted names under roots (ctx, home, path0…)."""

from __future__ import annotations

import importlib.machinery
import os
import posix
import sys
from typing import Any

NOT_COUNTED = {"__pycache__", ".git"}


class Report:
    """The names of everything that was looked at, made once after the import."""

    def __init__(self, observer: Any, request: dict[str, Any], context: str) -> None:
        self.seen = observer
        self.context = context
        self.home = os.path.realpath(request["home"])
        self.site: list[str] = request["site"]
        self.library = tuple(path + "/" for path in [*request["site"], *request["stdlib"]])
        self.paths: list[str] = request["paths"]
        self.own = observer.own
        self.entries: set[tuple[str, str]] = set()
        self.site_files: set[str] = set()
        self.signatures: dict[str, tuple[int, int]] = {}
        self._venvs: dict[str, bool] = {}

    def make(self) -> dict[str, Any]:
        """`looked_at` ([kind, name] sorted), `site_files`, and `seen` (ctx name → [size, mtime_ns] at first sight)."""
        observer, add = self.seen, self.entries.add
        for path, found in observer.files.items():
            name = self.name(path)
            if name is not None and not os.path.isdir(path):
                add(("file", name))
                if found is not None and name.startswith("ctx/"):
                    self.signatures[name] = found
        for path in observer.stats - observer.written:
            name = self.name(path)
            if name is not None:
                add(("stat", name))
        for kind, found in (("listing", observer.listings), ("dists", observer.dists)):
            for path in found:
                name = self.name(path, top=True)
                if name is not None:
                    add((kind, name))
        for variable in observer.variables:
            add(("env", variable))
        self._modules()
        for fullname, directories in list(observer.searches):
            self._search(fullname, directories)
        return {
            "looked_at": sorted([kind, name] for kind, name in self.entries),
            "site_files": sorted(self.site_files),
            "seen": {name: list(found) for name, found in sorted(self.signatures.items())},
        }

    def name(self, path: str, top: bool = False) -> str | None:
        """`ctx/…` or `home/models/…`; None for what does not count. The root itself only if `top`."""
        for slashed in self.seen.models:
            root = slashed[:-1]
            if path.startswith(root + "/") or (top and path == root):
                return "home/models" + path[len(root) :]
        if path.startswith(self.library):
            return None
        for root in self.seen.contexts:
            if path.startswith(root):
                relative = path[len(root) :]
                return None if self._hidden(root, relative) else "ctx/" + relative
            if top and path + "/" == root:
                return "ctx"
        return None

    def _hidden(self, root: str, relative: str) -> bool:
        """Whether a name lies in a cache of bytecode, in .git or in a virtual environment."""
        parts = relative.split("/")
        if not NOT_COUNTED.isdisjoint(parts):
            return True
        directory = root.rstrip("/")
        for part in parts:
            directory += "/" + part
            inside = self._venvs.get(directory)
            if inside is None:
                inside = self._venvs[directory] = exists(directory + "/pyvenv.cfg")
            if inside:
                return True
        return False

    def _anywhere(self, path: str, top: bool = False) -> str | None:
        """The name of a module's file or directory, wherever it lies outside the libraries."""
        name = self.name(path, top)
        if name is not None or path.startswith((*self.library, *self.seen.roots)) or path + "/" in self.library:
            return name
        best, length = -1, 0
        for index, root in enumerate(self.paths):
            if (path.startswith(root + "/") or path == root) and len(root) > length:
                best, length = index, len(root)
        if best >= 0:
            return f"path{best}{path[length:]}"
        return "ctx/" + os.path.relpath(path, self.context)

    def _modules(self) -> None:
        for key, module in list(sys.modules.items()):
            path = location(module)
            if key == "__main__" or path is None or path.startswith(self.own):
                continue
            for root in self.site:
                if path.startswith(root + "/"):
                    self.site_files.add(path[len(root) + 1 :])
                    break
            else:
                name = None if path.startswith(self.library) else self._anywhere(path)
                if name is not None and exists(path):
                    self.entries.add(("file", name))
                    if name.startswith("ctx/") and name not in self.signatures:
                        found = posix.stat(path)
                        self.signatures[name] = (found.st_size, found.st_mtime_ns)

    def _search(self, fullname: str, directories: tuple[str, ...]) -> None:
        """Note the presence of a name in each directory that was searched for it, up to where it was found."""
        tail = fullname.rpartition(".")[2]
        if fullname in sys.builtin_module_names:
            return
        module = sys.modules.get(fullname)
        spec = vars(module).get("__spec__") if module is not None and hasattr(module, "__dict__") else None
        if module is None:
            try:
                spec = importlib.machinery.FrozenImporter.find_spec(
                    fullname
                ) or importlib.machinery.PathFinder.find_spec(fullname, list(directories))
            except Exception:
                spec = None
        origin = getattr(spec, "origin", None)
        if origin in ("built-in", "frozen"):
            return
        found = where(spec)
        for entry in directories:
            directory = entry.rstrip("/") if entry.startswith("/") else os.path.join(self.context, entry).rstrip("/")
            site = next((root for root in self.site if directory == root or directory.startswith(root + "/")), None)
            if site is not None:
                if module is None:  # not loaded: installing or removing it changes the answer
                    self.entries.add(("import", f"site{directory[len(site) :]}:{tail}"))
            elif not (directory + "/").startswith(self.library):
                name = self._anywhere(directory, top=True)
                if name is not None:
                    self.entries.add(("import", f"{name}:{tail}"))
            if directory == found:
                return


def location(module: Any) -> str | None:
    """A loaded module's file, without waking up lazy modules."""
    try:
        names = object.__getattribute__(module, "__dict__")
        path = names.get("__file__")
        path = path if isinstance(path, str) else getattr(names.get("__spec__"), "origin", None)
    except Exception:
        return None
    return path if isinstance(path, str) and path.startswith("/") else None


def where(spec: Any) -> str | None:
    """The directory whose entry a module came from; None for a namespace package, which needs them all."""
    origin = getattr(spec, "origin", None)
    if not isinstance(origin, str):
        return None
    directory = os.path.dirname(origin)
    return os.path.dirname(directory) if getattr(spec, "submodule_search_locations", None) is not None else directory


def exists(path: str) -> bool:
    try:
        posix.stat(path)
    except (OSError, ValueError):
        return False
    return True
