"""A bentofile without `service`, or none at all: bentoml 1.4 then takes service.py, bentoml 1.1 wants it said."""

from __future__ import annotations

import os
from collections.abc import Callable

from ..errors import BentofileError, BentomakeError
from . import schema
from .bentofile import DEFAULT_SERVICE, NAME, Bentofile, missing


def complete(bentofile: Bentofile, context: str, watch: Callable[[str], None]) -> Bentofile:
    """The same, with the service that bentoml 1.4 finds by itself; None stays where it finds none.

    That is the one of the context's pyproject.toml, if it names one, else service.py.
    """
    if bentofile.values["service"] is not None:
        return bentofile
    found = _of_pyproject(bentofile, context, watch)
    if found is None:
        path = os.path.join(context, DEFAULT_SERVICE)
        watch(path)
        found = DEFAULT_SERVICE if os.path.isfile(path) else None
    return bentofile._replace(values={**bentofile.values, "service": found})


def judge(bentofile: Bentofile, service: str | None, generation: str | None) -> list[BentomakeError]:
    """An error where a service has to be named, and is not; `service` is what `complete` found."""
    if bentofile.values["service"] is not None or (service is not None and generation != "runner"):
        return []
    if not os.path.lexists(bentofile.path):
        return [missing(os.path.dirname(bentofile.path))]
    field = schema.BY_NAME["service"]
    hint = f"Write {field.key}: {field.example}"
    if generation == "class":
        hint += f", or call its file {DEFAULT_SERVICE}."
    return [BentofileError(f"service is missing ({field.meaning}).", place=bentofile.place("service"), hint=hint)]


def _of_pyproject(bentofile: Bentofile, context: str, watch: Callable[[str], None]) -> str | None:
    from . import pyproject

    path = os.path.join(context, pyproject.NAME)
    watch(path)
    if os.path.basename(bentofile.path) != NAME or not pyproject.configured(path):
        return None
    with open(path, "rb") as file:
        root = pyproject.read(file.read(), pyproject.NAME).root
    pair = root.value.get("service") if root is not None and isinstance(root.value, dict) else None
    return str(pair.node.value) if pair is not None and isinstance(pair.node.value, str) else None
