"""A project: one bentofile in its context, and all that it gives the rules bound to it."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from . import model_facts
from .bento import targets, unnamed_service
from .bento.bentofile import Bentofile
from .bento.epoch import epoch
from .bento.library import home
from .bento.models import ModelStore
from .bento.published import published
from .engine.digest import of_value
from .engine.fact import ABSENT, Fact
from .engine.fresh import Watch, mac
from .engine.rule import Tool
from .engine.stat_index import StatIndex
from .engine.trace import ActionCache
from .engine.tree import Dumped
from .packing import Packing
from .remembered import Remembered
from .service.facts import ServiceFacts
from .service.interpreter import Interpreter, choose, watched
from .service.packages import Packages
from .toolchain import find_tool, tool_directory
from .ways import Ways
from .workspace import Settings

if TYPE_CHECKING:
    from .imaging import Imaging

_RUNNER = re.compile(r"1\.[01](?!\d)")  # before 1.2; a version that says nothing (`0+unknown`) is of today


class Project:
    """The Binding of one bentofile. What it asks of the machine, it tells to `watch`, for fresh."""

    def __init__(
        self,
        label: str,
        bentofile: Bentofile,
        context: str,
        settings: Settings,
        cache: ActionCache,
        key: bytes,
        watch: Watch,
        moved: Callable[[str, str, int, int], None],
    ):
        self.label = label
        self.context = os.path.realpath(context)
        self.settings = settings
        self.watch = watch
        self._key = key
        self._lock = threading.RLock()
        self.origin = of_value([self.context, os.path.realpath(bentofile.path)])[:16]
        self._hashes = lambda path, done, total: moved(label, f"hashes {os.path.basename(path)}", done, total)
        self.index = StatIndex(settings.state("projects", self.origin, "stat.json"), self._hashes)
        self.remembered = Remembered(settings, self.origin, cache)
        self.remarks: list[Any] = list(bentofile.remarks)
        self.written = bentofile
        self.bentofile = unnamed_service.complete(bentofile, self.context, watch.path)
        self.imaging: Imaging | None = None  # where an image is a goal
        watch.path(bentofile.path)
        watch.path(os.path.dirname(bentofile.path))

    # parameters

    def param(self, name: str) -> Any:
        if name.startswith("image."):
            return None if self.imaging is None else self.imaging.param(name)
        own = {
            "name": self.settings.name,
            "build.version": self.settings.version,
            "build.labels": dict(self.settings.labels),
            "lock.locker": self.settings.locker,
            "lock.upgrade": list(self.settings.upgrade),
            "lock.platform": self.settings.platform,
            "lock.hashes": self.settings.hashes,
            "docker.libc": targets.libc(self.bentofile.values),
            "docker.said": targets.said(self.bentofile.values),
            "args": {**self.bentofile.values["args"], **self.settings.args},
            "python.is_src_layout": self.source_layout,
        }
        if name == "models.aliases":
            return [model for model in self.bentofile.values["models"] if model.get("alias")]
        if own.get(name) is not None or name.startswith(("build.", "lock.", "docker.libc")):
            return own.get(name)
        return self.bentofile.values[name]

    def place(self, name: str) -> str | None:
        return self.bentofile.place(name)

    def secret(self, name: str) -> bool:
        return name in ("envs", "image.secrets", "image.build_args")  # their values may be credentials

    # oracles

    def oracle(self, name: str) -> Any:
        if name == "python.version":
            return self.interpreter.python_version
        if name == "image.engine" and self.imaging is not None:
            return self.imaging.engine
        if name == "bentoml.version":
            return self.interpreter.bentoml
        if name == "generation":
            return "runner" if _RUNNER.match(self.interpreter.bentoml or "") else "class"
        if name == "arch":
            return targets.on_linux(self.interpreter.machine)
        if name == "source_date_epoch":
            return epoch(self.settings.env)
        raise KeyError(name)

    @cached_property
    def interpreter(self) -> Interpreter:
        found = choose(self.settings.python, self.context, self.settings.env, self.settings.state("interpreters"))
        for path in watched(found):
            self.watch.path(path)
        return found

    @cached_property
    def packages(self) -> Packages:
        return Packages(self.interpreter.site, self.settings.state("interpreters"))

    def tool(self, name: str) -> Tool:
        with self._lock:
            self.watch.path(tool_directory(name))
            return find_tool(name)

    # facts

    @cached_property
    def home(self) -> str:
        return home(self.settings.env)

    @cached_property
    def models(self) -> ModelStore:
        return ModelStore(self.home)

    def published(self, _name: str = "") -> str | None:
        """Where the sources are published, if the context is in a git checkout, whatever the Bento's name."""
        return published(self.context)

    @property
    def facts(self) -> Project:
        return self

    def ask(self, kind: str, name: str) -> Fact:
        if self.imaging is not None and kind in self.imaging.KINDS:
            return self.imaging.ask(kind, name)
        with self._lock:
            if kind in model_facts.KINDS:
                return model_facts.ask(kind, name, self.models, self.watch, self.model_index)
            if kind == "hf":
                pinned = self.remembered.hub_commits.get(name)
                return ABSENT if pinned is None else Fact(pinned, pinned)
            if kind == "git":
                commit = self.remembered.git_commits.get(name)
                return ABSENT if commit is None else Fact(commit, commit[:12])
            fact = self.service_facts.ask(kind, name)
            if kind == "env":
                value = self.settings.env.get(name)
                self.watch.variable(name, value)
                return fact._replace(value=value)
            return fact

    @cached_property
    def model_index(self) -> StatIndex:
        return model_facts.index_of(self.settings, self.home, self._hashes)

    @cached_property
    def service_facts(self) -> ServiceFacts:
        return ServiceFacts(
            self.roots,
            self.interpreter.site,
            self.packages,
            lambda path: self.index.digest(path).sha256,
            lambda text: mac(self._key, text),
            self.watch.path,
            self.settings.env,
        )

    @cached_property
    def roots(self) -> dict[str, str]:
        roots = {"ctx": self.context, "home": os.path.realpath(self.home)}
        return roots | {f"path{index}": path for index, path in enumerate(self.interpreter.paths)}

    # sources

    @cached_property
    def packing(self) -> Packing:
        cache, home_ = os.path.realpath(self.settings.cache), os.path.realpath(self.home)
        never = [home_, *(os.path.join(home_, name) for name in ("bentos", "models", "tmp")), cache]
        memo = self.settings.state("projects", self.origin, "selection.json")
        return Packing(
            self.bentofile, self.context, never, memo, self.watch, self.index, lambda: bool(self.source_layout)
        )

    @cached_property
    def source_layout(self) -> bool:
        """python.is_src_layout; where a pyproject.toml does not say it, a src/ beside that file does."""
        said = self.bentofile.values["python.is_src_layout"]
        if said is None:
            directory = os.path.join(os.path.dirname(self.bentofile.path), "src")
            self.watch.path(directory)
            return os.path.isdir(directory)
        return bool(said)

    def source(self, name: str) -> Dumped:
        with self._lock:
            return self.packing.tree

    def fetch(self, name: str, path: str) -> str:
        return self.packing.source(path)

    # the machine

    def host(self, name: str) -> Any:
        """Ways to the machine that no key holds; see rule.Context.host."""
        return self._ways.way(name)

    @cached_property
    def _ways(self) -> Ways:
        return Ways(self)

    def save(self) -> None:
        self.index.save()
        if "model_index" in vars(self):
            self.model_index.save()
