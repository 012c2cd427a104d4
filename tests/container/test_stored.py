"""A Bento of the store as its image has it: no file is left out in silence, none is copied twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from stored_bento import Stored

from bentomake.bento.layout import digests_file
from bentomake.bento.tag import Tag
from bentomake.engine.digest import of_bytes
from bentomake.engine.tree import FILE, Entry
from bentomake.errors import StoreError
from bentomake.session import Session
from bentomake.stored import StoredBento
from bentomake.workspace import Settings


@pytest.fixture
def iris(own_home: Path, tmp_path: Path) -> Stored:
    return Stored(own_home, tmp_path)


def files(iris: Stored) -> set[str]:
    stored = StoredBento(Tag("iris", "v1"), Session(Settings(str(iris.here), dict(os.environ))))
    return set(stored.source("stored").tree)


def test_a_file_of_any_name_is_in_the_image(iris: Stored) -> None:
    names = {"src/a\u2028b.py", "src/a\fb.py", "src/a\rb.py", "src/a\\n.py", "src/a\n.py", "bento.yaml"}
    for name in names:
        (iris.directory / name).touch()
    listed = digests_file({name: Entry(of_bytes(b""), FILE) for name in names})
    (iris.directory / "bentomake.sha256").write_bytes(listed.encode())
    assert files(iris) == names | {"bentomake.sha256"}


def test_a_directory_that_cannot_be_read_is_an_error(iris: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def locked(path: str) -> object:
        if path.endswith("/src"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", locked)
    with pytest.raises(StoreError, match="src cannot be read: Permission denied"):
        files(iris)


def test_a_file_that_the_cache_has_is_not_copied_again(iris: Stored, tmp_path: Path) -> None:
    def blobs() -> dict[Path, int]:
        return {path: path.stat().st_ino for path in (tmp_path / "cache-of-bentomake/blobs").rglob("*")}

    assert iris.containerize().errors == []
    before = blobs()
    assert iris.containerize(force=True).outcomes["bento"].state == "ran"
    assert before and blobs() == before
