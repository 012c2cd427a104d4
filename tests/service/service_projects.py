"""Projects for the stories of this directory, made on the spot."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bentomake.service.interpreter import Interpreter, facts
from bentomake.service.look import Looked, look

HERE = Path(__file__).parent

OBSERVED = {
    "data/labels.json": '{"a": 1}',
    "data/more.txt": "more",
    "data/deep.txt": "deep",
    "data/sized.bin": "12345",
    "scanned/x": "",
    "conf/a.yaml": "a: 1",
    "parts/a.txt": "",
    "tree/leaf/x": "",
    "folder/x": "",
    "tool.sh": "#!/bin/sh\n",
    "shapes/__init__.py": "",
    "shapes/circle.py": "AREA = 3\n",
    "unread.txt": "nobody looks at this",
    "../beside/outside.py": "VALUE = 1\n",
}

SEEN_FILES = {
    "ctx/looks.py",
    "ctx/shapes/__init__.py",
    "ctx/shapes/circle.py",
    "ctx/../beside/outside.py",
    "ctx/data/labels.json",
    "ctx/data/more.txt",
    "ctx/data/deep.txt",
    "ctx/missing.json",
}
SEEN_STATS = {
    "ctx/flag",
    "ctx/folder",
    "ctx/flag-of-pathlib",
    "ctx/exists-of-pathlib",
    "ctx/tool.sh",
    "ctx/link",
    "ctx/data/sized.bin",
}
SEEN_LISTINGS = {"ctx/data", "ctx/scanned", "ctx/conf", "ctx/parts", "ctx/tree", "ctx/tree/leaf"}
SEEN_IMPORTS = {
    "ctx:looks",
    "ctx:shapes",
    "ctx/shapes:circle",
    "ctx:outside",
    "ctx/../beside:outside",
    "ctx:not_there_at_all",
    "ctx/../beside:not_there_at_all",
    "ctx:only_asked_for",
    "site:not_there_at_all",
    "site:only_asked_for",
}
SEEN_VARIABLES = {"LOOKS_GET", "LOOKS_GETENV", "LOOKS_IN", "LOOKS_ITEM", "LOOKS_BYTES", "LOOKS_PICKED"}

RUNNER = """
import bentoml
from bentoml.io import JSON, Text

runner = bentoml.picklable_model.get("clf:latest").to_runner()
svc = bentoml.Service("Taster", runners=[runner], models=[bentoml.models.get("second")])

@svc.api(input=Text(), output=JSON(), route="/v1/taste")
def taste(text: str) -> dict:
    '''Taste it.'''
    return {"text": text}
"""

CLASS = """
from __future__ import annotations
import bentoml

looked_up = bentoml.models.get("second:latest")

@bentoml.service(resources={"cpu": "1"})
class Grinder:
    @bentoml.api
    def grind(self, text: str) -> str:
        return text

@bentoml.service(
    traffic={"timeout": 9},
    labels={"kind": "tea"},
    envs=[{"name": "HEAT", "value": "high"}],
    description="Tastes tea.",
)
class TeaTaster:
    '''A taster.'''
    model = bentoml.models.BentoModel("clf:latest")
    hub = bentoml.models.HuggingFaceModel("Some/Model", exclude=["*.bin"])
    grinder = bentoml.depends(Grinder)

    @bentoml.api(route="/v1/taste")
    def taste(self, text: str, strong: bool = False) -> dict[str, str]:
        '''Taste it.'''
        return {"text": text}

    @bentoml.api(route="/v1/chat/completions")
    def chat(self, messages: list[str]) -> str:
        return ""
"""

SMALL = """import bentoml
@bentoml.service
class {name}:
    @bentoml.api
    def f(self, x: int) -> int:
        return x
"""


def write(directory: Path, files: Mapping[str, str]) -> Path:
    """Write files below a directory that is made; `../` in a name is fine."""
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return directory


def observed(directory: Path, extra: Mapping[str, str] = {}) -> Path:
    """A project with everything that looks.py looks at."""
    directory.mkdir(parents=True)
    write(directory, {**OBSERVED, **extra})
    shutil.copy(HERE / "looks.py", directory / "looks.py")
    (directory / "tool.sh").chmod(0o755)
    (directory / "link").symlink_to("nowhere")
    return directory


def names(looked_at: list[list[str]], kind: str) -> set[str]:
    return {name for a_kind, name in looked_at if a_kind == kind}


def store(python: str, home: Path) -> Path:
    """A BENTOML_HOME with two models, saved by the real bentoml of an interpreter."""
    script = "import bentoml\nfor name in ('clf', 'second'): bentoml.picklable_model.save_model(name, {'a': 1})"
    subprocess.run(
        [python, "-c", script],
        env={"BENTOML_HOME": str(home), "PATH": "/usr/bin:/bin", "BENTOML_DO_NOT_TRACK": "1"},
        check=True,
        capture_output=True,
    )
    return home


def real_build(python: str, context: Path, home: Path) -> Path:
    """The directory of the Bento that the real bentoml builds of a project."""
    env = {"BENTOML_HOME": str(home), "PATH": "/usr/bin:/bin", "BENTOML_DO_NOT_TRACK": "1", "HOME": str(home)}
    ran = subprocess.run(
        [python, "-m", "bentoml", "build", "-o", "tag"],
        cwd=context,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    name, version = ran.stdout.split("__tag__:")[1].strip().split(":")
    return home / "bentos" / name / version


class Generation:
    """A real bentoml, a store with models, and a way to look at projects with it."""

    def __init__(self, python: str, directory: Path) -> None:
        self.python = python
        self.directory = directory
        self.home = store(python, directory / "home")
        self.env = {**os.environ, "BENTOML_DO_NOT_TRACK": "1"}
        self.env.pop("PYTHONDONTWRITEBYTECODE", None)
        self.interpreter: Interpreter = facts(python, "--python", str(directory), self.env, str(directory / "cache"))

    def look(self, context: Path, service: str, *, timeout: float = 120, **more: Any) -> Looked:
        workdir = self.directory / "work" / context.name
        workdir.mkdir(parents=True, exist_ok=True)
        arguments: dict[str, Any] = {"aliases": {}, "hf_revisions": {}, "env": self.env, **more}
        return look(
            self.interpreter, str(context), str(self.home), service, timeout=timeout, workdir=str(workdir), **arguments
        )
