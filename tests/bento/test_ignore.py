"""A .bentoignore means what git says that the same .gitignore means."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from bentomake.bento.ignore import Rules
from bentomake.bento.selection import select


def ignored(rules: str | bytes, path: str, directory: bool = False) -> bool | None:
    data = rules.encode() if isinstance(rules, str) else rules
    return Rules(data).verdict(path.encode(), directory)


def test_the_last_rule_that_matches_decides_and_without_one_nothing_is_said() -> None:
    rules = "*.log\n!keep.log\n"
    assert ignored(rules, "a/b.log") is True
    assert ignored(rules, "a/keep.log") is False
    assert ignored(rules, "a/b.txt") is None


def test_a_slash_anchors_a_rule_unless_it_is_the_last_character() -> None:
    assert ignored("/top\nin/side\ndeep/\n", "top") is True
    assert ignored("/top\n", "a/top") is None
    assert ignored("in/side\n", "in/side") is True
    assert ignored("in/side\n", "a/in/side") is None
    assert ignored("deep/\n", "a/deep", directory=True) is True
    assert ignored("deep/\n", "a/deep") is None


def test_comments_escapes_and_spaces() -> None:
    assert ignored("#a\n", "#a") is None
    assert ignored("\\#a\n", "#a") is True
    assert ignored("\\!a\n", "!a") is True
    assert ignored("a  \n", "a") is True
    assert ignored("a\\ \n", "a ") is True
    assert ignored("a\\  \n", "a ") is True
    assert ignored("a\\\\ \n", "a\\") is True
    assert ignored("a\t\n", "a") is None  # a tab is part of the name


def test_lines_of_windows_and_a_byte_order_mark() -> None:
    assert ignored("\ufeffa\r\nb\r\n", "a") is True
    assert ignored("\ufeffa\r\nb\r\n", "b") is True
    assert ignored("a\r", "a") is True


def test_two_stars_cross_directories() -> None:
    assert ignored("**/cache\n", "a/b/cache") is True
    assert ignored("a/**/z\n", "a/z") is True
    assert ignored("a/**/z\n", "a/b/c/z") is True
    assert ignored("a/**\n", "a", directory=True) is None
    assert ignored("a/b*/z\n", "a/b/c/z") is None


def test_classes_are_of_bytes_and_a_malformed_one_matches_nothing() -> None:
    assert ignored("[[:digit:]]x\n", "7x") is True
    assert ignored("[!a-c]\n", "d") is True
    assert ignored("[]x]\n", "]") is True
    assert ignored("??\n", "é") is True  # two bytes
    assert ignored("[a\n", "[a") is None
    assert ignored("[[:nope:]]\n", "n") is None


def test_a_name_with_a_newline_is_matched_to_its_end() -> None:
    assert ignored("*.py\n", "a.py\n") is None
    assert ignored("a/**\n", "a/b\nc") is True


# ---- git itself


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    root = tmp_path_factory.mktemp("repository")
    git(root, "init", "-q")
    git(root, "config", "core.ignorecase", "false")
    git(root, "config", "core.precomposeunicode", "false")
    yield root


def git(root: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    quiet = {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "HOME": str(root),
        "XDG_CONFIG_HOME": str(root),
    }
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(["git", *arguments], cwd=root, input=stdin, capture_output=True, env={**env, **quiet})
    assert done.returncode in (0, 1), done.stderr  # check-ignore: 1 is "none of them"
    return done.stdout


NAMES = ["a", "b", "ab", "ba", "a.b", "b.a", "a b", "a ", "é", "[a]", "!a", "#a", "a*", "a\\", "-", "A", "\ta"]
WILD = ["*", "**", "***", "?", "[ab]", "[!a]", "[^b]", "[a-c]", "[]-a]", "[[:alpha:]]", "[[:punct:]x]", "[b\\-]", "[["]
ODD = ["\\", "\\ ", "\\a", "\\/", "[", "]", "[a", "[[:x:]]", "[a-", " ", "\t", "!", "#", "\r", "[--0]", "[/]"]

segment = st.lists(st.sampled_from(NAMES + WILD), min_size=1, max_size=3).map("".join)
tidy = st.builds(
    lambda no, start, parts, end: no + start + "/".join(parts) + end,
    st.sampled_from(["", "", "", "!"]),
    st.sampled_from(["", "", "/", "**/"]),
    st.lists(st.one_of(st.sampled_from(NAMES + WILD), segment), min_size=1, max_size=3),
    st.sampled_from(["", "", "/", "/**", " ", "  "]),
)
untidy = st.lists(st.sampled_from([*NAMES, *WILD, *ODD, "/", "/"]), max_size=6).map("".join)
starry = st.lists(st.sampled_from(["*", "*", "a", "b", "?", "/", "/**/", "[!a]"]), min_size=5, max_size=14).map("".join)
rule_lines = st.lists(st.one_of(tidy, untidy, starry), min_size=1, max_size=5)
ignore_files = st.builds(
    lambda mark, lines, end, last: mark + end.join(lines) + last,
    st.sampled_from(["", "", "", "\ufeff"]),
    rule_lines,
    st.sampled_from(["\n", "\n", "\r\n"]),
    st.sampled_from(["\n", ""]),
)
paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map("/".join)


@given(
    files=st.lists(paths, min_size=1, max_size=14, unique=True),
    at=st.dictionaries(st.integers(min_value=-1, max_value=30), ignore_files, min_size=1, max_size=3),
)
@example(files=["a/b", "a/ab"], at={-1: "a/\n!a/b\n"})
@example(files=["a/b/a", "a/a"], at={-1: "*\n!*/\n!a\n"})
@example(files=["ab/b/a", "a/a"], at={-1: "/a**/a\n"})
@example(files=["a/b", "b/b"], at={-1: "b\n", 0: "!b\n"})
@example(files=["a/b", "ab"], at={-1: "/a[!a]b\n"})
@example(files=["abab", "a.b", "ab/ba"], at={-1: "*a*b*a*b\n!*a*.*b*\n/*a*b*/**/*a*\n"})
@example(files=["a ", "a"], at={-1: "a\\  \n"})
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_git_check_ignore_says_the_same(repository: Path, files: list[str], at: dict[int, str]) -> None:
    work = repository / "work"
    shutil.rmtree(work, ignore_errors=True)
    directories = [""]
    for path in files:
        assume(not any(other != path and other.startswith(path + "/") for other in files))
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_text("")
        directories += [str(parent) + "/" for parent in Path(path).parents if str(parent) != "."]
    directories = sorted(set(directories))
    for place, text in at.items():
        directory = work / directories[(place + 1) % len(directories)]
        (directory / ".gitignore").write_bytes(text.encode())
        (directory / ".bentoignore").write_bytes(text.encode())

    everything = {str(path.relative_to(work)) for path in work.rglob("*") if path.is_file()}
    asked = b"".join(b"work/" + os.fsencode(path) + b"\0" for path in sorted(everything))
    answer = git(repository, "check-ignore", "--no-index", "--stdin", "-z", stdin=asked)
    gone = {os.fsdecode(path).removeprefix("work/") for path in answer.split(b"\0") if path}

    assert {packed.path for packed in select(str(work), ["*"], []).files} == everything - gone
