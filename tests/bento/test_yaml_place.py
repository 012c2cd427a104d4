"""YAML with places: the values of safe_load, and no text that makes a traceback."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bentomake.bento import groups, schema, yaml_place
from bentomake.errors import BentofileError


@pytest.fixture(params=["libyaml", "pure"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both of PyYAML's parsers: the wheels have libyaml, a source build may not."""
    if request.param == "pure":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    elif not hasattr(yaml, "CSafeLoader"):
        pytest.skip("this PyYAML has no libyaml")


SNIPPETS = [
    "service: service:svc\n",
    "include:\n- '*'\n",
    "labels: {a: b}\n",
    "<<: *a\n",
    "&a ",
    "*a",
    "!!int ",
    "? ",
    "---\n",
]


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(SNIPPETS) | st.text(alphabet="{}[]:,-#&*!|>%@`\"'\\ \n\tab01.~?=<\u2028é\0", max_size=8))
)
def test_no_text_makes_a_traceback(pieces: list[str]) -> None:
    for loader in ("CSafeLoader", "SafeLoader"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(yaml, "CSafeLoader", getattr(yaml, loader, yaml.SafeLoader), raising=False)
            try:
                root, problems = yaml_place.read("".join(pieces).encode(), "bentofile.yaml")
            except BentofileError as error:
                assert error.hint and error.place
                continue
            if root and isinstance(root.value, dict) and not problems:
                groups.section(groups.Reading("bentofile.yaml"), "", "", root)


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.dates(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from([field.key for field in schema.FIELDS]) | st.integers(), inner, max_size=4
            )
        ),
    )
)
def test_no_value_in_any_place_makes_a_traceback(value: Any) -> None:
    for name in [field.name for field in schema.FIELDS if "[]" not in field.name] + list(schema.SECTIONS):
        document = {name.split(".")[0]: {name.split(".")[1]: value} if "." in name else value}
        root, _ = yaml_place.read(yaml.safe_dump(document).encode("utf-8", "replace"), "bentofile.yaml")
        assert root is not None
        reading = groups.Reading("bentofile.yaml")
        values = groups.section(reading, "", "", root)
        for section in schema.SECTIONS:
            if section in root.value:
                values |= groups.section(reading, section, section, root.value[section].node)
        json.dumps(values, allow_nan=bool(reading.errors))


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12) | st.sampled_from(
    [
        "yes",
        "3.10",
        "012",
        "1:20",
        "~",
        "",
        "<<",
        "=",
        "1_000",
        "0x1F",
        "2024-01-05",
        "- a",
        "a: b",
        "#",
        "&a",
        "*.py",
        "!x",
    ]
)
SCALAR = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT
MOMENT = st.dates() | st.datetimes(timezones=st.sampled_from([None, datetime.timezone.utc]))
VALUE = st.recursive(
    SCALAR | MOMENT, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=20
)


@settings(deadline=None)
@given(st.dictionaries(TEXT, VALUE, max_size=5), st.booleans(), st.booleans(), st.booleans())
def test_values_are_those_of_safe_load(document: dict[str, Any], flow: bool, unicode: bool, shared: bool) -> None:
    if shared:  # the same object twice is dumped as an anchor and an alias
        document = {"first": document, "second": [document, document]}
    dumped = yaml.safe_dump(document, default_flow_style=flow, allow_unicode=unicode)
    root, problems = yaml_place.read(dumped.encode(), "bentofile.yaml")
    assert problems == []
    assert root is not None
    assert yaml_place.plain(root) == yaml.safe_load(dumped)


PLAIN = """
yes|No|on|y|3.10|1e3|1.0e+3|012|0o12|0b11|0x1F|1_000|190:20:30|1:20.5|.5|+.inf|~|null|Null||2024-01-05|a b|a#b|a #b
2024-01-05 10:00:00 +2|!!str 3.10|! 3.10|!!float 3|!!int '3'|!!null x|!!seq [a]|'it''s'|"a\\tb"|[a, {b: c}]|{a, b: c}
{a: {b: [c]}}|&a b|{x: &m a, y: *m, z: [*m, *m]}|{x: &m 1, y: &n 2, z: *m}|{2: a, 1.5: b, true: c, ~: d, 2024-01-05: e}
{x: &m {a: 1, b: 2}, y: {<<: *m, b: 3}}|{x: &m {a: 1}, y: &n {a: 2}, z: {<<: [*m, *n], c: 3}}|{x: &m {a: 1}, =: b}
{x: &m {a: 1}, y: {b: 2, <<: *m}, z: {<<: {a: 5}, '<<': quoted}}|{x: &m {a: 1}, y: &n {<<: *m, b: 2}, z: {<<: *n, a: 9}}
{x: {<<: {a: 1}, <<: {a: 2}}}|{x: {<<: {key: 1}, <<: {key: 2}}}|{x: &m {key: 1}, y: &n {key: 2}, z: {<<: [*m, *n]}}
"""
PLAINS = [text for line in PLAIN.strip().splitlines() for text in line.split("|")] + ["|\n  a\n  b", ">-\n  a\n  b"]


class _Merging(yaml.SafeLoader):
    """PyYAML as it was up to 6.0.3: of the mappings that one `<<` lists the first wins, of several `<<` the last.

    6.0.4 compares the identities of keys, so that the length of a key decides who wins.
    """

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        merged = []
        for key, value in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                for source in reversed(value.value if isinstance(value, yaml.SequenceNode) else [value]):
                    self.flatten_mapping(source)
                    merged += source.value
            elif key.tag == "tag:yaml.org,2002:value":
                key.tag = "tag:yaml.org,2002:str"
        node.value = merged + [pair for pair in node.value if pair[0].tag != "tag:yaml.org,2002:merge"]


@pytest.mark.parametrize("text", PLAINS)
def test_yaml_as_people_write_it_is_that_of_safe_load(text: str, parser: None) -> None:
    document = f"key: {text}\n"
    root, problems = yaml_place.read(document.encode(), "bentofile.yaml")
    assert root is not None and problems == []
    assert repr(yaml_place.plain(root)) == repr(yaml.load(document, Loader=_Merging))
    if "<<" not in text:
        assert repr(yaml_place.plain(root)) == repr(yaml.safe_load(document))
