"""A pattern in which `re` would backtrack is matched in one pass, and means what the expression for `re` means."""

from __future__ import annotations

import re
import warnings

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bentomake.bento import one_pass
from bentomake.bento.ignore import Rules
from bentomake.bento.patterns import PatternError, PatternList

ATOMS = ["*", "*", "*", "?", "a", "b", ".", "[ab]", "[!a]", "[^b]", "[]a]", "\\*", "\\.", "$", "é", "[[:alpha:]]", "("]
SEGMENTS = st.one_of(st.just("**"), st.just("*"), st.lists(st.sampled_from(ATOMS), min_size=1, max_size=8).map("".join))
PATTERNS = st.builds(
    lambda start, segments, end: start + "/".join(segments) + end,
    st.sampled_from(["", "", "/", "**/"]),
    st.lists(SEGMENTS, min_size=1, max_size=5),
    st.sampled_from(["", "", "/", "/**"]),
)
PATHS = st.lists(st.sampled_from(["a", "b", "ab", "/", "/", ".", "*", "$", "é", "(", "\n"]), max_size=9).map("".join)


@given(patterns=st.lists(PATTERNS, min_size=1, max_size=3), paths=st.lists(PATHS, min_size=1, max_size=30))
@example(patterns=["*a*a*a*b"], paths=["aaab", "aab", "x/a.a.a.b/c", "aaab\n", "aaa\nb"])
@example(patterns=["a/**/b/**/c/**/d"], paths=["a/b/c/d", "a/x/b/c/y/z/d/e", "a/b/c", "a/b/cd"])
@example(patterns=["*[!a]*[!a]*[!a]*b"], paths=["x/y/z/b", "xyzb", "aaab"])
@example(patterns=["**/*a*/**/*b*/**/"], paths=["a/b/", "a/b/c", "xa/b", "a/x/b/y"])
@settings(max_examples=400, deadline=None)
def test_a_pattern_means_its_expression(patterns: list[str], paths: list[str]) -> None:
    known = PatternList("include", patterns)
    if all(pattern in ("*", "**") for pattern in patterns):
        return  # no expression is asked
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        regexes = [re.compile(entry[1], re.DOTALL) for entry in known.compiled if entry is not None]
    for path in paths:
        said = any(regex.match(path) if regex.pattern.startswith("^") else regex.search(path) for regex in regexes)
        assert known.matches(path) == said


@pytest.mark.parametrize(
    "pattern",
    ["*a*a*a*b", "/x*a*a*a*", "a/**/b/**/c/**/d", "**/*a*a*/**/b", "*[!a]*[!a]*[!a]*", "*a*a*a*/", "/*a*a*a*/**"],
)
def test_what_backtracks_is_not_left_to_re(pattern: str) -> None:
    """Whatever expression the installed pathspec has for it: one that is not understood would stay with `re`."""
    (entry,) = PatternList("include", [pattern]).compiled
    assert entry is not None
    plain, hard = one_pass.divide([entry[1]])
    assert plain == []
    assert hard is not None


@pytest.mark.parametrize(
    "pattern",
    [
        "*",
        "*.py",
        "/data/",
        "src/**/*.py",
        "**/test_*/*.py",
        "*.test.*",
        "a/*/b/*/c/*/d",
        "[ab]*.csv",
        "*foo*",
        "a*b*c",
    ],
)
def test_ordinary_patterns_are_left_to_re(pattern: str) -> None:
    """It is several times as fast."""
    entries = [entry for entry in PatternList("include", [pattern]).compiled if entry is not None]
    assert one_pass.divide([regex for _, regex in entries]) == ([regex for _, regex in entries], None)


def test_polarity_and_order_are_kept_between_both_kinds() -> None:
    known = PatternList("include", ["*a*a*a*b", "*.py", "b*", "!*b*b*b*a", "!keep", "*c*c*c*c"])
    assert [
        path for path in ["aaab", "x.py", "bbba.py", "bbbca", "keep", "cccc", "aaab/keep"] if known.matches(path)
    ] == [
        "aaab",
        "x.py",
        "bbba.py",
        "cccc",
    ]
    assert known.find(range(6), ["x", "x.py", "aaab", "bbba", "cccc"]) == {
        0: "aaab",
        1: "x.py",
        2: "bbba",
        3: "bbba",
        5: "cccc",
    }


def test_a_long_list_is_found_whatever_the_order() -> None:
    names = [f"file{number}.txt" for number in range(500)]
    known = PatternList("include", [f"/{name}" for name in names] + ["*.txt", "nothing"])
    paths = [name for name in reversed(names) for name in (name, name + "/x")]
    found = known.find(range(502), paths)
    assert found == {**dict(enumerate(names)), 500: "file499.txt"}


def test_classes_of_bytes_and_what_never_matches() -> None:
    rules = Rules("*é*é*é*\n!*[[:digit:]]*[[:digit:]]*[[:digit:]]*\n".encode())
    assert rules.verdict("aéébé".encode(), False) is True
    assert rules.verdict("éé1é2x3".encode(), False) is False
    assert rules.verdict("éxé".encode(), False) is None
    assert Rules(b"*a*[[:nope:]]*a*a*\n").verdict(b"aaaa", False) is None


def test_hundreds_of_brackets_that_do_not_end_are_no_pattern() -> None:
    with pytest.raises(PatternError) as caught:
        PatternList("exclude", ["a", "[" * 200 + "/]"]).matches("x")
    assert (caught.value.kind, caught.value.index) == ("exclude", 1)
    assert caught.value.message.endswith("in exclude is not a valid pattern.")
    assert not PatternList("exclude", ["[a]" * 200]).matches("x")


def test_a_pattern_is_not_longer_than_any_path() -> None:
    with pytest.raises(PatternError) as caught:
        PatternList("include", ["*a" * 5_001]).matches("x")
    assert caught.value.message == "A pattern in include has more than 10,000 characters: no path is as long."
    assert caught.value.hint == "Patterns are those of .gitignore: `*.py`, `/data/`, `!keep.txt`."
    assert not PatternList("include", ["*a" * 5_000]).matches("x")
