"""The manifest keys and explains: equal digests, equal key; every difference is a reason."""

from __future__ import annotations

import pytest

from bentomake.engine.fact import ABSENT
from bentomake.engine.manifest import Line, Manifest, diff

PARAM = Line("param", "python.packages", "d1", '["a"]')
FILE = Line("file", "ctx/service.py", "d2", "d2")


def reasons(old: Manifest, new: Manifest) -> list[tuple[str, str, str]]:
    return [(reason.kind, reason.name, reason.change) for reason in diff(old, new)]


def test_what_is_shown_is_not_keyed_and_what_is_keyed_is():
    same = Manifest([PARAM._replace(shown="in other words"), FILE])
    assert same.key == Manifest([PARAM, FILE]).key
    for other in (PARAM._replace(digest="x"), PARAM._replace(name="x"), PARAM._replace(kind="x")):
        assert Manifest([other, FILE]).key != same.key


def test_a_line_cannot_pose_as_another_by_moving_text_between_its_fields():
    assert Manifest([Line("a", "bc", "d")]).key != Manifest([Line("ab", "c", "d")]).key
    assert Manifest([Line("a", "b", "c"), Line("d", "e", "f")]).key != Manifest([Line("a", "b", "cd"), FILE]).key


def test_discovered_lines_come_sorted_and_once_so_the_order_of_discovery_does_not_count():
    b, a = Line("file", "b", "1"), Line("file", "a", "1")
    one = Manifest([PARAM]).extended([b, a, b])
    assert [line.name for line in one.lines] == ["python.packages", "a", "b"]
    assert one.key == Manifest([PARAM]).extended([a, b]).key


def test_a_changed_line_is_a_reason_with_both_values():
    (reason,) = diff(Manifest([PARAM, FILE]), Manifest([PARAM._replace(digest="d9", shown='["b"]'), FILE]))
    assert (reason.kind, reason.name, reason.change) == ("param", "python.packages", "changed")
    assert (reason.old, reason.new) == ('["a"]', '["b"]')
    assert (reason.old_digest, reason.new_digest) == ("d1", "d9")


def test_lines_that_come_and_go_are_reasons():
    assert reasons(Manifest([PARAM]), Manifest([PARAM, FILE])) == [("file", "ctx/service.py", "added")]
    assert reasons(Manifest([PARAM, FILE]), Manifest([PARAM])) == [("file", "ctx/service.py", "removed")]
    assert reasons(Manifest([PARAM, FILE]), Manifest([PARAM, FILE])) == []


def test_a_file_that_appears_or_vanishes_where_it_was_looked_for_is_added_or_removed():
    missing = FILE._replace(digest=ABSENT.digest, shown=ABSENT.shown)
    assert reasons(Manifest([missing]), Manifest([FILE])) == [("file", "ctx/service.py", "added")]
    assert reasons(Manifest([FILE]), Manifest([missing])) == [("file", "ctx/service.py", "removed")]


def test_looking_for_something_new_that_is_not_there_explains_nothing():
    missing = Line("file", "ctx/elsewhere", ABSENT.digest)
    assert reasons(Manifest([FILE]), Manifest([FILE, missing])) == []
    assert reasons(Manifest([FILE, missing]), Manifest([FILE])) == []


def test_a_manifest_survives_its_json():
    manifest = Manifest([PARAM, FILE, Line("env", "TOKEN", "mac")])
    assert Manifest.from_json(manifest.to_json()).lines == manifest.lines


@pytest.mark.parametrize("wrong", [[["kind", "name", "digest"]], [[1, "n", "d", None]], [["k", "n", "d", 4]], [17]])
def test_another_shape_is_refused(wrong):
    with pytest.raises((ValueError, TypeError)):
        Manifest.from_json(wrong)


def test_what_tells_of_the_result_itself_is_a_reason_when_it_is_lost_but_not_when_it_is_another_one():
    old = Manifest([Line("file", "a", "1"), Line("own_image", "iris:1", "x")])
    another = Manifest([Line("file", "a", "2"), Line("own_image", "iris:2", "y")])
    assert [reason.kind for reason in diff(old, another)] == ["file"]
    lost = Manifest([Line("file", "a", "1"), Line("own_image", "iris:1", ABSENT.digest)])
    assert [(reason.kind, reason.change) for reason in diff(old, lost)] == [("own_image", "removed")]
