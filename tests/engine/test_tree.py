"""A tree has one text form, and what is read back from a store that may be hostile is checked."""

from __future__ import annotations

import os

import pytest

from bentomake.engine import tree
from bentomake.engine.content_store import ContentStore, Missing
from bentomake.engine.digest import Digest, of_bytes
from bentomake.engine.tree import EXECUTABLE, FILE, LINK, Entry, dump, load, merge, under

DIGEST = of_bytes(b"hello")
TREE = {
    "b with space.txt": Entry(DIGEST, FILE),
    "a/tool": Entry(DIGEST, EXECUTABLE),
    "link": Entry(of_bytes(b"a/tool"), LINK),
    "line\nbreak": Entry(DIGEST, FILE),
    "not utf-8 \udcff": Entry(DIGEST, FILE),
}


def test_what_is_dumped_is_loaded_whatever_the_names():
    assert load(dump(TREE)) == TREE


def test_the_order_of_insertion_does_not_count():
    assert dump(dict(reversed(list(TREE.items())))) == dump(TREE)


def test_mode_content_and_path_each_count():
    forms = {dump({"a": Entry(DIGEST, FILE)}), dump({"a": Entry(DIGEST, EXECUTABLE)}), dump({"b": Entry(DIGEST, FILE)})}
    forms.add(dump({"a": Entry(of_bytes(b"other"), FILE)}))
    assert len(forms) == 4


@pytest.mark.parametrize("path", ["/etc/passwd", "../up", "a/../../up", "a//b", "./a", ""])
def test_a_path_that_could_leave_the_bento_is_refused(path):
    with pytest.raises(ValueError):
        load(f"644 {DIGEST} {path}\0".encode())


@pytest.mark.parametrize("line", [f"4755 {DIGEST} a", f"666 {DIGEST} a", "644 beef-3 a", "644 a", "x y z", "644"])
def test_any_other_mode_or_digest_or_shape_is_refused(line):
    with pytest.raises(ValueError):
        load(f"{line}\0".encode())


def test_two_makers_of_one_path_must_agree():
    same, other = {"a": Entry(DIGEST, FILE)}, {"a": Entry(DIGEST, EXECUTABLE)}
    assert merge([same, same, under("src", same)]) == {"a": same["a"], "src/a": same["a"]}
    with pytest.raises(ValueError, match="two actions make a"):
        merge([same, other])


@pytest.mark.parametrize("text", ["", "abc-1", f"{'g' * 64}-1", f"{'a' * 64}", f"{'a' * 64}--1", f"{'A' * 64}-1"])
def test_a_digest_is_64_hex_figures_and_a_size(text):
    with pytest.raises(ValueError):
        Digest.parse(text)
    assert Digest.parse(str(DIGEST)) == DIGEST


def test_no_file_of_a_tree_lies_behind_a_link(tmp_path):
    """A planted tree would be written to wherever its link shows."""
    store = ContentStore(str(tmp_path / "store"))
    link, file = Entry(store.put_bytes(os.fsencode(tmp_path / "away")), LINK), Entry(store.put_bytes(b"planted"), FILE)
    for planted in ({"src/a": link, "src/a/b": file}, {"src": link, "src/a/b/c": file}, {"a": link, "a/b": link}):
        with pytest.raises(ValueError, match="lies behind a link"):
            load(dump(planted))
    inner = store.put_tree({"a/b": file})
    whole = store.put_tree({"src/a": link, "src": Entry(inner, tree.TREE)})
    with pytest.raises(Missing, match="lies behind a link"):
        ContentStore(store.root).tree(whole)
    good = {"a": link, "a.b": file, "a-/b": file, "b/a": link, "b/ab": file}
    assert load(dump(good)) == good
