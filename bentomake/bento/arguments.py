"""A file of template arguments (`--arg-file`): YAML, a mapping of names to values."""

from __future__ import annotations

from typing import Any

from ..errors import BentofileError, UsageError


def read(path: str, shown: str) -> dict[str, Any]:
    """The arguments of a YAML file as JSON types; UsageError with the line of what is wrong."""
    from . import groups, yaml_place
    from .bentofile import raise_all
    from .reading import Reading
    from .schema import BY_NAME, MAX_BYTES

    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{shown} cannot be read: {(error.strerror or str(error)).lower()}.") from None
    root, problems = yaml_place.read(data, shown, "file of arguments")
    reading = Reading(shown)
    reading.errors += problems
    if root is None or root.value is None:
        return {}
    if not isinstance(root.value, dict):
        message = "A file of arguments must be a mapping of names to values."
        raise BentofileError(message, place=f"{shown}:{root.line}", hint="Write `name: value`.")
    found = groups.mapping(reading, BY_NAME["args"], "args", root)
    raise_all(reading.all_errors())
    return found
