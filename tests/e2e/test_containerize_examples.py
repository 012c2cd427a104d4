"""Both examples in real containers: built, containerized, started, asked over loopback as its user, and stopped.

The one with runners has the feature grpc of bentoml: its wheels come from bentomake.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import yaml
from containers import EACH, ENGINES, Docker, with_engine
from harness import World

pytestmark = [
    pytest.mark.real,
    pytest.mark.engine,
    pytest.mark.skipif(not ENGINES, reason="BENTOMAKE_TEST_ENGINES names neither docker, buildah nor podman"),
]
FLOWER = [[5.9, 3.0, 5.1, 1.8]]
NAME = "iris_classifier"
REQUEST = {"iris": {"x": FLOWER}, "iris-runner": FLOWER}
FEATURES = {"iris": [], "iris-runner": ["--enable-features", "grpc"]}
GRPC = """\
import subprocess, sys
import grpc
from bentoml.grpc.v1 import service_pb2, service_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

words = ["/home/bentoml/bento/env/docker/entrypoint.sh", "serve-grpc"]
server = subprocess.Popen(words, stdout=sys.stderr)
channel = grpc.insecure_channel("127.0.0.1:3000")
health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), wait_for_ready=True, timeout=90)
flower = service_pb2.NDArray(shape=[1, 4], dtype="DTYPE_DOUBLE", double_values=[5.9, 3.0, 5.1, 1.8])
request = service_pb2.Request(api_name="classify", ndarray=flower)
answer = service_pb2_grpc.BentoServiceStub(channel).Call(request, timeout=60)
print(health.status == health.SERVING, list(answer.ndarray.int64_values))
server.terminate()
server.wait(20)
"""
"""Ends with what a server of gRPC beside it answers, asked by the image's own packages."""


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


@pytest.fixture(scope="module", params=sorted(EACH))
def engine(request: pytest.FixtureRequest) -> Docker:
    return ENGINES[request.param]


@pytest.fixture(scope="module")
def image(stored: Stored, engine: Docker) -> Iterator[str]:
    name = f"bentomake-e2e-{os.getpid()}-{stored.example}:{engine.name}"
    words = ["-t", name, "--backend", engine.name, *FEATURES[stored.example]]
    try:
        stored.world.run("containerize", stored.tag, *words).good()
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


def an_http_server(engine: Docker, image: str) -> None:
    with engine.serving(image, port=3456, env={"BENTOML_SERVE_COMPONENT": "http_server"}) as server:
        assert server.ask("classify", REQUEST["iris"]) == (200, [2])


def a_runner_and_an_http_server(engine: Docker, image: str) -> None:
    component = {"BENTOML_SERVE_COMPONENT": "runner"}
    with engine.serving(image, "--runner-name", "iris_clf", port=4000, env=component) as runner:
        remote = f"iris_clf=tcp://{runner.address}:{runner.port}"
        with engine.serving(image, "start-http-server", "--remote-runner", remote, port=3456) as server:
            assert server.ask("healthz")[0] == 200
            assert server.ask("classify", REQUEST["iris-runner"]) == (200, [2])


def a_server_of_grpc(engine: Docker, image: str) -> None:
    assert engine.run(image, "python", "-c", GRPC).splitlines()[-1] == "True [2]"


SERVERS = {"iris": [an_http_server], "iris-runner": [a_runner_and_an_http_server, a_server_of_grpc]}


def test_its_other_servers_answer_in_containers_of_their_own(stored: Stored, engine: Docker, image: str) -> None:
    for answers in SERVERS[stored.example]:
        answers(engine, image)
