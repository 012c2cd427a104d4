"""--run-as-root: whatever the engine is asked or told, sudo asks and tells it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from stand_in import HEALTHY, StandIns, healthy
from stored_bento import Stored

from bentomake.cli.main import run
from bentomake.container.as_root import asked_as_root
from bentomake.container.backend import BackendUnhealthy
from bentomake.container.registry import get_backend


def a_sudo(engines: StandIns, program: str = 'exec "$@"') -> Path:
    """Let that PATH have a sudo; the file in which it notes what it starts."""
    noted = engines.directory / "by-sudo"
    noted.touch()
    lines = ["#!/bin/sh", f'echo "$*" >>{noted}', 'case "$1" in --preserve-env=*) shift ;; esac', program, ""]
    (engines.directory / "sudo").write_text("\n".join(lines))
    (engines.directory / "sudo").chmod(0o755)
    return noted


@pytest.fixture
def iris(own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stored:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    return Stored(own_home, tmp_path)


def test_version_images_and_the_build_are_roots(iris: Stored) -> None:
    (iris.directory / "env/docker/Dockerfile").write_text("FROM base:1\n")
    noted = a_sudo(iris.docker)
    assert iris.containerize("build-arg=TOKEN", run_as_root=True).errors == []
    calls = [" ".join(call["argv"]) for call in iris.docker.calls]
    said = noted.read_text().splitlines()
    assert [line.split(" ", 1)[1] for line in said] == calls
    assert all(any(call.startswith(f"docker {words}") for call in calls) for words in ("version", "image", "build"))
    build = next(line for line in said if " docker build " in line)
    assert "TOKEN" in build.split()[0] and "DOCKER_BUILDKIT" in build.split()[0]
    # The same again is a hit, which root was asked of.
    noted.write_text("")
    again = iris.containerize("build-arg=TOKEN", run_as_root=True)
    assert again.outcomes["image"].state == "cached" and "docker image inspect" in noted.read_text()


@pytest.mark.parametrize("name", [*HEALTHY])
def test_each_engine_is_asked_by_sudo(name: str, iris: Stored, tmp_path: Path) -> None:
    engines = healthy(tmp_path / "engines", name, "docker")
    noted = a_sudo(engines)
    backend = asked_as_root(get_backend(name, {}))
    env = {**engines.env, "BUILDKIT_HOST": "unix:///x"}
    assert backend.version(env)
    engines.answer(f"{name} inspect", err="image not known", code=1)
    engines.answer(f"{name} image", err="No such image", code=1)
    engines.answer("docker image", err="No such image", code=1)
    assert backend.image("iris:1", env) is None
    assert len(noted.read_text().splitlines()) == len(engines.calls) >= 2


def test_a_sudo_that_refuses_is_no_engine_that_does_not_run(
    iris: Stored, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    a_sudo(iris.docker, 'echo "sudo: a password is required" >&2; exit 1')
    with pytest.raises(BackendUnhealthy, match="sudo does not start docker") as raised:
        asked_as_root(get_backend("docker", {})).health(iris.docker.env)
    assert raised.value.detail == "sudo: a password is required"
    for name, value in iris.docker.env.items():
        monkeypatch.setenv(name, value)
    assert run(["containerize", "iris:v1", "--run-as-root"]) == 2
    assert "--run-as-root, and sudo does not start docker." in capsys.readouterr().err


def test_root_asks_by_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    engines = healthy(tmp_path, "docker")
    noted = a_sudo(engines)
    assert asked_as_root(get_backend("docker", {})).version(engines.env) and noted.read_text() == ""
