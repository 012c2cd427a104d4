"""The guide's lines about other engines, word for word, with engines that only note what they are told."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from harness import LIGHT_SERVICE, SCRIPT, World
from shop import a_bentoml_that_says_its_words
from surroundings import Index

sys.path.insert(0, str(Path(__file__).parents[1] / "container"))
from stand_in import ENGINES, healthy

pytestmark = pytest.mark.real
BENTOFILE = 'service: "service:Light"\nname: pytorch-mnist\ndocker:\n  python_version: "3.11"\n'
FROM_PYTHON = """
import bentomake.container

bentomake.container.build(
   "pytorch-mnist:latest",
   backend="podman",
   features=["grpc","grpc-reflection"],
   cache_from="registry.com/my_cache:v1",
)
"""


class Machine:
    """A world in which a Bento pytorch-mnist is stored, and in which every engine is one that notes."""

    def __init__(self, directory: Path, python: str):
        self.world = World(directory, python)
        index = Index(directory / "index")
        self.world.env |= index.for_builds_with(python)
        a_bentoml_that_says_its_words(index.directory / "bentoml")
        project = self.world.project("mnist", {"service.py": LIGHT_SERVICE, "bentofile.yaml": BENTOFILE})
        self.tag = project.make().good().tag
        self.engines = directory / "engines"

    def told(self, *argv: str, answers: Mapping[str, object] | None = None) -> list[tuple[list[str], dict[str, str]]]:
        """Run a command: what engines were told to build, and with which variables; `said` is what it said."""
        stand_ins = healthy(self.engines, *ENGINES)
        for question, answer in (answers or {}).items():
            stand_ins.answer(question, answer)
        for inspect in ("docker image inspect", "podman image inspect", "buildah inspect"):
            stand_ins.answer(inspect, err="No such image", code=1)
        path = ":".join([str(stand_ins.directory), str(Path(SCRIPT).parent), self.world.env["PATH"]])
        self.said = self.world.command(list(argv), env={"PATH": path, "DOCKER_CONTEXT": "stand-in"}).good().stderr
        return [(call["argv"], call["env"]) for call in stand_ins.calls if "build" in call["argv"]]


@pytest.fixture(scope="module")
def machine(bentoml14: str, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return Machine(tmp_path_factory.mktemp("machine"), bentoml14)


@pytest.mark.parametrize(
    ("line", "begins", "has", "dockerfile"),
    [
        ("BENTOML_CONTAINERIZE_BACKEND=buildah bentoml containerize pytorch-mnist", "buildah build", "", ".buildkit"),
        ("bentoml containerize pytorch-mnist:latest --backend buildah", "buildah build", "", ".buildkit"),
        ("DOCKER_BUILDKIT=0 bentoml containerize pytorch-mnist", "docker build", "", ""),
        ("bentoml containerize pytorch-mnist", "docker build", "", ".buildkit"),
        (
            "bentoml containerize pytorch-mnist:latest --backend buildx --opt platform=linux/arm64",
            "docker buildx build",
            "--platform linux/arm64",
            ".buildkit",
        ),
        (
            "bentoml containerize pytorch-mnist:latest --backend buildx --opt platform:linux/arm64",
            "docker buildx build",
            "--platform linux/arm64",
            ".buildkit",
        ),
    ],
)
def test_a_line_of_the_shell(line: str, begins: str, has: str, dockerfile: str, machine: Machine) -> None:
    ((argv, env),) = machine.told("sh", "-c", line.replace("bentoml containerize", "bentomake containerize"))
    words = " ".join(argv)
    assert words.startswith(f"{begins} ") and has in words and machine.tag in argv
    assert any(word.endswith(f"/env/docker/Dockerfile{dockerfile}") for word in argv)
    assert env["DOCKER_BUILDKIT"] == ("1" if dockerfile and "buildah" not in begins else "0")


def test_from_python(machine: Machine) -> None:
    ((argv, _),) = machine.told(sys.executable, "-c", FROM_PYTHON)
    words = " ".join(argv)
    assert words.startswith("podman build ") and machine.tag in argv
    assert "--build-arg BENTOML_FEATURES=grpc,grpc-reflection" in words
    assert "--cache-from registry.com/my_cache:v1" in words.replace("=registry", " registry")


OLD = {
    "buildah": {"buildah --version": "buildah version 1.23.1 (image-spec 1.0.1)\n"},
    "podman": {
        "podman info": {"store": {"graphDriverName": "o", "graphRoot": "/"}, "version": {"Version": "3.4.4"}},
    },
}


@pytest.mark.parametrize("engine", sorted(OLD))
def test_an_old_release_just_works_and_is_told_what_it_misses(engine: str, machine: Machine) -> None:
    line = f"bentomake containerize pytorch-mnist --backend {engine} --image-tag {engine}:old"
    ((argv, _),) = machine.told("sh", "-c", line, answers=OLD[engine])
    assert argv[0] == engine and argv[argv.index("--file") + 1].endswith("/env/docker/Dockerfile")
    assert machine.said.count(f"warning: {engine} ") == 1 and " gets the plain Dockerfile: " in machine.said

    ((argv, _),) = machine.told("sh", "-c", f"DOCKER_BUILDKIT=0 {line}", answers=OLD[engine])
    assert argv[argv.index("--file") + 1].endswith("/env/docker/Dockerfile") and "warning" not in machine.said

    # A newer one is another engine: it gets the other Dockerfile, and makes another image.
    ((argv, _),) = machine.told("sh", "-c", line)
    assert argv[argv.index("--file") + 1].endswith("/env/docker/Dockerfile.buildkit") and "warning" not in machine.said
