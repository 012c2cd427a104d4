"""A selection with a memo is the selection without one, for less."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trees import make

from bentomake.bento.memo import Memo
from bentomake.bento.selection import Selection, select
from bentomake.errors import UsageError


def saved(selection: Selection) -> Memo:
    memo = Memo.from_json(json.loads(json.dumps(selection.memo.to_json())))
    assert memo is not None
    return memo


def test_with_a_memo_and_nothing_new_no_pattern_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a.py", "b.txt", "sub/c.py", "link -> sub", "out/d.py", "gone/e.py")
    (tmp_path / ".bentoignore").write_text("out/\n")
    first = select(str(tmp_path), ["*.py"], ["nothing.py", "gone/"])

    def never(*_: object) -> None:
        raise AssertionError("a pattern was compiled")

    monkeypatch.setattr("bentomake.bento.patterns.one_of", never)
    monkeypatch.setattr("bentomake.bento.ignore._runs", never)
    second = select(str(tmp_path), ["*.py"], ["nothing.py", "gone/"], memo=saved(first))
    assert second.files == first.files
    assert second.unmatched == first.unmatched == [("exclude", 0)]


def test_an_ignore_file_that_changed_counts_below_another_that_did_not(tmp_path: Path) -> None:
    make(tmp_path, "sub/a.log", "sub/b.txt")
    (tmp_path / ".bentoignore").write_text("*.log\n")
    (tmp_path / "sub/.bentoignore").write_text("*.bak\n")
    first = select(str(tmp_path), ["sub/*.*"], [])
    (tmp_path / ".bentoignore").write_text("*.txt\n")
    assert [file.path for file in select(str(tmp_path), ["sub/*.*"], [], memo=saved(first)).files] == [
        "sub/.bentoignore",
        "sub/a.log",
    ]


@pytest.mark.parametrize(
    "broken",
    [
        None,
        [],
        {},
        {"key": "k", "directories": {"": ["", {"a": "yes"}]}, "witnesses": {}},
        {"key": 1, "directories": 2},
    ],
)
def test_a_damaged_memo_is_no_memo(broken: object) -> None:
    assert Memo.from_json(broken) is None


def test_a_memo_of_other_patterns_counts_nothing(tmp_path: Path) -> None:
    make(tmp_path, "a.py", "b.txt")
    first = select(str(tmp_path), ["*.py"], [])
    assert [file.path for file in select(str(tmp_path), ["*.txt"], [], memo=saved(first)).files] == ["b.txt"]


NAMES = ["a", "b", "c.py", "d.txt", "x"]
PATTERNS = ["*", "*.py", "a", "a/", "/b", "b/*", "!c.py", "!a/", "**/x", "x/**", "d.*", "/a/b"]
steps = st.one_of(
    st.tuples(st.just("write"), st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)),
    st.tuples(st.just("remove"), st.sampled_from(NAMES)),
    st.tuples(st.just("link"), st.sampled_from(NAMES), st.sampled_from([*NAMES, "a/b", ".", "../elsewhere"])),
    st.tuples(st.just("venv"), st.sampled_from(["a", "b"])),
    st.tuples(st.just("ignore"), st.sampled_from(["", "a/", "b/"]), st.lists(st.sampled_from(PATTERNS), max_size=3)),
)


def edit(context: Path, step: tuple[str, ...]) -> None:
    what, place = step[0], context / step[1]
    try:
        if what == "write":
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text("")
        elif what == "remove":
            shutil.rmtree(place) if place.is_dir() and not place.is_symlink() else place.unlink()
        elif what == "link":
            place.symlink_to(step[2])
        elif what == "venv":
            place.mkdir(exist_ok=True)
            (place / "pyvenv.cfg").unlink() if (place / "pyvenv.cfg").exists() else (place / "pyvenv.cfg").touch()
        else:
            (place / ".bentoignore").write_text("\n".join(step[2]))
    except OSError:
        pass  # a step that cannot be taken here


def outcome(ask: Callable[[], Selection]) -> object:
    try:
        selection = ask()
    except UsageError as error:
        return str(error)
    files = [(file[:4], file.stat.st_ino) for file in selection.files]
    directories = sorted((seen.path, seen.stat.st_ino) for seen in selection.directories)
    return files, directories, selection.unmatched, selection.memo.directories


@given(
    include=st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=3),
    exclude=st.lists(st.sampled_from(PATTERNS), max_size=3),
    history=st.lists(st.lists(steps, min_size=1, max_size=5), min_size=2, max_size=4),
)
@settings(max_examples=150, deadline=None)
def test_after_any_edits_a_selection_with_a_memo_is_one_without(
    tmp_path_factory: pytest.TempPathFactory,
    include: list[str],
    exclude: list[str],
    history: list[list[tuple[str, ...]]],
) -> None:
    root = tmp_path_factory.mktemp("edits")
    context = make(root / "context", "c.py")
    make(root / "elsewhere", "a", "c.py")
    memo: Memo | None = None
    for edits in history:
        for step in edits:
            edit(context, step)
        clean = outcome(lambda: select(str(context), include, exclude))
        assert outcome(lambda known=memo: select(str(context), include, exclude, memo=known)) == clean  # type: ignore[misc]
        if not isinstance(clean, str):
            memo = saved(select(str(context), include, exclude, memo=memo))
    shutil.rmtree(root)
