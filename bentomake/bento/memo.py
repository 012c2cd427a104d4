"""What a selection remembers for the next one: each name's decision, and a file that each pattern matched."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

from ..engine.digest import of_bytes, of_value
from . import ignore
from .patterns import PatternList

Names = dict[str, int]  # `name`: a file; `name/`: a directory; `name//`: a link to a directory
SKIPPED, PACKED = 0, 1  # of a file
PRUNED, ENTERED, WHOLE = 0, 1, 2  # of a directory; WHOLE: of a link to one, the patterns pack the directory as such

_FORMAT = 1
# What is never packed anyway: a pattern that leaves it out is no mistake, even where there is none of it.
_ALWAYS_LEFT_OUT = (".git/x", ".venv/x", "venv/x", "__pycache__/x.pyc", "__pycache__/x.pyo", ".DS_Store")


def fingerprint(include: Sequence[str], exclude: Sequence[str]) -> str:
    return of_value([_FORMAT, list(include), list(exclude)])


class Rules:
    """The .bentoignore files that hold in a directory, the deepest first; `state` is a digest of them."""

    def __init__(self, state: str = "", files: tuple[tuple[int, ignore.Rules], ...] = ()):
        self.state = state
        self._files = files

    def below(self, prefix: str, data: bytes) -> Rules:
        """With one file more, found in the directory `prefix`."""
        start = len(os.fsencode(prefix))
        state = of_bytes(f"{self.state}\0{start}\0".encode() + data).sha256
        return Rules(state, ((start, ignore.Rules(data)), *self._files))

    def ignore(self, path: str, is_directory: bool) -> bool:
        if not self._files:
            return False
        encoded = os.fsencode(path)
        for start, rules in self._files:
            verdict = rules.verdict(encoded[start:], is_directory)
            if verdict is not None:
                return verdict
        return False


class Memo:
    """Decisions by directory, each directory's valid under the same `Rules.state`; all valid for one `key`.

    `witnesses`: "include 0" → a path that the pattern matched. JSON by `to_json`; `from_json` gives None for what is
    not one.
    """

    def __init__(self, key: str, directories: dict[str, tuple[str, Names]], witnesses: dict[str, str]):
        self.key = key
        self.directories = directories
        self.witnesses = witnesses

    def is_as(self, other: Memo | None) -> bool:
        return other is not None and vars(self) == vars(other)

    def names(self, prefix: str, rules: Rules) -> Names:
        state, names = self.directories.get(prefix, ("", {}))
        return names if state == rules.state else {}

    def open(self, prefix: str, rules: Rules) -> Names:
        names: Names = {}
        self.directories[prefix] = (rules.state, names)
        return names

    def look(self, lists: Sequence[PatternList], old: Memo) -> list[tuple[str, int]]:
        """The patterns that match nothing, as (list, index).

        With an old memo, a pattern that it knows to match nothing is tried on the paths that are new; one whose
        witness is gone is tried on all.
        """
        unmatched = []
        for patterns in lists:
            missing: list[int] = []
            lost: list[int] = []
            for index in range(len(patterns.patterns)):
                name = f"{patterns.kind} {index}"
                witness = old.witnesses.get(name)
                if witness is not None and self._sees(witness):
                    self.witnesses[name] = witness
                elif not patterns.is_inert(index):
                    (missing if witness is None and old is not self else lost).append(index)
            found = patterns.find(lost, self._paths(None)) if lost else {}
            if lost and patterns.kind == "exclude":
                found |= patterns.find([index for index in lost if index not in found], _ALWAYS_LEFT_OUT)
            if missing and (new := list(self._paths(old))):
                found |= patterns.find(missing, new)
            self.witnesses.update({f"{patterns.kind} {index}": path for index, path in found.items()})
            unmatched += [(patterns.kind, index) for index in sorted({*lost, *missing} - found.keys())]
        return unmatched

    def _paths(self, without: Memo | None) -> Iterator[str]:
        """Every path that was looked at: files, and directories that were not entered (with a slash at the end)."""
        for prefix, (_, names) in self.directories.items():
            old = without.directories.get(prefix, ("", {}))[1] if without is not None else {}
            if old != names:
                for name, decision in names.items():
                    if old.get(name) != decision and not (decision == ENTERED and name.endswith("/")):
                        yield prefix + (name[:-1] if name.endswith("//") else name)

    def _sees(self, path: str) -> bool:
        """Whether `_paths` has it, or it is one of those that need not be there."""
        prefix, slash, name = path.removesuffix("/").rpartition("/")
        _, names = self.directories.get(prefix + slash, ("", {}))
        if not path.endswith("/"):
            return name in names or path in _ALWAYS_LEFT_OUT
        return names.get(name + "/") == PRUNED or names.get(name + "//", ENTERED) != ENTERED

    def to_json(self) -> Any:
        return {"key": self.key, "directories": self.directories, "witnesses": self.witnesses}

    @classmethod
    def from_json(cls, value: Any) -> Memo | None:
        """Read what `to_json` gave, after a way through a file that may be damaged."""
        try:
            directories = {prefix: (str(state), dict(names)) for prefix, (state, names) in value["directories"].items()}
            if not all({0, 1, 2}.issuperset(names.values()) for _, names in directories.values()):
                return None
            return cls(str(value["key"]), directories, {k: str(v) for k, v in value["witnesses"].items()})
        except (KeyError, TypeError, ValueError, AttributeError):
            return None
