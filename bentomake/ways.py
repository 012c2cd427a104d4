"""Ways to the machine for the recipes of a project: in no key, since they cannot change a result or are facts, too."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from .bento.context_file import leads_out
from .bento.hub import hub_files
from .bento.models import ModelStore
from .bento.tag import Tag
from .packing import Packing
from .remembered import Remembered
from .service.facts import ServiceFacts
from .service.interpreter import Interpreter
from .service.look import Looked, look
from .service.packages import Packages
from .workspace import Settings

if TYPE_CHECKING:
    from .imaging import Imaging


class Known(Protocol):
    """What a project knows, each when it is asked for."""

    context: str
    imaging: Imaging | None
    remembered: Remembered
    settings: Settings

    @property
    def home(self) -> str: ...
    @property
    def interpreter(self) -> Interpreter: ...
    @property
    def models(self) -> ModelStore: ...
    @property
    def packages(self) -> Packages: ...
    @property
    def packing(self) -> Packing: ...
    @property
    def roots(self) -> Mapping[str, str]: ...
    @property
    def service_facts(self) -> ServiceFacts: ...


class Ways:
    """What rule.Context.host gives a recipe of this project."""

    def __init__(self, project: Known):
        self._project = project

    def way(self, name: str) -> Any:
        """The way of that name; KeyError if there is none."""
        project = self._project
        match name:
            case "installed":
                return project.packages.versions
            case "python":
                return project.interpreter.path
            case "read":
                return self._read
            case "leads_out":
                return partial(leads_out, project.context)
            case "names":
                return self._names
            case "look":
                return self._look
            case "link":
                return project.packing.link
            case "changed":
                return self._changed
            case "owner":
                return project.packages.owner
            case "model_info":
                return lambda tag: project.models.info(Tag.parse(tag))
            case "model_labels":
                return lambda name: {
                    version: project.models.info(Tag(name, version)).get("labels") or {}
                    for version in project.models.versions(name)
                }
            case "model_names":
                return project.models.names
            case "git_commit":
                return project.remembered.git_commits.get
            case "keep_git_commit":
                return project.remembered.git_commits.keep
            case "first_built":
                return project.remembered.first_built
            case "image":
                return project.imaging
            case "model_files":
                return project.models.where
            case "hub_files":
                return partial(hub_files, project.settings.env)
            case "env":
                return project.settings.env
        raise KeyError(name)

    def _read(self, name: str) -> bytes:
        root, _, path = name.partition("/")
        with open(os.path.join(self._project.roots[root], path), "rb") as file:
            return file.read()

    def _names(self, name: str) -> list[str]:
        root, _, path = name.partition("/")
        return sorted(os.listdir(os.path.join(self._project.roots[root], path)))

    def _look(
        self, service: str, aliases: Mapping[str, str], workdir: str, args: Mapping[str, Any], also: Sequence[str]
    ) -> Looked:
        looked = look(
            self._project.interpreter,
            self._project.context,
            self._project.home,
            service,
            aliases=aliases,
            hf_revisions=self._project.remembered.hub_commits,
            timeout=self._project.settings.import_timeout,
            env=self._project.settings.env,
            workdir=workdir,
            args=args,
            also=also,
        )
        self._project.remembered.keep_hub_commits(looked.result.get("hf_revisions") or {})
        return looked

    def _changed(self, seen: Mapping[str, list[int]]) -> str | None:
        """The first file that is not as it was when the service saw it ([size, mtime in ns])."""
        for name, (size, mtime) in seen.items():
            try:
                st = os.stat(self._project.service_facts.path(name))
            except OSError:
                return name
            if (st.st_size, st.st_mtime_ns) != (size, mtime):
                return name
        return None
