"""Placing: a file is made of a blob by the cheapest way, and never shares bytes that others will write to."""

from __future__ import annotations

import errno
import os
import stat

import pytest

from bentomake.engine import placing
from bentomake.engine.content_store import ContentStore, Missing
from bentomake.engine.digest import of_bytes
from bentomake.engine.placing import Placing, reflinks
from bentomake.engine.tree import EXECUTABLE, FILE, LINK, Entry


@pytest.fixture
def store(tmp_path):
    return ContentStore(str(tmp_path / "store"))


@pytest.fixture
def placed(store, tmp_path):
    return Placing(store, str(tmp_path), reflinks=False)


def test_a_packed_file_is_a_hard_link_where_there_are_no_reflinks(store, placed, tmp_path):
    entry = Entry(store.put_bytes(b"hello"), FILE)
    placed.file("out", entry, own=False)
    placed.tree({"src/deep/out": entry}, linked="src/")
    blob = os.stat(store.path(entry.digest)).st_ino
    assert os.stat(tmp_path / "out").st_ino == os.stat(tmp_path / "src/deep/out").st_ino == blob


def test_a_tree_is_placed_whole_by_a_store_that_has_not_seen_its_blobs(store, tmp_path):
    tree = {
        "bento.yaml": Entry(store.put_bytes(b"own"), FILE),
        "src/a": Entry(store.put_bytes(b"a"), FILE),
        "src/b/run": Entry(store.put_bytes(b"run", EXECUTABLE), EXECUTABLE),
        "src/b/to-a": Entry(store.put_bytes(b"../a"), LINK),
        "src/empty": Entry(store.put_bytes(b""), FILE),
    }
    Placing(ContentStore(store.root), str(tmp_path / "out"), reflinks=False).tree(tree, linked="src/")
    assert (tmp_path / "out/src/b/to-a").read_bytes() == b"a"
    assert os.access(tmp_path / "out/src/b/run", os.X_OK)
    links = {path: os.stat(tmp_path / "out" / path).st_nlink for path in ("bento.yaml", "src/a", "src/empty")}
    assert links == {"bento.yaml": 1, "src/a": 2, "src/empty": 1}
    (tmp_path / "out/bento.yaml").write_bytes(b"written to")


def test_a_damaged_blob_is_not_placed(store, placed, tmp_path):
    entry = Entry(store.put_bytes(b"hello"), FILE)
    os.chmod(store.path(entry.digest), 0o644)
    with open(store.path(entry.digest), "wb") as file:
        file.write(b"hullo")
    with pytest.raises(Missing):
        Placing(ContentStore(store.root), str(tmp_path / "out"), reflinks=False).tree({"src/a": entry}, linked="src/")


def test_a_file_that_others_will_write_to_and_an_empty_file_are_never_links(store, placed, tmp_path):
    own, empty = Entry(store.put_bytes(b"hello"), FILE), Entry(store.put_bytes(b""), FILE)
    placed.file("own", own, own=True)
    placed.file("empty", empty, own=False)
    assert os.stat(tmp_path / "own").st_nlink == os.stat(tmp_path / "empty").st_nlink == 1
    (tmp_path / "own").write_text("written to")
    assert ContentStore(store.root).read(own.digest) == b"hello"


@pytest.mark.parametrize("number", [errno.EMLINK, errno.EXDEV, errno.EPERM, errno.EACCES])
def test_where_a_link_cannot_be_made_the_file_is_a_copy_and_it_is_said(store, placed, tmp_path, monkeypatch, number):
    def refuse(source, target, **_):
        raise OSError(number, os.strerror(number))

    entry = Entry(store.put_bytes(b"#!/bin/sh\n", EXECUTABLE), EXECUTABLE)
    monkeypatch.setattr(placing.os, "link", refuse)
    placed.tree({"src/tool": entry}, linked="src/")
    assert (tmp_path / "src/tool").read_bytes() == b"#!/bin/sh\n"
    assert stat.S_IMODE(os.stat(tmp_path / "src/tool").st_mode) == 0o755
    assert os.strerror(number) in store.notes[-1]


def test_a_link_that_fails_for_another_reason_is_an_error(store, placed, monkeypatch):
    def refuse(source, target, **_):
        raise OSError(errno.ENOSPC, "full")

    entry = Entry(store.put_bytes(b"hello"), FILE)
    monkeypatch.setattr(placing.os, "link", refuse)
    with pytest.raises(OSError):
        placed.tree({"src/out": entry}, linked="src/")


def test_one_content_with_two_modes_is_two_files_since_a_link_shares_its_mode(store, placed, tmp_path):
    digest = store.put_bytes(b"hello")
    placed.file("x", Entry(digest, EXECUTABLE), own=False)
    placed.file("f", Entry(digest, FILE), own=False)
    assert os.access(tmp_path / "x", os.X_OK)
    assert os.stat(tmp_path / "x").st_mode & 0o111 and not os.stat(tmp_path / "f").st_mode & 0o111


def test_a_link_of_the_user_stays_a_link(store, placed, tmp_path):
    placed.file("link", Entry(store.put_bytes(b"../target"), LINK), own=False)
    assert os.readlink(tmp_path / "link") == "../target"


def test_placing_what_is_not_there_is_missing(placed):
    for mode in (FILE, EXECUTABLE, LINK):
        with pytest.raises(Missing):
            placed.file("out", Entry(of_bytes(b"never"), mode), own=False)


def test_the_trial_of_a_reflink_leaves_nothing(store, tmp_path):
    reflinks(store, str(tmp_path / "trial"))
    assert not (tmp_path / "trial").exists()
