"""Collection forgets what was of no use for longest, and never what a build or another trace still needs."""

from __future__ import annotations

import os
import sqlite3
import time

import pytest
from toys import Toy, rules_from, states

from bentomake.engine.collect import clear, collect, collect_if_due, in_use, limit_of, parse_size
from bentomake.engine.manifest import Line, Manifest
from bentomake.errors import UsageError

BOOK = """
@rule(outputs=["big", "shared"], params="text")
def only(ctx):
    return {"big": ctx.param("text") * 1000, "shared": "shared" * 100}
"""

SHARING = """
@rule(outputs="o", params="text")
def only(ctx):
    made = ctx.keep_bytes(ctx.param("text").encode())
    ctx.discover("file", ctx.param("text"))
    ctx.keep_part(ctx.param("text"), {"part": made})
    return {"o": made}
"""


@pytest.fixture
def toy(tmp_path):
    made = Toy(tmp_path)
    (made.cache / "state").mkdir(parents=True)
    return made


@pytest.fixture
def book(tmp_path):
    return rules_from(tmp_path / "book.py", BOOK, ["only"])


def build(toy, book, *texts):
    found = {}
    for text in texts:
        toy.binding.params["text"] = text
        found |= {text: toy.build(book)["only"]}
    return found


def gathered(toy, limit, grace=-60):
    store, cache = toy.open()
    try:
        return collect(str(toy.cache), store, cache, limit, grace)
    finally:
        cache.close()


def use(toy, outcome, at):
    _, cache = toy.open()
    cache.write(f"used/{outcome.trace.key}", at)
    cache.close()


def test_below_the_limit_nothing_that_is_named_goes(toy, book):
    build(toy, book, "a", "b")
    freed = gathered(toy, 1 << 30)
    assert freed.traces == 0
    assert [states({"x": outcome}) for outcome in build(toy, book, "a", "b").values()] == [{"x": "cached"}] * 2


def test_above_it_what_was_used_longest_ago_goes_first_and_what_is_shared_stays(toy, book):
    found = build(toy, book, "a", "b", "c")
    for age, text in enumerate("bac"):  # c was of use last, then a
        use(toy, found[text], time.time() + 100 + age)
    freed = gathered(toy, 3500, grace=-1000)
    assert freed.traces == 1 and freed.bytes >= 1000
    again = build(toy, book, "a", "c", "b")
    assert {text: outcome.state for text, outcome in again.items()} == {"a": "cached", "c": "cached", "b": "ran"}


def test_a_hit_is_a_use(toy, book):
    found = build(toy, book, "a", "b")
    use(toy, found["a"], 1.0)
    build(toy, book, "a")
    _, cache = toy.open()
    assert cache.read(f"used/{found['a'].trace.key}") > time.time() - 60
    cache.close()


def test_a_blob_that_no_trace_names_goes_unless_it_is_young(toy, book):
    store, cache = toy.open()
    digest = store.put_bytes(b"nobody's")
    cache.close()
    assert gathered(toy, 1 << 30, grace=3600).blobs == 0
    assert gathered(toy, 1 << 30).blobs == 1
    assert not os.path.exists(store.path(digest))


def test_young_traces_stay_even_above_the_limit(toy, book):
    build(toy, book, "a", "b")
    assert gathered(toy, 1, grace=3600).traces == 0


def test_a_damaged_trace_is_forgotten(toy, book):
    found = build(toy, book, "a")
    _, cache = toy.open()
    cache.write(f"trace/{found['a'].trace.key}", {"no": "trace"})
    cache.close()
    assert gathered(toy, 1 << 30).traces == 1


def test_so_is_one_that_names_its_sources_by_no_digest(toy, book):
    trace = build(toy, book, "a")["a"].trace
    odd = Manifest([Line("source", "packed", "no digest"), *trace.manifest.lines])
    _, cache = toy.open()
    cache.remember(trace._replace(manifest=odd), "a static key")
    cache.close()
    assert gathered(toy, 1 << 30).traces == 1


def test_with_a_trace_go_the_rows_that_only_it_needs(toy, tmp_path):
    book = rules_from(tmp_path / "book.py", SHARING, ["only"])
    build(toy, book, "b")
    of_b = rows(toy)
    found = build(toy, book, "a", "c", "b")
    assert len(rows(toy)) > len(of_b)
    use(toy, found["b"], time.time() + 100)
    assert gathered(toy, 0, grace=-50).traces == 2
    assert rows(toy) == of_b and build(toy, book, "b")["b"].state == "cached"
    gathered(toy, 0, grace=-1000)
    assert rows(toy) == set()


def rows(toy):
    with sqlite3.connect(toy.cache / "actions" / "cache.db") as db:
        return {name for (name,) in db.execute("SELECT key FROM Cache") if not name.startswith("used/")}


def test_while_a_build_is_at_work_nothing_is_removed(toy, book):
    build(toy, book, "a")
    with in_use(str(toy.cache)), in_use(str(toy.cache)):  # builds do not hinder each other
        assert gathered(toy, 1) is None
        assert not clear(str(toy.cache))
        assert build(toy, book, "a")["a"].state == "cached"
    assert gathered(toy, 1) is not None
    assert clear(str(toy.cache))
    assert build(toy, book, "a")["a"].state == "ran"


def test_once_a_day_old_records_and_locks_go_and_what_cannot_be_made_again_stays(toy):
    state = toy.cache / "state"
    old = [state / name for name in ("fresh/a", "bentofiles/a", "runs/here/1.json", "projects/here/stat.json")]
    kept = [state / name for name in ("key", "models/a.json", "projects/here/git_commits.json")]
    lock, young = toy.cache / "locks" / "a", state / "fresh" / "b"
    for path in (*old, *kept, lock, young):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
        if path != young:
            os.utime(path, (1, 1))
    with in_use(str(toy.cache)):
        assert [path for path in (*old, lock) if path.exists()] == []
        assert all(path.exists() for path in (*kept, young))
        old[0].write_text("")
        os.utime(old[0], (1, 1))
    with in_use(str(toy.cache)):
        assert old[0].exists()  # it is not a day later


def test_after_a_build_it_starts_only_when_enough_was_added(toy, book):
    store, cache = toy.open()
    store.put_bytes(os.urandom(5 << 10))
    assert collect_if_due(str(toy.cache), store, cache, 100 << 10) is None  # a tenth of that was not added yet
    store.put_bytes(os.urandom(200 << 10))
    freed = collect_if_due(str(toy.cache), store, cache, 100 << 10)
    assert freed is not None and freed.blobs == 0  # all of it is young
    cache.close()


def test_of_two_builds_that_end_at_once_one_collects(toy, monkeypatch):
    store, cache = toy.open()
    store.put_bytes(os.urandom(20 << 10))
    noted = toy.cache / "state" / "added"
    monkeypatch.setattr(store, "blobs", lambda: (noted.unlink(), iter([]))[1])  # the other one, meanwhile
    assert collect_if_due(str(toy.cache), store, cache, 100 << 10) is None
    cache.close()


def test_the_limit_is_the_users_or_twenty_gibibytes():
    assert limit_of({}) == limit_of({"BENTOMAKE_CACHE_LIMIT": ""}) == 20 << 30
    assert limit_of({"BENTOMAKE_CACHE_LIMIT": "5G"}) == 5 << 30
    with pytest.raises(UsageError, match="no size"):
        limit_of({"BENTOMAKE_CACHE_LIMIT": "much"})


@pytest.mark.parametrize(
    ("text", "size"),
    [("5G", 5 << 30), ("500M", 500 << 20), ("1.5 GiB", 3 << 29), ("10kb", 10240), ("7", 7), ("2T", 2 << 40)],
)
def test_sizes_are_read_as_people_write_them(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "G", "-1G", "5 apples", "1e9", "5X"])
def test_anything_else_is_said_to_be_no_size(text):
    with pytest.raises(UsageError, match="no size"):
        parse_size(text)
