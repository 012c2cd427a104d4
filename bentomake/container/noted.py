"""The files in which an engine notes what it made: the image's id, and its metadata."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from typing import Any

from ..errors import StoreError
from .options import Options
from .request import Request


def forget(options: Options) -> None:
    """Nothing of an earlier build is where this one is to be noted, as with docker; StoreError if that cannot be."""
    for path in filter(None, map(options.value, ("iidfile", "metadata-file"))):
        with _writing(path):
            if os.path.isfile(path):
                os.unlink(path)
            os.stat(os.path.dirname(path) or ".")


def noted_id(request: Request) -> str | None:
    """The id that the engine wrote into its iidfile or metadata file."""
    for path in filter(None, (request.iidfile, request.options.value("iidfile"))):
        with contextlib.suppress(OSError), open(path, encoding="utf-8") as file:
            return with_algorithm(file.read().strip())
    told = metadata(request)
    return told.get("containerimage.config.digest") or told.get("containerimage.digest")


def metadata(request: Request) -> dict[str, Any]:
    """What the engine wrote into its metadata file, if it did."""
    for path in filter(None, (request.metadata_file, request.options.value("metadata-file"))):
        with contextlib.suppress(OSError, ValueError), open(path, encoding="utf-8") as file:
            told: dict[str, Any] = json.load(file)
            return told
    return {}


def noted(found: str, request: Request) -> str:
    """The id, once it is in the iidfiles that are wanted and the engine did not write."""
    for path in filter(None, (request.iidfile, request.options.value("iidfile"))):
        with contextlib.suppress(OSError), open(path, encoding="utf-8") as file:
            if file.read() == found:
                continue  # an engine that ran as root wrote it: nobody else may
        note(path, found)
    return found


def note(path: str, text: str) -> None:
    """Write such a file; StoreError if that cannot be."""
    with _writing(path), open(path, "w", encoding="utf-8") as file:
        file.write(text)


@contextlib.contextmanager
def _writing(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}.") from error


def with_algorithm(text: str) -> str:
    """A digest as `sha256:…`, however an engine writes it."""
    return text if not text or ":" in text else f"sha256:{text}"
