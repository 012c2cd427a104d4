"""The content store: bytes arrive whole, are checked when they are believed, and are placed by the cheapest way."""

from __future__ import annotations

import os
import shutil
import stat

import pytest
from toys import full_disk

from bentomake.engine import blobs
from bentomake.engine.content_store import Changed, ContentStore, Missing, hashed_at
from bentomake.engine.digest import of_bytes
from bentomake.engine.tree import EXECUTABLE, FILE, Entry
from bentomake.errors import StoreError


@pytest.fixture
def store(tmp_path):
    return ContentStore(str(tmp_path / "store"))


def anew(store):
    """The store as the next process sees it."""
    return ContentStore(store.root)


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


@pytest.mark.parametrize("size", [10_000, 9 << 20])  # one that is read at once and one that is not
def test_a_full_disk_is_no_fault_of_the_file_and_leaves_nothing_behind(store, tmp_path, size):
    file = tmp_path / "data"
    file.write_bytes(b"a" * size)
    with full_disk(4096), pytest.raises(StoreError, match="The content store cannot be written"):
        store.put_file(str(file), of_bytes(b"a" * size))
    assert os.listdir(f"{store.root}/tmp") == []


def test_a_truncated_blob_counts_as_missing_and_is_said(store):
    digest = store.put_bytes(b"hello, world")
    rewrite(store.path(digest), b"hello")
    os.utime(store.path(digest), ns=(hashed_at(digest),) * 2)
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
    os.utime(path, ns=(hashed_at(digest),) * 2)
    later = anew(store)
    assert later.has(digest)  # this is the price of not hashing every blob on every build
    assert later.verify() == (1, [path])
    assert not anew(store).has(digest) and anew(store).has(sound)


def test_a_touched_blob_is_hashed_once_and_believed_again(store):
    digest = store.put_bytes(b"hello")
    os.utime(store.path(digest))
    assert anew(store).has(digest)
    assert os.stat(store.path(digest)).st_mtime_ns == hashed_at(digest)


def test_the_time_of_a_blob_tells_contents_of_one_size_apart_and_is_within_one_second(store):
    """Image engines look at size and time alone when they decide whether a file is another."""
    times = {os.stat(store.path(store.put_bytes(b"%04d" % number))).st_mtime_ns for number in range(100)}
    assert len(times) == 100
    assert {time // 10**9 for time in times} == {946_684_800}


def test_the_time_of_another_content_is_not_believed(store):
    one, other = store.put_bytes(b"hello"), store.put_bytes(b"hullo")
    os.replace(store.path(other), store.path(one))
    assert not anew(store).has(one)


@pytest.mark.parametrize("grain", [100, 10**7, 10**9])
def test_a_file_system_with_coarse_times_hashes_a_blob_again_until_it_is_known_to_be_one(store, monkeypatch, grain):
    exact = os.utime

    def coarse(path, *, ns):
        exact(path, ns=tuple(time - time % grain for time in ns))

    monkeypatch.setattr(blobs.os, "utime", coarse)
    digests = [store.put_bytes(b"%d" % number) for number in range(20)]
    later, read = anew(store), []
    sound = ContentStore._sound
    monkeypatch.setattr(ContentStore, "_sound", lambda store, *blob: read.append(blob) or sound(store, *blob))
    assert all(later.has(digest) for digest in digests)
    assert len(read) == 1, "the first one told how exactly times are kept"
    rewrite(store.path(digests[5]), b"X")
    assert not anew(store).has(digests[5])


def test_what_is_lacking_is_what_is_gone_or_damaged(store):
    entries = [Entry(store.put_bytes(b"%d" % number), FILE) for number in range(4)]
    os.unlink(store.path(entries[1].digest))
    rewrite(store.path(entries[2].digest), b"X")
    assert anew(store).lacking(entries) == entries[1:3]
    assert anew(store).lacking([Entry(entries[0].digest, EXECUTABLE)]), "another mode is another file"
    shutil.rmtree(f"{store.root}/blobs")
    assert anew(store).lacking(entries) == entries


def test_a_damaged_blob_is_replaced_when_its_bytes_come_again(store):
    digest = store.put_bytes(b"hello")
    rewrite(store.path(digest), b"")
    later = anew(store)
    assert later.put_bytes(b"hello") == digest
    assert later.read(digest) == b"hello"


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
