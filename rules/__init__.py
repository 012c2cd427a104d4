"""The rulebook: `RULES` is its table of contents, in the order in which steps are shown."""

from __future__ import annotations

from .bento import bento
from .commits import commits
from .described import described
from .dockerfile import dockerfile
from .image import image
from .lock import lock
from .models import models
from .openapi import openapi
from .pinned import pinned
from .requirements import requirements
from .sdists import sdists
from .service import service
from .sources import sources
from .stored import bento as stored
from .wheelhouse import wheelhouse

RULES = (
    *(sources, requirements, commits, sdists, lock, service, described, openapi, models, dockerfile, bento),
    *(pinned, wheelhouse, image),
)
# The same for a Bento that is in the store already, whoever built it.
STORED = (stored, pinned, wheelhouse, image)
