"""Where an archive goes, and that it is there whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bentomake.bento.outfile import place, whole
from bentomake.bento.tag import Tag
from bentomake.errors import StoreError, UsageError

IRIS = Tag("iris", "v1.0")


@pytest.mark.parametrize(
    ("out", "path", "kind"),
    [
        ("", "iris-v1.0.bento", "xz"),
        (".", "iris-v1.0.bento", "xz"),
        ("there", "there/iris-v1.0.bento", "xz"),
        ("there/", "there/iris-v1.0.bento", "xz"),
        ("there.zip", "there.zip/iris-v1.0.bento", "xz"),
        ("a.bento", "a.bento", "xz"),
        ("there/../a.tar", "a.tar", "tar"),
        ("a.tar.gz", "a.tar.gz", "gz"),
        ("a.gz", "a.gz", "gz"),
        ("a.tar.xz", "a.tar.xz", "xz"),
        ("a.bz2", "a.bz2", "bz2"),
        ("a.zip", "a.zip", "zip"),
        ("a", "a.bento", "xz"),
        ("a.tgz", "a.tgz.bento", "xz"),
        ("iris-1.0", "iris-1.0.bento", "xz"),
        (".tar", ".tar.bento", "xz"),
        ("ü\udcff.tar", "ü\udcff.tar", "tar"),
    ],
)
def test_where_it_goes(out: str, path: str, kind: str, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there.zip").mkdir()
    assert place(out, IRIS, str(tmp_path)) == (str(tmp_path / path), kind)
    assert place(str(tmp_path / out) if out else str(tmp_path), IRIS, "/nowhere") == (str(tmp_path / path), kind)


def test_where_none_can_be(tmp_path: Path) -> None:
    (tmp_path / "a.bento").mkdir()
    os.mkfifo(tmp_path / "a.tar")
    for out, message, hint in (
        ("s3://bucket/a.bento", "s3://bucket/a.bento is a URL; bentomake exports to", "Export to a file, and copy it"),
        ("nowhere/a.bento", f"There is no directory {tmp_path}/nowhere.", f"mkdir -p {tmp_path}/nowhere"),
        ("nowhere/", f"There is no directory {tmp_path}/nowhere.", f"mkdir -p {tmp_path}/nowhere"),
        ("a", f"{tmp_path}/a.bento is a directory, which no archive can replace.", "Name another place."),
        ("a.tar", f"{tmp_path}/a.tar is no file, which no archive can replace.", "Name another place."),
    ):
        with pytest.raises(UsageError) as raised:
            place(out, IRIS, str(tmp_path))
        assert raised.value.message.startswith(message) and (raised.value.hint or "").startswith(hint)
    with pytest.raises(StoreError, match="cannot be written: File name too long"):
        place("a" * 300, IRIS, str(tmp_path))


def test_what_was_there_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "a.tar"
    target.write_text("before")
    with pytest.raises(KeyboardInterrupt), whole(str(target)) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"] and target.read_text() == "before"
    with whole(str(target)) as file:
        file.write(b"after")
        assert target.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"] and target.read_text() == "after"


def test_a_link_to_an_archive_stays_one(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "a.tar").symlink_to("disk/a.tar")
    with whole(str(tmp_path / "a.tar")) as file:
        file.write(b"new")
    assert (tmp_path / "a.tar").is_symlink() and (tmp_path / "disk/a.tar").read_bytes() == b"new"


def test_an_archive_has_the_modes_of_any_new_file(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with whole(str(tmp_path / "a.tar")):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "a.tar").stat().st_mode & 0o777 == 0o640


def test_what_a_killed_export_left_goes_with_the_next_one_and_not_what_another_writes(tmp_path: Path) -> None:
    killed = (
        "import os, sys\nfrom bentomake.bento.outfile import whole\n"
        "with whole(sys.argv[1]) as file:\n    file.write(b'half')\n    file.flush()\n    os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", killed, str(tmp_path / "a.tar")]).returncode == -9
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".bentomake-export-")
    with whole(str(tmp_path / "b.tar")) as slow:
        assert not left.exists()
        with whole(str(tmp_path / "c.tar")) as file:
            file.write(b"c")
        slow.write(b"b")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"b.tar": b"b", "c.tar": b"c"}
