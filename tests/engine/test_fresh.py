"""Fresh answers only for the very same command in an unchanged world; any doubt is no answer."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from toys import full_disk

from bentomake.engine import fresh
from bentomake.engine.fresh import SETTLE, Watch, answer, cache_directory

ARGV = ["-o", "path"]


class World:
    """A cache with a key, some files that a build looked at, and the record of that build."""

    def __init__(self, directory):
        self.directory = directory
        self.cache = str(directory / "cache")
        (directory / "cache" / "state").mkdir(parents=True)
        (directory / "cache" / "state" / "key").write_bytes(os.urandom(32))
        self.env = {"BENTOMAKE_CACHE_DIR": self.cache, "HOME": str(directory), "LANG": "C"}
        self.file = directory / "data"
        self.file.write_text("hello")
        self.watch = Watch()

    def settle(self):
        time.sleep(SETTLE + 0.01)

    def record(self):
        return self.watch.write(self.cache, ARGV, self.env, "/project", "the path\n", "all cached\n")

    def ask(self, argv=ARGV, env=None, cwd="/project"):
        return answer(argv, {**self.env, **(env or {})}, cwd)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


@pytest.fixture
def recorded(world):
    world.settle()
    world.watch.path(str(world.file))
    world.watch.path(str(world.directory / "absent"))
    world.watch.variable("MODE", "fast")
    world.env["MODE"] = "fast"
    assert world.record()
    return world


def test_it_answers_what_the_full_path_said(recorded):
    assert recorded.ask() == ("the path\n", "all cached\n")


@pytest.mark.parametrize("data", ["hullo", "longer than before", ""])
def test_an_edit_ends_it(recorded, data):
    recorded.file.write_text(data)
    assert recorded.ask() is None


def test_so_does_an_edit_that_keeps_size_and_time(recorded):
    before = os.stat(recorded.file)
    recorded.file.write_text("HELLO")
    os.utime(recorded.file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert recorded.ask() is None


def test_so_does_a_replacement_by_a_file_of_the_same_content_and_time(recorded):
    before = os.stat(recorded.file)
    other = recorded.directory / "other"
    other.write_text("hello")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.rename(recorded.file)
    assert recorded.ask() is None


def test_so_does_a_mode_a_removal_and_an_appearance(recorded):
    recorded.file.chmod(0o755)
    assert recorded.ask() is None


def test_a_removed_file_ends_it(recorded):
    recorded.file.unlink()
    assert recorded.ask() is None


def test_what_was_looked_for_and_appears_ends_it_even_as_a_broken_link(recorded):
    (recorded.directory / "absent").symlink_to("nowhere")
    assert recorded.ask() is None


@pytest.mark.parametrize("value", ["slow", ""])
def test_a_variable_that_was_read_counts(recorded, value):
    assert recorded.ask(env={"MODE": value}) is None
    del recorded.env["MODE"]
    assert recorded.ask() is None


@pytest.mark.parametrize(
    "name", ["BENTOML_HOME", "BENTOMAKE_PYTHON", "PIP_INDEX_URL", "UV_DEFAULT_INDEX", "SOURCE_DATE_EPOCH", "HOME"]
)
def test_the_named_variables_count_whether_or_not_they_were_read(recorded, name):
    assert recorded.ask(env={name: "/elsewhere"}) is None


def test_any_other_variable_does_not_count(recorded):
    assert recorded.ask(env={"LANG": "de_DE.UTF-8", "SHLVL": "9"}) is not None


@pytest.mark.parametrize("argv", [[], ["-n", *ARGV], ["-o", "tag"], ["-o path"], [*reversed(ARGV)]])
def test_other_arguments_are_another_command(recorded, argv):
    assert recorded.ask(argv) is None


def test_so_is_another_working_directory(recorded):
    assert recorded.ask(cwd="/project/sub") is None


def test_a_file_too_new_to_be_trusted_makes_no_record(world):
    world.file.write_text("just now")
    world.watch.path(str(world.file))
    assert not world.record()
    assert world.ask() is None


def test_a_file_that_changes_between_the_look_and_the_record_ends_it(world):
    world.settle()
    world.watch.path(str(world.file))
    world.file.write_text("changed while it was built")
    world.settle()
    world.record()
    assert world.ask() is None


def test_what_the_build_itself_made_is_taken_as_it_is_at_the_end(world):
    world.watch.made(str(world.directory / "bento"))
    (world.directory / "bento").mkdir()
    assert world.record() and world.ask() is not None
    (world.directory / "bento" / "new").write_text("")
    assert world.ask() is None


def test_a_file_that_the_build_linked_is_taken_as_it_was_then_and_not_as_it_is_at_the_end(world):
    for edited in (False, True):
        world.settle()
        world.watch = Watch()
        world.watch.path(str(world.file))
        os.link(world.file, world.directory / f"link-{edited}")
        world.watch.linked(str(world.file), fresh.stamp_of(os.stat(world.file)))
        if edited:
            world.settle()
            world.file.write_text("an edit before the record is written")
            world.settle()
        assert world.record()
        assert (world.ask() is None) == edited


def test_many_paths_are_watched_by_the_stats_that_were_taken(world):
    world.settle()
    asked, st = time.time_ns(), os.stat(world.file)
    world.watch.many([str(world.file)], [st], asked)
    assert world.record() and world.ask() is not None
    world.file.write_text("other")
    world.watch = Watch()
    world.watch.many([str(world.file)], [os.stat(world.file)], time.time_ns())
    assert not world.record()


def test_a_file_system_that_keeps_whole_seconds_is_trusted_two_seconds_later(world):
    """A second edit within the second of the first would have the same time."""
    second = 1_700_000_000 * 10**9
    coarse = SimpleNamespace(st_size=5, st_mtime_ns=second, st_ctime_ns=second, st_ino=1, st_mode=0)
    for later, trusted in ((10**9, False), (3 * 10**9, True)):
        world.watch = Watch()
        world.watch.many([str(world.file)], [coarse], second + later)
        assert world.record() is trusted


def test_a_damaged_record_is_no_answer(recorded):
    (path,) = (recorded.directory / "cache" / "state" / "fresh").iterdir()
    whole = path.read_bytes()
    for damaged in (
        b"",
        whole[: len(whole) // 2],
        whole[:-8],
        whole[:-1],
        whole.replace(b"fresh 1", b"fresh 0"),
        b"\0" * 99,
    ):
        path.write_bytes(damaged)
        assert recorded.ask() is None
    path.write_bytes(whole)
    assert recorded.ask() is not None


def test_no_cache_no_answer_and_another_key_no_answer(recorded):
    (recorded.directory / "cache" / "state" / "key").write_bytes(os.urandom(32))
    assert recorded.ask() is None
    assert recorded.ask(env={"BENTOMAKE_CACHE_DIR": str(recorded.directory / "none")}) is None


def test_a_full_disk_makes_no_record_and_leaves_no_half_of_one(world):
    world.settle()
    world.watch.path(str(world.file))
    with full_disk(64):
        assert not world.record()
    assert os.listdir(world.directory / "cache" / "state" / "fresh") == []


def test_a_variables_value_is_not_in_the_record(world):
    world.settle()
    world.watch.path(str(world.file))
    world.watch.variable("TOKEN", "hunter2-hunter2")
    world.env["TOKEN"] = "hunter2-hunter2"
    assert world.record() and world.ask() is not None
    for path in (world.directory / "cache" / "state" / "fresh").iterdir():
        assert b"hunter2" not in path.read_bytes() + path.name.encode()


def test_it_needs_nothing_that_is_slow_to_import():
    code = "import sys; import bentomake.__main__, bentomake.engine.fresh; print(*sys.modules)"
    said = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, env=_importable(), check=True
    )
    loaded = set(said.stdout.split())
    assert "bentomake.engine.fresh" in loaded
    slow = {"click", "yaml", "networkx", "diskcache", "json", "hashlib", "subprocess", "dataclasses", "re", "pathlib"}
    assert not loaded & slow, loaded & slow


def _importable():
    import bentomake

    return {"PYTHONPATH": os.path.dirname(os.path.dirname(bentomake.__file__))}


def test_the_cache_directory_is_the_named_one_else_the_platforms(tmp_path):
    assert cache_directory({"BENTOMAKE_CACHE_DIR": str(tmp_path)}) == str(tmp_path)
    if sys.platform == "linux":
        assert cache_directory({"HOME": "/home/a"}) == "/home/a/.cache/bentomake"
        assert cache_directory({"HOME": "/home/a", "XDG_CACHE_HOME": "/x"}) == "/x/bentomake"
    else:
        assert fresh.cache_directory({"HOME": "/home/a"}).endswith("bentomake")


def test_a_cache_home_that_is_relative_is_none_as_its_standard_says():
    if sys.platform == "linux":
        assert cache_directory({"XDG_CACHE_HOME": "here", "HOME": "/me"}) == "/me/.cache/bentomake"
        assert cache_directory({"XDG_CACHE_HOME": "/here", "HOME": "/me"}) == "/here/bentomake"
