"""A tag: the name and version of a Bento or a model, `name:version`."""

import re
from typing import NamedTuple

from ..errors import UsageError

LONGEST = 63
GRAMMAR = (
    "lower-case letters, digits, '-', '_' and '.'; it begins and ends with a letter or a digit; "
    f"at most {LONGEST} characters"
)
_PART = re.compile(r"[a-z0-9](?:[-._a-z0-9]*[a-z0-9])?")
PATTERN = r"[A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?"  # for a schema: as people may write it, before it is lowered


def fits(part: str) -> bool:
    """Whether a name or a version, already in lower case, follows the grammar."""
    return len(part) <= LONGEST and _PART.fullmatch(part) is not None


def part(text: str, what: str) -> str:
    """A name or a version in lower case; UsageError that shows the grammar if it does not follow it."""
    lower = text.lower()
    if not fits(lower):
        raise UsageError(f"`{text}` is not the {what} of a tag.", hint=f"Allowed are {GRAMMAR}.")
    return lower


class Tag(NamedTuple):
    """A name, and a version or None; `latest` is a version like any other here: a store knows what it names."""

    name: str
    version: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Tag":
        """Read `name` or `name:version`, in lower case as BentoML does; UsageError for anything else."""
        name, colon, version = text.partition(":")
        if colon and not version and fits(name.lower()):
            raise UsageError(f"The tag `{text}` ends with a colon.", hint=f"Did you mean `{name}:latest`?")
        return cls(part(name, "name"), part(version, "version") if colon else None)

    def __str__(self) -> str:
        return self.name if self.version is None else f"{self.name}:{self.version}"
