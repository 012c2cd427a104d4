"""The real bentoml of both generations reads the same values out of the same bentofiles."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bentomake.bento import bentofile, schema

GOOD = Path(__file__).parent / "fixtures" / "good"
REAL = """
import json, sys
from bentoml._internal.bento.build_config import BentoBuildConfig, bentoml_cattr
with open(sys.argv[1], encoding="utf-8") as file:
    print(json.dumps(bentoml_cattr.unstructure(BentoBuildConfig.from_yaml(file).with_defaults()), default=str))
"""
BOTH = [
    "anchors",
    "base_image",
    "description",
    "docker",
    "labels",
    "models",
    "patterns",
    "pip_options",
]
BOTH += ["quickstart", "windows"]


def real(python: str, case: str, directory: Path) -> dict[str, Any]:
    shutil.copy(GOOD / f"{case}.yaml", directory / "bentofile.yaml")
    done = subprocess.run(
        [python, "-c", REAL, "bentofile.yaml"], cwd=directory, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    sections = {f"{name}.{key}": value for name in schema.SECTIONS for key, value in answer.pop(name).items()}
    return answer | sections


@pytest.mark.real
@pytest.mark.parametrize("case", BOTH)
def test_generation_1_1_reads_the_same(case: str, bentoml11: str, tmp_path: Path) -> None:
    compare(real(bentoml11, case, tmp_path), bentofile.load(f"{case}.yaml", str(GOOD)).values)


@pytest.mark.real
@pytest.mark.parametrize("case", [*BOTH, "classes"])
def test_generation_1_4_reads_the_same(case: str, bentoml14: str, tmp_path: Path) -> None:
    compare(real(bentoml14, case, tmp_path), bentofile.load(f"{case}.yaml", str(GOOD)).values)


def compare(theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    """Equal, where what is unset is null for them and empty for us."""
    python = theirs.pop("docker.python_version")
    assert ours["docker.python_version"] in (None, python)
    if ours["docker.base_image"] is None:
        ours["docker.distro"] = ours["docker.distro"] or "debian"  # the rules' affair: an image in code may say another
    if theirs["name"] is not None:
        theirs["name"] = theirs["name"].lower()  # they do so later, when the Bento is made
    theirs["labels"] = {name: str(value) for name, value in theirs["labels"].items()}  # 1.1 does so later as well
    if ours["envs"]:
        theirs.pop("docker.env")  # 1.4 fills it from envs; here that is the rules' affair
    for model in theirs["models"]:
        model["tag"] = model["tag"].lower()
    for name, value in theirs.items():
        assert (value or None) == (ours[name] or None), name
