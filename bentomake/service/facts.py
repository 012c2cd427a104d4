"""Answers what a service looked at (files, names, listings, variables, distributions) as it is now, running nothing."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping, Sequence

from ..engine.digest import of_value
from ..engine.fact import ABSENT, Fact
from .packages import Packages, provides

METADATA_ENDINGS = (".dist-info", ".egg-info", ".egg", ".egg-link")


class ServiceFacts:
    """Facts by kind and name, each asked anew of the disk (a directory is listed once an instance).

    `roots` maps `ctx`, `home`, `path0`… to directories; `watch` is told every path whose unchanged stat signature
    guarantees the same answer.
    """

    def __init__(
        self,
        roots: Mapping[str, str],
        site: Sequence[str],
        packages: Packages,
        digest: Callable[[str], str],
        mac: Callable[[str], str],
        watch: Callable[[str], None],
        env: Mapping[str, str],
    ) -> None:
        self._roots = {name: os.path.realpath(path) for name, path in roots.items()}
        self._site = tuple(site)
        self._packages = packages
        self._digest = digest
        self._mac = mac
        self._watch = watch
        self._env = env
        self._listings: dict[str, dict[str, list[str]] | None] = {}
        self._site_watched = False
        self._kinds: dict[str, Callable[[str], Fact]] = {
            "file": self._file,
            "stat": self._stat,
            "listing": self._listing,
            "dists": self._dists,
            "import": self._import,
            "env": self._variable,
            "dist": self._dist,
            "installed": self._installed,
        }

    def ask(self, kind: str, name: str) -> Fact:
        """The fact as it is now; KeyError for a kind that is not one of a service's, ABSENT for what is not there."""
        return self._kinds[kind](name)

    def path(self, name: str) -> str:
        """The path behind a name such as `ctx/a/b`, `ctx/../common/x.py` or `home/models/m/latest`."""
        root, _, rest = name.partition("/")
        full = f"{self._roots[root]}/{rest}" if rest else self._roots[root]
        return os.path.normpath(full) if ".." in rest else full

    def _file(self, name: str) -> Fact:
        path = self.path(name)
        self._watch(path)
        try:
            sha256 = self._digest(path)
        except (FileNotFoundError, NotADirectoryError):
            return ABSENT
        except OSError as error:
            return Fact(f"unreadable {type(error).__name__}", "unreadable")
        return Fact(sha256, sha256[:12])

    def _stat(self, name: str) -> Fact:
        path = self.path(name)
        self._watch(path)
        try:
            link = os.lstat(path)
        except (OSError, ValueError):
            return ABSENT
        text, found = "", link
        if stat.S_ISLNK(link.st_mode):
            self._watch(os.path.realpath(path))
            try:
                text = f"link to {os.readlink(path)}, "
                found = os.stat(path)
            except OSError:
                return Fact(of_value(f"{text}broken"), "broken link")
        if stat.S_ISREG(found.st_mode):
            text += f"file, {found.st_size} bytes{', executable' if found.st_mode & 0o111 else ''}"
        else:
            text += "directory" if stat.S_ISDIR(found.st_mode) else "special file"
        return Fact(of_value(text), text)

    def _listing(self, name: str) -> Fact:
        by_stem = self._list(self.path(name))
        if by_stem is None:
            return ABSENT
        names = sorted(entry for entries in by_stem.values() for entry in entries if entry != "__pycache__")
        return Fact(of_value(names), f"{len(names)} names")

    def _dists(self, name: str) -> Fact:
        """Which distributions' metadata lie in a directory: all that a search for installed packages sees of it."""
        by_stem = self._list(self.path(name))
        if by_stem is None:
            return ABSENT
        names = sorted(entry for entries in by_stem.values() for entry in entries if entry.endswith(METADATA_ENDINGS))
        return Fact(of_value(names), ", ".join(names) or "none")

    def _import(self, name: str) -> Fact:
        where, _, module = name.rpartition(":")
        if where == "site":
            self._watch_site()
            found = list(self._packages.top_level(module))
        elif where.startswith("site/"):
            found = [name for site in self._site for name in self._found_in(f"{site}/{where[5:]}", module)]
        else:
            found = self._found_in(self.path(where), module)
        return Fact(of_value(found), ", ".join(found) or "no such name") if found else ABSENT

    def _found_in(self, directory: str, module: str) -> list[str]:
        by_stem = self._list(directory)
        if by_stem is None:
            if not os.path.isfile(directory):
                return []
            return [self._digest(directory)]  # a zip on the path: its bytes stand for its names
        found = provides(by_stem.get(module.partition(".")[0], ()), module)
        if module in found:  # a directory without __init__ gives way to a package or module found later
            inside = self._list(f"{directory}/{module}")
            found += [f"{module}/{name}" for name in provides((inside or {}).get("__init__", ()), "__init__")]
        return found

    def _list(self, directory: str) -> dict[str, list[str]] | None:
        """A directory's names by what precedes their first dot; None if it cannot be listed."""
        if directory not in self._listings:
            self._watch(directory)
            self._listings[directory] = _by_stem(directory)
        return self._listings[directory]

    def _variable(self, name: str) -> Fact:
        value = self._env.get(name)
        return Fact(ABSENT.digest) if value is None else Fact(self._mac(value))

    def _dist(self, name: str) -> Fact:
        self._watch_site()
        version = self._packages.version(name)
        record = self._packages.record(name)
        if version is None:
            return ABSENT
        if record is not None:
            self._watch(record)
        return Fact(of_value([version, self._packages.record_digest(name)]), version, version)

    def _installed(self, name: str) -> Fact:
        self._watch_site()
        version = self._packages.version(name)
        return ABSENT if version is None else Fact(version, version, version)

    def _watch_site(self) -> None:
        if not self._site_watched:
            self._site_watched = True
            for directory in self._site:
                self._watch(directory)


def _by_stem(directory: str) -> dict[str, list[str]] | None:
    found: dict[str, list[str]] = {}
    try:
        names = os.listdir(directory)
    except OSError:
        return None
    for name in names:
        found.setdefault(name.partition(".")[0], []).append(name)
    return found
