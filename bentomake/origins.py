"""Bentos of one origin, a store and a name: where what is known of them lies, and who publishes their sources."""

from __future__ import annotations

import contextlib
import os
import re
from typing import TYPE_CHECKING

from .engine.digest import of_value
from .engine.stat_index import write_atomically
from .errors import StoreError

if TYPE_CHECKING:
    from .bento.tag import Tag
    from .workspace import Settings

_ADDRESS = re.compile(r"https?://[^\s@]+")  # what lies in the cache may be planted


def origin_of(where: str, name: str) -> str:
    """Which stored Bentos these are, whatever their version: the store and their name, as a digest."""
    return of_value(["bento", os.path.realpath(where), name])[:16]


def looked_at(settings: Settings, where: str, tag: Tag) -> str:
    """The file of what is known of a stored Bento's files, once its image was asked for."""
    return settings.state("bentos", origin_of(where, tag.name), f"{tag.version}.json")


def note_published(settings: Settings, where: str, name: str, address: str | None) -> None:
    """Remember where the sources of Bentos of that name are published, for their images; None: nobody knows."""
    if address != published(settings, where, name):
        with contextlib.suppress(StoreError):
            write_atomically(_published(settings, where, name), (address or "").encode())


def published(settings: Settings, where: str, name: str) -> str | None:
    """Where the sources of Bentos of that name are published, as the last build of one here found it."""
    with contextlib.suppress(OSError, ValueError), open(_published(settings, where, name), encoding="utf-8") as file:
        found = _ADDRESS.fullmatch(file.read(4096))
        return found and found[0]
    return None


def _published(settings: Settings, where: str, name: str) -> str:
    return settings.state("published", origin_of(where, name))
