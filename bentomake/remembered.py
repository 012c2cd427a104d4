"""What a project remembers between builds: commits that names of elsewhere were found at, and when a Bento was new."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property

from .bento.git_commits import GitCommits
from .engine.stat_index import write_atomically
from .engine.trace import ActionCache
from .workspace import Settings


class Remembered:
    """The memory of one project; `--upgrade` makes it forget commits."""

    def __init__(self, settings: Settings, origin: str, cache: ActionCache):
        self._settings = settings
        self._origin = origin
        self._cache = cache
        self._anew = settings.upgrade == ("*",)

    @cached_property
    def git_commits(self) -> GitCommits:
        return GitCommits(self._file("git_commits.json"), self._settings.upgrade)

    @property
    def hub_commits(self) -> dict[str, str]:
        """The commits that HuggingFaceModels were resolved to: kept until `--upgrade`."""
        return {} if self._anew else self._hub_commits

    def keep_hub_commits(self, found: Mapping[str, str]) -> None:
        self._anew = False
        if any(self._hub_commits.get(name) != commit for name, commit in found.items()):
            self._hub_commits.update(found)
            write_atomically(self._file("hf_revisions.json"), json.dumps(self._hub_commits).encode())

    @cached_property
    def _hub_commits(self) -> dict[str, str]:
        try:
            with open(self._file("hf_revisions.json"), encoding="utf-8") as file:
                data = json.load(file)
            return {str(k): str(v) for k, v in data.items()}
        except (OSError, ValueError, AttributeError):
            return {}

    def _file(self, name: str) -> str:
        return self._settings.state("projects", self._origin, name)

    def first_built(self, digest: str, source_date_epoch: str | None) -> str:
        """creation_time: SOURCE_DATE_EPOCH, else when this content was first built here (ISO, UTC)."""
        import datetime

        utc = datetime.timezone.utc
        if source_date_epoch:
            return datetime.datetime.fromtimestamp(int(source_date_epoch), utc).isoformat(timespec="microseconds")
        name = f"first/{digest}"
        known = self._cache.read(name)
        first = known if isinstance(known, str) else datetime.datetime.now(utc).isoformat(timespec="microseconds")
        self._cache.write(name, first, days=365)
        return first
