"""podman, where buildah has all the other stories: an example that is served, its wheels, a secret."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from containers import ENGINES, TITLE, with_engine
from harness import LIGHT_SERVICE, Project, World
from shop import QUICK, Made

pytestmark = [
    pytest.mark.real,
    pytest.mark.engine,
    pytest.mark.skipif("podman" not in ENGINES, reason="BENTOMAKE_TEST_ENGINES does not name podman"),
]
VALUE = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SECRET = QUICK.replace(
    "# more\n",
    "RUN --mount=type=secret,id=aws,target=/root/.aws/credentials \\\n"
    "    cat /root/.aws/credentials && wc -c </root/.aws/credentials >{{ bento__path }}/size\n",
)


@pytest.fixture
def world(bentoml14: str, tmp_path: Path) -> World:
    return with_engine(World(tmp_path / "world", bentoml14))


@pytest.fixture
def name() -> Iterator[str]:
    made = f"bentomake-e2e-{os.getpid()}-podman"
    yield made
    podman = ENGINES["podman"]
    for found in {podman.id(made), *podman.call("images", "-q", "--no-trunc", "-f", f"label={TITLE}={made}").split()}:
        if found:
            podman.call("rmi", "-f", found.removeprefix("sha256:"))


def containerize(project: Project, *words: str, env: dict[str, str] | None = None) -> Made:
    tag = project.make().good().tag
    words = ("--backend", "podman", "--progress", "plain", "--explain", *words)
    return Made(project.world.run("containerize", tag, *words, env=env))


def test_an_example_is_made_of_wheels_that_are_mounted_and_served(world: World, name: str) -> None:
    project, podman = world.example("iris"), ENGINES["podman"]
    world.command([world.python, "train.py"], project.directory).good()
    made = containerize(project, "-t", name).good()
    assert made.ran >= {"wheelhouse", "image"}
    assert "--mount=type=bind,from=wheelhouse" in made.log and "Downloading" not in made.log
    with podman.serving(name) as server:
        assert server.ask("healthz")[0] == 200
        assert server.ask("classify", {"x": [[5.9, 3.0, 5.1, 1.8]]}) == (200, [2])
    assert podman.run(name, "id", "-u") == "1034"
    assert containerize(project, "-t", name).good().ran == set()


def test_a_secret_is_mounted_and_stays_outside(world: World, name: str, tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text(VALUE)
    bentofile = f'service: "service:Light"\nname: {name}\ndocker:\n  python_version: "3.11"\n'
    files = {"service.py": LIGHT_SERVICE, "Dockerfile.template": SECRET}
    bentofile += "  dockerfile_template: Dockerfile.template\n"
    project = world.project("secretive", {**files, "bentofile.yaml": bentofile})
    made = containerize(project, "--secret", f"id=aws,src={tmp_path}/credentials").good()
    podman = ENGINES["podman"]
    assert podman.read(made.tag, "/home/bentoml/bento/size") == str(len(VALUE))
    assert "****" in made.log and VALUE not in made.said
    podman.call("save", "--format", "oci-dir", "-o", f"{tmp_path}/image", made.tag)
    layers = [path.read_bytes() for path in (tmp_path / "image/blobs").rglob("*") if path.is_file()]
    assert layers and not any(VALUE.encode() in layer for layer in layers)
    assert VALUE not in podman.call("history", "--no-trunc", made.tag)
