"""One reading of a bentofile: what was found where, and every mistake and remark on the way."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

from ..errors import BentofileError
from . import schema

if TYPE_CHECKING:
    from .yaml_place import Node

MOST = 100  # mistakes, and remarks, that are told one by one
_LONG = 2000
_INDEX = re.compile(r"\[\d+\]")
_PAIR = re.compile(r'\b(?!(?:it|list|dashes|brackets|example): )([A-Za-z_][\w.-]*): (?=["\[{]|true\b|false\b|[0-9])')
_WORD = re.compile(r"\b([A-Za-z_][\w.-]*): (?!true\b|false\b)((?:file:)?[A-Za-z][\w./-]*)(?=[,}]|$)")


class Remark(NamedTuple):
    """A warning: a sentence, where, and what to do."""

    message: str
    place: str | None
    hint: str | None


class Reading:
    """Collects lines, remarks and errors under dotted names; `shown` is how messages name the file."""

    def __init__(self, shown: str, grammar: str = "YAML"):
        self.shown = shown
        self.grammar = grammar
        self.lines: dict[str, int] = {}
        self.errors: list[tuple[int, BentofileError]] = []
        self.remarks: list[tuple[int, Remark]] = []
        self.suggested: set[str] = set()
        self.more = 0

    def error(self, line: int, message: str, hint: str) -> None:
        if len(self.errors) >= MOST:
            self.more += 1
            return
        place = f"{self.shown}:{line}" if line else self.shown
        hint = hint if self.grammar == "YAML" else as_toml(hint)
        self.errors.append((line, BentofileError(message, place=place, hint=hint)))

    def all_errors(self) -> list[tuple[int, BentofileError]]:
        """The errors, and last how many more there are than were kept."""
        if not self.more:
            return self.errors
        hint = "Mend these first."
        return [
            *self.errors,
            (1 << 60, BentofileError(f"There are {self.more} more mistakes.", place=self.shown, hint=hint)),
        ]

    def remark(self, line: int, message: str, hint: str) -> None:
        if len(self.remarks) >= MOST:
            return
        hint = hint if self.grammar == "YAML" else as_toml(hint)
        self.remarks.append((line, Remark(message, f"{self.shown}:{line}" if line else self.shown, hint)))

    def wrong_kind(self, name: str, wanted: str, node: Node, hint: str) -> None:
        self.error(self.lines.get(name, node.line), f"{name} must be {wanted}, not {described(node)}.", hint)

    def missing(self, name: str, line: int, field: schema.Field) -> None:
        if name not in self.suggested:
            self.error(line, f"{name} is missing ({field.meaning}).", f"Write {field.key}: {field.example}")

    def unknown(self, section: str, key: str, line: int) -> None:
        """An error for a key that no option has, with the one that was perhaps meant."""
        import difflib

        if len(self.errors) >= MOST:
            self.more += 1
            return
        general = _INDEX.sub("[]", section)
        allowed = schema.keys(general)
        dotted = f"{section}.{key}" if section else key
        lower = key.lower()
        begun = [name for name in allowed if len(key) > 2 and name.startswith(lower)]
        longer = [name for name in allowed if lower.startswith(f"{name}_")]
        close = sorted(begun, key=len) or longer or difflib.get_close_matches(lower, allowed, n=1)
        elsewhere = [field.name for field in schema.FIELDS if field.key == key and "[]" not in field.name]
        if not section and key in schema.ELSEWHERE:
            hint = schema.ELSEWHERE[key]
        elif close and not (longer and elsewhere):
            meant = f"{section}.{close[0]}" if section else close[0]
            self.suggested.add(meant)
            hint = f"Did you mean {meant}?"
        elif elsewhere:
            hint = f"Did you mean {' or '.join(elsewhere)}?"
        else:
            hint = f"{'Options of ' + section if section else 'Options'} are {', '.join(allowed)}."
        self.error(line, f"{dotted} is not an option of a bentofile.", hint)


def described(node: Node) -> str:
    """What a value is, in a sentence: `a list`."""
    value = node.value
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"the word {node.text or str(value).lower()}" if node.text else "a boolean"
    for kind, words in ((str, "a string"), ((int, float), "a number"), (list, "a list"), (dict, "a mapping")):
        if isinstance(value, kind):
            return words
    return "a date"


def as_toml(hint: str) -> str:
    """What a hint says to write, in TOML instead of YAML: `key = value`, and no dashes before items."""
    if len(hint) > _LONG:
        return hint  # it quotes a long text, and to look for pairs in that is slow
    hint = _PAIR.sub(r"\1 = ", _WORD.sub(r'\1 = "\2"', hint))
    hint = re.sub(r", or - (\w+ = \[[^\]]*\])", r", or {\1}", hint)
    return re.sub(r"\b(Write|it:) - ", r"\1 ", hint).replace("without dashes", "as a table")


def quoted(text: str) -> str:
    """A string as YAML, in double quotes."""
    return json.dumps(text, ensure_ascii=False)
