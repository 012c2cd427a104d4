"""The scheduler: what is needed comes first, as many at once as allowed, and a failure stops what it should."""

from __future__ import annotations

import threading
import time

import pytest
from toys import Bindings, rules_from

from bentomake.engine import graph
from bentomake.engine.action import FAILED, RAN, SKIPPED, Outcome
from bentomake.engine.digest import of_bytes
from bentomake.engine.progress import Silent
from bentomake.engine.scheduler import schedule
from bentomake.errors import StepError

DIAMOND = """
@rule(outputs="a")
def a(ctx): ...
@rule(outputs="b", inputs="a")
def b(ctx): ...
@rule(outputs="c", inputs="a")
def c(ctx): ...
@rule(outputs="d", inputs=["b", "c"])
def d(ctx): ...
@rule(outputs="e")
def e(ctx): ...
@rule(outputs="f", inputs=["d", "e"])
def f(ctx): ...
"""


@pytest.fixture
def actions(tmp_path):
    book = rules_from(tmp_path / "r.py", DIAMOND, "abcdef")
    return graph.bind(book, graph.order(book, [("", "f")]), {"": Bindings(tmp_path)})


class Fake:
    """A rebuilder that writes down what it was asked, and when."""

    def __init__(self, fails=(), raises=(), slow=0.0):
        self.fails, self.raises, self.slow = fails, raises, slow
        self.inputs, self.order = {}, []
        self.now = self.most = 0
        self.lock = threading.Lock()

    def bring(self, action, inputs, progress):
        with self.lock:
            self.order.append(action.id)
            self.inputs[action.id] = inputs
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(self.slow)
        with self.lock:
            self.now -= 1
        if action.id in self.raises:
            raise ZeroDivisionError
        if action.id in self.fails:
            return Outcome(action, FAILED, error=StepError("no"))
        return Outcome(action, RAN, tree=of_bytes(action.id.encode()))


def run(actions, fake, jobs=4, keep_going=False, progress=None):
    outcomes = schedule(actions, fake, progress or Silent(), jobs=jobs, keep_going=keep_going)
    return {name: outcome.state for name, outcome in outcomes.items()}


@pytest.mark.parametrize("jobs", [1, 4])
def test_each_action_comes_once_after_what_it_needs_with_the_trees_of_that(actions, jobs):
    fake = Fake(slow=0.005)
    run(actions, fake, jobs)
    assert sorted(fake.order) == list("abcdef")
    for action in actions:
        assert all(fake.order.index(need) < fake.order.index(action.id) for need in action.needs)
        assert fake.inputs[action.id] == {need: of_bytes(need.encode()) for need in action.needs}


@pytest.mark.parametrize(("jobs", "most"), [(1, 1), (2, 2)])
def test_never_more_at_once_than_allowed(actions, jobs, most):
    fake = Fake(slow=0.05)
    run(actions, fake, jobs)
    assert fake.most == most


def test_a_failure_skips_the_rest(actions):
    states = run(actions, Fake(fails="a"), jobs=1)
    assert states == dict.fromkeys("bcdef", SKIPPED) | {"a": FAILED}


def test_with_keep_going_only_what_depends_on_the_failure_is_skipped(actions):
    states = run(actions, Fake(fails="b"), keep_going=True)
    assert states == {"a": RAN, "b": FAILED, "c": RAN, "d": SKIPPED, "e": RAN, "f": SKIPPED}


def test_a_defect_in_a_thread_reaches_the_caller(actions):
    with pytest.raises(ZeroDivisionError):
        run(actions, Fake(raises="c"))


def test_progress_is_told_of_every_action_once_and_of_the_plan_first(actions):
    class Told(Silent):
        def __init__(self):
            self.said = []

        def planned(self, actions):
            self.said.append([action.id for action in actions])

        def ended(self, outcome):
            self.said.append((outcome.action.id, outcome.state))

    told = Told()
    states = run(actions, Fake(fails="b"), keep_going=True, progress=told)
    assert told.said[0] == [action.id for action in actions]
    assert sorted(told.said[1:]) == sorted(states.items())
