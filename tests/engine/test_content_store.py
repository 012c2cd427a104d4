"""The content store: bytes arrive whole, are checked when they are believed, and are placed by the cheapest way."""

from __future__ import annotations

import errno
import os
import stat

import pytest

from bentomake.engine import content_store
from bentomake.engine.content_store import HASHED, Changed, ContentStore, Missing
from bentomake.engine.digest import of_bytes
from bentomake.engine.tree import EXECUTABLE, FILE, LINK, Entry
from bentomake.errors import StoreError


@pytest.fixture
def store(tmp_path):
    return ContentStore(str(tmp_path / "store"))


def anew(store):
    """The store as the next process sees it."""
    return ContentStore(store.root)


def no_reflinks(store):
    store._reflink = False
    return store


def rewrite(path, data):
    os.chmod(path, 0o644)
    with open(path, "wb") as file:
        file.write(data)


def test_bytes_that_were_put_are_read_back_and_are_not_added_twice(store):
    digest = store.put_bytes(b"hello")
    assert (digest, store.read(digest), store.added) == (of_bytes(b"hello"), b"hello", 5)
    assert store.put_bytes(b"hello") == digest
    assert store.added == 5


def test_a_blob_is_read_only_so_that_a_link_to_it_cannot_be_written_by_accident(store):
    assert stat.S_IMODE(os.stat(store.path(store.put_bytes(b"x"))).st_mode) == 0o444
    assert stat.S_IMODE(os.stat(store.path(store.put_bytes(b"x", EXECUTABLE), EXECUTABLE)).st_mode) == 0o555


@pytest.mark.parametrize("size", [10, 9 << 20])  # one that is read at once and one that is not
def test_a_file_is_brought_in_if_its_bytes_are_those_that_were_promised(store, tmp_path, size):
    file = tmp_path / "data"
    file.write_bytes(b"a" * size)
    promised = of_bytes(b"a" * size)
    store.put_file(str(file), promised)
    assert store.read(promised) == b"a" * size
    file.write_bytes(b"b" * size)
    with pytest.raises(Changed):
        store.put_file(str(file), of_bytes(b"c" * size))
    assert not store.has(of_bytes(b"b" * size)) and not store.has(of_bytes(b"c" * size))
    assert os.listdir(f"{store.root}/tmp") == []


def test_a_truncated_blob_counts_as_missing_and_is_said(store):
    digest = store.put_bytes(b"hello, world")
    rewrite(store.path(digest), b"hello")
    os.utime(store.path(digest), ns=(HASHED, HASHED))
    later = anew(store)
    assert not later.has(digest)
    assert "damaged" in later.notes[0]
    with pytest.raises(Missing):
        later.read(digest)


def test_a_flipped_byte_is_found_because_the_write_changed_the_time(store):
    digest = store.put_bytes(b"hello")
    rewrite(store.path(digest), b"hellp")
    assert not anew(store).has(digest)


def test_a_flipped_byte_under_a_forged_time_is_found_by_verify_only(store):
    digest, sound = store.put_bytes(b"hello"), store.put_bytes(b"sound")
    path = store.path(digest)
    rewrite(path, b"hellp")
    os.utime(path, ns=(HASHED, HASHED))
    later = anew(store)
    assert later.has(digest)  # this is the price of not hashing every blob on every build
    assert later.verify() == (1, [path])
    assert not anew(store).has(digest) and anew(store).has(sound)


def test_a_touched_blob_is_hashed_once_and_believed_again(store):
    digest = store.put_bytes(b"hello")
    os.utime(store.path(digest))
    assert anew(store).has(digest)
    assert os.stat(store.path(digest)).st_mtime_ns == HASHED


def test_a_damaged_blob_is_replaced_when_its_bytes_come_again(store):
    digest = store.put_bytes(b"hello")
    rewrite(store.path(digest), b"")
    later = anew(store)
    assert later.put_bytes(b"hello") == digest
    assert later.read(digest) == b"hello"


def test_a_packed_file_is_a_hard_link_where_there_are_no_reflinks(store, tmp_path):
    entry = Entry(store.put_bytes(b"hello"), FILE)
    no_reflinks(store).place(entry, str(tmp_path / "out"))
    assert os.stat(tmp_path / "out").st_ino == os.stat(store.path(entry.digest)).st_ino


def test_a_file_that_others_will_write_to_and_an_empty_file_are_never_links(store, tmp_path):
    own, empty = Entry(store.put_bytes(b"hello"), FILE), Entry(store.put_bytes(b""), FILE)
    no_reflinks(store).place(own, str(tmp_path / "own"), own=True)
    store.place(empty, str(tmp_path / "empty"))
    assert os.stat(tmp_path / "own").st_nlink == os.stat(tmp_path / "empty").st_nlink == 1
    (tmp_path / "own").write_text("written to")
    assert anew(store).read(own.digest) == b"hello"


@pytest.mark.parametrize("number", [errno.EMLINK, errno.EXDEV, errno.EPERM, errno.EACCES])
def test_where_a_link_cannot_be_made_the_file_is_a_copy_and_it_is_said(store, tmp_path, monkeypatch, number):
    def refuse(source, target):
        raise OSError(number, os.strerror(number))

    entry = Entry(store.put_bytes(b"#!/bin/sh\n", EXECUTABLE), EXECUTABLE)
    monkeypatch.setattr(content_store.os, "link", refuse)
    no_reflinks(store).place(entry, str(tmp_path / "tool"))
    assert (tmp_path / "tool").read_bytes() == b"#!/bin/sh\n"
    assert stat.S_IMODE(os.stat(tmp_path / "tool").st_mode) == 0o755
    assert os.strerror(number) in store.notes[-1]


def test_a_link_that_fails_for_another_reason_is_an_error(store, tmp_path, monkeypatch):
    entry = Entry(store.put_bytes(b"hello"), FILE)
    monkeypatch.setattr(content_store.os, "link", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    with pytest.raises(OSError):
        no_reflinks(store).place(entry, str(tmp_path / "out"))


def test_one_content_with_two_modes_is_two_files_since_a_link_shares_its_mode(store, tmp_path):
    digest = store.put_bytes(b"hello")
    no_reflinks(store).place(Entry(digest, EXECUTABLE), str(tmp_path / "x"))
    store.place(Entry(digest, FILE), str(tmp_path / "f"))
    assert os.access(tmp_path / "x", os.X_OK)
    assert os.stat(tmp_path / "x").st_mode & 0o111 and not os.stat(tmp_path / "f").st_mode & 0o111


def test_a_link_of_the_user_stays_a_link(store, tmp_path):
    store.place(Entry(store.put_bytes(b"../target"), LINK), str(tmp_path / "link"))
    assert os.readlink(tmp_path / "link") == "../target"


def test_placing_what_is_not_there_is_missing(store, tmp_path):
    for mode in (FILE, EXECUTABLE, LINK):
        with pytest.raises(Missing):
            store.place(Entry(of_bytes(b"never"), mode), str(tmp_path / "out"))


def test_a_tree_is_complete_when_all_its_blobs_are(store):
    tree = {"a": Entry(store.put_bytes(b"a"), FILE), "b": Entry(store.put_bytes(b"b"), FILE)}
    digest = store.put_tree(tree)
    assert store.tree(digest) == tree and store.complete(tree)
    os.unlink(store.path(tree["b"].digest))
    assert not anew(store).complete(tree)


def test_bytes_that_are_no_tree_are_missing_not_a_traceback(store):
    with pytest.raises(Missing):
        store.tree(store.put_bytes(b"644 no tree at all\0"))
    with pytest.raises(Missing):
        store.tree(store.put_bytes(b"\xff\xfe\0"))


def test_a_store_that_cannot_be_made_says_where_and_what_to_do(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError) as caught:
        ContentStore(str(tmp_path / "file"))
    assert str(tmp_path / "file") in caught.value.message and caught.value.hint
