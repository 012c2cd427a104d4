"""python.wheels, end to end: packed by content, named portably, and each edit rebuilds what it must."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml
from harness import LIGHT_SERVICE, World

sys.path.insert(0, str(Path(__file__).parents[1] / "rules"))
from private_index import a_wheel

pytestmark = pytest.mark.real
TEXT = 'service: "{}"\ninclude: ["*.py"]\npython:\n  lock_packages: {}\n  wheels:\n    - ./lib/*.whl\n'
RUNNER = """\
import bentoml
from bentoml.io import JSON

svc = bentoml.Service("light")


@svc.api(input=JSON(), output=JSON())
def double(x):
    return x
"""


@pytest.mark.parametrize("generation", ["class", "runner"])
def test_wheels_are_packed_and_followed(generation: str, bentoml11: str, bentoml14: str, tmp_path: Path) -> None:
    world = World(tmp_path / "world", bentoml14 if generation == "class" else bentoml11)
    service, source = ("service:Light", LIGHT_SERVICE) if generation == "class" else ("service:svc", RUNNER)
    project = world.project("light", {"service.py": source, "bentofile.yaml": TEXT.format(service, "false")})
    missing = project.make()
    assert missing.code == 2 and "python.wheels[0] names ./lib/*.whl, which does not exist." in missing.stderr

    lib = tmp_path / "world" / "light" / "lib"
    wheel = a_wheel(lib, "mine", "1.0")
    first = project.make().good()
    packed = first.path / "env/python/wheels"
    assert [path.name for path in packed.iterdir()] == [wheel.name]
    assert (packed / wheel.name).read_bytes() == wheel.read_bytes()
    line = f"./wheels/{wheel.name}"
    assert line in (first.path / "env/python/requirements.txt").read_text().splitlines()
    assert (first.path / "env/python/install.sh").exists(), "which bentoml containerize runs"
    assert yaml.safe_load((first.path / "bento.yaml").read_text())["python"]["wheels"] == ["./lib/*.whl"]
    assert project.make().ran == set()

    wheel.write_bytes(wheel.read_bytes() + b"\n")
    assert project.make().good().ran == {"requirements", "commits", "lock", "bento"}
    a_wheel(lib, "other", "1.0")
    again = project.make().good()
    assert (
        again.ran == {"requirements", "commits", "lock", "bento"}
        and len(list((again.path / "env/python/wheels").iterdir())) == 2
    )

    a_wheel(lib, "third", "1.0", "cp27-cp27mu-manylinux1_x86_64")
    unfit = project.make()
    assert unfit.code == 2 and "third-1.0-cp27-cp27mu-manylinux1_x86_64.whl is not a wheel for Python" in unfit.stderr
    assert "bentofile.yaml:5" in unfit.stderr


def test_the_lock_has_what_a_wheel_needs(bentoml14: str, tmp_path: Path) -> None:
    world = World(tmp_path / "world", bentoml14)
    text = TEXT.format("service:Light", "true")
    project = world.project("light", {"service.py": LIGHT_SERVICE, "bentofile.yaml": text})
    a_wheel(tmp_path / "world" / "light" / "lib", "mine", "1.0", requires=("docopt==0.6.2",))
    built = project.make().good()
    lock = (built.path / "env/python/requirements.txt").read_text().splitlines()
    assert lock[0] == "./wheels/mine-1.0-py3-none-any.whl" and "docopt==0.6.2" in lock
    hashed = project.make("--hashes").good()
    assert hashed.ran == {"lock", "bento"}
    assert "--hash=sha256:" in (hashed.path / "env/python/requirements.txt").read_text()
    other = project.make("lock", "--platform", "linux/arm64").good()
    assert other.ran == {"lock"}
