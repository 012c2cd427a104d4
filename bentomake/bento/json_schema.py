"""The JSON Schema of a bentofile, made of the same definitions that read one: for editors."""

from __future__ import annotations

from typing import Any

from . import distros, tag, yaml_place
from .schema import FIELDS, SECTIONS, VARIABLE, Field

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TEXT = {"type": "string", "minLength": 1, "pattern": r"\S"}
_SCALAR = {"type": ["string", "number", "boolean"]}
_PART = tag.PATTERN
_INSIDE = r"^(?![/~$])(?!(.*/)?\.\.(/|$))"  # a path that stays below the build context, as plain ones are written
_VARIABLE = f"^{VARIABLE}$"
_PYTHON = r"^([3-9]\.([89]|[1-9]\d)(\.\w+)?|None)?$"
_PATTERN = {"type": "string", "minLength": 1, "not": {"pattern": r"^!$"}}
_SHORT = sorted({version.rpartition(".")[0] for version in distros.CUDA})
_CUDA = [*distros.CUDA, *_SHORT, "11", "12", "default", "", "None", 11, 12, *(float(short) for short in _SHORT)]


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


KINDS: dict[str, dict[str, Any]] = {
    "string": _TEXT,
    "service": {"type": "string", "pattern": r"^$|\S"},
    "description": _TEXT,
    "text": _SCALAR,
    "name": {"type": "string", "pattern": f"^{_PART}$", "maxLength": tag.LONGEST},
    "tag": {"type": "string", "pattern": f"^{_PART}(:{_PART})?$"},
    "variable": {"type": "string", "pattern": _VARIABLE},
    "boolean": {"type": "boolean"},
    "strings": _list(_TEXT),
    "strings or one": {"anyOf": [_TEXT, _list(_TEXT)]},
    "patterns": _list(_PATTERN),
    "path": {**_TEXT, "pattern": _INSIDE},
    "parent path": {**_TEXT, "pattern": r"^[^/~$]"},
    "paths": _list({**_TEXT, "pattern": _INSIDE}),
    "version": {"type": ["string", "number"]},
    "python": {"anyOf": [{"type": "string", "pattern": _PYTHON}, {"enum": [3.8, 3.9, 3.11, 3.12, 3.13, 3.14]}]},
    "cuda": {"enum": _CUDA},
    "labels": {"type": "object", "additionalProperties": _SCALAR},
    "env": {
        "anyOf": [
            {"type": "string", "pattern": _INSIDE, "not": {"pattern": "="}},
            _list({"type": "string", "pattern": f"^{VARIABLE}="}),
            {"type": "object", "propertyNames": {"pattern": _VARIABLE}, "additionalProperties": _SCALAR},
        ]
    },
    "query": {
        "type": "string",
        "pattern": r"^[\s,]*label:[^\s,=]+(=[^\s,]+)?([\s,]+label:[^\s,=]+(=[^\s,]+)?)*[\s,]*$",
    },
    "mapping": {"type": "object"},
    "list": {"type": "array"},
}
_OR_EMPTY = ("string", "description", "name", "query", "path", "parent path", "strings or one")


def schema() -> dict[str, Any]:
    """The whole schema, as JSON data."""
    return {
        "$schema": DIALECT,
        "title": "bentofile",
        "description": "How a Bento is built: bentofile.yaml, or the table [tool.bentoml.build] of a pyproject.toml.",
        **_section(""),
    }


def _section(name: str) -> dict[str, Any]:
    fields = [field for field in FIELDS if field.section == name]
    properties = {field.key: _property(field) for field in fields}
    if not name:
        properties |= {section: _nullable(_section(section)) for section in SECTIONS}
    found: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    if required := [field.key for field in fields if field.required]:
        found["required"] = required
    return found


def _property(field: Field) -> dict[str, Any]:
    shape = KINDS.get(field.kind)
    if shape is None:  # a list of sections
        item = _section(f"{field.name}[]")
        shape = _list({"anyOf": [KINDS["tag"], item]} if field.kind == "models" else item)
    if field.choices:
        shape = {"enum": list(field.choices)}
    if field.kind in _OR_EMPTY and not field.required and not field.choices:
        shape = {"anyOf": [shape, {"enum": ["", None]}]}
    elif not field.required and field.kind != "service":
        shape = _nullable(shape)
    described: dict[str, Any] = {"description": field.meaning}
    if field.default not in (None, [], {}, ""):
        described["default"] = field.default
    if field.example:
        root, _ = yaml_place.read(field.example.encode(), field.name)
        described["examples"] = [] if root is None else [yaml_place.plain(root)]
    return described | dict(shape)


def _nullable(shape: dict[str, Any]) -> dict[str, Any]:
    """An option without a value is one that is not written."""
    kind = shape.get("type")
    if kind is None:
        return {"anyOf": [shape, {"type": "null"}]}
    return {**shape, "type": [*([kind] if isinstance(kind, str) else kind), "null"]}
