"""Both examples in real containers: built, containerized, started, asked over loopback as its user, and stopped."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import yaml
from containers import ENGINES, Docker, with_engine
from harness import World

pytestmark = [
    pytest.mark.real,
    pytest.mark.engine,
    pytest.mark.skipif(not ENGINES, reason="BENTOMAKE_TEST_ENGINES names neither docker nor buildah"),
]
FLOWER = [[5.9, 3.0, 5.1, 1.8]]
NAME = "iris_classifier"
REQUEST = {"iris": {"x": FLOWER}, "iris-runner": FLOWER}


@dataclass
class Stored:
    """An example that was built: its Bento is in the store of its world."""

    world: World
    example: str
    tag: str


@pytest.fixture(scope="module", params=sorted(REQUEST))
def stored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Stored:
    python = request.getfixturevalue({"iris": "bentoml14", "iris-runner": "bentoml11"}[request.param])
    world = with_engine(World(tmp_path_factory.mktemp(request.param), python))
    project = world.example(request.param)
    world.command([python, "train.py"], project.directory).good()
    return Stored(world, request.param, project.make().good().tag)


@pytest.fixture(scope="module", params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest) -> Docker:
    return ENGINES[request.param]


@pytest.fixture(scope="module")
def image(stored: Stored, engine: Docker) -> Iterator[str]:
    name = f"bentomake-e2e-{os.getpid()}-{stored.example}:{engine.name}"
    try:
        stored.world.run("containerize", stored.tag, "-t", name, "--backend", engine.name).good()
        yield name
    finally:
        found = engine.id(name)
        if found:
            engine.call("rmi", "-f", found.removeprefix("sha256:"))


def test_it_is_served_to_others_and_stops_when_it_is_told(stored: Stored, engine: Docker, image: str) -> None:
    with engine.serving(image) as server:
        assert server.ask("readyz")[0] == 200
        assert server.ask("healthz")[0] == 200
        assert server.ask("classify", REQUEST[stored.example]) == (200, [2])


def test_the_words_after_the_image_and_the_port_are_as_documented(stored: Stored, engine: Docker, image: str) -> None:
    words = {"iris": ["serve-http"], "iris-runner": ["serve", "--port", "{port}"]}[stored.example]
    with engine.serving(image, *words, port=3456) as server:
        assert server.ask("classify", REQUEST[stored.example]) == (200, [2])


def test_any_other_command_runs_as_the_bentos_user(stored: Stored, engine: Docker, image: str) -> None:
    assert engine.run(image, "python", "-V").startswith("Python 3.11.")
    assert engine.run(image, "id", "-u") == "1034"
    assert engine.run(image, "sh", "-c", "pwd; echo $BENTOML_HOME").split() == [
        "/home/bentoml/bento",
        "/home/bentoml/",
    ]
    version = engine.run(image, "python", "-c", "import bentoml; print(bentoml.__version__)")
    assert version.startswith({"iris": "1.4.", "iris-runner": "1.1.11"}[stored.example])
    bento = yaml.safe_load(engine.read(image, "/home/bentoml/bento/bento.yaml"))
    assert f"{bento['name']}:{bento['version']}" == stored.tag
