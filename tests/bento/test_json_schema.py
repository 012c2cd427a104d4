"""The JSON Schema of a bentofile: valid itself, and of one mind with the reader about the fixtures."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from bentomake.bento import json_schema, schema

FIXTURES = Path(__file__).parent / "fixtures"
GOOD = sorted(FIXTURES.glob("good/*.yaml"))
# What only the text shows, not the value that YAML makes of it.
TEXT_ONLY = {
    *("duplicate_key", "duplicate_key_below", "cuda_version_11_80", "unknown_tag_handle"),
    *("alias_bomb", "list_with_a_tag", "percent_unquoted", "args_infinite"),
    *("huge_number", "nul_escape", "utf16"),
}
# What one schema of one value cannot say.
BEYOND = {
    **dict.fromkeys(
        ("editable_package", "package_path_absolute", "package_path_directory", "package_path_url"),
        "the grammar of requirements",
    ),
    **dict.fromkeys(("ubi8_python", "amazonlinux_python", "python_newer_than_all"), "which image has which Python"),
    **dict.fromkeys(("alpine_cuda", "ubi8_conda", "conda_pip_twice"), "options that exclude each other"),
    **dict.fromkeys(("description_leaves", "description_no_file"), "a path inside of a text"),
    "conda_python": "which Python conda has",
    **dict.fromkeys(("conda_dependency_mapping", "conda_dependencies_pip"), "the schema leaves the items to conda"),
    "conda_pip_paths": "the grammar of requirements",
    "include_leaves_hidden": "a path that leaves the context after it went into a directory",
    "include_leaves": "patterns are judged by their meaning",
    "include_leaves_negated": "patterns are judged by their meaning",
    "envs_build_name": "what a shell can export, of the stage build alone",
    "models_alias_twice": "two values in different places",
    "pattern_broken": "patterns are judged by their meaning",
}


def errors(value: Any) -> list[str]:
    found = Draft202012Validator(json_schema.schema()).iter_errors(value)
    return [f"{error.json_path}: {error.message}" for error in found]


def _date(value: Any) -> str:
    if isinstance(value, (datetime.date, datetime.datetime)):
        return str(value)
    raise TypeError


def value_of(path: Path) -> Any:
    """What YAML says, as JSON data; None for what is no YAML that PyYAML reads safely."""
    try:
        return json.loads(json.dumps(yaml.safe_load(path.read_bytes()), allow_nan=False, default=_date))
    except (yaml.YAMLError, TypeError, ValueError, UnicodeDecodeError, RecursionError):
        return None


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(json_schema.schema())
    assert json_schema.schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_what_the_reader_accepts_the_schema_accepts(path: Path) -> None:
    assert errors(value_of(path)) == []


WRONG = [path for path in sorted(FIXTURES.glob("wrong/*.yaml")) if path.stem not in TEXT_ONLY | BEYOND.keys()]
JUDGED = [path for path in WRONG if value_of(path) is not None]


@pytest.mark.parametrize("path", JUDGED, ids=lambda path: path.stem)
def test_what_the_reader_refuses_the_schema_refuses(path: Path) -> None:
    assert errors(value_of(path)) != []


def test_most_of_the_fixtures_are_judged() -> None:
    assert len(JUDGED) > 60


@pytest.mark.parametrize("field", schema.FIELDS, ids=lambda field: field.name)
def test_every_option_has_its_meaning_and_its_example_is_accepted(field: schema.Field) -> None:
    shape: Any = json_schema.schema()
    for part in field.section.split(".") if field.section else []:
        shape = shape["properties"][part.removesuffix("[]")]
        if part.endswith("[]"):
            shape = shape["items"]
            shape = shape.get("anyOf", [shape])[-1]
    described = shape["properties"][field.key]
    assert described["description"] == field.meaning
    for example in described.get("examples", []):
        assert list(Draft202012Validator(described).iter_errors(example)) == []
