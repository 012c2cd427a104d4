"""A store that something has damaged: a sentence with the file, or the next best answer; no traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from bentomake.bento.library import Library
from bentomake.bento.models import ModelStore
from bentomake.bento.tag import Tag
from bentomake.errors import StepError, StoreError

DAMAGED = {
    "a date that is none": b"creation_time: 2024-99-99\n",
    "Latin-1": b"labels: {owner: J\xfcrgen}\n",
    "not YAML": b"name: [\n",
    "a tag without a value": b"a: !!int ''\n",
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
def test_what_cannot_be_read_is_named(data: bytes, tmp_path: Path) -> None:
    for path in ("bentos/iris/v1/bento.yaml", "models/iris/v1/model.yaml"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_bytes(data)
    with pytest.raises(StoreError, match=r"bento\.yaml cannot be read: "):
        Library(str(tmp_path)).info(Tag("iris", "v1"))
    with pytest.raises(StepError, match=r"The model iris:v1 is damaged: its model\.yaml cannot be read\."):
        ModelStore(str(tmp_path)).info(Tag("iris", "v1"))


def test_a_latest_that_is_no_text_names_nothing(tmp_path: Path) -> None:
    for store, name in (("bentos", "bento.yaml"), ("models", "model.yaml")):
        (tmp_path / store / "iris/v1").mkdir(parents=True)
        (tmp_path / store / "iris/v1" / name).write_text("creation_time: '2024'\n")
        (tmp_path / store / "iris/latest").write_bytes(b"\xff")
    assert Library(str(tmp_path)).resolve("iris:latest") == Tag("iris", "v1")
    assert ModelStore(str(tmp_path)).resolve(Tag("iris", "latest")) == Tag("iris", "v1")
    Library(str(tmp_path)).set_latest(Tag("iris", "v1"))
    assert (tmp_path / "bentos/iris/latest").read_text() == "v1"
