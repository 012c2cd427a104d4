"""The context of an image: links at a path that stays, with the modes that the image is to have, gone afterwards."""

from __future__ import annotations

import fcntl
import os
import stat
import threading
from pathlib import Path

import pytest

from bentomake.bento.library import Library
from bentomake.container.staging import slot, staged
from bentomake.engine.content_store import ContentStore, Missing
from bentomake.engine.process import Begun
from bentomake.engine.tree import EXECUTABLE, FILE, LINK, Entry
from bentomake.errors import StoreError


@pytest.fixture
def store(tmp_path):
    return ContentStore(str(tmp_path / "cache"))


def entry(store, data, mode=FILE):
    return Entry(store.put_bytes(data, mode), mode)


def test_it_holds_links_to_blobs_and_models_and_nothing_is_left(tmp_path, store):
    model = tmp_path / "models" / "weights"
    model.parent.mkdir()
    model.write_bytes(b"w" * 1000)
    tree = {
        "src/a.py": entry(store, b"print()"),
        "env/run.sh": entry(store, b"#!/bin/sh", EXECUTABLE),
        "src/link": entry(store, b"a.py", LINK),
    }
    beside = {"models/m/1/weights": str(model), "models/m/latest": b"1"}
    old = os.umask(0o077)
    try:
        with staged(slot(str(tmp_path / "home"), "iris"), tree, beside, store) as directory:
            blob = store.path(tree["src/a.py"].digest)
            assert os.path.samefile(f"{directory}/src/a.py", blob)
            assert os.path.samefile(f"{directory}/models/m/1/weights", model)
            assert os.readlink(f"{directory}/src/link") == "a.py"
            assert Path(directory, "models/m/latest").read_text() == "1"
            assert stat.S_IMODE(os.stat(f"{directory}/env/run.sh").st_mode) == 0o555
            assert {stat.S_IMODE(os.stat(f"{directory}/{d}").st_mode) for d in ("src", "env", "models/m/1")} == {0o755}
    finally:
        os.umask(old)
    assert os.listdir(tmp_path / "home" / "tmp") == []
    assert model.read_bytes() == b"w" * 1000


def test_what_an_engine_left_of_a_build_that_died_is_not_there(tmp_path):
    def dies():
        died = slot(str(tmp_path), "iris")
        Path(died.iidfile).write_text("sha256:" + "d" * 64)
        Path(died.scratch, "dockerfile1").mkdir(parents=True)
        os.close(died.lock)
        return died

    died = dies()
    found = slot(str(tmp_path), "iris")
    assert found.directory == died.directory
    assert not os.path.exists(found.iidfile) and not os.path.exists(found.scratch)
    found.release()
    dies()
    Library(str(tmp_path)).sweep()
    assert os.listdir(tmp_path / "tmp") == []


def test_an_engine_that_outlives_its_build_has_the_directory_for_itself(tmp_path):
    """It may read its context and note an id long after bentomake was killed, and another build has begun."""
    killed = slot(str(tmp_path), "iris")
    engine = Begun(["sh", "-c", f"read go; echo sha256:late > {killed.iidfile}"], fed=True, keeps=[killed.lock])
    os.close(killed.lock)
    Library(str(tmp_path)).sweep()
    assert os.path.isdir(killed.directory)
    found = slot(str(tmp_path), "iris")
    assert found.directory != killed.directory
    assert engine.wait(stdin="go\n").returncode == 0 and not os.path.exists(found.iidfile)
    found.release()
    again = slot(str(tmp_path), "iris")
    assert again.directory == killed.directory and not os.path.exists(again.iidfile)
    again.release()
    assert os.listdir(tmp_path / "tmp") == []


def test_a_sweep_that_comes_late_leaves_the_next_build_alone(tmp_path, monkeypatch):
    found, flock = [slot(str(tmp_path), "iris")], fcntl.flock

    def late(lock, how):
        monkeypatch.undo()
        found.pop().release()
        found.append(slot(str(tmp_path), "iris"))
        flock(lock, how)

    monkeypatch.setattr(fcntl, "flock", late)
    Library(str(tmp_path)).sweep()
    assert os.path.isdir(found[0].directory) and os.path.exists(f"{found[0].directory}.lock")
    found.pop().release()
    assert os.listdir(tmp_path / "tmp") == []


def test_the_path_stays_and_a_second_build_at_the_same_time_has_its_own(tmp_path, store):
    tree = {"a": entry(store, b"a")}
    with staged(slot(str(tmp_path), "iris"), tree, {}, store) as first:
        with staged(slot(str(tmp_path), "iris"), tree, {}, store) as second:
            assert second != first and os.listdir(second) == ["a"]
        assert os.listdir(first) == ["a"]
    with staged(slot(str(tmp_path), "iris"), tree, {}, store) as again:
        assert again == first


def test_many_builds_at_once_never_share_a_directory(tmp_path, store):
    tree = {"a": entry(store, b"a")}
    inside: set[str] = set()
    clashes = []

    def build():
        for _ in range(20):
            with staged(slot(str(tmp_path), "iris"), tree, {}, store) as directory:
                if directory in inside:
                    clashes.append(directory)
                inside.add(directory)
                inside.discard(directory)

    threads = [threading.Thread(target=build) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clashes == [] and os.listdir(tmp_path / "tmp") == []


def test_two_blobs_of_one_size_have_different_times_for_an_engine_that_compares_only_these(tmp_path, store):
    seen = []
    for data in (b"print(1)", b"print(2)"):
        with staged(slot(str(tmp_path), "iris"), {"a.py": entry(store, data)}, {}, store) as directory:
            st = os.stat(f"{directory}/a.py")
            seen.append((st.st_size, st.st_mtime_ns))
    assert seen[0] != seen[1]


def test_a_damaged_blob_is_no_part_of_an_image(tmp_path, store):
    made = entry(store, b"print(1)")
    path = store.path(made.digest)
    os.chmod(path, 0o644)
    with open(path, "w") as file:
        file.write("print(3)")
    fresh = ContentStore(store.root)
    with pytest.raises(Missing), staged(slot(str(tmp_path), "iris"), {"a.py": made}, {}, fresh):
        pass
    assert os.listdir(tmp_path / "tmp") == []


def test_where_no_link_can_be_made_the_copy_keeps_the_time_and_a_note_says_so(tmp_path, store, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError(18, "Invalid cross-device link")

    made = entry(store, b"print(1)")
    monkeypatch.setattr(os, "link", refuse)
    with staged(slot(str(tmp_path), "iris"), {"a.py": made}, {}, store) as directory:
        there, blob = os.stat(f"{directory}/a.py"), os.stat(store.path(made.digest))
        assert (there.st_ino != blob.st_ino) and there.st_mtime_ns == blob.st_mtime_ns
    assert any("is a copy" in note for note in store.notes)


def test_a_name_is_no_way_to_another_directory(tmp_path):
    """Names come from a file of the cache, or of a Bento from elsewhere; what is at a context's place is removed."""
    store = ContentStore(str(tmp_path / "cache"))
    (tmp_path / "tmp/bentomake-context-x").mkdir(parents=True)  # of another build
    (tmp_path / "mine").mkdir()
    with staged(slot(str(tmp_path), "x/../../mine"), {}, {}, store) as directory:
        assert os.path.dirname(directory) == str(tmp_path / "tmp")
    assert (tmp_path / "mine").is_dir()


def test_a_store_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A shared store, for one, in which others may only read."""
    (tmp_path / "tmp").write_text("root, too, can make no directory here")
    with pytest.raises(StoreError, match="/tmp cannot be written: ") as caught:
        slot(str(tmp_path), "iris")
    assert "BENTOML_HOME must be yours" in str(caught.value.hint)


def test_a_head_start_waits_for_no_directory(tmp_path: Path) -> None:
    taken = [slot(str(tmp_path), "iris", wait=False) for _ in range(8)]
    with pytest.raises(BlockingIOError):
        slot(str(tmp_path), "iris", wait=False)
    taken.pop().release()
    taken.append(slot(str(tmp_path), "iris", wait=False))
    for each in taken:
        each.release()
    assert os.listdir(tmp_path / "tmp") == []
