"""The files of HuggingFace's models are those of the hub's cache, whatever a Bento from elsewhere calls them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bentomake.bento.hub import hub_files


def test_the_files_of_a_model_lie_in_its_snapshot(tmp_path: Path) -> None:
    file = tmp_path / "models--org--name/snapshots/abc1/sub/weights"
    file.parent.mkdir(parents=True)
    file.touch()
    model = {"metadata": {"model_id": "org/name", "revision": "abc1"}}
    found = hub_files({"HF_HUB_CACHE": str(tmp_path)}, model)
    assert found == {"hf-models/models--org--name/snapshots/abc1/sub/weights": str(file)}


@pytest.mark.parametrize("revision", ["{secret}", "../../../secret", "..", ".", "a/../../../../secret", "abc1\n/../.."])
def test_no_file_of_elsewhere_is_taken_for_one(revision: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "id_rsa").touch()
    (tmp_path / "hub/models--org--name/snapshots/a").mkdir(parents=True)
    (tmp_path / "hub/models--org--name/refs").touch()
    model = {"metadata": {"model_id": "org/name", "revision": revision.format(secret=secret)}}
    assert hub_files({"HF_HUB_CACHE": str(tmp_path / "hub")}, model) == {}
