"""Where the branches of git requirements were found: kept for a project until --upgrade."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from ..engine.stat_index import write_atomically

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


class GitCommits:
    """Commit by `NAME URL@REF`. What `upgrade` names (`*`: all) is not known until it is kept anew."""

    def __init__(self, path: str, upgrade: Sequence[str] = ()):
        self._path = path
        self._upgrade = {re.sub(r"[-_.]+", "-", name).lower() for name in upgrade}
        self._anew: set[str] = set()
        self._known = self._read()

    def get(self, name: str) -> str | None:
        asked = "*" in self._upgrade or name.partition(" ")[0] in self._upgrade
        return None if asked and name not in self._anew else self._known.get(name)

    def keep(self, name: str, commit: str) -> None:
        self._anew.add(name)
        if self._known.get(name) != commit:
            self._known[name] = commit
            write_atomically(self._path, json.dumps(self._known).encode())

    def _read(self) -> dict[str, str]:
        try:
            with open(self._path, encoding="utf-8") as file:
                data = json.load(file)
            return {str(name): commit for name, commit in data.items() if _COMMIT.fullmatch(commit)}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}
