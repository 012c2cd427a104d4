"""The stat index hashes a file once, and again when it may have changed; it never calls a changed one "unchanged"."""

from __future__ import annotations

import os
import time

import pytest
from toys import full_disk

from bentomake.engine import stat_index
from bentomake.engine.digest import of_bytes
from bentomake.engine.fresh import SETTLE, stamp_of
from bentomake.engine.stat_index import StatIndex, settled, write_atomically
from bentomake.errors import StoreError

BIG = b"b" * (2 << 20)


@pytest.fixture
def kept(tmp_path):
    return str(tmp_path / "state" / "stat.json")


def old(path, data, age=10):
    """Write a file as if it had been there for a while; its ctime settles in a moment."""
    path.write_bytes(data)
    then = time.time_ns() - age * 10**9
    os.utime(path, ns=(then, then + 1))
    while not settled(stat_index.signature(os.stat(path)), time.time_ns()):
        time.sleep(0.005)


def indexed(kept, *paths):
    index = StatIndex(kept)
    digests = [index.digest(str(path)) for path in paths]
    index.save()
    return index, digests


def test_a_known_file_is_not_read_again(kept, tmp_path):
    old(tmp_path / "a", b"hello")
    first, (digest,) = indexed(kept, tmp_path / "a")
    again, (same,) = indexed(kept, tmp_path / "a")
    assert digest == same == of_bytes(b"hello")
    assert (first.hashed, again.hashed) == (1, 0)


def test_an_edit_of_the_same_size_that_keeps_the_time_is_seen(kept, tmp_path):
    old(tmp_path / "a", b"hello")
    indexed(kept, tmp_path / "a")
    before = os.stat(tmp_path / "a")
    (tmp_path / "a").write_bytes(b"hullo")
    os.utime(tmp_path / "a", ns=(before.st_atime_ns, before.st_mtime_ns))  # as cp -p and rsync do
    assert indexed(kept, tmp_path / "a")[1] == [of_bytes(b"hullo")]


def test_a_file_that_was_written_just_now_is_not_trusted_next_time(kept, tmp_path):
    (tmp_path / "a").write_bytes(b"hello")
    now = os.stat(tmp_path / "a")
    assert not settled(stat_index.signature(now), now.st_mtime_ns + 1)
    assert not settled(stat_index.signature(now), now.st_mtime_ns - 1)
    assert settled(stat_index.signature(now), now.st_ctime_ns + 3 * 10**9)


def test_a_file_system_with_whole_seconds_is_trusted_after_two_of_them(kept):
    whole = 1_700_000_000 * 10**9
    assert not settled((1, whole, whole, 1, 0), whole + 10**9)
    assert settled((1, whole, whole, 1, 0), whole + 3 * 10**9)


def test_a_big_file_that_was_only_touched_keeps_its_sha256(kept, tmp_path):
    old(tmp_path / "big", BIG)
    indexed(kept, tmp_path / "big")
    old(tmp_path / "big", BIG, age=5)
    again, (digest,) = indexed(kept, tmp_path / "big")
    assert digest == of_bytes(BIG)
    assert again.hashed == 0  # xxh3 said that it is the same
    last, _ = indexed(kept, tmp_path / "big")
    assert last.hashed == 0


def test_a_big_file_with_one_other_byte_is_hashed_anew(kept, tmp_path):
    old(tmp_path / "big", BIG)
    indexed(kept, tmp_path / "big")
    old(tmp_path / "big", BIG[:-1] + b"!", age=5)
    again, (digest,) = indexed(kept, tmp_path / "big")
    assert digest == of_bytes(BIG[:-1] + b"!") and again.hashed == 1


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"version": 1, "files": 3}', '{"version": 2, "files": {}}'])
def test_a_damaged_index_is_an_empty_one(kept, tmp_path, damage):
    old(tmp_path / "a", b"hello")
    indexed(kept, tmp_path / "a")
    with open(kept, "w") as file:
        file.write(damage)
    again, (digest,) = indexed(kept, tmp_path / "a")
    assert (digest, again.hashed) == (of_bytes(b"hello"), 1)


def test_a_change_among_many_is_appended_and_known_afterwards(kept, tmp_path):
    files = [tmp_path / f"f{number}" for number in range(60)]
    for file in files:
        old(file, file.name.encode())
    indexed(kept, *files)
    written = os.stat(kept)
    for round_ in range(5):
        old(files[7], b"edited %d" % round_, age=5 - round_)
        again, digests = indexed(kept, *files)
        assert (again.hashed, digests[7]) == (1, of_bytes(b"edited %d" % round_))
    assert os.stat(kept).st_ino != written.st_ino, "after some appended changes it was written anew"
    assert indexed(kept, *files)[0].hashed == 0


def test_a_file_that_bentomake_linked_itself_is_not_read_again(kept, tmp_path):
    for name in ("linked", "written", "new"):
        old(tmp_path / name, BIG)
    indexed(kept, tmp_path / "linked", tmp_path / "written")
    index = StatIndex(kept)
    for name in ("linked", "written", "new"):
        index.link(str(tmp_path / name), str(tmp_path / f"{name}-too"))
    with pytest.raises(FileNotFoundError):
        index.link(str(tmp_path / "missing"), str(tmp_path / "missing-too"))
    before = os.stat(tmp_path / "written")
    time.sleep(SETTLE)
    (tmp_path / "written-too").write_bytes(BIG[:-1] + b"x")
    os.utime(tmp_path / "written", ns=(before.st_atime_ns, before.st_mtime_ns))  # only the ctime tells
    index.unlink(str(tmp_path / "linked"), str(tmp_path / "linked-too"))
    index.unlink(str(tmp_path / "written"), str(tmp_path / "written-too"))
    assert index.linked[str(tmp_path / "linked")] == stamp_of(os.stat(tmp_path / "linked"))
    assert index.linked[str(tmp_path / "written")] != stamp_of(os.stat(tmp_path / "written"))
    index.save()
    again, digests = indexed(kept, tmp_path / "linked", tmp_path / "written", tmp_path / "new")
    assert digests == [of_bytes(BIG), of_bytes(BIG[:-1] + b"x"), of_bytes(BIG)]
    assert again.hashed == 2


def test_a_line_that_was_cut_off_costs_a_hash_and_nothing_else(kept, tmp_path):
    files = [tmp_path / f"f{number}" for number in range(60)]
    for file in files:
        old(file, file.name.encode())
    indexed(kept, *files)
    old(files[7], b"edited", age=5)
    indexed(kept, *files)
    os.truncate(kept, os.stat(kept).st_size - 5)
    again, digests = indexed(kept, *files)
    assert (again.hashed, digests[7]) == (1, of_bytes(b"edited"))
    assert indexed(kept, *files)[0].hashed == 0


def test_a_full_disk_is_said_and_leaves_no_half_of_a_file(kept, tmp_path):
    target = tmp_path / "new" / "file"
    with full_disk(4096), pytest.raises(StoreError, match="cannot be written"):
        write_atomically(str(target), b"x" * 9999)
    assert os.listdir(target.parent) == []
    files = [tmp_path / f"f{number}" for number in range(60)]
    for file in files:
        old(file, file.name.encode())
    indexed(kept, *files)
    old(files[7], b"edited", age=5)
    with full_disk(os.stat(kept).st_size), pytest.raises(StoreError, match="cannot be written"):
        indexed(kept, *files)  # a line more


def test_a_file_is_replaced_in_one_step(tmp_path):
    target = tmp_path / "new" / "file"
    write_atomically(str(target), b"one")
    before = os.stat(target).st_ino
    write_atomically(str(target), b"two")
    assert target.read_bytes() == b"two" and os.stat(target).st_ino != before
    assert os.listdir(target.parent) == ["file"]
