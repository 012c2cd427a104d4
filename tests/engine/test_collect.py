"""Collection forgets what was of no use for longest, and never what a build or another trace still needs."""

from __future__ import annotations

import os
import time

import pytest
from toys import Toy, rules_from, states

from bentomake.engine.collect import collect, collect_if_due, in_use, parse_size
from bentomake.errors import UsageError

BOOK = """
@rule(outputs=["big", "shared"], params="text")
def only(ctx):
    return {"big": ctx.param("text") * 1000, "shared": "shared" * 100}
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


def test_while_a_build_is_at_work_it_does_not_start(toy, book):
    build(toy, book, "a")
    with in_use(str(toy.cache)), in_use(str(toy.cache)):  # builds do not hinder each other
        assert gathered(toy, 1) is None
    assert gathered(toy, 1) is not None


def test_after_a_build_it_starts_only_when_enough_was_added(toy, book, monkeypatch):
    monkeypatch.setenv("BENTOMAKE_CACHE_LIMIT", "100K")
    store, cache = toy.open()
    store.put_bytes(os.urandom(5 << 10))
    assert collect_if_due(str(toy.cache), store, cache) is None  # a tenth of the limit was not added yet
    store.put_bytes(os.urandom(200 << 10))
    freed = collect_if_due(str(toy.cache), store, cache)
    assert freed is not None and freed.blobs == 0  # all of it is young
    cache.close()


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
