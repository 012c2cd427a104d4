"""Docker without its client: the same answers and the same build, where a plain socket leads to the daemon."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_daemon import FakeDaemon
from stand_in import StandIns, healthy

from bentomake.container import docker_direct
from bentomake.container.backend import BackendUnhealthy
from bentomake.container.docker import Docker
from bentomake.container.docker_direct import Daemon, daemon
from bentomake.container.registry import get_backend
from bentomake.errors import StepError

IMAGE = {"Id": "sha256:" + "a" * 64, "Os": "linux", "Architecture": "amd64", "Size": 7, "RepoTags": ["x:1"]}


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeDaemon]:
    with FakeDaemon(tmp_path / "d.sock") as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def stand_ins(tmp_path: Path) -> StandIns:
    return healthy(tmp_path / "bin", "docker")


@pytest.fixture
def env(fake: FakeDaemon, stand_ins: StandIns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setattr(docker_direct, "wrapped", lambda program: False)  # the stand-ins are scripts
    return {**stand_ins.env, "DOCKER_HOST": f"unix://{tmp_path / 'd.sock'}"}


def configure(env: dict[str, str], **config: Any) -> Path:
    home = Path(env["HOME"], ".docker")
    home.mkdir(exist_ok=True)
    (home / "config.json").write_text(json.dumps(config))
    return home


# The way to the daemon


def test_a_socket_of_this_machine_is_asked_itself(env: dict[str, str], tmp_path: Path) -> None:
    assert daemon(env) == Daemon("default", str(tmp_path / "d.sock"))


@pytest.mark.parametrize("host", ["tcp://10.0.0.1:2376", "ssh://me@build", "unix:///is/not/there"])
def test_any_other_way_is_the_clients(env: dict[str, str], host: str) -> None:
    assert daemon({**env, "DOCKER_HOST": host}) is None


def test_the_default_place(env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = {name: value for name, value in env.items() if name not in ("DOCKER_HOST", "DOCKER_CONTEXT")}
    monkeypatch.setattr(docker_direct, "_SOCKET", str(tmp_path / "d.sock"))
    assert daemon(plain) == Daemon("default", str(tmp_path / "d.sock"))
    configure(env, currentContext="elsewhere")
    assert daemon(plain) is None


@pytest.mark.parametrize("by", ["variable", "config"])
def test_a_context_that_is_a_socket(env: dict[str, str], tmp_path: Path, by: str) -> None:
    home = configure(env, **({"currentContext": "desktop-linux"} if by == "config" else {}))
    meta = home / "contexts" / "meta" / hashlib.sha256(b"desktop-linux").hexdigest()
    meta.mkdir(parents=True)
    endpoint = {"docker": {"Host": f"unix://{tmp_path / 'd.sock'}"}}
    (meta / "meta.json").write_text(json.dumps({"Name": "desktop-linux", "Endpoints": endpoint}))
    plain = {name: value for name, value in env.items() if name not in ("DOCKER_HOST", "DOCKER_CONTEXT")}
    if by == "variable":
        plain["DOCKER_CONTEXT"] = "desktop-linux"
    assert daemon(plain) == Daemon("desktop-linux", str(tmp_path / "d.sock"))
    (meta / "meta.json").write_text("[]")
    assert daemon(plain) is None


# Questions


def test_the_daemon_says_what_the_client_would(env: dict[str, str], fake: FakeDaemon, stand_ins: StandIns) -> None:
    fake.answers["/images/x:1/json"] = (200, IMAGE)
    docker = get_backend("docker", env)
    assert docker.version(env) == f"docker 26.1.5, BuildKit ({env['DOCKER_HOST']})"
    found = docker.image("x:1", env)
    assert found is not None and (found.id, found.platform, found.size) == (IMAGE["Id"], "linux/amd64", 7)
    assert docker.image("y:1", env) is None
    assert fake.asked == ["/_ping", "/images/x:1/json", "/images/y:1/json"] and stand_ins.calls == []


def test_nothing_is_begun_ahead_of_a_daemon_that_answers_at_once(env: dict[str, str], stand_ins: StandIns) -> None:
    docker = get_backend("docker", env)
    assert isinstance(docker, Docker)
    docker.ahead(env, ["x:1"])
    docker.forget()
    assert stand_ins.calls == []
    docker.ahead({**env, "DOCKER_HOST": "tcp://far:1"}, ["x:1"])
    docker.forget()
    assert {call["argv"][1] for call in stand_ins.calls} == {"version", "image"}


def test_what_is_no_answer_is_asked_of_the_client(env: dict[str, str], fake: FakeDaemon, stand_ins: StandIns) -> None:
    fake.answers["/images/x:1/json"] = (500, {"message": "disk on fire"})
    stand_ins.answer("docker image inspect", err="disk on fire", code=1)
    with pytest.raises(StepError) as caught:
        get_backend("docker", env).image("x:1", env)
    assert caught.value.detail == "disk on fire"


def test_of_another_program_on_that_socket_the_client_tells(
    env: dict[str, str], fake: FakeDaemon, stand_ins: StandIns
) -> None:
    fake.program = "Libpod/4.3.1 (linux)"
    stand_ins.answer("docker version", {"Server": {"Version": "4.3.1", "Components": [{"Name": "Podman Engine"}]}})
    with pytest.raises(BackendUnhealthy, match=r"docker is podman 4\.3\.1 here"):
        get_backend("docker", env).version(env)


def test_a_name_that_is_none_reaches_no_daemon(env: dict[str, str], fake: FakeDaemon, stand_ins: StandIns) -> None:
    stand_ins.answer("docker image inspect", err="Error: No such image", code=1)
    assert get_backend("docker", env).image("x HTTP/1.0\r\n\r\n", env) is None
    assert fake.asked == [] and len(stand_ins.calls) == 1


def test_a_client_that_is_a_script_sees_every_call(
    env: dict[str, str], fake: FakeDaemon, stand_ins: StandIns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    plugin(env)
    docker = Docker(env)
    assert docker.version(env) == f"docker 26.1.5, BuildKit ({env['DOCKER_HOST']})"
    assert docker.direct(["docker", "build", "."], env) == ["docker", "build", "."]
    assert fake.asked == [] and [call["argv"][1] for call in stand_ins.calls] == ["version"]


def test_without_the_client_there_is_no_docker(env: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(BackendUnhealthy, match="docker is not installed"):
        get_backend("docker", env).version({**env, "PATH": str(tmp_path)})


# Builds


def plugin(env: dict[str, str]) -> str:
    program = Path(env["HOME"], ".docker", "cli-plugins", "docker-buildx")
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return str(program)


@pytest.mark.parametrize(
    ("name", "words", "builder"), [("docker", ["build"], "default"), ("buildx", ["buildx", "build"], None)]
)
def test_a_build_needs_the_plugin_only(env: dict[str, str], name: str, words: list[str], builder: str | None) -> None:
    program, docker = plugin(env), get_backend(name, env)
    assert isinstance(docker, Docker)
    assert docker.direct(["docker", *words, "--tag", "x", "."], env) == [program, "build", "--tag", "x", "."]
    assert env.get("BUILDX_BUILDER") == builder


def test_the_users_own_builder_stays(env: dict[str, str]) -> None:
    plugin(env)
    env["BUILDX_BUILDER"] = "mine"
    Docker(env).direct(["docker", "build", "."], env)
    assert env["BUILDX_BUILDER"] == "mine"


@pytest.mark.parametrize("why", ["classic", "far", "alias", "none"])
def test_else_the_client_builds(env: dict[str, str], why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_direct, "_PLUGINS", ())
    if why != "none":
        plugin(env)
    env |= {"classic": {"DOCKER_BUILDKIT": "0"}, "far": {"DOCKER_HOST": "tcp://far:1"}}.get(why, {})
    configure(env, aliases={"builder": "mine" if why == "alias" else "buildx"})
    docker = Docker(env)
    assert docker.direct(["docker", "build", "."], env) == ["docker", "build", "."]
    assert "BUILDX_BUILDER" not in env
