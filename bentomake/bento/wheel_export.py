"""The wheels that the cache has, as a directory for `pip install --no-index --find-links`."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable

from ..engine.content_store import ContentStore, Missing
from ..engine.placing import Placing
from ..engine.trace import ActionCache
from ..engine.tree import Entry
from ..errors import StoreError, UsageError
from . import pins
from .artifacts import Pin, exact, serves, version_of
from .library import Library
from .tag import Tag

_LOCKS = ("env/python/requirements.lock.txt", "env/python/requirements.txt")


def known(actions: ActionCache, store: ContentStore) -> dict[str, Entry]:
    """File name → wheel, of all that images were given; the newest where two have one name."""
    found: dict[str, tuple[float, Entry]] = {}
    for key in list(actions.traces()):
        trace = actions.trace(key)
        if trace is None or trace.rule != "wheelhouse":
            continue
        try:
            tree = store.tree(trace.tree)
        except Missing:
            continue
        for path, entry in tree.items():
            name = os.path.basename(path)
            if version_of(name) and store.has(entry.digest, entry.mode):
                found[name] = max(found.get(name, (0.0, entry)), (trace.at, entry))
    return {name: entry for name, (_, entry) in sorted(found.items())}


def of_bento(wheels: dict[str, Entry], library: Library, tag: Tag) -> dict[str, Entry]:
    """Those that a stored Bento's lock names; StoreError naming what is not here."""
    directory = library.directory(tag)
    path = next((path for path in _LOCKS if os.path.isfile(os.path.join(directory, path))), None)
    if path is None:
        raise UsageError(f"{tag} has no locked requirements.", hint="Was it built with lock_packages: false?")
    with open(os.path.join(directory, path), "rb") as file:
        data = file.read()
    asked = pins.read(
        [("requirements", None)], reader=lambda name: data if name == "requirements" else b"", locked=True
    )
    wanted = [pin for line in asked.lines if (pin := exact(line))]
    found = {name: entry for name, entry in wheels.items() if any(serves(name, pin) for pin in wanted)}
    missing = [pin for pin in wanted if not any(serves(name, pin) for name in found)]
    if missing:
        raise StoreError(
            f"The cache does not have {len(missing)} of the packages of {tag}: {_named(missing)}.",
            hint=f"bentomake containerize {tag} fetches them; what has no wheel is built in the image.",
        )
    return found


def export(wheels: dict[str, Entry], directory: str, store: ContentStore) -> int:
    """Put the wheels into the directory, which may have others; how many are new there."""
    try:
        os.makedirs(directory, exist_ok=True)
        placing, new = Placing(store, directory, reflinks=False), 0
        for name, entry in wheels.items():
            path = os.path.join(directory, name)
            with contextlib.suppress(FileNotFoundError):
                if os.stat(path).st_size == entry.digest.size:
                    continue
                os.unlink(path)
            placing.file(name, entry, own=True)
            new += 1
    except OSError as error:
        raise StoreError(f"{directory} cannot be written: {error.strerror}.") from error
    return new


def _named(wanted: Iterable[Pin]) -> str:
    return ", ".join(f"{pin.name}=={pin.version}" for pin in wanted)
