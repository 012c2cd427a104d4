"""The graph: rules bound to bentofiles, ordered so that what is needed comes first; a wrong rulebook names places."""

from __future__ import annotations

import pytest
from toys import Bindings, rules_from

from bentomake.engine import graph
from bentomake.errors import RuleError, UsageError

BOOK = """
@rule(outputs="s")
def sources(ctx): ...
@rule(outputs="r")
def requirements(ctx): ...
@rule(outputs="l", inputs="requirements")
def lock(ctx): ...
@rule(outputs="b", inputs=["sources", "lock"])
def bento(ctx): ...
@rule(outputs="i", inputs="bento")
def image(ctx): ...
"""
NAMES = ("sources", "requirements", "lock", "bento", "image")


@pytest.fixture
def book(tmp_path):
    return rules_from(tmp_path / "book.py", BOOK, NAMES)


def test_a_goal_needs_what_is_behind_it_and_nothing_else(book):
    assert graph.order(book, [("", "bento")]) == [("", n) for n in ("sources", "requirements", "lock", "bento")]
    assert graph.order(book, [("", "lock")]) == [("", "requirements"), ("", "lock")]


def test_the_order_is_the_rulebooks_wherever_the_arrows_allow_it(book):
    backwards = tuple(reversed(book))
    assert [name for _, name in graph.order(backwards, [("", "bento")])] == ["requirements", "lock", "sources", "bento"]


def test_two_bentofiles_have_actions_of_their_own(book, tmp_path):
    nodes = graph.order(book, [("a", "lock"), ("b", "requirements")])
    assert nodes == [("a", "requirements"), ("a", "lock"), ("b", "requirements")]
    actions = graph.bind(book, nodes, {name: Bindings(tmp_path, label=name) for name in "ab"})
    assert [(action.id, action.needs) for action in actions] == [
        ("a:requirements", ()),
        ("a:lock", ("a:requirements",)),
        ("b:requirements", ()),
    ]


def test_two_rules_of_one_name_are_an_error_that_names_both_places(book, tmp_path):
    other = rules_from(tmp_path / "other.py", '@rule(outputs="x")\ndef lock(ctx): ...\n', ["lock"])
    with pytest.raises(RuleError) as caught:
        graph.rulebook((*book, *other))
    assert "lock" in caught.value.message
    assert caught.value.place == str(tmp_path / "other.py") and str(tmp_path / "book.py") in caught.value.hint


def test_an_input_that_is_no_rule_is_an_error_at_its_rule(tmp_path):
    rules = rules_from(tmp_path / "r.py", '@rule(outputs="x", inputs="nothing")\ndef lock(ctx): ...\n', ["lock"])
    with pytest.raises(RuleError, match="lock has an input nothing") as caught:
        graph.rulebook(rules)
    assert caught.value.place == str(tmp_path / "r.py")


def test_rules_that_need_each_other_are_named_in_their_circle(tmp_path):
    text = '@rule(outputs="x", inputs="b")\ndef a(ctx): ...\n@rule(outputs="y", inputs="a")\ndef b(ctx): ...\n'
    with pytest.raises(RuleError, match=r"circle: (a → b|b → a)"):
        graph.order(rules_from(tmp_path / "r.py", text, "ab"), [("", "a")])


def test_an_unknown_goal_gets_a_suggestion(book):
    with pytest.raises(UsageError, match="no rule lok") as caught:
        graph.order(book, [("", "lok")])
    assert caught.value.hint == "Did you mean `lock`?"
