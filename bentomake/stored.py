"""A Bento of the store as a binding: what `containerize TAG` gives the rules, whoever built the Bento."""

from __future__ import annotations

import os
import stat
import sys
import threading
from functools import cached_property, partial
from typing import Any

from . import model_facts
from .bento.belonging import belonging
from .bento.epoch import epoch
from .bento.hub import hub_files
from .bento.layout import BUILDKIT, DOCKERFILE
from .bento.library import Library, home
from .bento.models import ModelStore
from .bento.tag import Tag
from .container.begun import HeadStart
from .engine.digest import of_bytes
from .engine.fact import ABSENT, Fact
from .engine.fresh import mac
from .engine.rule import Tool
from .engine.stat_index import StatIndex
from .engine.tree import EXECUTABLE, FILE, LINK, Dumped, Entry, dumped
from .errors import StoreError
from .imaging import Imaging
from .origins import looked_at, origin_of
from .session import Session
from .toolchain import find_tool


class StoredBento:
    """The Binding of a stored Bento. `origin` is that of its name, so that an explanation names the version before."""

    label = ""

    def __init__(self, tag: Tag, session: Session, head_start: HeadStart | None = None):
        self.settings = session.settings
        self.tag = tag
        self.home = home(session.settings.env)
        self.directory = Library(self.home).directory(tag)
        self.origin = origin_of(self.home, tag.name)
        self._session = session
        self._lock = threading.RLock()
        self.index = StatIndex(looked_at(session.settings, self.home, tag))
        self.models = ModelStore(self.home)
        self.model_index = model_facts.index_of(session.settings, self.home)
        self.imaging = Imaging(session.settings, session.key, session.store, self.home, self.model_index)
        self.imaging.head_start = head_start

    def ahead(self) -> None:
        """Let the engine answer first what it will be asked."""
        for name in (BUILDKIT, DOCKERFILE):
            path = os.path.join(self.directory, name)
            if os.path.isfile(path):
                with open(path, encoding="utf-8", errors="replace") as file:
                    self.imaging.ahead(file.read(), [str(self.tag)])
                return

    @property
    def facts(self) -> StoredBento:
        return self

    def param(self, name: str) -> Any:
        if name == "lock.platform":
            return self.imaging.platform
        return self.imaging.param(name)

    def place(self, name: str) -> str | None:
        return None  # no bentofile is at hand

    def secret(self, name: str) -> bool:
        return name in ("image.secrets", "image.build_args")

    def oracle(self, name: str) -> Any:
        if name == "image.engine":
            return self.imaging.engine
        if name == "arch":
            return os.uname().machine
        if name == "source_date_epoch":
            return epoch(self.settings.env)
        raise KeyError(name)

    def tool(self, name: str) -> Tool:
        return find_tool(name)

    def ask(self, kind: str, name: str) -> Fact:
        with self._lock:
            if kind in self.imaging.KINDS:
                return self.imaging.ask(kind, name)
            if kind == "env":
                value = self.settings.env.get(name)
                return ABSENT if value is None else Fact(mac(self._session.key, value), None, value)
            if kind == "model" and not self.models.resolve(Tag.parse(name)):
                inner = ModelStore(self.directory)  # of an imported Bento, its models may lie in it
                return model_facts.ask(kind, name, inner, self._session.watch, self.index)
            return model_facts.ask(kind, name, self.models, self._session.watch, self.model_index)

    # the Bento's files

    def source(self, name: str) -> Dumped:
        with self._lock:
            return self._packed

    def fetch(self, name: str, path: str) -> str:
        return os.path.join(self.directory, path)

    @cached_property
    def _packed(self) -> Dumped:
        """What belongs to the Bento."""
        tree: dict[str, Entry] = {}
        for path, st in belonging(self.directory).items():
            full = os.path.join(self.directory, path)
            try:
                if stat.S_ISLNK(st.st_mode):
                    tree[path] = Entry(of_bytes(os.fsencode(os.readlink(full))), LINK)
                else:
                    tree[path] = Entry(self.index.digest(full, st), EXECUTABLE if st.st_mode & 0o100 else FILE)
            except OSError as error:
                raise StoreError(f"{full} cannot be read: {error.strerror}.") from error
        return dumped(tree)

    # the machine

    def host(self, name: str) -> Any:
        match name:
            case "image":
                return self.imaging
            case "model_files":
                return lambda tag: self.models.where(tag) or ModelStore(self.directory).where(tag)
            case "hub_files":
                return partial(hub_files, self.settings.env)
            case "python":
                return sys.executable
            case "env":
                return self.settings.env
        raise KeyError(name)

    def save(self) -> None:
        self.index.save()
        self.model_index.save()
