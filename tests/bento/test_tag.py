"""Tags: what is one, what is not, and what is said about it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bentomake.bento.tag import GRAMMAR, Tag
from bentomake.errors import UsageError

PART = st.from_regex(r"[a-z0-9]([-._a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)


def test_a_tag_is_a_name_and_a_version() -> None:
    assert Tag.parse("iris_clf:uqs4fqhgagakeax4") == Tag("iris_clf", "uqs4fqhgagakeax4")
    assert Tag.parse("iris_clf") == Tag("iris_clf", None)
    assert Tag.parse("iris_clf:latest").version == "latest"


def test_upper_case_is_lowered_as_bentoml_does() -> None:
    assert str(Tag.parse("Iris:V1")) == "iris:v1"


@settings(deadline=None)
@given(PART, st.none() | PART)
def test_what_is_printed_can_be_read_back(name: str, version: str | None) -> None:
    assert Tag.parse(str(Tag(name, version))) == Tag(name, version)


def test_a_name_with_a_colon_and_nothing_asks_whether_latest_was_meant() -> None:
    with pytest.raises(UsageError) as caught:
        Tag.parse("iris:")
    assert caught.value.message == "The tag `iris:` ends with a colon."
    assert caught.value.hint == "Did you mean `iris:latest`?"
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "`` is not the name of a tag."),
        (":v1", "`` is not the name of a tag."),
        (":", "`` is not the name of a tag."),
        ("my model:1", "`my model` is not the name of a tag."),
        ("-iris", "`-iris` is not the name of a tag."),
        ("iris_", "`iris_` is not the name of a tag."),
        ("../iris", "`../iris` is not the name of a tag."),
        ("iris:1+cpu", "`1+cpu` is not the version of a tag."),
        ("iris:a:b", "`a:b` is not the version of a tag."),
        ("iris:1\n", "`1\n` is not the version of a tag."),
        ("iris:.", "`.` is not the version of a tag."),
        ("é:1", "`é` is not the name of a tag."),
        ("x" * 64, f"`{'x' * 64}` is not the name of a tag."),
    ],
)
def test_anything_else_is_refused_with_the_grammar(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Tag.parse(text)
    assert caught.value.message == message
    assert caught.value.hint == f"Allowed are {GRAMMAR}."
