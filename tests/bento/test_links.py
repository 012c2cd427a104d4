"""Which links of a context stay links in the Bento, and what is packed in the place of the others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from trees import make, packed, shown

from bentomake.bento.selection import select
from bentomake.engine.tree import EXECUTABLE
from bentomake.errors import UsageError


def test_a_relative_link_to_something_packed_stays_a_link(tmp_path: Path) -> None:
    make(
        tmp_path, "data/a.csv", "sub/latest -> ../data/a.csv", "chain -> sub/latest", "dir -> data", "deep -> dir/a.csv"
    )
    assert shown(tmp_path) == [
        "chain -> sub/latest",
        "data/a.csv",
        "deep -> dir/a.csv",
        "dir -> data",
        "sub/latest -> ../data/a.csv",
    ]


def test_any_other_link_is_packed_as_its_content(tmp_path: Path) -> None:
    context = make(tmp_path / "context", "a.csv", f"absolute -> {tmp_path}/context/a.csv", "out -> ../outside/o.sh")
    make(context, "dir -> ../outside", "hidden -> left/out.txt", "left/out.txt", "hidden_dir -> left")
    make(tmp_path / "outside", "o.sh", "sub/p.txt", "sub/beside -> p.txt")
    (tmp_path / "outside/o.sh").chmod(0o755)
    assert shown(context, ["*"], ["/left/"]) == [
        "a.csv",
        "absolute",
        "dir/o.sh",
        "dir/sub/beside -> p.txt",  # leads to the same file in the Bento
        "dir/sub/p.txt",
        "hidden",
        "hidden_dir/out.txt",
        "out",
    ]
    files = {file.path: file for file in select(str(context), ["*"], ["/left/"]).files}
    assert files["out"].mode == EXECUTABLE
    assert Path(files["dir/sub/p.txt"].source).read_text() == "sub/p.txt"
    assert files["out"].stat == os.stat(files["out"].source)


def test_a_link_may_lead_through_a_directory_that_was_packed_as_content(tmp_path: Path) -> None:
    context = make(tmp_path / "context", "out -> ../outside", "short -> out/file", "nested -> out/more")
    make(tmp_path / "outside", f"file -> {tmp_path}/far/f", f"more -> {tmp_path}/far")
    make(tmp_path / "far", "f")
    assert shown(context) == ["nested -> out/more", "out/file", "out/more/f", "short -> out/file"]


def test_patterns_see_the_files_of_a_linked_directory_below_the_link(tmp_path: Path) -> None:
    context = make(tmp_path / "context", "data -> ../outside", "x.csv")
    make(tmp_path / "outside", "a.csv", "b.bin", "raw/c.csv", "skip/d.csv")
    (tmp_path / "outside/.bentoignore").write_text("skip/\n")
    assert packed(context, ["data/*.csv"]) == ["data/a.csv"]
    assert packed(context, ["*.csv"], ["data/raw/"]) == ["data/a.csv", "x.csv"]
    assert packed(context, ["*"], ["data/"]) == ["x.csv"]


def test_a_link_to_a_directory_of_which_the_patterns_want_some_files_shows_these(tmp_path: Path) -> None:
    make(tmp_path, "data -> other", "other/a.csv", "other/b.txt")
    assert shown(tmp_path, ["data/*.csv", "other/b.txt"]) == ["data/a.csv", "other/b.txt"]
    assert shown(tmp_path, ["*"], ["data/", "!data/b.txt"]) == ["data/b.txt", "other/a.csv", "other/b.txt"]


def test_a_link_that_leaves_what_is_packed_on_its_way_becomes_content(tmp_path: Path) -> None:
    context = make(
        tmp_path / "context", "a.txt", "round -> ../context/a.txt", "through -> out/../x.txt", "out -> ../far/d"
    )
    make(context, "x.txt")
    make(tmp_path / "far", "d/e", "x.txt")
    assert shown(context) == ["a.txt", "out/e", "round", "through", "x.txt"]


def test_a_link_to_its_own_parent_stays_a_link_or_is_an_error(tmp_path: Path) -> None:
    make(tmp_path, "a/b.txt", "a/up -> ..")
    assert shown(tmp_path) == ["a/b.txt", "a/up -> .."]
    assert shown(tmp_path, ["*.txt"]) == ["a/b.txt", "a/up -> .."]
    make(tmp_path, f"a/again -> {tmp_path}")
    with pytest.raises(UsageError) as caught:
        packed(tmp_path)
    assert caught.value.message == f"The link a/again points to {tmp_path}, a directory that holds the link itself."
    assert shown(tmp_path, ["*"], ["/a/again"]) == ["a/b.txt", "a/up -> .."]


def test_two_directories_outside_that_link_to_each_other_are_an_error_too(tmp_path: Path) -> None:
    context = make(tmp_path / "context", "one -> ../one")
    make(tmp_path, "one/x", "two/y", "one/two -> ../two", "two/one -> ../one")
    with pytest.raises(UsageError, match="The link one/two/one points to"):
        packed(context)


def test_links_whose_content_lies_outside_are_told_the_outermost_ones_alone(tmp_path: Path) -> None:
    context = make(tmp_path / "context", "a.csv", "out -> ../outside", "one -> ../outside/f", "same -> a.csv")
    make(context, f"absolute -> {context}/a.csv", "left -> gone/b", "gone/b", "one_more -> out/f")
    make(tmp_path / "outside", "f", f"far -> {tmp_path}/far")
    make(tmp_path / "far", "g")
    outside = str(tmp_path / "outside")
    assert select(str(context), ["*"], ["/gone/"]).leaving == [("one", f"{outside}/f"), ("out", outside)]
    assert select(str(context), ["*"], ["/out/", "/one*"]).leaving == []
