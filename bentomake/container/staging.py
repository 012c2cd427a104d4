"""The build context of an image: a directory of links, always at the same path, so that an engine sees what is new."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

from ..engine.content_store import ContentStore
from ..engine.placing import NO_LINK, sound
from ..engine.stat_index import StatIndex
from ..engine.tree import LINK, Tree
from ..errors import StoreError

_SLOTS = 8  # builds of one Bento's images at once


class Slot(NamedTuple):
    """An empty directory for a context, which no other build has, and the lock that says so.

    An engine keeps the lock, too: as long as it runs, the directory is its own, whatever becomes of us.
    """

    directory: str
    lock: int

    @property
    def iidfile(self) -> str:
        """Where an engine may note the id of what it makes of this context."""
        return f"{self.directory}.iid"

    @property
    def scratch(self) -> str:
        """Where an engine may have its temporary files: buildx leaves the Dockerfile that it reads from its input."""
        return f"{self.directory}.tmp"

    def release(self) -> None:
        for directory in (self.directory, self.scratch):
            shutil.rmtree(directory, ignore_errors=True)
        for path in (self.iidfile, f"{self.directory}.lock"):
            with contextlib.suppress(OSError):
                os.unlink(path)
        os.close(self.lock)


def slot(home: str, name: str, *, wait: bool = True) -> Slot:
    """A directory for the context of that name; StoreError if the store cannot be written.

    BlockingIOError if all are taken and nobody is to `wait` for one.

    It stands in `home`/tmp, on the file system of the models: BuildKit remembers what a path had sent by name, size and
    time, so the path depends on `name` only. Library.sweep removes those of dead builds.
    """
    temporary = os.path.join(home, "tmp")
    try:
        os.makedirs(temporary, exist_ok=True)
        found = _free(os.path.join(temporary, f"bentomake-context-{name.replace('/', '-')}"), wait)
    except BlockingIOError:
        raise
    except OSError as error:
        raise StoreError(
            f"{temporary} cannot be written: {error.strerror}.",
            hint="An image is built from links there, beside the models: BENTOML_HOME must be yours to write to.",
        ) from error
    try:
        for directory in (found.directory, found.scratch):
            shutil.rmtree(directory, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(found.iidfile)  # of a build that died: not every engine writes one
        os.mkdir(found.directory, 0o755)
    except OSError:
        found.release()
        raise
    return found


@contextlib.contextmanager
def staged(
    place: Slot,
    tree: Tree,
    beside: Mapping[str, str | bytes],
    store: ContentStore,
    index: StatIndex | None = None,
) -> Iterator[str]:
    """The context's directory, for the time of a build; its slot is free afterwards.

    `tree` comes from the content store; `beside` has what lies elsewhere: path in the context → a file, or bytes. The
    `index` knows those files, and is told of their links. All is hard links; a blob's time depends on its digest.
    """
    directory = place.directory
    linked: list[Callable[[], None]] = []
    try:
        made: set[str] = set()
        for path, entry in tree.items():
            target = f"{directory}/{path}"
            _parents(directory, path, made)
            if entry.mode == LINK:
                os.symlink(os.fsdecode(store.read(entry.digest)), target)
            else:
                _link(sound(store, entry), target, store)
        for path, content in beside.items():
            _parents(directory, path, made)
            target = f"{directory}/{path}"
            if isinstance(content, bytes):
                with open(target, "wb") as file:
                    file.write(content)
                os.chmod(target, 0o644)
                os.utime(target, ns=(0, 0))
            else:
                _link(content, target, store, index)
                if index is not None:
                    linked.append(partial(index.unlink, content, target))
        yield directory
    finally:
        for unlink in linked:
            with contextlib.suppress(OSError):
                unlink()
        place.release()


def _free(path: str, wait: bool) -> Slot:
    number = 0
    while True:
        if number == _SLOTS and not wait:
            raise BlockingIOError(f"{path} and {_SLOTS - 1} more are in use")
        directory = f"{path}-{number}" if number else path
        lock = os.open(f"{directory}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | (fcntl.LOCK_NB if number < _SLOTS else 0))
            with contextlib.suppress(OSError):  # a lock whose file is gone holds nothing
                if os.path.samestat(os.fstat(lock), os.stat(f"{directory}.lock")):
                    return Slot(directory, lock)
            os.close(lock)
            continue
        os.close(lock)
        number += 1


def _parents(directory: str, path: str, made: set[str]) -> None:
    parent = path.rpartition("/")[0]
    if parent and parent not in made:
        _parents(directory, parent, made)
        with contextlib.suppress(FileExistsError):
            os.mkdir(f"{directory}/{parent}")
        os.chmod(f"{directory}/{parent}", 0o755)  # noqa: S103 - whatever the umask: modes are in the image
        made.add(parent)


def _link(source: str, target: str, store: ContentStore, index: StatIndex | None = None) -> None:
    try:
        if index is None:
            os.link(os.path.realpath(source), target)
        else:
            index.link(source, target)
    except OSError as error:
        if error.errno not in NO_LINK:
            raise
        store.notes.append(f"{target} is a copy: no hard link ({os.strerror(error.errno or 0)})")
        shutil.copy2(source, target)
