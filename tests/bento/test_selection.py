"""Which files of a context a Bento packs: patterns, what is never packed, mistakes, patterns that match nothing."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from trees import make, packed

from bentomake.bento.selection import select
from bentomake.engine.tree import EXECUTABLE, FILE
from bentomake.errors import Several, StepError, UsageError

# ---- patterns


def test_the_last_pattern_of_a_list_wins_and_exclude_comes_after_include(tmp_path: Path) -> None:
    make(tmp_path, "a.py", "b.py", "sub/a.py", "sub/c.txt")
    assert packed(tmp_path, ["*.py"]) == ["a.py", "b.py", "sub/a.py"]
    assert packed(tmp_path, ["/*.py"]) == ["a.py", "b.py"]
    assert packed(tmp_path, ["*.py", "!a.py"]) == ["b.py"]
    assert packed(tmp_path, ["!a.py", "*.py"]) == ["a.py", "b.py", "sub/a.py"]
    assert packed(tmp_path, ["*"], ["*.py", "!sub/a.py"]) == ["sub/a.py", "sub/c.txt"]
    assert packed(tmp_path, ["sub/"]) == ["sub/a.py", "sub/c.txt"]
    assert packed(tmp_path, []) == []


def test_a_directory_that_the_patterns_leave_out_as_a_whole_is_not_even_listed(tmp_path: Path) -> None:
    make(tmp_path, "service.py", "data/raw/a.csv", "models/b.bin")
    listed = [Path(seen.path).name for seen in select(str(tmp_path), ["*"], ["data/", "!keep/", "models"]).directories]
    assert listed == [tmp_path.name, "data", "raw"]  # `!keep/` might bring something back, so only `models` is certain
    assert len(select(str(tmp_path), ["/service.py", "models/*.bin"], []).directories) == 2
    assert packed(tmp_path, ["*"], ["data/", "!data/raw/"]) == ["data/raw/a.csv", "models/b.bin", "service.py"]


def test_a_nested_ignore_file_overrides_its_parent_but_not_below_an_ignored_directory(tmp_path: Path) -> None:
    make(tmp_path, "a.log", "sub/a.log", "sub/b.log", "out/a.txt", "out/.bentoignore")
    (tmp_path / ".bentoignore").write_text("*.log\nout/\n!out/a.txt\n")
    (tmp_path / "sub/.bentoignore").write_text("!a.log\n")
    selection = select(str(tmp_path), ["*"], [])
    assert [file.path for file in selection.files] == [".bentoignore", "sub/.bentoignore", "sub/a.log"]
    assert sorted(seen.path for seen in selection.ignore_files) == [
        str(tmp_path / ".bentoignore"),
        str(tmp_path / "sub/.bentoignore"),
    ]


def test_what_is_never_packed(tmp_path: Path) -> None:
    make(tmp_path, "a.py", ".git/config", "sub/.git", "env/pyvenv.cfg", "env/lib/x.py", ".venv/a", "venv/b")
    make(tmp_path, "__pycache__/a.pyc", "sub/__pycache__/b.pyc", ".DS_Store", "home/bentos/x", "node_modules/y.js")
    make(tmp_path, "alias -> home/bentos", "sub/.venv -> ../node_modules", "sub/venv -> gone")
    assert packed(tmp_path, never=[str(tmp_path / "alias")]) == ["a.py", "node_modules/y.js"]


def test_the_executable_bit_is_kept_and_every_other_bit_is_not(tmp_path: Path) -> None:
    make(tmp_path, "run.sh", "plain")
    (tmp_path / "run.sh").chmod(0o700)
    (tmp_path / "plain").chmod(0o666)
    assert [file.mode for file in select(str(tmp_path), ["*"], []).files] == [FILE, EXECUTABLE]


def test_odd_names(tmp_path: Path) -> None:
    names = ["new\nline.py", "sp ace", "[x]", "é", "-", "\\", os.fsdecode(b"\xff.py")]
    try:
        make(tmp_path, *names)
    except OSError:
        pytest.skip("this file system wants names in UTF-8")
    assert packed(tmp_path) == sorted(names)
    assert packed(tmp_path, ["*.py"]) == sorted(["new\nline.py", os.fsdecode(b"\xff.py")])
    (tmp_path / ".bentoignore").write_bytes(b"\xff.py\n")
    assert os.fsdecode(b"\xff.py") not in packed(tmp_path)


def test_directories_are_reported_with_their_stat_so_that_nothing_new_can_go_unseen(tmp_path: Path) -> None:
    make(tmp_path, "a/b/c.py", "outside.py", "linked -> ../elsewhere")
    make(tmp_path.parent / "elsewhere", "x/y.py")
    seen = {directory.path: directory.stat for directory in select(str(tmp_path), ["*"], []).directories}
    assert set(seen) == {str(tmp_path), *(str(tmp_path / name) for name in ["a", "a/b", "linked", "linked/x"])}
    assert all(os.stat(path).st_ino == signature.st_ino for path, signature in seen.items())
    shutil.rmtree(tmp_path.parent / "elsewhere")


# ---- mistakes


def test_a_broken_link_is_named_if_it_would_be_packed(tmp_path: Path) -> None:
    make(tmp_path, "a.py", "data/x -> ../gone")
    with pytest.raises(UsageError) as caught:
        packed(tmp_path)
    assert caught.value.message == "The link data/x points to ../gone, which does not exist."
    assert caught.value.hint == 'To leave it out, add "/data/x" to exclude.'
    assert packed(tmp_path, ["*"], ["/data/x"]) == ["a.py"]
    make(tmp_path, "self -> self")
    with pytest.raises(Several) as several:
        packed(tmp_path)
    assert [error.message for error in several.value.errors][
        1
    ] == "The link self points to self, which leads back to it."


def test_the_hint_leaves_out_what_it_names_whatever_the_name(tmp_path: Path) -> None:
    for name in ["[a]*?", "!x", "#x", "back\\slash", " x"]:
        make(tmp_path, f"{name} -> gone")
        with pytest.raises(UsageError) as caught:
            packed(tmp_path)
        pattern = (caught.value.hint or "").split('"')[1]
        assert packed(tmp_path, ["*"], [pattern]) == []
        (tmp_path / name).unlink()


def test_a_socket_a_pipe_and_a_link_to_one_are_errors_if_they_would_be_packed(tmp_path: Path) -> None:
    make(tmp_path, "a.py", "link -> pipe")
    os.mkfifo(tmp_path / "pipe")
    here = os.getcwd()
    os.chdir(tmp_path)  # a socket's path has to be short
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("socket")
    finally:
        os.chdir(here)
    with pytest.raises(Several) as caught:
        packed(tmp_path)
    assert [error.message.split(" ")[0] for error in caught.value.errors] == ["link", "pipe", "socket"]
    assert packed(tmp_path, ["*.py"]) == ["a.py"]


@pytest.fixture
def nobodys() -> Iterator[Path]:
    """A directory of somebody who is not root, and may not read everything; root becomes that user meanwhile."""
    with tempfile.TemporaryDirectory() as name:
        root = os.geteuid() == 0
        if root:
            os.chown(name, 65534, 65534)
            os.seteuid(65534)
        try:
            yield Path(name)
        finally:
            if root:
                os.seteuid(0)


def test_a_directory_that_cannot_be_read_is_named_unless_it_is_left_out(nobodys: Path) -> None:
    make(nobodys, "a.py", "secret/b.py")
    (nobodys / "secret").chmod(0)
    try:
        with pytest.raises(StepError, match="The directory secret cannot be read: Permission denied"):
            packed(nobodys)
        assert packed(nobodys, ["*"], ["/secret/"]) == ["a.py"]
    finally:
        (nobodys / "secret").chmod(0o700)


def test_a_context_that_is_none_and_a_pattern_that_is_none(tmp_path: Path) -> None:
    make(tmp_path, "a.py")
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        packed(tmp_path / "gone")
    with pytest.raises(UsageError, match="is not a directory"):
        packed(tmp_path / "a.py")
    with pytest.raises(UsageError, match="The pattern '!' in exclude is not a valid pattern"):
        packed(tmp_path, ["*"], ["!"])


# ---- patterns that match nothing


def test_a_pattern_that_matches_no_file_is_reported(tmp_path: Path) -> None:
    make(tmp_path, "a.py", "data/x.csv", "empty/")
    include = ["*.py", "", "# words", "./data/", "data/*.csv", "empty/", "*"]
    exclude = ["*.txt", "data/", "!nope", ".venv/", "__pycache__/", "*.pyc"]
    assert select(str(tmp_path), include, exclude).unmatched == [
        ("include", 3),
        ("include", 5),
        ("exclude", 0),
        ("exclude", 2),
    ]
    # below a directory that is left out as a whole nothing is looked at
    assert select(str(tmp_path), ["a.py", "data/*.csv"], ["data/"]).unmatched == [("include", 1)]


def test_the_memo_carries_what_matched_and_notices_when_the_only_match_is_gone(tmp_path: Path) -> None:
    make(tmp_path, "a.py", "b.csv")
    first = select(str(tmp_path), ["*.py", "*.csv"], ["*.txt"])
    assert first.unmatched == [("exclude", 0)]
    (tmp_path / "b.csv").unlink()
    make(tmp_path, "c.txt")
    assert select(str(tmp_path), ["*.py", "*.csv"], ["*.txt"], memo=first.memo).unmatched == [("include", 1)]
