"""The library: BentoML's own store of Bentos; whole or nothing in, `latest` after, nothing ever rewritten."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from typing import Any

from ..engine.content_store import ContentStore
from ..engine.placing import Placing, reflinks
from ..engine.stat_index import StatIndex, write_atomically
from ..engine.tree import Tree
from ..errors import StoreError, UsageError
from . import yaml_text
from .layout import BENTO_YAML, LATEST, MODELS, SOURCES
from .models import ModelStore, newest
from .tag import Tag

_LINKED = f"{SOURCES}/"  # the rest are files of the Bento's own: real containerize writes into env/ and beside it
_TRIAL = "bentomake-reflink-"  # a file that is made to see whether reflinks work
_DIGEST_LINE = re.compile(rb"^content_digest: ['\"]?sha256:([0-9a-f]{64})['\"]?\s*$", re.MULTILINE)


def home(env: Mapping[str, str]) -> str:
    """$BENTOML_HOME, or ~/bentoml."""
    value = env.get("BENTOML_HOME") or os.path.join(env.get("HOME") or os.path.expanduser("~"), "bentoml")
    return os.path.abspath(os.path.expanduser(value))


class Library:
    """The Bentos below `<home>/bentos`."""

    def __init__(self, home: str):
        self.home = home
        self.root = os.path.join(home, "bentos")

    def directory(self, tag: Tag) -> str:
        assert tag.version is not None
        return os.path.join(self.root, tag.name, tag.version)

    def digest(self, tag: Tag) -> str | None:
        """The content digest that a stored Bento says it has; None for one that bentomake did not build."""
        try:
            with open(os.path.join(self.directory(tag), BENTO_YAML), "rb") as file:
                found = _DIGEST_LINE.search(file.read())
        except OSError:
            return None
        return found.group(1).decode() if found else None

    def install(
        self, tag: Tag, digest: str, tree: Tree, models: Iterable[Tag], store: ContentStore, index: StatIndex
    ) -> tuple[str, list[str]]:
        """Put a Bento in its place: ("new" | "there" | "restored", what was put back).

        The `index` knows the files of the models, and is told of their links.

        UsageError if another Bento has the tag; StoreError if the store cannot be written. A Bento that is there is
        never rewritten: only what is missing (a file, its models/) is put back.
        """
        directory, models = self.directory(tag), list(models)
        try:
            if os.path.isdir(directory):
                return self._complete(tag, digest, tree, models, store, index)
            self._stage(directory, tree, models, store, index)
        except OSError as error:
            raise StoreError(
                f"The Bento store {self.root} cannot be written: {error.strerror or error}.",
                hint="Is BENTOML_HOME a directory that you may write to?",
            ) from error
        return "new", []

    def _complete(
        self, tag: Tag, digest: str, tree: Tree, models: list[Tag], store: ContentStore, index: StatIndex
    ) -> tuple[str, list[str]]:
        there = self.digest(tag)
        directory = self.directory(tag)
        if there is None and os.path.lexists(os.path.join(directory, BENTO_YAML)):
            raise UsageError(
                f"{tag} is in the store already, and bentomake did not build it.",
                hint=f"This build's content digest is sha256:{digest}. Choose another --version.",
            )
        if there not in (None, digest):
            raise UsageError(
                f"{tag} is in the store already, with other content.",
                hint=f"There: sha256:{there}; this build: sha256:{digest}. Choose another --version.",
            )
        gone = [path for path in tree if not os.path.lexists(os.path.join(directory, path))]
        if gone:
            self._placing(store, directory).tree({path: tree[path] for path in gone}, linked=_LINKED)
        missing = [m for m in models if not os.path.isdir(os.path.join(directory, MODELS, m.name, m.version or ""))]
        linked = _link_models(directory, missing, models, ModelStore(self.home), store, index) if missing else []
        put_back = [*gone, *linked]
        return ("restored" if put_back else "there"), put_back

    def _stage(self, directory: str, tree: Tree, models: list[Tag], store: ContentStore, index: StatIndex) -> None:
        temporary = os.path.join(self.home, "tmp")
        os.makedirs(temporary, exist_ok=True)
        os.makedirs(os.path.dirname(directory), exist_ok=True)
        self.sweep()
        name = os.path.join(temporary, f"bentomake-{os.getpid()}-{os.urandom(6).hex()}")
        lock = os.open(f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            os.mkdir(name)
            self._placing(store, name).tree(tree, linked=_LINKED)
            _link_models(name, models, models, ModelStore(self.home), store, index)
            try:
                os.rename(name, directory)
            except OSError:
                if not os.path.isdir(directory):  # else another build of the same content was first
                    raise
        finally:
            shutil.rmtree(name, ignore_errors=True)
            with contextlib.suppress(OSError):
                os.unlink(f"{name}.lock")
            os.close(lock)

    def _placing(self, store: ContentStore, directory: str) -> Placing:
        temporary = os.path.join(self.home, "tmp")
        os.makedirs(temporary, exist_ok=True)
        return Placing(store, directory, reflinks=reflinks(store, os.path.join(temporary, f"{_TRIAL}{os.getpid()}")))

    def sweep(self) -> None:
        """Remove what builds left that died: their lock is free."""
        temporary = os.path.join(self.home, "tmp")
        with contextlib.suppress(OSError):
            for name in os.listdir(temporary):
                path = os.path.join(temporary, name)
                if name.startswith("bentomake-") and name.endswith(".lock"):
                    _sweep_one(path)
                elif name.startswith("bentomake-doomed-") and not _alive(name.split("-")[2]):
                    shutil.rmtree(path, ignore_errors=True)
                elif name.startswith(("bentomake-latest-", _TRIAL)) and not _alive(name.split("-")[2]):
                    os.unlink(path)

    def set_latest(self, tag: Tag) -> None:
        """Make `name:latest` name this version."""
        path = os.path.join(self.root, tag.name, LATEST)
        assert tag.version is not None
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                if file.read() == tag.version:
                    return
        except OSError:
            pass
        try:
            staged = os.path.join(self.home, "tmp", f"bentomake-latest-{os.getpid()}-{os.urandom(6).hex()}")
            write_atomically(staged, tag.version.encode())
            os.replace(staged, path)
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error.strerror}.") from error

    def tags(self, name: str | None = None) -> list[Tag]:
        """The stored Bentos, by name and version."""
        found = []
        for each in sorted(_directories(self.root)) if name is None else [name]:
            for version in sorted(_directories(os.path.join(self.root, each))):
                if os.path.exists(os.path.join(self.root, each, version, BENTO_YAML)):
                    found.append(Tag(each, version))  # noqa: PERF401 - two loops and a condition read better so
        return found

    def resolve(self, text: str) -> Tag:
        """The Bento that `name`, `name:latest`, `name:version` or a unique version prefix means; UsageError if none."""
        tag = Tag.parse(text)
        versions = [t.version or "" for t in self.tags(tag.name)]
        if not versions:
            known = sorted(_directories(self.root))
            raise UsageError(
                f"There is no Bento {tag.name} in {self.root}.",
                hint=f"The store has: {', '.join(known)}." if known else "The store is empty; build one.",
            )
        if tag.version in (None, LATEST):
            try:
                with open(os.path.join(self.root, tag.name, LATEST), encoding="utf-8", errors="replace") as file:
                    latest = file.read().strip()
            except OSError:
                latest = ""
            if latest not in versions:
                latest = max(versions, key=lambda v: self.creation_time(Tag(tag.name, v)))
            return Tag(tag.name, latest)
        assert tag.version is not None
        if tag.version in versions:
            return tag
        matches = [v for v in versions if v.startswith(tag.version)]
        if len(matches) == 1:
            return Tag(tag.name, matches[0])
        if matches:
            raise UsageError(f"{text} names several versions: {', '.join(matches)}.", hint="Write one in full.")
        raise UsageError(f"There is no Bento {text} in {self.root}.", hint=f"{tag.name} has: {', '.join(versions)}.")

    def creation_time(self, tag: Tag) -> str:
        return str(self.info(tag).get("creation_time", ""))

    def info(self, tag: Tag) -> dict[str, Any]:
        """bento.yaml of a stored Bento; StoreError if it cannot be read."""
        path = os.path.join(self.directory(tag), BENTO_YAML)
        try:
            with open(path, "rb") as file:
                return parsed(file.read(), path)
        except OSError as error:
            raise StoreError(f"{path} cannot be read: {error.strerror}.") from error

    def size(self, tag: Tag) -> int:
        """Bytes of a stored Bento without its models."""
        top = self.directory(tag)
        total = 0
        for root, directories, files in os.walk(top):
            if root == top and MODELS in directories:
                directories.remove(MODELS)
            total += sum(os.lstat(os.path.join(root, name)).st_size for name in files)
        return total

    def delete(self, tag: Tag) -> None:
        """Remove a Bento; `latest` then names the newest one left; the name goes with its last version."""
        directory = self.directory(tag)
        doomed = os.path.join(self.home, "tmp", f"bentomake-doomed-{os.getpid()}-{os.urandom(6).hex()}")
        try:
            os.makedirs(os.path.dirname(doomed), exist_ok=True)
            os.rename(directory, doomed)
            shutil.rmtree(doomed)
            left = self.tags(tag.name)
            if left:
                self.set_latest(max(left, key=self.creation_time))
            else:
                shutil.rmtree(os.path.join(self.root, tag.name), ignore_errors=True)
        except OSError as error:
            raise StoreError(f"{tag} cannot be deleted: {error.strerror}.", place=directory) from error


def _alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def _sweep_one(lock_path: str) -> None:
    try:
        fd = os.open(lock_path, os.O_RDWR)
    except OSError:
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(fd), os.stat(lock_path)):  # else its build has ended, and another has the place
            place = lock_path.removesuffix(".lock")
            for directory in (place, f"{place}.tmp"):  # see container.staging.Slot
                shutil.rmtree(directory, ignore_errors=True)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{place}.iid")
            os.unlink(lock_path)
    except OSError:
        pass
    finally:
        os.close(fd)


def _link_models(
    directory: str, missing: list[Tag], models: list[Tag], source: ModelStore, store: ContentStore, index: StatIndex
) -> list[str]:
    """Hard links to the model store's files; on another file system the Bento has none, as a real one never has."""
    linked = []
    latest = newest(models, source.created)
    for tag in missing:
        target = os.path.join(directory, MODELS, tag.name, tag.version or "")
        try:
            for path in source.files(tag):
                link = os.path.join(target, path)
                os.makedirs(os.path.dirname(link), exist_ok=True)
                index.link(os.path.join(source.directory(tag), path), link)
            with open(os.path.join(directory, MODELS, tag.name, LATEST), "w", encoding="utf-8") as file:
                file.write(latest[tag.name].version or "")
            linked.append(f"{MODELS}/{tag.name}/{tag.version}")
        except OSError as error:
            store.notes.append(f"{MODELS}/ is left out of the Bento: {error.strerror}; the model store has {tag}")
            shutil.rmtree(os.path.join(directory, MODELS), ignore_errors=True)
            return []
    return linked


def _directories(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return [entry.name for entry in entries if entry.is_dir()]
    except OSError:
        return []


def parsed(data: bytes, path: str) -> dict[str, Any]:
    """bento.yaml; StoreError if it is none."""
    try:
        info = yaml_text.load(data)
    except ValueError as error:
        raise StoreError(f"{path} cannot be read: {error}.") from error
    return info if isinstance(info, dict) else {}
