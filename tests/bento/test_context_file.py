"""Where symbolic links take a path of the context to: inside is fine, outside is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from trees import make

from bentomake.bento.context_file import leads_out


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """A context beside a file `r`; its links lead to that file by many ways, or stay inside."""
    made = make(
        tmp_path / "x" / "context", "a/f", "short -> a", "whole -> a/f", "round -> ../context/a/f", "loop -> loop"
    )
    make(made, "up -> ../r", "top -> ..", f"absolute -> {tmp_path}/x/r", "then -> absolute", "a/far -> ../../r")
    make(made, f"home -> {tmp_path}/x/context/a/f", f"dir -> {tmp_path}/x")
    (made.parent / "r").write_text("idna\n")
    return made


@pytest.mark.parametrize("path", ["a/f", "short/f", "whole", "round", "home", "none", "a/../whole", "loop", "./a/f"])
@pytest.mark.parametrize("parents", [False, True])
def test_what_stays_inside_is_fine(path: str, parents: bool, context: Path) -> None:
    assert leads_out(str(context), path, parents=parents) is None


@pytest.mark.parametrize("path", ["up", "top/r", "absolute", "then", "a/far", "short/far", "dir/r", "top/context/up"])
def test_what_leads_out_is_told(path: str, context: Path) -> None:
    assert leads_out(str(context), path) == str(context.parent / "r")


@pytest.mark.parametrize(
    ("path", "out"),
    [
        *(("up", False), ("top/r", False), ("../r", False), ("short/far", False)),
        *(("absolute", True), ("then", True), ("dir/r", True)),
    ],
)
def test_with_parents_only_an_absolute_link_may_not_lead_out(path: str, out: bool, context: Path) -> None:
    assert leads_out(str(context), path, parents=True) == (str(context.parent / "r") if out else None)


def test_a_context_that_is_a_link_itself_is_as_good_as_any(context: Path) -> None:
    (context.parent / "named").symlink_to("context")
    assert leads_out(str(context.parent / "named"), "whole") is None
    assert leads_out(str(context.parent / "named"), "up") == str(context.parent / "r")
