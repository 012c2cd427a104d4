"""Real image engines, named by BENTOMAKE_TEST_ENGINES (docker, buildah or both), and tiny Bentos for them to build."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from pathlib import Path
from typing import Any

from dockerfile_made import BUILDKIT, DOCKERFILE, ENV, Made, make, written
from ended import what_it_said

NAMES = os.environ.get("BENTOMAKE_TEST_ENGINES", "").split()
ENGINE = "docker" if "docker" in NAMES else " ".join(NAMES)
AWKWARD = {
    **ENV,
    "SINGLE": "it's",
    "TRAIL": "ends with \\",
    "BRACE": "${NOT_SET}x",
    "HASH": "# no comment",
    "EMPTY": "",
}


class Docker:
    def __init__(self, buildkit: bool, dockerfile: str = DOCKERFILE):
        self.dockerfile = dockerfile
        self.env = {**os.environ, "DOCKER_BUILDKIT": str(int(buildkit))}

    def call(self, *words: str) -> str:
        done = subprocess.run(["docker", *words], env=self.env, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @property
    def name(self) -> str:
        return f"{'buildkit' if self.env.get('DOCKER_BUILDKIT') == '1' else 'plain'}-{Path(self.dockerfile).name}"

    def log(self, *words: str) -> str:
        done = subprocess.run(["docker", *words], env=self.env, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def build(self, bento: Path, tag: str, *words: str) -> tuple[list[str], dict[str, Any]]:
        """Build; the digests of the layers, and the image's configuration."""
        self.call("build", "-t", tag, "-f", str(bento / self.dockerfile), *words, str(bento))
        image = json.loads(self.call("image", "inspect", tag))[0]
        return image["RootFS"]["Layers"], image["Config"]

    def run(self, tag: str, *words: str) -> str:
        return self.ended(tag, *words)

    def ended(self, *words: str) -> str:
        """What `run WORDS` prints."""
        return what_it_said("docker", words, self.env)

    def look(self, tag: str, program: str, *words: str) -> str:
        """What a program of the image says, without its entrypoint."""
        return self.ended("--entrypoint", program, tag, *words)

    def remove(self, tag: str) -> None:
        self.call("image", "rm", "-f", tag)


class Buildah(Docker):
    def call(self, *words: str) -> str:
        done = subprocess.run(["buildah", *words], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def build(self, bento: Path, tag: str, *words: str) -> tuple[list[str], dict[str, Any]]:
        self.call("build", "--layers", "-t", tag, "-f", str(bento / self.dockerfile), *words, str(bento))
        image = json.loads(self.call("inspect", "--type", "image", tag))["OCIv1"]
        return image["rootfs"]["diff_ids"], image["config"]

    def run(self, tag: str, *words: str) -> str:
        return self.look(tag, "/home/bentoml/bento/env/docker/entrypoint.sh", *words)

    def look(self, tag: str, program: str, *words: str) -> str:
        container = self.call("from", tag).strip()
        try:
            return self.call("run", container, "--", program, *words)
        finally:
            self.call("rm", container)

    def remove(self, tag: str) -> None:
        # rmi also takes layers that another worker's build is about to use; a store of the tests' own goes as a whole
        if "CONTAINERS_STORAGE_CONF" not in os.environ:
            subprocess.run(["buildah", "rmi", "-f", tag], capture_output=True)


_KNOWN = {
    "docker": [Docker(True), Docker(False), Docker(True, BUILDKIT)],
    "buildah": [Buildah(False)],
}
ENGINES = [engine for name in NAMES for engine in _KNOWN.get(name, [])]


def wheel_of_a_stub_bentoml(directory: Path) -> None:
    """A wheel whose console script `bentoml` prints its arguments."""
    directory.mkdir(parents=True)
    info = "bentoml-1.1.11.dist-info"
    with zipfile.ZipFile(directory / "bentoml-1.1.11-py3-none-any.whl", "w") as wheel:
        wheel.writestr(
            "bentoml.py", "import sys\n__version__ = '1.1.11'\ndef main(): print('bentoml', *sys.argv[1:])\n"
        )
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: bentoml\nVersion: 1.1.11\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/entry_points.txt", "[console_scripts]\nbentoml = bentoml:main\n")
        wheel.writestr(f"{info}/RECORD", "")


def bento_of(tmp_path: Path, generation: str, models: bool) -> Path:
    """A tiny Bento: one requirement, a setup script, awkward values in env."""
    script = (
        b"#!/usr/bin/env python3\nimport idna, os\nopen('/opt/setup', 'w').write(f'{idna.__name__} {os.getuid()}')\n"
    )
    made = make(
        tmp_path,
        generation,
        docker__env=AWKWARD,
        docker__setup_script="s",
        docker__python_version="3.11",
        files={"s": script},
    )
    return bento_with(tmp_path, made, generation, models)


def bento_with(tmp_path: Path, made: Made, generation: str = "class", models: bool = False) -> Path:
    """The files that the rule made, with one requirement and a few others around them."""
    for path in made:
        written(tmp_path, made, path)
    bento = tmp_path / "a bento"
    (bento / "env/python").mkdir(exist_ok=True)
    lock = "requirements.lock.txt" if generation == "runner" else "requirements.txt"
    stub = "./wheels/bentoml-1.1.11-py3-none-any.whl\n" if generation == "runner" else ""
    (bento / "env/python" / lock).write_text(f"idna==3.6\n{stub}")
    if generation == "runner":
        wheel_of_a_stub_bentoml(bento / "env/python/wheels")
    tree = {"bento.yaml": "version: one\n", "README.md": "# x\n", "apis/openapi.yaml": "{}\n", "src/x.py": "1\n"}
    if models:
        tree |= {"models/clf/latest": "v1", "models/clf/v1/model.yaml": "name: clf\n"}
    for path, text in {**tree, "src/pkg/y.py": "2\n"}.items():
        (bento / path).parent.mkdir(parents=True, exist_ok=True)
        (bento / path).write_text(text)
    return bento
