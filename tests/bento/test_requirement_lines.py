"""A requirement line has an end, and what is read of one is what stands there, however it is spaced."""

from __future__ import annotations

import pytest

from bentomake.bento import git_source, local_archives, package_judgement, pins, requirement_judgement
from bentomake.bento.requirement_judgement import Said
from bentomake.errors import BentofileError, BentomakeError

MESSAGE = "A requirement has more than 10,000 characters in one line."
HINT = "Write a requirement a line; hashes may follow it in lines of their own, after a backslash."
LONG = "idna" + " " * 10_000 + "x"


def test_a_line_that_is_too_long_is_an_error_at_its_place() -> None:
    files = {"all.txt": b"idna\n-r more.txt\n", "more.txt": f"# more\n{LONG}\n".encode()}
    with pytest.raises(BentofileError) as caught:
        pins.read([("all.txt", None)], reader=files.get)
    assert (caught.value.message, caught.value.place, caught.value.hint) == (MESSAGE, "more.txt:2", HINT)
    with pytest.raises(BentofileError) as caught:
        pins.read(lines=[LONG], place="bentofile.yaml:4", reader=files.get)
    assert (caught.value.message, caught.value.place, caught.value.hint) == (MESSAGE, "bentofile.yaml:4", HINT)
    (said,) = requirement_judgement.judge([Said(LONG, "all.txt:1"), Said("idna", "all.txt:2")], lambda _: False, None)
    assert isinstance(said, BentomakeError)
    assert (said.message, said.place, said.hint) == (MESSAGE, "all.txt:1", HINT)


def test_hashes_in_lines_of_their_own_may_be_as_many_as_an_index_has() -> None:
    text = "idna==3.7" + "".join(f" \\\n    --hash=sha256:{number:064x}" for number in range(300))
    (line,) = pins.read([("r.txt", None)], reader={"r.txt": text.encode()}.get).lines
    assert line.spec == "idna==3.7"
    assert len(line.hashes) == 300


def test_a_lock_of_a_resolver_is_not_judged_by_its_lines() -> None:
    text = "idna==3.7 " + " ".join(f"--hash=sha256:{number:064x}" for number in range(300))
    (line,) = pins.read([("r.txt", None)], reader={"r.txt": text.encode()}.get, locked=True).lines
    assert len(line.hashes) == 300


def test_a_marker_of_a_thousand_brackets_is_no_requirement() -> None:
    with pytest.raises(BentofileError, match="Not a requirement: idna; "):
        pins.read(lines=["idna; " + "(" * 9_000], reader={}.get)


@pytest.mark.parametrize(
    ("text", "pin"),
    [
        ("bentoml==1.1.11", "==1.1.11"),
        ("bentoml >= 1.1 , < 2 ; python_version > '3'", ">= 1.1 , < 2"),
        ("bentoml [grpc] ~=1.4 --hash=sha256:00", "~=1.4"),
        ("BentoML!=1!2.0,===1.*  # why", "!=1!2.0,===1.*"),
        ("bentoml", None),
        ("bentoml-x==1", None),
        ("bentoml==1@", None),
    ],
)
def test_the_pin_of_bentoml(text: str, pin: str | None) -> None:
    assert package_judgement.pin_of_bentoml(text) == pin


def test_spaces_around_extras() -> None:
    assert local_archives.parse("a [x] @ file:./w/a-1.whl") == local_archives.Local("w/a-1.whl", "[x]", "")
    assert local_archives.parse("a@./w/a-1.whl ; m") == local_archives.Local("w/a-1.whl", "", " ; m")
    source = git_source.parse("a  [x]  @  git+https://h/p@main#subdirectory=s")
    assert source == git_source.GitSource("https://h/p", "main", "a", "[x]", "s")
