"""The manifest: everything an action may look at; its digest is the action key, its difference the explanation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from .digest import of_value
from .fact import ABSENT

OWN = "own_"  # begins a kind that tells of the action's own result: that it is another one is no reason, its loss is


class Line(NamedTuple):
    """One thing looked at: `digest` is keyed, `shown` only printed (None: say no more than "changed")."""

    kind: str
    name: str
    digest: str
    shown: str | None = None


class Reason(NamedTuple):
    """One difference between two manifests; `old` and `new` may be printed; digests tell trees apart."""

    kind: str
    name: str
    change: str  # "changed", "added", "removed"
    old: str | None
    new: str | None
    old_digest: str | None = None
    new_digest: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "name": self.name, "change": self.change, "old": self.old, "new": self.new}


class Manifest:
    """An ordered list of lines; equal digests give an equal key, whatever is shown."""

    def __init__(self, lines: Iterable[Line]):
        self.lines: tuple[Line, ...] = tuple(lines)
        self._key: str | None = None

    @property
    def key(self) -> str:
        if self._key is None:
            self._key = of_value([[line.kind, line.name, line.digest] for line in self.lines])
        return self._key

    def extended(self, discovered: Iterable[Line]) -> Manifest:
        """This manifest and what was discovered, each (kind, name) once, in order of kind and name."""
        unique = {(line.kind, line.name): line for line in discovered}
        return Manifest((*self.lines, *(unique[name] for name in sorted(unique))))

    def to_json(self) -> list[list[str | None]]:
        return [list(line) for line in self.lines]

    @classmethod
    def from_json(cls, data: Any) -> Manifest:
        """Read `to_json`; ValueError for any other shape."""
        lines = []
        for item in data:
            kind, name, digest, shown = item
            if not (isinstance(kind, str) and isinstance(name, str) and isinstance(digest, str)):
                raise ValueError("a manifest line holds text")
            if shown is not None and not isinstance(shown, str):
                raise ValueError("a manifest line shows text or nothing")
            lines.append(Line(kind, name, digest, shown))
        return cls(lines)


def diff(old: Manifest, new: Manifest) -> list[Reason]:
    """Every difference, in the new manifest's order, then what is gone."""
    before = {(line.kind, line.name): line for line in old.lines}
    reasons = []
    for line in new.lines:
        was = before.pop((line.kind, line.name), None)
        if was is None:
            # Newly looked for and not there is no cause of anything.
            if line.digest != ABSENT.digest and not line.kind.startswith(OWN):
                reasons.append(Reason(line.kind, line.name, "added", None, line.shown, None, line.digest))
        elif was.digest != line.digest:
            reasons.append(
                Reason(line.kind, line.name, _change(was, line), was.shown, line.shown, was.digest, line.digest)
            )
    reasons.extend(
        Reason(was.kind, was.name, "removed", was.shown, None, was.digest, None)
        for was in before.values()
        if was.digest != ABSENT.digest and not was.kind.startswith(OWN)
    )
    return reasons


def _change(was: Line, now: Line) -> str:
    if was.digest == ABSENT.digest:
        return "added"
    return "removed" if now.digest == ABSENT.digest else "changed"
