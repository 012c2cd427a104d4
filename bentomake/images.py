"""Images: what a build says of those that it made, or found made."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from .engine.action import Outcome
from .engine.content_store import ContentStore, Missing
from .errors import StoreError


class Image(NamedTuple):
    """An image that an engine has now, or that was sent where its user wanted it."""

    tags: list[str]
    id: str | None
    digest: str | None
    platform: str | None
    size: int | None  # bytes
    engine: str

    @classmethod
    def of(cls, described: dict[str, Any]) -> Image:
        return cls(**{name: described[name] for name in cls._fields})


def images(outcomes: Iterable[Outcome], store: ContentStore) -> list[Image]:
    """What the actions of the rule `image` made, or found made; StoreError if that cannot be read."""
    found = []
    for outcome in outcomes:
        if outcome.action.rule.name == "image" and outcome.tree is not None:
            try:
                tree = store.tree(outcome.tree)
                found.append(Image.of(json.loads(store.read(tree["image.json"].digest))))
            except (Missing, ValueError, KeyError, TypeError, AttributeError) as error:
                raise StoreError(
                    f"What the cache says of the image cannot be read: {error}.", hint="Make it anew, with -B."
                ) from error
    return found
