"""What is installed beside an interpreter: versions, RECORD digests and who owns a file, read without importing."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Sequence
from functools import cached_property

from .interpreter import signature, write_whole

FORMAT = 1
NOT_NORMAL = re.compile(r"[-_.]+")
MODULE_ENDINGS = (".py", ".pyc", ".so", ".pyd")


def normalised(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return NOT_NORMAL.sub("-", name).lower()


def provides(names: Iterable[str], module: str) -> list[str]:
    """Which of a directory's names an import of `module` could find there, sorted."""
    start = module + "."
    return sorted(
        name for name in names if name == module or (name.startswith(start) and name.endswith(MODULE_ENDINGS))
    )


class Packages:
    """The distributions in some site directories; where one is there twice the first in order wins, as in an import."""

    def __init__(self, site: Sequence[str], cache_dir: str) -> None:
        self.site = tuple(site)
        self._cache_dir = cache_dir
        self._digests: dict[str, str] = {}

    @cached_property
    def _found(self) -> dict[str, tuple[str, str]]:
        """Name → (version, metadata directory or egg-info file)."""
        found: dict[str, tuple[str, str]] = {}
        for site, listed in self._directories:
            for name, version, entry in listed["dists"]:
                found.setdefault(name, (version, os.path.join(site, entry)))
        return found

    @cached_property
    def _directories(self) -> list[tuple[str, dict[str, list[list[str]]]]]:
        """Each site directory with its distributions, from the cache while its stat signature is the same."""
        return [(site, self._directory(site)) for site in self.site]

    def _directory(self, site: str) -> dict[str, list[list[str]]]:
        now = signature(site)
        if now is None:
            return {"dists": [], "tops": [[]]}
        digest = hashlib.sha256(site.encode("utf-8", "surrogateescape")).hexdigest()[:24]
        file = os.path.join(self._cache_dir, f"packages-{digest}.json")
        try:
            with open(file, encoding="utf-8") as stream:
                kept = json.load(stream)
            if (
                kept["format"] == FORMAT
                and kept["site"] == site
                and kept["signature"] == now
                and _sound(kept["listed"])
            ):
                listed: dict[str, list[list[str]]] = kept["listed"]
                return listed
        except (OSError, ValueError, KeyError, TypeError):
            pass
        listed = _read(site)
        write_whole(file, json.dumps({"format": FORMAT, "site": site, "signature": now, "listed": listed}))
        return listed

    def version(self, name: str) -> str | None:
        """The installed version of a distribution, None if it is not there."""
        found = self._found.get(normalised(name))
        return None if found is None else found[0]

    def versions(self) -> dict[str, str]:
        """Normalised name → version, sorted."""
        return {name: version for name, (version, _) in sorted(self._found.items())}

    def record(self, name: str) -> str | None:
        """The file whose bytes stand for all of a distribution's: RECORD, else METADATA or PKG-INFO."""
        found = self._found.get(normalised(name))
        if found is None:
            return None
        place = found[1]
        if not os.path.isdir(place):
            return place
        for part in ("RECORD", "installed-files.txt", "METADATA", "PKG-INFO"):
            file = os.path.join(place, part)
            if os.path.isfile(file):
                return file
        return None

    def record_digest(self, name: str) -> str:
        """The sha256 of `record(name)`; "absent" if the distribution, or any such file of it, is not there."""
        key = normalised(name)
        digest = self._digests.get(key)
        if digest is None:
            file = self.record(key)
            try:
                with open(file or "", "rb") as stream:
                    digest = hashlib.sha256(stream.read()).hexdigest()
            except OSError:
                digest = "absent"
            self._digests[key] = digest
        return digest

    def owner(self, path: str) -> str | None:
        """The distribution whose RECORD lists a file, given as a full path or relative to a site directory."""
        if not os.path.isabs(path):
            owners = (self._owners.get(os.path.join(site, path)) for site in self.site)
            return next((owner for owner in owners if owner is not None), None)
        return self._owners.get(path)

    def top_level(self, name: str) -> tuple[str, ...]:
        """Which entries of the site directories an import of `name` could find: empty if there are none."""
        return tuple(entry for _, listed in self._directories for entry in provides(listed["tops"][0], name))

    @cached_property
    def _owners(self) -> dict[str, str]:
        owners: dict[str, str] = {}
        for name, (_, place) in self._found.items():
            for path in _files(place):
                owners.setdefault(path, name)
        return owners


def _sound(listed: object) -> bool:
    return (
        isinstance(listed, dict)
        and all(isinstance(part, str) and len(entry) == 3 for entry in listed["dists"] for part in entry)
        and all(isinstance(name, str) for name in listed["tops"][0])
    )


def _read(site: str) -> dict[str, list[list[str]]]:
    try:
        names = sorted(os.listdir(site))
    except OSError:
        names = []
    dists = []
    for entry in names:
        if entry.endswith((".dist-info", ".egg-info")):
            named = _name_and_version(os.path.join(site, entry), entry)
            if named is not None:
                dists.append([normalised(named[0]), named[1], entry])
        elif entry.endswith(".egg-link"):  # `setup.py develop`: the metadata lies with the sources
            linked = _of_link(site, entry)
            if linked is not None:
                dists.append(linked)
    return {"dists": dists, "tops": [[name for name in names if name != "__pycache__" and "-info" not in name]]}


def _of_link(site: str, entry: str) -> list[str] | None:
    try:
        with open(os.path.join(site, entry), encoding="utf-8") as stream:
            source = stream.readline().strip()
        infos = sorted(name for name in os.listdir(source) if name.endswith(".egg-info"))
    except OSError:
        return None
    wanted = normalised(entry[: -len(".egg-link")])
    for info in infos:
        named = _name_and_version(os.path.join(source, info), info)
        if named is not None and normalised(named[0]) == wanted:
            return [wanted, named[1], os.path.join(source, info)]
    return None


def _name_and_version(place: str, entry: str) -> tuple[str, str] | None:
    """From the head of the metadata, else from the name of its directory."""
    name = version = ""
    for file in (os.path.join(place, "METADATA"), os.path.join(place, "PKG-INFO"), place):
        try:
            with open(file, encoding="utf-8", errors="replace") as stream:
                for line in stream:
                    key, _, value = line.partition(":")
                    if key.lower() == "name":
                        name = name or value.strip()
                    elif key.lower() == "version":
                        version = version or value.strip()
                    if (name and version) or not line.strip():
                        break
            break
        except OSError:
            continue
    if not (name and version):
        stem = entry.rpartition(".")[0].split("-")
        if len(stem) < 2:
            return None
        name, version = stem[0], stem[1]
    return name, version


def _files(place: str) -> list[str]:
    """The full paths that a distribution's RECORD (or installed-files.txt) lists."""
    base = os.path.dirname(place)
    try:
        with open(os.path.join(place, "RECORD"), encoding="utf-8", errors="surrogateescape") as stream:
            lines = [line[1:].partition('"')[0] if line[:1] == '"' else line.partition(",")[0] for line in stream]
    except OSError:
        base = place
        try:
            with open(os.path.join(place, "installed-files.txt"), encoding="utf-8") as stream:
                lines = stream.read().split("\n")
        except OSError:
            return []
    climbing = base == place
    return [
        os.path.normpath(os.path.join(base, line)) if climbing or line.startswith(("..", "/")) else f"{base}/{line}"
        for line in lines
        if line
    ]
