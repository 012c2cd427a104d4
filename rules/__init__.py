"""The rulebook: its tables of contents, each in the order in which steps are shown.

They are functions because a command imports the rules that it needs, and no others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bentomake.engine.rule import Rule


def building() -> Sequence[Rule]:
    """Of a bentofile."""
    from .bento import bento
    from .commits import commits
    from .described import described
    from .dockerfile import dockerfile
    from .lock import lock
    from .models import models
    from .openapi import openapi
    from .requirements import requirements
    from .sdists import sdists
    from .service import service
    from .sources import sources

    made = (sources, requirements, commits, sdists, lock, service, described, openapi, models, dockerfile, bento)
    return (*made, *_imaging())


def containerizing() -> Sequence[Rule]:
    """The same for a Bento that is in the store already, whoever built it."""
    from .stored import bento

    return (bento, *_imaging())


def _imaging() -> Sequence[Rule]:
    from .image import image
    from .pinned import pinned
    from .wheelhouse import wheelhouse

    return (pinned, wheelhouse, image)
