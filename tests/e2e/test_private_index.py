"""A private index, end to end: the Bento locks from it, and its password is in no file that anybody keeps."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml
from harness import LIGHT_SERVICE, World

sys.path.insert(0, str(Path(__file__).parents[1] / "rules"))
from private_index import TOKEN, a_wheel, private_index

pytestmark = pytest.mark.real
OTHER = "tok-rotated-5a6b7c"


def holding(top: Path, secret: str) -> list[str]:
    files = [path for path in top.rglob("*") if path.is_file() and not path.is_symlink()]
    assert len(files) > 50
    return [str(path) for path in files if secret.encode() in path.read_bytes()]


def test_the_token_is_nowhere(bentoml14: str, tmp_path: Path) -> None:
    world = World(tmp_path / "world", bentoml14)
    a_wheel(tmp_path / "served", "secretpkg", "1.2")
    with private_index(tmp_path / "served") as index:
        url = index.url("me:${PRIVATE_TOKEN}")
        text = f'service: "service:Light"\npython:\n  packages: [secretpkg]\n  extra_index_url: ["{url}"]\n'
        project = world.project("light", {"service.py": LIGHT_SERVICE, "bentofile.yaml": text})
        unset = project.make()
        assert unset.code == 2 and "The variable PRIVATE_TOKEN is not set" in unset.stderr
        assert "bentofile.yaml:4" in unset.stderr

        world.env |= {"PRIVATE_TOKEN": "wrong-" + TOKEN, "UV_HTTP_RETRIES": "0"}
        wrong = project.make("-v")
        assert wrong.code == 1 and TOKEN not in wrong.stdout + wrong.stderr

        world.env["PRIVATE_TOKEN"] = TOKEN
        built = project.make("-v", "--explain").good()
        again = project.make().good()
        assert again.ran == set()
        world.env["PRIVATE_TOKEN"] = OTHER
        changed = project.make("-n", "--explain", "lock")
        assert "PRIVATE_TOKEN" in changed.stderr
        told = "".join(run.stdout + run.stderr for run in (unset, built, again, changed, world.run("explain")))
        assert TOKEN not in told and OTHER not in told
    requirements = (built.path / "env/python/requirements.txt").read_text()
    assert f"--extra-index-url {url}\n" in requirements and "secretpkg==1.2\n" in requirements
    envs = yaml.safe_load((built.path / "bento.yaml").read_text())["envs"]
    assert {"name": "PRIVATE_TOKEN", "value": "", "stage": "build"} in envs, "bentoml containerize mounts it"
    assert holding(tmp_path / "world", TOKEN) == []
