"""A query for models by their labels: `label:KEY` and `label:KEY=VALUE`, comma-separated; all of them must hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import UsageError

GRAMMAR = "`label:KEY` and `label:KEY=VALUE`, with commas between several, all of which must hold"
Query = list[tuple[str, "str | None"]]


def parse(text: str) -> Query:
    """The labels that a query asks for, (key, value or None for any); UsageError for anything else."""
    found: Query = []
    for term in text.replace(",", " ").split():
        kind, colon, label = term.partition(":")
        key, equals, value = label.partition("=")
        if kind != "label" or not colon or not key or (equals and not value):
            raise UsageError(f"`{term}` is not a query for models.", hint=f"Write {GRAMMAR}.")
        found.append((key, value if equals else None))
    if not found:
        raise UsageError("The query for models is empty.", hint=f"Write {GRAMMAR}.")
    return found


def matches(query: Query, labels: Mapping[str, Any] | None) -> bool:
    """Whether a model with these labels is one that the query asks for."""
    has = labels or {}
    return all(key in has and (value is None or str(has[key]) == value) for key, value in query)
