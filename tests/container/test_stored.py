"""A Bento of the store as its image has it: no file is left out in silence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bentomake.bento.layout import digests_file
from bentomake.bento.tag import Tag
from bentomake.engine.digest import of_bytes
from bentomake.engine.tree import FILE, Entry
from bentomake.errors import StoreError
from bentomake.session import Session
from bentomake.stored import StoredBento
from bentomake.workspace import Settings


@pytest.fixture
def iris(own_home: Path) -> Path:
    """The directory of the Bento iris:v1."""
    directory = own_home / "bentos/iris/v1"
    (directory / "src").mkdir(parents=True)
    (directory / "bento.yaml").write_text("name: iris\nversion: v1\n")
    return directory


def files(directory: Path) -> set[str]:
    stored = StoredBento(Tag("iris", "v1"), Session(Settings(str(directory), dict(os.environ))))
    return set(stored.source("stored").tree)


def test_a_file_of_any_name_is_in_the_image(iris: Path) -> None:
    names = {"src/a\u2028b.py", "src/a\fb.py", "src/a\rb.py", "src/a\\n.py", "src/a\n.py", "bento.yaml"}
    for name in names:
        (iris / name).touch()
    listed = digests_file({name: Entry(of_bytes(b""), FILE) for name in names})
    (iris / "bentomake.sha256").write_bytes(listed.encode())
    assert files(iris) == names | {"bentomake.sha256"}


def test_a_directory_that_cannot_be_read_is_an_error(iris: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def locked(path: str) -> object:
        if path.endswith("/src"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", locked)
    with pytest.raises(StoreError, match="src cannot be read: Permission denied"):
        files(iris)
