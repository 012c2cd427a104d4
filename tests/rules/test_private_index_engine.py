"""Requirements in a real image engine: a private index whose password stays out of the image, and wheels."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from dockerfile_made import make
from engines import ENGINE, ENGINES, Docker, bento_with
from private_index import TOKEN, a_wheel, private_index

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(ENGINE != "docker", reason="BENTOMAKE_TEST_ENGINES does not name docker"),
    pytest.mark.parametrize("generation", ["runner", "class"]),
]
BUILDKITS = [engine for engine in ENGINES if engine.env.get("DOCKER_BUILDKIT") == "1"]


@pytest.fixture
def tag(generation: str, engine: Docker) -> Iterator[str]:
    name = f"bentomake-test-{os.getpid()}-index-{generation}"
    yield name
    engine.remove(name)


def lock_of(bento: Path, generation: str) -> Path:
    return bento / "env/python" / ("requirements.lock.txt" if generation == "runner" else "requirements.txt")


def saved(tag: str, words: list[bytes]) -> set[bytes]:
    """Which of the words are in the image's layers or configuration."""
    found: set[bytes] = set()
    with subprocess.Popen(["docker", "save", tag], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        before = b""
        while block := process.stdout.read(1 << 22):
            found |= {word for word in words if word in before + block}
            before = block[-100:]
    assert process.returncode == 0
    return found


@pytest.mark.parametrize("engine", BUILDKITS, ids=lambda engine: engine.name)
def test_a_password_is_in_no_layer_and_no_history(generation: str, engine: Docker, tmp_path: Path, tag: str) -> None:
    a_wheel(tmp_path / "served", "secretpkg", "1.2", code="HERE = 'installed-' + 'package'\n# a-mark-in-the-layer\n")
    a_wheel(tmp_path / "served", "bentoml", "1.1.11", code="__version__ = '1.1.11'\n")
    with private_index(tmp_path / "served") as index:
        url = index.url("me:${TOKEN}")
        made = make(tmp_path, generation, docker__python_version="3.11", python__index_url=url)
        bento = bento_with(tmp_path, made, generation)
        lock_of(bento, generation).write_text(f"--index-url {url}\nsecretpkg==1.2\nbentoml==1.1.11\n")
        (tmp_path / "token").write_text(TOKEN)
        words = ["--network", "host", "--build-arg", "BENTOML_FEATURES=grpc"]
        with pytest.raises(AssertionError, match="TOKEN"):
            engine.build(bento, tag, *words)
        engine.build(bento, tag, *words, "--secret", f"id=TOKEN,src={tmp_path / 'token'}")
    assert engine.run(tag, "python3", "-c", "import secretpkg; print(secretpkg.HERE)").strip() == "installed-package"
    assert TOKEN not in engine.call("history", "--no-trunc", tag) + engine.call("image", "inspect", tag)
    assert saved(tag, [TOKEN.encode(), b"a-mark-in-the-layer"]) == {b"a-mark-in-the-layer"}


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_wheels_of_the_project_are_installed(generation: str, engine: Docker, tmp_path: Path, tag: str) -> None:
    made = make(tmp_path, generation, docker__python_version="3.11", python__wheels=["lib/*.whl"])
    bento = bento_with(tmp_path, made, generation)
    wheels = bento / "env/python/wheels"
    a_wheel(wheels, "mine", "1.0", requires=("idna==3.6",))
    a_wheel(wheels, "above", "2.0", requires=("mine>=1",), code="import idna, mine\n")
    names = ["above-2.0-py3-none-any.whl", "mine-1.0-py3-none-any.whl"]
    lines = [f"./wheels/{name}" for name in names]
    if generation == "runner":  # else install.sh would fetch the real one, and all that it requires
        lines.append("./wheels/bentoml-1.1.11-py3-none-any.whl")
    lock_of(bento, generation).write_text("\n".join([*lines, "idna==3.6"]) + "\n")
    engine.build(bento, tag)
    assert engine.run(tag, "python3", "-c", "import above; print(above.idna.__version__)").strip() == "3.6"
