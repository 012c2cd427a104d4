"""An explanation is a reading of manifests: every reason, followed upstream to the root, and nothing secret."""

from __future__ import annotations

import json

import pytest
from toys import Toy, rules_from

from bentomake.engine.explain import explain, roots, text_diff

BOOK = """
from bentomake.errors import StepError

@rule(outputs="src/", sources="packed")
def sources(ctx):
    files = ctx.source("packed")
    for path in ctx.lacking(files.tree):
        ctx.keep_file(files.path(path), files.tree[path])
    return {f"src/{path}": entry for path, entry in files.tree.items()}

@rule(outputs="r", params="packages")
def requirements(ctx):
    return {"r": "\\n".join(ctx.param("packages"))}

@rule(outputs="l", inputs="requirements")
def lock(ctx):
    if ctx.discover("file", "offline").value:
        raise StepError("No index.")
    return {"l": ctx.input("requirements").text("r") + "==1"}

@rule(outputs="b", inputs=["sources", "lock"])
def bento(ctx):
    return {"b": "".join(sorted(ctx.input("sources").tree)) + ctx.input("lock").text("l")}
"""
NAMES = ("sources", "requirements", "lock", "bento")


@pytest.fixture
def toy(tmp_path):
    made = Toy(tmp_path)
    made.binding.params = {"packages": ["a"]}
    made.binding.places = {"packages": "bentofile.yaml:14"}
    made.binding.packed = {"service.py": "x = 1\n", "data.txt": "1\n"}
    return made


@pytest.fixture
def book(tmp_path):
    return rules_from(tmp_path / "book.py", BOOK, NAMES)


def explained(toy, book):
    records = {record["action"]: record for record in explain(toy.build(book), toy.store)}
    json.dumps(list(records.values()))  # it is for machines too
    return records


def test_a_first_build_is_first_and_a_second_says_where_its_hits_are_from(toy, book):
    assert all(record["first"] and not record["reasons"] for record in explained(toy, book).values())
    for record in explained(toy, book).values():
        assert (record["state"], record["reasons"], record["from"]["project"]) == ("cached", [], "here")
        assert record["saved"] >= 0


def test_a_chain_goes_to_the_root_with_both_values_and_the_place_of_today(toy, book):
    toy.build(book)
    toy.binding.params["packages"] = ["a", "b"]
    toy.binding.places["packages"] = "bentofile.yaml:15"
    records = explained(toy, book)
    ((chain, root),) = list(roots(records["bento"]["reasons"]))
    assert chain == ["lock", "requirements"]
    assert (root["kind"], root["name"], root["place"]) == ("param", "packages", "bentofile.yaml:15")
    assert (root["old"], root["new"]) == ('["a"]', '["a", "b"]')


def test_sources_are_explained_by_their_files(toy, book):
    toy.build(book)
    toy.binding.packed = {"service.py": "x = 2\n", "new.py": ""}
    reasons = explained(toy, book)["sources"]["reasons"]
    said = {(reason["name"], reason["change"]) for reason in reasons}
    assert said == {("service.py", "changed"), ("data.txt", "removed"), ("new.py", "added")}
    (changed,) = [reason for reason in reasons if reason["name"] == "service.py"]
    lines = text_diff(changed["old"], changed["new"], "service.py", toy.store).splitlines()
    assert lines[-2:] == ["-x = 1", "+x = 2"]


def test_what_is_not_text_or_not_stored_any_more_has_no_diff(toy):
    store, cache = toy.open()
    binary, text = store.put_bytes(b"\0\1").sha256, store.put_bytes(b"a\n").sha256
    assert text_diff(binary, text, "x", store) == ""
    assert text_diff("0" * 64, text, "x", store) == ""
    assert "+a" in text_diff(None, text, "x", store)
    cache.close()


def test_early_cut_off_leaves_nothing_to_explain_behind_it(toy, book):
    toy.build(book)
    toy.binding.files["offline"] = ""
    records = explained(toy, book)
    assert [reason["name"] for reason in records["lock"]["reasons"]] == ["offline"]
    assert (records["bento"]["state"], records["bento"]["reasons"]) == ("cached", [])


def test_a_failed_step_says_its_error_and_what_had_changed(toy, book):
    toy.build(book)
    toy.binding.files["offline"] = "yes"
    records = explained(toy, book)
    assert (records["lock"]["state"], records["lock"]["error"]) == ("failed", "No index.")
    assert [reason["name"] for reason in records["lock"]["reasons"]] == ["offline"]
    assert records["bento"]["state"] == "skipped"


def test_a_hit_after_going_back_is_explained_too(toy, book):
    toy.build(book)
    toy.binding.params["packages"] = ["b"]
    toy.build(book)
    toy.binding.params["packages"] = ["a"]
    records = explained(toy, book)
    assert {record["state"] for record in records.values()} == {"cached"}
    ((chain, root),) = list(roots(records["bento"]["reasons"]))
    assert (chain, root["new"]) == (["lock", "requirements"], '["a"]')
