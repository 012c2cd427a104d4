"""A fact: the digest of something outside (a file, a variable, an installed version), and how it may be shown."""

from typing import Any, NamedTuple, Protocol


class Fact(NamedTuple):
    """`digest` is what the key holds; `shown` what an explanation may print (None: say only "changed")."""

    digest: str
    shown: str | None = None
    value: Any = None  # for the recipe that asked; in no key and no trace


class Facts(Protocol):
    """Whoever can answer. A kind is one word (`file`, `env`, `installed`); names are relative to a named root."""

    def ask(self, kind: str, name: str) -> Fact: ...


ABSENT = Fact("absent", "absent")
