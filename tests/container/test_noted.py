"""What an engine made is noted where the user wants it: by this build or not at all, even if no engine has to run."""

from __future__ import annotations

from pathlib import Path

import pytest
from stored_bento import Stored

from bentomake.container import noted
from bentomake.container.options import Options
from bentomake.container.request import Request
from bentomake.errors import StoreError
from bentomake.execution import Result


@pytest.fixture
def iris(own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stored:
    monkeypatch.chdir(tmp_path)
    return Stored(own_home, tmp_path)


def ran(result: Result) -> bool:
    assert result.errors == []
    return result.outcomes["image"].state == "ran"


def test_an_id_of_an_earlier_build_is_not_that_of_this_one(iris: Stored) -> None:
    (iris.here / "id").write_text("sha256:old")
    (iris.here / "told").write_text('{"containerimage.digest": "sha256:old"}')
    for option in ("iidfile=id", "metadata-file=told"):
        (image,) = iris.containerize("output=type=local,dest=out", option).images  # the engine notes no id
        assert image.id is None
    assert not (iris.here / "id").exists() and not (iris.here / "told").exists()


def test_an_image_that_is_there_is_noted_but_not_in_a_dry_run(iris: Stored) -> None:
    assert ran(iris.containerize())
    assert not ran(iris.containerize("iidfile=id", dry=True)) and not (iris.here / "id").exists()
    assert not ran(iris.containerize("iidfile=id")) and (iris.here / "id").read_text() == "sha256:new"


def test_only_an_engine_can_tell_what_goes_into_the_metadata_file(iris: Stored) -> None:
    assert ran(iris.containerize("metadata-file=told"))
    assert ran(iris.containerize("metadata-file=told"))


def test_where_nothing_can_be_written_is_said_whether_a_build_is_due_or_not(iris: Stored) -> None:
    for due in (True, False):
        (error,) = iris.containerize("iidfile=no/id").errors
        assert error.message == "There is no directory no for the iidfile."
        assert any("build" in call["argv"] for call in iris.docker.calls) is not due
        assert ran(iris.containerize()) is due
    (iris.here / "id").symlink_to("nowhere/id")
    with pytest.raises(StoreError, match="id cannot be written: No such file or directory"):
        iris.containerize("iidfile=id")


def test_what_the_engine_has_written_is_left_alone(tmp_path: Path) -> None:
    """It may be root's."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.write_text("sha256:a")
    before = ours.stat().st_mtime_ns
    request = Request("c", "f", ("t",), options=Options.parse([f"iidfile={theirs}"]), iidfile=str(ours))
    assert noted.noted("sha256:a", request) == "sha256:a"
    assert ours.stat().st_mtime_ns == before and theirs.read_text() == "sha256:a"
