"""The rebuilder: a known key is a hit, anything else runs; what a recipe may touch is what its rule declared."""

from __future__ import annotations

import errno
import os
import tempfile
import threading

import pytest
from toys import Bindings, Toy, everything_in, rules_from, states

from bentomake.engine.action import CACHED, FAILED, MAY_RUN, RAN, RUNS, SKIPPED
from bentomake.engine.rule import Tool
from bentomake.errors import RuleError, StepError, StoreError, UsageError

BOOK = """
RAN = []

@rule(outputs="words", params=["text"])
def words(ctx):
    RAN.append("words")
    return {"words": " ".join(ctx.param("text").split())}

@rule(outputs="count", inputs="words")
def count(ctx):
    RAN.append("count")
    return {"count": str(len(ctx.input("words").text("words").split()))}

@rule(outputs="page", inputs=["count", "words"], params="title")
def page(ctx):
    RAN.append("page")
    return {"page": ctx.param("title") + ctx.input("count").text("count")}
"""
NAMES = ("words", "count", "page")


@pytest.fixture
def toy(tmp_path):
    made = Toy(tmp_path)
    made.binding.params = {"text": "one two", "title": "T"}
    return made


@pytest.fixture
def book(tmp_path):
    return rules_from(tmp_path / "book.py", BOOK, NAMES)


def one(tmp_path, declaration, body, name="toy.py"):
    """A rulebook of one rule `only`."""
    lines = "\n    ".join(body.splitlines())
    return rules_from(tmp_path / name, f"@rule({declaration})\ndef only(ctx):\n    {lines}\n", ["only"])


# Hits and runs


def test_the_first_build_runs_all_and_the_second_runs_nothing_with_the_same_trees(toy, book):
    first, second = toy.build(book), toy.build(book)
    assert set(states(first).values()) == {RAN} and set(states(second).values()) == {CACHED}
    assert all(outcome.first for outcome in first.values())
    assert [outcome.tree for outcome in first.values()] == [outcome.tree for outcome in second.values()]
    assert toy.text(second["page"], "page") == "T2"


def test_a_changed_parameter_reruns_its_rule_and_what_it_reaches(toy, book):
    toy.build(book)
    toy.binding.params["title"] = "U"
    outcomes = toy.build(book)
    assert states(outcomes) == {"words": CACHED, "count": CACHED, "page": RAN}
    (reason,) = outcomes["page"].reasons
    assert (reason.kind, reason.name, reason.change, reason.old, reason.new) == ("param", "title", "changed", "T", "U")


def test_early_cut_off_contains_a_change_that_changes_nothing(toy, book):
    toy.build(book)
    toy.binding.params["text"] = "  one   two "
    assert states(toy.build(book)) == {"words": RAN, "count": CACHED, "page": CACHED}


def test_early_cut_off_works_in_the_middle_too(toy, book):
    toy.build(book)
    toy.binding.params["text"] = "three four"
    outcomes = toy.build(book)
    assert states(outcomes) == {"words": RAN, "count": RAN, "page": RAN}
    assert toy.text(outcomes["page"], "page") == "T2"
    assert [reason.name for reason in outcomes["page"].reasons] == ["words"]  # its count is the same


def test_going_back_hits_and_says_what_is_different_from_before(toy, book):
    first = toy.build(book)
    toy.binding.params["text"] = "a b c"
    toy.build(book)
    toy.binding.params["text"] = "one two"
    outcomes = toy.build(book)
    assert set(states(outcomes).values()) == {CACHED}
    assert outcomes["page"].tree == first["page"].tree
    assert [(reason.name, reason.new) for reason in outcomes["words"].reasons] == [("text", "one two")]
    assert all(not outcome.reasons for outcome in toy.build(book).values())


def test_a_trace_of_one_project_hits_in_another(toy, book, tmp_path):
    toy.build(book)
    other = Bindings(tmp_path / "elsewhere", origin="there")
    other.params = dict(toy.binding.params)
    outcomes = toy.build(book, binding=other)
    assert set(states(outcomes).values()) == {CACHED}
    assert outcomes["page"].trace.origin == "here"


@pytest.mark.parametrize("kind", ["oracles", "tools"])
def test_another_answer_of_an_oracle_or_version_of_a_tool_reruns(toy, tmp_path, kind):
    rules = one(tmp_path, f'outputs="o", {kind}="uv"', 'return {"o": "made"}')
    toy.binding.oracles, toy.binding.tools = {"uv": [1]}, {"uv": Tool("uv", ("/one/uv",), "1")}
    toy.build(rules)
    toy.binding.tools = {"uv": Tool("uv", ("/two/uv",), "1")}  # where it lies does not count
    assert states(toy.build(rules)) == {"only": CACHED}
    toy.binding.oracles, toy.binding.tools = {"uv": [2]}, {"uv": Tool("uv", ("/two/uv",), "2")}
    outcomes = toy.build(rules)
    assert states(outcomes) == {"only": RAN}
    assert [reason.name for reason in outcomes["only"].reasons] == ["uv"]


def test_changed_sources_rerun(toy, tmp_path):
    rules = one(tmp_path, 'outputs="src/", sources="packed"', 'return {"src/a": ctx.source("packed").text("a")}')
    toy.binding.packed = {"a": "1"}
    assert states(toy.build(rules)) == {"only": RAN}
    assert states(toy.build(rules)) == {"only": CACHED}
    toy.binding.packed = {"a": "1", "b": "2"}
    assert states(toy.build(rules)) == {"only": RAN}


def test_editing_a_rule_reruns_that_rule_and_a_template_too(toy, tmp_path):
    (tmp_path / "page.j2").write_text("one")
    declaration = 'outputs="o", templates="page.j2"'
    body = 'return {"o": ctx.template("page.j2")}'
    assert states(toy.build(one(tmp_path, declaration, body))) == {"only": RAN}
    assert states(toy.build(one(tmp_path, declaration, body))) == {"only": CACHED}
    outcomes = toy.build(one(tmp_path, declaration, f"'''another word'''\n{body}"))
    assert states(outcomes) == {"only": RAN}
    assert [reason.kind for reason in outcomes["only"].reasons] == ["rule"]
    (tmp_path / "page.j2").write_text("two")
    assert states(toy.build(one(tmp_path, declaration, f"'''another word'''\n{body}"))) == {"only": RAN}


@pytest.mark.parametrize("declaration", ['params="text"', 'outputs=["o", "(p)"]', 'oracles="x"', 'tools="x"'])
def test_another_declaration_is_another_key(toy, tmp_path, declaration):
    toy.binding.oracles, toy.binding.tools = {"x": 1}, {"x": Tool("x", (), "1")}
    before = one(tmp_path, 'outputs="o"', 'return {"o": "x"}')
    after = one(
        tmp_path, declaration if "outputs" in declaration else f'outputs="o", {declaration}', 'return {"o": "x"}'
    )
    # the same file, so that only the declaration can tell them apart
    (tmp_path / "toy.py").write_text("# the same\n")
    assert states(toy.build(before)) == {"only": RAN}
    assert states(toy.build(after)) == {"only": RAN}


def test_a_full_disk_is_a_failed_step_and_not_a_traceback(toy, book, monkeypatch):
    def full(**_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tempfile, "mkdtemp", full)
    outcomes = toy.build(book)
    assert isinstance(outcomes["words"].error, StoreError)
    assert states(outcomes) == {"words": FAILED, "count": SKIPPED, "page": SKIPPED}


# Discovered inputs


READS = """
text = ctx.discover("file", "a").value
more = ctx.discover("file", text).value if text else None
return {"o": f"{text} {more}"}
"""


def test_a_discovered_input_is_checked_on_the_next_build(toy, tmp_path):
    rules = one(tmp_path, 'outputs="o"', READS)
    toy.binding.files = {"a": "b", "b": "deep", "unseen": "1"}
    toy.build(rules)
    toy.binding.files["unseen"] = "2"
    assert states(toy.build(rules)) == {"only": CACHED}
    toy.binding.files["b"] = "deeper"
    outcomes = toy.build(rules)
    assert states(outcomes) == {"only": RAN} and toy.text(outcomes["only"], "o") == "b deeper"
    assert [(r.kind, r.name, r.old, r.new) for r in outcomes["only"].reasons] == [("file", "b", "deep", "deeper")]


def test_a_file_that_was_looked_for_and_appears_is_noticed_and_one_that_vanishes_too(toy, tmp_path):
    rules = one(tmp_path, 'outputs="o"', READS)
    assert toy.text(toy.build(rules)["only"], "o") == "None None"
    toy.binding.files = {"a": "b"}
    outcomes = toy.build(rules)
    assert toy.text(outcomes["only"], "o") == "b None"
    assert [(reason.name, reason.change) for reason in outcomes["only"].reasons] == [("a", "added")]
    toy.binding.files = {}
    outcomes = toy.build(rules)
    assert states(outcomes) == {"only": CACHED} and toy.text(outcomes["only"], "o") == "None None"


@pytest.mark.parametrize("refusal", [KeyError, ValueError, UsageError])
def test_what_a_newer_bentomake_asked_for_is_a_miss_and_not_a_traceback(toy, tmp_path, monkeypatch, refusal):
    toy.build(one(tmp_path, 'outputs="o"', 'ctx.discover("a_newer_kind", "x")\nreturn {"o": "x"}'))
    monkeypatch.setattr(toy.binding, "ask", lambda kind, name: (_ for _ in ()).throw(refusal(kind)))
    older = one(tmp_path, 'outputs="o"', 'return {"o": "x"}')
    toy.dry = True
    assert states(toy.build(older)) == {"only": RUNS}
    toy.dry = False
    assert states(toy.build(older)) == {"only": RAN}
    assert states(toy.build(older)) == {"only": CACHED}


def test_several_sets_of_discovered_inputs_are_remembered(toy, tmp_path):
    rules = one(tmp_path, 'outputs="o"', READS)
    worlds = [{"a": name, name: "text"} for name in "bcdef"]
    for world in worlds:
        toy.binding.files = world
        assert states(toy.build(rules)) == {"only": RAN}
    for world in worlds:
        toy.binding.files = world
        assert states(toy.build(rules)) == {"only": CACHED}


# A recipe touches what its rule declared, and makes what it declared


@pytest.mark.parametrize(
    ("asks", "what"),
    [
        ('ctx.param("text")', "parameter text"),
        ('ctx.input("words")', "input words"),
        ('ctx.source("packed")', "sources packed"),
        ('ctx.oracle("arch")', "oracle arch"),
        ('ctx.tool("uv")', "tool uv"),
        ('ctx.template("page.j2")', "template page.j2"),
    ],
)
def test_asking_for_what_is_not_declared_is_an_error_naming_the_rule(toy, tmp_path, asks, what):
    outcome = toy.build(one(tmp_path, 'outputs="o"', f'{asks}\nreturn {{"o": ""}}'))["only"]
    assert outcome.state == FAILED and isinstance(outcome.error, RuleError)
    assert outcome.error.message == f"The rule only asks for the {what}, which it does not declare."


@pytest.mark.parametrize(
    ("outputs", "made", "said"),
    [
        ('"o"', '{"o": "", "p": ""}', "The rule only made p, which it does not declare."),
        ('"o/"', '{"o/x": "", "oops": ""}', "The rule only made oops, which it does not declare."),
        ('["o", "p"]', '{"o": ""}', "The rule only declares p but did not make it."),
        ('["o", "(p)"]', '{"o": "", "p": ""}', None),
        ('["o", "(p)"]', '{"o": ""}', None),
        ('"o/"', '{"o/a/b": "", "o/c": ""}', None),
        ('"o/"', "{}", None),
    ],
)
def test_outputs_are_those_that_were_declared(toy, tmp_path, outputs, made, said):
    outcome = toy.build(one(tmp_path, f"outputs={outputs}", f"return {made}"))["only"]
    assert (outcome.error.message if outcome.error else None) == said
    assert outcome.state == (FAILED if said else RAN)
    if said:
        assert isinstance(outcome.error, RuleError) and outcome.error.place == str(tmp_path / "toy.py")


def test_a_failure_is_not_remembered_and_skips_what_needs_it(toy, tmp_path):
    text = """
from bentomake.errors import StepError
@rule(outputs="o", params="text")
def first(ctx):
    if ctx.discover("file", "broken").value:
        raise StepError("It is broken.", hint="Mend it.")
    return {"o": "x"}
@rule(outputs="p", inputs="first")
def second(ctx):
    return {"p": "x"}
"""
    rules = rules_from(tmp_path / "r.py", text, ["first", "second"])
    toy.binding.files = {"broken": "yes"}
    for _ in range(2):
        outcomes = toy.build(rules)
        assert states(outcomes) == {"first": FAILED, "second": SKIPPED}
        assert isinstance(outcomes["first"].error, StepError)
    toy.binding.files = {}
    assert states(toy.build(rules)) == {"first": RAN, "second": RAN}


def test_a_failure_is_told_though_nobody_answers_any_more(toy, tmp_path, monkeypatch):
    """A daemon that dies during the build: what was asked last time cannot be asked again."""
    text = """
from bentomake.errors import StepError
@rule(outputs="o", params="text")
def only(ctx):
    ctx.discover("file", "a")
    if ctx.param("text") == "dies":
        ctx.discover("file", "dying")
        raise StepError("The build failed.")
    return {"o": "x"}
"""
    rules = rules_from(tmp_path / "r.py", text, ["only"])
    toy.binding.files = {"a": "1"}
    toy.build(rules)
    asked, answers = [], toy.binding.ask

    def ask(kind, name):
        if "dying" in asked:
            raise StepError("The daemon cannot say.")
        asked.append(name)
        return answers(kind, name)

    monkeypatch.setattr(toy.binding, "ask", ask)
    toy.binding.params["text"] = "dies"
    outcome = toy.build(rules)["only"]
    assert outcome.state == FAILED and outcome.error.message == "The build failed."
    assert [(reason.kind, reason.name) for reason in outcome.reasons] == [("param", "text")]


def test_a_defect_of_a_recipe_is_an_error_naming_the_step_not_a_traceback(toy, tmp_path):
    outcome = toy.build(one(tmp_path, 'outputs="o"', 'return {"o": {}["nothing"]}'))["only"]
    assert outcome.state == FAILED and "step only failed: KeyError" in outcome.error.message


def test_a_run_that_was_not_stable_is_not_remembered(toy, tmp_path):
    rules = one(tmp_path, 'outputs="o"', 'ctx.forget("it moved")\nreturn {"o": "x"}')
    for _ in range(2):
        outcome = toy.build(rules)["only"]
        assert (outcome.state, outcome.why, outcome.trace) == (RAN, "it moved", None)


def test_warnings_are_said_again_on_every_hit_and_the_working_directory_is_gone(toy, tmp_path):
    body = 'ctx.warn("careful", hint="so")\nopen(ctx.workdir + "/left", "w").close()\nreturn {"o": "x"}'
    rules = one(tmp_path, 'outputs="o"', body)
    said = [toy.build(rules)["only"] for _ in range(2)]
    assert [outcome.state for outcome in said] == [RAN, CACHED]
    assert said[0].warnings == said[1].warnings == [{"message": "careful", "place": None, "hint": "so"}]
    assert list((toy.cache / "tmp").iterdir()) == []


def test_what_a_process_prints_goes_to_the_log_and_its_exit_code_to_the_recipe(toy, tmp_path):
    body = 'done = ctx.run(["sh", "-c", "echo out; echo err >&2; exit 3"])\nreturn {"o": str(done.returncode)}'
    outcome = toy.build(one(tmp_path, 'outputs="o"', body))["only"]
    assert toy.text(outcome, "o") == "3" and outcome.log == "out\nerr"


# Forced, damaged, secret, at once


def test_a_forced_action_runs_and_its_dependents_hit_when_it_makes_the_same(toy, book):
    toy.build(book)
    toy.forced = frozenset({"words"})
    outcomes = toy.build(book)
    assert states(outcomes) == {"words": RAN, "count": CACHED, "page": CACHED}
    assert outcomes["words"].why == "forced"


def test_a_lost_output_is_made_again(toy, book):
    outcomes = toy.build(book)
    for path in (toy.cache / "blobs").rglob("*"):
        if path.is_file() and path.read_bytes() == b"T2":
            path.unlink()
    again = toy.build(book)
    assert states(again) == {"words": CACHED, "count": CACHED, "page": RAN}
    assert again["page"].tree == outcomes["page"].tree
    assert again["page"].why == "its remembered output is gone"


def test_a_secret_parameter_is_keyed_but_nowhere_in_clear(toy, tmp_path):
    rules = one(tmp_path, 'outputs="o", params="token"', 'return {"o": str(len(ctx.param("token")))}')
    toy.binding.secrets = {"token"}
    toy.binding.params = {"token": "hunter2-hunter2"}
    toy.build(rules)
    toy.binding.params = {"token": "another-secret!"}
    outcomes = toy.build(rules)
    (reason,) = outcomes["only"].reasons
    assert (reason.name, reason.change, reason.old, reason.new) == ("token", "changed", None, None)
    kept = everything_in(toy.cache)
    assert b"hunter2" not in kept and b"another-secret" not in kept


def test_builds_at_once_run_each_action_once(toy, tmp_path):
    counter = tmp_path / "count"
    body = f'import time\nwith open("{counter}", "a") as f: f.write("x")\ntime.sleep(0.3)\n'
    body += 'return {"o": ctx.param("text")}'
    rules = one(tmp_path, 'outputs="o", params="text"', body)
    found = []
    builders = [Toy(tmp_path) for _ in range(4)]
    for builder in builders:
        builder.binding.params = toy.binding.params
    threads = [threading.Thread(target=lambda b=b: found.append(b.build(rules)["only"])) for b in builders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.read_text() == "x"
    assert sorted(outcome.state for outcome in found) == [CACHED, CACHED, CACHED, RAN]


# The dry run


def test_a_dry_run_runs_nothing_and_says_what_runs_and_what_may(toy, book):
    toy.build(book)
    ran = list(book[0].recipe.__globals__["RAN"])
    toy.binding.params["text"] = "  one   two "
    toy.dry = True
    plan = toy.build(book)
    assert states(plan) == {"words": RUNS, "count": MAY_RUN, "page": MAY_RUN}
    assert [reason.name for reason in plan["words"].reasons] == ["text"]
    assert book[0].recipe.__globals__["RAN"] == ran
    toy.dry = False
    assert states(toy.build(book)) == {"words": RAN, "count": CACHED, "page": CACHED}


def test_a_dry_run_of_nothing_to_do_is_all_cached_and_of_a_first_build_says_first(toy, book):
    toy.dry = True
    plan = toy.build(book)
    assert states(plan) == {"words": RUNS, "count": MAY_RUN, "page": MAY_RUN}
    assert all(outcome.first for outcome in plan.values())
    toy.dry = False
    toy.build(book)
    toy.dry = True
    assert set(states(toy.build(book)).values()) == {CACHED}


def test_a_dry_run_names_the_discovered_input_that_changed(toy, tmp_path):
    rules = one(tmp_path, 'outputs="o"', READS)
    toy.binding.files = {"a": "b", "b": "deep"}
    toy.build(rules)
    toy.binding.files["b"] = "deeper"
    toy.dry = True
    outcome = toy.build(rules)["only"]
    assert (outcome.state, [reason.name for reason in outcome.reasons]) == (RUNS, ["b"])
