"""The rulebook: `RULES` is its table of contents, in the order in which steps are shown."""

from __future__ import annotations

from .bento import bento
from .dockerfile import dockerfile
from .lock import lock
from .models import models
from .openapi import openapi
from .requirements import requirements
from .service import service
from .sources import sources

RULES = (sources, requirements, lock, service, openapi, models, dockerfile, bento)
