"""Archives of files of any name and kind: what is in them comes back, as it was."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from bentomake.bento.archive import FORMATS, Member, member, write
from bentomake.errors import StepError, StoreError, UsageError

WHEN = 1_700_000_000


def archived(members: dict[str, Member], kind: str, at: int = WHEN) -> bytes:
    out = io.BytesIO()
    write(members, kind, out, at, lambda count: None)
    return out.getvalue()


def files(data: bytes) -> dict[str, bytes]:
    found = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for info in archive:
            file = archive.extractfile(info) if info.isfile() else None
            if file is not None:
                found[info.name] = file.read()
    return found


@pytest.fixture
def made(tmp_path: Path) -> dict[str, Member]:
    """Files with odd names and of odd lengths."""
    names = ["bento.yaml", "src/ü.py", "src/\udcff.py", "src/a\nb", "src/a\u2028b", "src/" + "long/" * 60 + "name"]
    found = {}
    for number, name in enumerate(names):
        path = tmp_path / f"file{number}"
        path.write_bytes(os.urandom(511 + number))
        found[name] = member(str(path))
    return found


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "zip"])
def test_a_tar_file_has_every_name(kind: str, made: dict[str, Member]) -> None:
    data = archived(made, kind)
    assert files(data) == {name: Path(each.source or "").read_bytes() for name, each in made.items()}
    assert archived(made, kind) == data


@pytest.mark.parametrize("mode", ["r|gz", "r|xz", "r|bz2", "r|"])
def test_a_reader_that_cannot_go_back_reads_it(mode: str, made: dict[str, Member]) -> None:
    data = archived(made, mode[2:] or "tar")
    with tarfile.open(fileobj=io.BytesIO(data), mode=mode) as archive:  # type: ignore[call-overload]
        names = [info.name for info in archive if not info.isdir()]
    assert names == list(made)


def test_each_directory_stands_before_what_is_in_it_and_all_is_of_nobody(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("x")
    (tmp_path / "run").chmod(0o700)
    (tmp_path / "file").write_text("x")
    (tmp_path / "file").chmod(0o604)
    members = {
        "a/b/file": member(str(tmp_path / "file")),
        "a/b/run": member(str(tmp_path / "run")),
    }
    with tarfile.open(fileobj=io.BytesIO(archived(members, "tar"))) as archive:
        found = [(info.name, info.mode, info.type) for info in archive]
        assert {(i.uid, i.gid, i.uname, i.gname, i.mtime) for i in archive.getmembers()} == {(0, 0, "", "", WHEN)}
    assert found == [
        ("a", 0o755, tarfile.DIRTYPE),
        ("a/b", 0o755, tarfile.DIRTYPE),
        ("a/b/file", 0o644, tarfile.REGTYPE),
        ("a/b/run", 0o755, tarfile.REGTYPE),
    ]


def test_zip(made: dict[str, Member]) -> None:
    with pytest.raises(UsageError, match=r"src/\\udcff\.py is no name in UTF-8"):
        archived(made, "zip")
    del made["src/\udcff.py"]
    data = archived(made, "zip")
    assert archived(made, "zip") == data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        found = {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}
        assert {info.external_attr >> 16 for info in archive.infolist()} == {0o100644, 0o040755}
    assert found == {name: Path(each.source or "").read_bytes() for name, each in made.items()}


@pytest.mark.parametrize("at", [-1, 0, 2**31, 2**33, 253402300799])
@pytest.mark.parametrize("kind", ["tar", "gz", "zip"])
def test_times_that_a_format_does_not_know(kind: str, at: int, made: dict[str, Member]) -> None:
    del made["src/\udcff.py"]
    data = archived(made, kind, at)
    if kind == "zip":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert 1980 <= archive.infolist()[0].date_time[0] <= 2107
    else:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            assert {info.mtime for info in archive} == {at}


@pytest.mark.parametrize("kind", ["tar", "zip"])
@pytest.mark.parametrize("how", ["grew", "shrank", "was rewritten"])
def test_a_file_that_changes_while_it_is_read_is_an_error(kind: str, how: str, tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    weights.write_bytes(bytes(3 << 20))

    def editing(count: int) -> None:
        if how == "grew":
            with weights.open("ab") as file:
                file.write(b"more")
        elif how == "shrank":
            os.truncate(weights, 10)
        else:
            with weights.open("r+b") as file:
                file.write(b"other")

    with pytest.raises(StepError, match="weights changed while it was read") as raised:
        write({"w": member(str(weights))}, kind, io.BytesIO(), WHEN, editing)
    assert raised.value.hint == "Export again."


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="nothing cannot be read: No such file or directory"):
        member(str(tmp_path / "nothing"))
    (tmp_path / "gone").touch()
    gone = member(str(tmp_path / "gone"))
    (tmp_path / "gone").unlink()
    with pytest.raises(StoreError, match="gone cannot be read: No such file or directory"):
        archived({"gone": gone}, "tar")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StoreError, match="pipe is no file"):
        member(str(tmp_path / "pipe"))
