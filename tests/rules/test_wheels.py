"""Wheels of the project: found, copied, named portably, part of the lock; and those that cannot work."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from bentomake.rules.lock import lock
from bentomake.rules.requirements import requirements
from context import FakeContext, a_venv, follow, installed_in, with_git
from private_index import a_wheel

from bentomake.engine.rule import Produced
from bentomake.errors import BentofileError

PLACES = {"python.wheels": "bentofile.yaml:7"}
LINE = "./wheels/mine-1.0-py3-none-any.whl"


def asked(tmp_path: Path, wheels: list[str], generation: str = "runner", **python: Any) -> FakeContext:
    (tmp_path / "project").mkdir(exist_ok=True)
    return FakeContext(
        requirements,
        tmp_path / "asked",
        params={"python.wheels": wheels, **{f"python.{name}": value for name, value in python.items()}},
        places=PLACES,
        oracles={"generation": generation, "bentoml.version": {"runner": "1.1.11", "class": "1.4.39"}[generation]},
        project=tmp_path / "project",
    )


def locked(tmp_path: Path, made: dict[str, Produced], generation: str = "class", **params: Any) -> dict[str, str]:
    made = {name: _without_bentoml(data) for name, data in made.items()}
    given: dict[str, Any] = {
        "params": {"docker.libc": "gnu", **{name.replace("__", "."): value for name, value in params.items()}},
        "places": PLACES,
        "oracles": {
            "bentoml.version": "1.4.39",
            "generation": generation,
            "python.version": "3.11",
            "arch": "x86_64",
        },
        "project": tmp_path / "project",
    }
    work = tmp_path / f"lock-{len(list(tmp_path.iterdir()))}"
    ctx = FakeContext(lock, work, inputs=with_git(tmp_path / f"{work.name}-git", made, **given), **given)
    return follow(lock, ctx)


def _without_bentoml(data: Produced) -> Produced:
    """To keep the sets small."""
    return data.replace("bentoml==1.4.39\n", "") if isinstance(data, str) else data


@pytest.mark.parametrize("pattern", ["./lib/mine-1.0-py3-none-any.whl", "lib/*.whl", "*/mine-?.0-*.whl"])
def test_a_wheel_is_copied_and_named_by_its_path_in_the_bento(pattern: str, tmp_path: Path) -> None:
    wheel = a_wheel(tmp_path / "project/lib", "mine", "1.0")
    ctx = asked(tmp_path, [pattern], packages=["idna"])
    made = requirements.recipe(ctx)
    assert made["env/python/requirements.txt"] == f"idna\n{LINE}\n"
    assert made["env/python/wheels/mine-1.0-py3-none-any.whl"] == wheel.read_bytes()
    assert ("file", "ctx/lib/mine-1.0-py3-none-any.whl") in ctx.discovered


def test_a_new_match_is_another_input(tmp_path: Path) -> None:
    a_wheel(tmp_path / "project/lib", "mine", "1.0")
    one = asked(tmp_path, ["lib/*.whl"])
    assert len(requirements.recipe(one)) == 2
    a_wheel(tmp_path / "project/lib", "other", "1.0")
    two = asked(tmp_path, ["lib/*.whl"])
    assert len(requirements.recipe(two)) == 3
    assert one.discovered["listing", "ctx/lib"] != two.discovered["listing", "ctx/lib"]


@pytest.mark.parametrize(
    ("wheels", "message"),
    [
        (["gone-1-py3-none-any.whl"], "python.wheels names gone-1-py3-none-any.whl, which does not exist."),
        (["lib/*.whl", "none/*.whl"], "python.wheels names none/*.whl, which no file matches."),
        (["../x-1-py3-none-any.whl"], "python.wheels names ../x-1-py3-none-any.whl, which is not a file inside"),
        (["lib/*.whl", "also/*.whl"], "lib/mine-1.0-py3-none-any.whl and also/mine-1.0-py3-none-any.whl have one name"),
    ],
)
def test_wheels_that_cannot_be_packed(wheels: list[str], message: str, tmp_path: Path) -> None:
    a_wheel(tmp_path / "project/lib", "mine", "1.0")
    a_wheel(tmp_path / "project/also", "mine", "1.0")
    with pytest.raises(BentofileError) as caught:
        follow(requirements, asked(tmp_path, wheels))
    assert caught.value.message.startswith(message) and caught.value.place == "bentofile.yaml:7"


@pytest.mark.parametrize(
    ("tag", "options", "fits"),
    [
        ("py3-none-any", {}, True),
        ("py2.py3-none-any", {}, True),
        ("py311-none-any", {}, True),
        ("cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64", {}, True),
        ("cp38-abi3-linux_x86_64", {}, True),
        ("cp311-cp311-musllinux_1_1_x86_64", {}, False),
        ("cp311-cp311-musllinux_1_1_x86_64", {"docker__libc": "musl"}, True),
        ("cp311-cp311-musllinux_1_1_x86_64", {"docker__libc": None}, True),
        ("cp311-cp311-manylinux_2_17_x86_64", {"docker__libc": None}, True),
        ("cp311-cp311-manylinux_2_17_x86_64", {"docker__libc": "musl"}, False),
        ("cp311-cp311-linux_x86_64", {"docker__libc": "musl"}, True),
        ("cp310-cp310-manylinux_2_17_x86_64", {}, False),
        ("cp310-cp310-manylinux_2_17_x86_64", {"docker__python_version": "3.10"}, True),
        ("cp312-abi3-manylinux_2_17_x86_64", {}, False),
        ("cp311-cp311-manylinux_2_17_aarch64", {}, False),
        ("cp311-cp311-manylinux_2_17_aarch64", {"lock__platform": "linux/arm64"}, True),
        ("cp311-cp311-macosx_11_0_x86_64", {}, False),
        ("cp311-cp311-win_amd64", {}, False),
        ("py2-none-any", {}, False),
    ],
)
def test_a_wheel_is_for_the_bentos_python_and_machine(
    tag: str, options: dict[str, Any], fits: bool, tmp_path: Path
) -> None:
    made: dict[str, Produced] = {f"env/python/wheels/mine-1.0-{tag}.whl": b""}
    if fits:
        assert locked(tmp_path, made, python__lock_packages=False, **options) == {}
        return
    with pytest.raises(BentofileError) as caught:
        locked(tmp_path, made, python__lock_packages=False, **options)
    assert caught.value.message.startswith(f"mine-1.0-{tag}.whl is not a wheel for Python 3.11 on Linux ")
    assert caught.value.place == "bentofile.yaml:7"


def test_a_file_that_has_not_the_name_of_a_wheel_is_said(tmp_path: Path) -> None:
    with pytest.raises(BentofileError) as caught:
        locked(tmp_path, {"env/python/wheels/mine.whl": b""}, python__lock_packages=False)
    assert caught.value.message.startswith("mine.whl is not the name of a wheel")


@pytest.mark.parametrize("hashes", [False, True])
def test_the_lock_has_the_wheel_what_it_needs_and_installs(hashes: bool, tmp_path: Path) -> None:
    a_wheel(tmp_path / "project/lib", "mine", "1.0", requires=("idna==3.6",))
    a_wheel(tmp_path / "project/lib", "above", "2.0", requires=("mine>=1",), code="import idna, mine")
    made = dict(requirements.recipe(asked(tmp_path, ["lib/*.whl"], "class", packages=["six==1.16.0"])))
    (text,) = locked(tmp_path, made, lock__hashes=hashes).values()
    names = [line.split(" ")[0] for line in text.splitlines() if not line.startswith(" ")]
    assert names == [LINE.replace("mine-1.0", "above-2.0"), LINE, "idna==3.6", "six==1.16.0"]
    assert ("--hash=sha256:" in text) == hashes

    bento = tmp_path / "elsewhere"
    for path, data in made.items():
        (bento / path).parent.mkdir(parents=True, exist_ok=True)
        (bento / path).write_bytes(data if isinstance(data, bytes) else str(data).encode())
    (bento / "env/python/requirements.txt").write_text(text)
    python = a_venv(tmp_path / "venv", "pip")
    install = [python, "-m", "pip", "install", "-q", "-r", "requirements.txt"]
    done = subprocess.run(install, cwd=bento / "env/python", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert installed_in(python).items() >= {"mine": "1.0", "above": "2.0", "idna": "3.6", "six": "1.16.0"}.items()
    subprocess.run([python, "-c", "import above"], check=True)
