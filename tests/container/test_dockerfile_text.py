"""Reading a Dockerfile: instructions and their lines, base images, secrets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bentomake.container.dockerfile_text import Secret, at, bases, filled, instructions, secrets

TEXT = """\
# syntax=docker/dockerfile:1
ARG BASE=python:3.11-slim
FROM scratch AS bento
COPY src /bento/src/

# Base image and system packages
FROM ${BASE} AS base-container
RUN apt-get update \\
 # why
 && apt-get install -y git
# Python requirements
RUN --mount=type=secret,id=TOKEN,required=true --mount=type=secret,id=OTHER \\
    --mount=type=bind,from=bento,target=/x pip install x
RUN <<END
echo a
FROM nothing
END
COPY --from=bento /bento/ ./
COPY --from=ghcr.io/astral/uv:0.9 /uv /bin/
COPY --from=0 /x /y
FROM Base-Container
USER bentoml
"""


def test_an_instruction_is_its_lines_joined_and_knows_the_heading_above_it():
    found = list(instructions(TEXT))
    apt = next(each for each in found if "apt-get" in each.text)
    assert (apt.word, apt.first, apt.last, apt.heading) == ("RUN", 8, 10, "Base image and system packages")
    assert apt.text == "RUN apt-get update && apt-get install -y git"
    assert [each.word for each in found] == ["ARG", "FROM", "COPY", "FROM", *["RUN"] * 3, *["COPY"] * 3, "FROM", "USER"]


def test_a_here_document_belongs_to_its_instruction():
    assert at(TEXT, 16).text == "RUN <<END"
    assert at(TEXT, 18).text.startswith("COPY --from=bento")
    assert at(TEXT, 5) is None


def test_only_a_whole_word_begins_a_here_document():
    for word in ("cat <<< foo", "echo $((1<<3))", 'echo "a <<END"', 'echo "see <<END there"', "cat << END", "x<<END"):
        assert bases(f"FROM a\nRUN {word}\nFROM b\n") == ["a", "b"], word
    for word in ("<<END", "<<'END'", '<<"END"', "cat 3<<END >x", "<<-END"):
        assert bases(f"FROM a\nRUN {word}\nFROM text\nEND\nFROM b\n") == ["a", "b"], word
    assert bases("FROM a\nCOPY <<x.1 <<-Y /to/\nFROM text\nx.1\n Y\nFROM text\n\tY\nFROM b\n") == ["a", "b"]
    assert bases("FROM a\nLABEL x <<END\nFROM b\n") == ["a", "b"]


PIECES = ["FROM a", "RUN x", "run <<E", "<<<E", "E", "ARG --x=1 ", "ARG", "--from=b", *"\\# \t'\"\n"]


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_whatever_it_says_an_instruction_has_lines_of_its_own(text: str):
    last = 0
    for each in instructions(text):
        assert last < each.first <= each.last <= len(text.splitlines()) and each.word
        last = each.last
    bases(text), secrets(text)


def test_an_empty_line_or_a_comment_does_not_end_an_instruction():
    assert [each.text for each in instructions("\\\n\nRUN x \\\n\n# why\n y\nUSER z\n\\\n")] == ["RUN x y", "USER z"]


def test_base_images_are_neither_stages_nor_scratch_nor_numbers_and_arguments_are_filled_in():
    assert bases(TEXT) == ["python:3.11-slim", "ghcr.io/astral/uv:0.9"]
    assert bases("FROM --platform=$BUILDPLATFORM python:3.7-slim as one\nFROM one\n") == ["python:3.7-slim"]
    assert bases("ARG V\nFROM python:${V:-3.12}\n") == ["python:3.12"]
    (base,) = bases("ARG V=3.12\nARG A=b\nFROM python:${V:-3.11}-$A\n", ["V"])
    assert base == "python:${V}-b" and filled(base, {"V": "3.13"}) == "python:3.13-b"


def test_secrets_are_named_once_and_required_if_any_mount_requires_them():
    assert secrets(TEXT) == [Secret("TOKEN", True), Secret("OTHER", False)]
    mounts = (
        "RUN --mount=type=secret,id=aws,target=/root/.aws/credentials x\nRUN --mount=type=secret,id=aws,required y\n"
    )
    assert secrets(mounts) == [Secret("aws", True)]
    assert secrets("RUN --mount=type=secret,target=/run/token x") == [Secret("token", False)]
