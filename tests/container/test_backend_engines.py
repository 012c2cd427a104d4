"""The real engines take what their stand-ins were told: BENTOMAKE_TEST_ENGINES names docker, buildah, podman."""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bentomake.container.options import Options
from bentomake.container.registry import get_backend
from bentomake.container.request import Request
from bentomake.engine.process import run

NAMES = os.environ.get("BENTOMAKE_TEST_ENGINES", "").split()
BACKENDS = {"docker": ("docker", "docker-classic", "buildx"), "buildah": ("buildah",), "podman": ("podman",)}
# podman is buildah's command line: it is asked where buildah is not.
HERE = [backend for name in NAMES if name != "podman" or "buildah" not in NAMES for backend in BACKENDS.get(name, ())]
GOLDEN = Path(__file__).with_name("golden")

# What takes a registry, or an engine with another store than this test can count on: the command line must be
# understood, the build may fail.
_ELSEWHERE = {
    *("always-pull", "attestations", "cache-repository", "cgroup", "layers-off", "output-archive"),
    *("output-docker-archive", "platforms-pushed", "push"),
}
_NOT_UNDERSTOOD = ("unknown flag", "unknown shorthand", 'invalid argument "', "usage:", "flag needs an argument")

_OTHERS = ("bentomake-test:two", "localhost:5000/bentomake-test:1")
_PLAIN = """FROM python:3.11-slim AS first
ARG FOO
RUN echo "$FOO" > /foo
FROM first AS second
RUN echo two > /two
"""
_MOUNTS = {
    "secrets": "RUN --mount=type=secret,id=aws cat /run/secrets/aws > /aws\n"
    "RUN --mount=type=secret,id=token cat /run/secrets/token > /token\n",
    "ssh": 'RUN --mount=type=ssh test -S "$SSH_AUTH_SOCK"\n',
    "of-bentomake": "RUN --mount=type=bind,from=wheelhouse,target=/wheels cp /wheels/a.whl /\n",
}


def golden() -> list[tuple[str, str, list[str]]]:
    """(backend, set, the words that its stand-in recorded), but for the sets that were refused."""
    found = []
    for backend in HERE:
        for section in (GOLDEN / f"{backend}.txt").read_text().split("== ")[1:]:
            title, *lines = section.strip().splitlines()
            binary = get_backend(backend.partition("-")[0], {}).binary
            if binary in lines:
                words = [shlex.split(line)[0] if line != "''" else "" for line in lines[lines.index(binary) :]]
                found.append((backend, title.partition(":")[0], words))
    return found


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory with all that the option sets name."""
    (tmp_path / "context/env/docker").mkdir(parents=True)
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels/a.whl").write_text("wheel")
    (tmp_path / "aws credentials").write_text("hush")
    monkeypatch.setenv("TOKEN", "hush too")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind("agent.sock")
        agent.listen()
        yield tmp_path


@pytest.mark.engine
@pytest.mark.skipif(not golden(), reason="BENTOMAKE_TEST_ENGINES names neither docker, buildah nor podman")
@pytest.mark.parametrize(
    ("name", "options", "words"), golden(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_real_engine_accepts_what_the_stand_in_recorded(
    name: str, options: str, words: list[str], here: Path
) -> None:
    (here / "context/env/docker/Dockerfile").write_text(_PLAIN + _MOUNTS.get(options, ""))
    tag = f"bentomake-test-{os.getpid()}:1"
    words = [tag if word == "bentomake-test:1" else word for word in words]
    backend = get_backend(name.partition("-")[0], {"DOCKER_BUILDKIT": "0"} if name == "docker-classic" else {})
    env = backend.env({**os.environ, **({"DOCKER_BUILDKIT": "0"} if name == "docker-classic" else {})})
    try:
        done = run(words, env=env, timeout=300)
        said = (done.stdout + done.stderr).lower()
        assert not any(words in said for words in _NOT_UNDERSTOOD), said
        if options not in _ELSEWHERE:
            assert done.returncode == 0, said
            if options != "output-local" and (name, options) != ("buildx", "load-off"):
                image = backend.image(tag, env)
                assert image is not None and image.id.startswith("sha256:") and image.platform.startswith("linux/")
                if options == "files-about-it":
                    assert (here / "id.txt").read_text() == image.id
                    assert (here / "metadata.json").read_text().count('"containerimage.') > 0
    finally:
        subprocess.run([words[0], "rmi", "-f", tag, *_OTHERS], env=env, capture_output=True)


@pytest.mark.engine
@pytest.mark.skipif(not golden(), reason="BENTOMAKE_TEST_ENGINES names neither docker, buildah nor podman")
@pytest.mark.parametrize("name", HERE)
def test_the_id_it_notes_is_the_id_of_the_image(name: str, here: Path) -> None:
    (here / "context/env/docker/Dockerfile").write_text(_PLAIN)
    tag = f"bentomake-test-{os.getpid()}:id"
    env = {**os.environ, **({"DOCKER_BUILDKIT": "0"} if name == "docker-classic" else {})}
    backend = get_backend(name.partition("-")[0], env)
    request = Request(
        str(here / "context"),
        str(here / "context/env/docker/Dockerfile"),
        (tag,),
        options=Options.parse(["iidfile=theirs", "label=who=me and you"]),
        iidfile=str(here / "ours"),
    )
    try:
        backend.health(env)
        assert json.dumps(backend.version(env)) == json.dumps(backend.version(env))
        assert backend.image(tag, env) is None
        done = run(backend.argv(request), env=backend.env(env), timeout=300)
        made = backend.after(request, done, env)
        image = backend.image(tag, env)
        assert image is not None and made == image.id == (here / "theirs").read_text()
        assert image.labels["who"] == "me and you" and image.size > 1 << 20
        assert backend.base_digest("python:3.11-slim", env) not in (None, made)
    finally:
        subprocess.run([backend.binary, "rmi", "-f", tag], env=backend.env(env), capture_output=True)
