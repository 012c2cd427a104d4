"""The YAML that is written without PyYAML is read as what it was made of, by each of PyYAML's readers."""

from __future__ import annotations

import math

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from bentomake.bento.yaml_text import dump, glance

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
WORDS = st.sampled_from(
    [
        *("", " ", "yes", "No", "null", "~", "1.1", "1e3", "0x1f", "1_000", "12:30:45", "2026-01-01", ".inf", "+1"),
        *("a: b", "a #b", "- a", "=", "<<", "!x", "&a", "*a", "%a", "@a", "`a", "a ", "a\n", "a\tb", "'a'", '"a"'),
        *("\\", "é", "日本", "😀", "\x7f", "\x85", "\u2028", "\ufeff", "...", "---", "? a", "[a]", "{a}", "/a b"),
        *("a:", "a" * 2000),
    ]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS | WORDS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS | WORDS, inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("loader", [yaml.SafeLoader, yaml.CSafeLoader])
@given(value=st.dictionaries(TEXTS | WORDS, VALUES))
@example(value={"a": [[1, [2, {}]], {"b": [], "c": {"d": [{"e": 1}]}}], "k" * 300: {"x": ["y"]}})
@example(value={"k" * 300: [[1]], "l" * 300: 1})
def test_what_is_written_is_read_back(loader, value):
    text = dump(value)
    assert yaml.load(text, Loader=loader) == value
    text.encode()


def test_it_looks_like_the_yaml_that_people_write():
    info = {"service": "service:Light", "labels": {}, "models": [], "envs": [{"name": "A", "value": "1"}], "spec": 2}
    info |= {"image": {"python_version": "3.11", "commands": ["apt-get update"], "cuda": None, "lock": True}}
    assert dump(info) == (
        'service: "service:Light"\nlabels: {}\nmodels: []\nenvs:\n  - name: A\n    value: "1"\nspec: 2\n'
        'image:\n  python_version: "3.11"\n  commands:\n    - apt-get update\n  cuda: null\n  lock: true\n'
    )


def test_numbers_that_are_none_in_json_too():
    assert math.isnan(yaml.safe_load(dump({"a": math.nan}))["a"])


NAMES = st.from_regex(r"[a-z][a-z0-9_.-]{0,8}", fullmatch=True)


@given(value=st.dictionaries(NAMES, SCALARS | VALUES | st.dictionaries(NAMES, TEXTS | WORDS)))
@example(value={"name": "iris", "labels": {"owner": "a: b", "team": "null"}, "models": [{"tag": "a"}], "spec": 2})
@example(value={"a": {"b": {"c": "d"}, "e": "f"}, "g": {"h": 1}, "i": {"j": "k"}})
def test_a_glance_tells_strings_and_mappings_of_strings_and_nothing_else(value):
    wanted = {
        key: each
        for key, each in value.items()
        if isinstance(each, str) or (isinstance(each, dict) and all(isinstance(inner, str) for inner in each.values()))
    }
    try:
        told = glance(dump(value))
    except ValueError:  # an escape that JSON has not
        assert "\\U" in dump(value)
        return
    assert {key: each for key, each in told.items() if key in wanted} == told
    assert all(told[key] == wanted[key] for key in told)
    plain = {key for key, each in wanted.items() if not isinstance(each, dict) or _plain_keys(each)}
    assert plain - told.keys() == {key for key in plain if dump({key: 0}).startswith('"')}


def _plain_keys(mapping):
    return all(not dump({key: 0}).startswith('"') for key in mapping)
