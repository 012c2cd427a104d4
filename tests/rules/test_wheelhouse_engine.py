"""The wheelhouse in a real image engine: an image that is installed without a network, and all that can be amiss."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from dockerfile_made import BUILDKIT, make
from engines import ENGINE, Docker, bento_with
from private_index import TOKEN, Index, a_wheel, private_index
from wheelhouses import Wheelhouse

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(ENGINE != "docker", reason="BENTOMAKE_TEST_ENGINES does not name docker"),
    pytest.mark.parametrize("generation", ["runner", "class"]),
]
IMPORTS = "import alpha, bentoml, os; print(alpha.NAME, bentoml.__version__, os.path.exists('/run/bentomake'))"


@pytest.fixture
def tag(generation: str) -> Iterator[str]:
    name = f"bentomake-test-{os.getpid()}-wheelhouse-{generation}"
    yield name
    subprocess.run(["docker", "image", "rm", "-f", name], capture_output=True)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wheelhouse:
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TOKEN", TOKEN)
    return Wheelhouse(tmp_path / "cache")


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    served = tmp_path / "served"
    a_wheel(served, "alpha", "1.0", code="NAME = 'alpha'\n")
    a_wheel(served, "beta", "1.0")
    a_wheel(served, "bentoml", "1.1.11", requires=("alpha", "beta; extra == 'grpc'"), code="__version__ = '1.1.11'\n")
    with private_index(served, address="0.0.0.0") as found:
        yield found


def a_bento(tmp_path: Path, generation: str, index: Index, *pins: str) -> tuple[Path, list[str]]:
    """A Bento that has the index's password, and its lock as bentomake writes it."""
    bento = bento_with(tmp_path, make(tmp_path, generation, docker__python_version="3.11"), generation)
    lock = "requirements.lock.txt" if generation == "runner" else "requirements.txt"
    lines = [f"--index-url {index.url('me:${TOKEN}')}", f"--trusted-host {index.host.partition(':')[0]}", *pins]
    (bento / "env/python" / lock).write_text("".join(f"{line}\n" for line in lines).replace("${TOKEN}", TOKEN))
    return bento, lines


def test_an_image_and_its_features_are_installed_without_a_network(
    generation: str, tmp_path: Path, tag: str, house: Wheelhouse, index: Index
) -> None:
    bento, lines = a_bento(tmp_path, generation, index, "alpha==1.0", "bentoml==1.1.11")
    made = house.of(*lines, generation=generation, image="python:3.11-slim", features=["grpc"])
    wheels = house.lay_out(made, tmp_path / "wheels")
    index.served.clear()
    words = ["--network", "none", "--build-arg", "BENTOML_FEATURES=grpc", "--build-context", f"wheelhouse={wheels}"]
    engine = Docker(True, BUILDKIT)
    engine.build(bento, tag, *words)
    assert engine.run(tag, "python3", "-c", IMPORTS).split() == ["alpha", "1.1.11", "False"]
    assert "beta" in engine.run(tag, "python3", "-m", "pip", "list", "--format", "freeze")
    assert index.served == []
    (wheels / "bin" / "uv").unlink()  # where there is none for the image, pip does it
    engine.build(bento, tag, *words)
    assert engine.run(tag, "python3", "-c", IMPORTS).split() == ["alpha", "1.1.11", "False"]


def test_the_rest_comes_from_the_index(
    generation: str, tmp_path: Path, tag: str, house: Wheelhouse, index: Index
) -> None:
    bento, lines = a_bento(tmp_path, generation, index, "alpha==1.0", "bentoml==1.1.11")
    wheels = house.lay_out(house.of(*lines, generation=generation), tmp_path / "wheels")
    (wheels / "complete").unlink()
    (wheels / "bentoml-1.1.11-py3-none-any.whl").unlink()
    (wheels / "requirements.txt").write_text("alpha==1.0\n")
    index.served.clear()
    engine = Docker(True, BUILDKIT)
    engine.build(bento, tag, "--network", "host", "--build-context", f"wheelhouse={wheels}")
    assert engine.run(tag, "python3", "-c", IMPORTS).split() == ["alpha", "1.1.11", "False"]
    files = [path for path in index.served if path.endswith(".whl")]
    assert files and {path.rpartition("/")[2].partition("-")[0] for path in files} == {"bentoml"}


def test_wheels_that_do_not_suit_the_image_are_said_and_left(
    generation: str, tmp_path: Path, tag: str, house: Wheelhouse, index: Index
) -> None:
    a_wheel(tmp_path / "served", "alpha", "1.0", tag="cp312-cp312-manylinux_2_17_x86_64")
    bento, lines = a_bento(tmp_path, generation, index, "alpha==1.0", "bentoml==1.1.11")
    wheels = house.lay_out(house.of(*lines, generation=generation, python="3.12"), tmp_path / "wheels")
    assert (wheels / "alpha-1.0-cp312-cp312-manylinux_2_17_x86_64.whl").exists()
    engine = Docker(True, BUILDKIT)
    said = engine.log(
        *("build", "--progress", "plain", "-t", tag, "-f", str(bento / BUILDKIT), "--network", "host"),
        *("--build-context", f"wheelhouse={wheels}", str(bento)),
    )
    assert "wheelhouse: these wheels do not suit the image; pip fetches others" in said
    assert engine.run(tag, "python3", "-c", IMPORTS).split() == ["alpha", "1.1.11", "False"]
