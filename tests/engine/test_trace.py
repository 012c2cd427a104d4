"""The action cache remembers traces, and believes nothing in its file that it did not write."""

from __future__ import annotations

import json
import os
import pickle
import sqlite3
import stat

import diskcache
import pytest

from bentomake.engine.digest import of_bytes
from bentomake.engine.manifest import Line, Manifest
from bentomake.engine.trace import ActionCache, Trace
from bentomake.errors import StoreError

STATIC = Manifest([Line("rule", "lock", "d1"), Line("param", "packages", "d2", '["a"]')])


def a_trace(*discovered: Line) -> Trace:
    manifest = STATIC.extended(discovered)
    return Trace("lock", "lock", manifest, len(STATIC.lines), of_bytes(b"tree"), 1.5, 99.0, "it said", [], "here")


class Marker:
    """A pickle of this makes a file when it is loaded."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.fixture
def cache(tmp_path):
    made = ActionCache(str(tmp_path / "actions"))
    yield made
    made.close()


def database(cache):
    return sqlite3.connect(os.path.join(cache.directory, "cache.db"))


def test_a_trace_is_found_under_its_key_by_the_next_process(cache):
    trace = a_trace(Line("file", "ctx/a", "d3", "shown"))
    cache.remember(trace, STATIC.key)
    found = ActionCache(cache.directory).trace(trace.key)
    assert found.to_json() == trace.to_json()


def test_what_was_discovered_is_remembered_newest_first_and_each_set_once(cache):
    one, two = a_trace(Line("file", "a", "1")), a_trace(Line("file", "a", "1"), Line("file", "b", "1"))
    for trace in (one, two, one):
        cache.remember(trace, STATIC.key)
    assert list(cache.discovered(STATIC.key)) == [[("file", "a")], [("file", "a"), ("file", "b")]]
    assert list(cache.discovered("another")) == []


def test_a_trace_whose_manifest_is_not_its_key_is_a_miss(cache):
    trace = a_trace()
    cache.write(f"trace/{trace.key}", {**trace.to_json(), "manifest": [["file", "forged", "d", None]]})
    assert cache.trace(trace.key) is None
    assert "does not give its key" in cache.notes[-1]


@pytest.mark.parametrize("field", ["manifest", "tree", "warnings", "seconds", "origin"])
def test_a_trace_that_lacks_a_field_or_has_a_wrong_one_is_a_miss(cache, field):
    trace = a_trace()
    whole = trace.to_json()
    cache.write(f"trace/{trace.key}", {k: v for k, v in whole.items() if k != field})
    assert cache.trace(trace.key) is None
    cache.write(f"trace/{trace.key}", {**whole, field: object.__name__ if field != "origin" else {}})
    if field != "origin":
        assert cache.trace(trace.key) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [("static", 1e999), ("static", 99), ("static", -1), ("seconds", 10**400), ("version", 2)],
    ids=["infinite", "more than there are", "negative", "huge", "another version"],
)
def test_a_number_that_no_trace_has_is_a_miss(cache, field, value):
    trace = a_trace()
    cache.write(f"trace/{trace.key}", {**trace.to_json(), field: value})
    assert cache.trace(trace.key) is None and cache.notes


@pytest.mark.parametrize("value", ['"text"', "17", "null", "[]", "{", "[" * 100_000])
def test_any_other_json_is_a_miss(cache, value):
    cache._cache.set(f"trace/{a_trace().key}", value)
    assert cache.trace(a_trace().key) is None


@pytest.mark.parametrize("mode", [2, 3, 4])  # diskcache's binary file, text file, pickle
def test_a_planted_pickle_is_not_loaded_and_a_planted_file_not_opened(cache, tmp_path, mode):
    trace = a_trace()
    cache.remember(trace, STATIC.key)
    planted = os.path.join(cache.directory, "planted.val")
    with open(planted, "wb") as file:
        pickle.dump(Marker(tmp_path / "pwned"), file)
    for filename, value in ((None, pickle.dumps(Marker(tmp_path / "pwned"))), ("planted.val", None)):
        with database(cache) as db:
            db.execute("UPDATE Cache SET mode = ?, filename = ?, value = ?", (mode, filename, value))
        later = ActionCache(cache.directory)
        assert later.trace(trace.key) is None
        assert list(later.discovered(STATIC.key)) == []
        assert list(later.traces()) == [trace.key]
        assert "not one of ours" in later.notes[0]
        later.close()
    assert not (tmp_path / "pwned").exists()


def test_a_file_that_a_planted_row_names_is_left_alone(cache, tmp_path):
    """diskcache removes a row's file when it writes the row anew, or drops it."""
    (tmp_path / "precious").write_text("the user's")
    for drop in (lambda: cache.remember(a_trace(), STATIC.key), lambda: cache.forget(a_trace().key), cache.clear):
        cache.remember(a_trace(), STATIC.key)
        with database(cache) as db:
            db.execute("UPDATE Cache SET mode = 3, filename = '../precious'")
        drop()
    assert (tmp_path / "precious").read_text() == "the user's"


def test_a_planted_pickle_as_a_key_is_not_loaded(cache, tmp_path):
    cache.remember(a_trace(), STATIC.key)
    with database(cache) as db:
        db.execute(
            "UPDATE Cache SET key = ?, raw = 0 WHERE key LIKE 'trace%'", (pickle.dumps(Marker(tmp_path / "pwned")),)
        )
    later = ActionCache(cache.directory)
    assert list(later.traces()) == []
    assert later.trace(a_trace().key) is None
    later.clear()
    later.close()
    assert not (tmp_path / "pwned").exists()


def test_a_planted_pickle_among_the_settings_is_not_loaded(cache, tmp_path):
    cache.remember(a_trace(), STATIC.key)
    with database(cache) as db:
        db.execute("UPDATE Settings SET value = ?", (pickle.dumps(Marker(tmp_path / "pwned")),))
    ActionCache(cache.directory).close()
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("damage", [b"not a database at all, but long enough to be taken for one" * 99, b""])
def test_a_damaged_file_starts_anew_and_works(cache, damage):
    cache.remember(a_trace(), STATIC.key)
    cache.close()
    for name in os.listdir(cache.directory):
        with open(os.path.join(cache.directory, name), "wb") as file:
            file.write(damage)
    later = ActionCache(cache.directory)
    assert later.trace(a_trace().key) is None
    later.remember(a_trace(), STATIC.key)
    assert later.trace(a_trace().key) is not None
    assert ("starts anew" in later.notes[0]) if damage else True
    later.close()


@pytest.mark.parametrize(
    "said", ["database or disk is full", "disk I/O error", "attempt to write a readonly database", "database is locked"]
)
def test_a_disk_that_is_full_is_no_damage_and_nothing_is_forgotten(cache, monkeypatch, said):
    cache.remember(a_trace(), STATIC.key)

    def refuse(*_):
        raise sqlite3.OperationalError(said)

    with monkeypatch.context() as full:
        full.setattr(diskcache.Cache, "get", refuse)
        with pytest.raises(StoreError, match=said):
            ActionCache(cache.directory)
    assert ActionCache(cache.directory).trace(a_trace().key) is not None


def test_a_page_damaged_in_the_middle_is_survived(cache):
    for number in range(200):
        cache.remember(a_trace(Line("file", f"f{number}", "d")), STATIC.key)
    keys = list(cache.traces())
    cache._cache._sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    cache.close()
    path = os.path.join(cache.directory, "cache.db")
    with open(path, "r+b") as file:
        file.seek(4096 * 5)
        file.write(os.urandom(4096 * 20))
    later = ActionCache(cache.directory)
    found = [later.trace(key) for key in keys]
    assert all(trace is None or trace.rule == "lock" for trace in found)
    assert any(trace is None for trace in found) and later.notes
    later.close()


def test_the_directory_is_the_users_own(cache):
    assert stat.S_IMODE(os.stat(cache.directory).st_mode) == 0o700


def test_rows_are_text_so_a_reader_can_look_at_them(cache):
    cache.remember(a_trace(), STATIC.key)
    for key, raw, mode, value in database(cache).execute("SELECT key, raw, mode, value FROM Cache"):
        assert (type(key), raw, mode) == (str, 1, 1)
        json.loads(value)


def test_a_long_log_is_cut_to_its_end(cache):
    trace = a_trace()._replace(log="x" * 100_000 + "the end")
    cache.remember(trace, STATIC.key)
    assert len(cache.trace(trace.key).log) == 64 * 1024 and cache.trace(trace.key).log.endswith("the end")
