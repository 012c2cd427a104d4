"""Projects to measure on: many small files, one big model, the iris example; with the same job for each peer."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from places import ROOT

_SERVICE = """\
import bentoml


@bentoml.service
class Files:
    @bentoml.api
    def count(self, text: str) -> int:
        return len(text)
"""
_BENTOFILE = """\
service: "service:Files"
include: ["service.py", "data/"]
python:
  lock_packages: false
"""
_MODEL = 'models: ["big:1"]\n'
_DODO = """\
import os, shutil

FILES = open("files.txt").read().split()


def pack():
    for name in FILES:
        os.makedirs(os.path.dirname("out/" + name), exist_ok=True)
        shutil.copy(name, "out/" + name)
    open("out.done", "w").close()


def task_pack():
    return {"actions": [pack], "file_dep": FILES, "targets": ["out.done"]}
"""
_NINJA = """\
rule pack
  command = mkdir -p out && cp -r service.py data out/ && touch out.done
build out.done: pack {files}
"""
_MODEL_YAML = """\
name: big
version: "1"
module: ""
labels: {}
options: {}
metadata: {}
context: {framework_name: "", framework_versions: {}, bentoml_version: 1.4.0, python_version: "3.11"}
signatures: {}
api_version: v1
creation_time: "2024-01-01T00:00:00.000000+00:00"
"""


def files_project(top: Path, count: int, size: int = 4096, *, model: bool = False) -> Path:
    """A service beside `count` data files of `size` random bytes, 100 a directory."""
    project = top / "project"
    project.mkdir(parents=True)
    (project / "service.py").write_text(_SERVICE)
    (project / "bentofile.yaml").write_text(_BENTOFILE + (_MODEL if model else ""))
    for number in range(count):
        path = data_file(project, number)
        if number % 100 == 0:
            path.parent.mkdir(parents=True)
        path.write_bytes(os.urandom(size))
    return project


def data_file(project: Path, number: int) -> Path:
    return project / "data" / f"{number // 100:03}" / f"{number:05}.bin"


def copy_of(project: Path, name: str) -> Path:
    """The same project again, for a command that would otherwise leave its traces in the way of another."""
    copy = project.parent / name
    shutil.copytree(project, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def for_peers(project: Path, name: str = "peers") -> Path:
    """A copy of a project with the same job for doit and ninja: copy all of its files when one has changed."""
    copy = copy_of(project, name)
    files = ["service.py", *sorted(str(path.relative_to(copy)) for path in copy.glob("data/*/*"))]
    (copy / "files.txt").write_text("\n".join(files))
    (copy / "dodo.py").write_text(_DODO)
    (copy / "build.ninja").write_text(_NINJA.format(files=" ".join(files)))
    return copy


def iris_project(top: Path, python: str, env: Mapping[str, str], *, locking: bool) -> Path:
    """The example of the class generation with its model trained; its `python:` section is its last."""
    project = top / "project"
    shutil.copytree(ROOT / "examples" / "iris", project, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    if not locking:
        with open(project / "bentofile.yaml", "a", encoding="utf-8") as file:
            file.write("  lock_packages: false\n")
    subprocess.run([python, "train.py"], cwd=project, env=dict(env), check=True, stdout=subprocess.DEVNULL)
    return project


def big_model(home: Path, size: int) -> None:
    """A model `big:1` of `size` random bytes in the model store."""
    directory = home / "models" / "big" / "1"
    directory.mkdir(parents=True)
    (directory / "model.yaml").write_text(_MODEL_YAML)
    block = 16 << 20
    with open(directory / "weights.bin", "wb") as file:
        for start in range(0, size, block):
            file.write(os.urandom(min(block, size - start)))
    (home / "models" / "big" / "latest").write_text("1")
