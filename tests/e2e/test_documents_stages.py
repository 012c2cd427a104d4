"""The guide's templates that compile and package: how far they go as they are written there, and that they work then.

Each is pasted as it stands. tensorflow's words are for bash and for a compiler, which this image has for them; it ends
where it looks for its library elsewhere than it has put it. The package's paths are not those of a Bento, nor of the
other stage. Whoever builds these gets as far at best (DEVIATIONS.md); what is told is enough to go on.
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from containers import ENGINES
from harness import clean_environment
from real_packages import add_real
from shop import Made, Shop
from surroundings import Index

sys.path.insert(0, str(Path(__file__).parents[1] / "rules"))
from template_examples import EXAMPLES

pytestmark = [
    pytest.mark.real,
    pytest.mark.engine,
    pytest.mark.skipif("docker" not in ENGINES, reason="BENTOMAKE_TEST_ENGINES does not name docker"),
]
# What the real tensorflow (570 MB; a minute to install) says of itself, and the one header that is included.
TENSORFLOW = {
    "tensorflow/__init__.py": "from tensorflow import sysconfig as sysconfig\n",
    "tensorflow/sysconfig.py": """\
import os

HERE = os.path.dirname(__file__)


def get_include():
    return f"{HERE}/include"


def get_compile_flags():
    return [f"-I{HERE}/include", "-D_GLIBCXX_USE_CXX11_ABI=1", "--std=c++17", "-DEIGEN_MAX_ALIGN_BYTES=64"]


def get_link_flags():
    return [f"-L{HERE}", "-lm"]
""",
    "tensorflow/include/tensorflow/core/public/version.h": "#define TF_GRAPH_DEF_VERSION 7\n",
    "tensorflow-2.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tensorflow\nVersion: 2.0\n",
    "tensorflow-2.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "tensorflow-2.0.dist-info/RECORD": "",
}
# It compiles with the flags of tensorflow only, of which the newer standard has to win over the guide's.
ZERO_OUT = """\
#include "tensorflow/core/public/version.h"

static_assert(__cplusplus >= 201703L, "tensorflow wants C++17");
static_assert(EIGEN_MAX_ALIGN_BYTES > 0 && TF_GRAPH_DEF_VERSION > 0, "");

extern "C" void zero_out(int *values, int size) {
  for (int i = 1; i < size; ++i) values[i] = 0;
}
"""
TRY_ZERO_OUT = """\
import ctypes
values = (ctypes.c_int * 3)(5, 6, 7)
ctypes.CDLL("/usr/lib/zero_out.so").zero_out(values, 3)
print(list(values))
"""
WITH_TENSORFLOW = """\
include:
  - "*.py"
  - "zero_out.cc"
python:
  packages:
  - tensorflow
docker:
"""
SETUP_PY = "from setuptools import setup\nsetup(name='mypackage', version='0.0.1', py_modules=['mypackage'])\n"


@pytest.fixture(scope="module")
def building(bentoml14: str, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A shop whose index has the real wheel, too, and a stand-in for tensorflow."""
    made = Shop(tmp_path_factory.mktemp("stages"), bentoml14)
    add_real(made.index, clean_environment(tmp_path_factory.mktemp("tools")), made.world.directory / "wheels", "wheel")
    a_small_tensorflow(made.index)
    return made


@pytest.fixture
def box_shop(building: Shop) -> Iterator[Shop]:
    yield building
    building.clear()


def a_small_tensorflow(index: Index) -> Path:
    index.add("tensorflow", "2.0")
    (path,) = (index.directory / "tensorflow").glob("*.whl")
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in TENSORFLOW.items():
            wheel.writestr(name, text)
    return path


@pytest.fixture
def base_with_tensorflow(box_shop: Shop, tmp_path: Path) -> Iterator[str]:
    """The base image, but that its pip takes packages from a directory, where tensorflow is the small one."""
    name = box_shop.name()
    wheel = next((box_shop.index.directory / "tensorflow").glob("*.whl"))
    (tmp_path / wheel.name).write_bytes(wheel.read_bytes())
    (tmp_path / "Dockerfile").write_text(
        f"FROM python:3.11-slim\nCOPY {wheel.name} /wheels/\n"
        "RUN printf '[install]\\nno-index = true\\nfind-links = /wheels\\n' >>/etc/pip.conf\n"
    )
    box_shop.engine.call("build", "-q", "-t", name, str(tmp_path))
    yield name
    box_shop.engine.call("image", "rm", "-f", name)


def why(made: Made) -> tuple[str, str]:
    """The line of the template that failed, and what is said to do, but for where it stands in the Bento."""
    assert made.run.code == 1, made.said
    said = made.said.rpartition("\nerror: ")[2]
    place, _, rest = said.partition(": docker could not build the image of ")
    hint = rest[rest.index("  hint: ") + len("  hint: ") :]
    return place, hint.partition("It is line ")[0].strip()


def test_an_operation_for_tensorflow(box_shop: Shop, base_with_tensorflow: str) -> None:
    template, _ = EXAMPLES["tensorflow"]
    box = box_shop.project(template, WITH_TENSORFLOW, **{"tfops/zero_out.cc": ZERO_OUT})
    other_base = ("--opt", f"build-context=python:3.11-slim=docker-image://{base_with_tensorflow}")

    pasted = box.containerize(*other_base)
    assert "RUN pip3 install tensorflow" in pasted.log and "Successfully installed tensorflow-2.0" in pasted.log
    assert "cannot statx '/usr/lib/zero_out.so': No such file or directory\n" in pasted.said
    assert why(pasted) == ("Dockerfile.template (line 19 of the template)", "")

    box.project.edit("Dockerfile.template", "-o zero_out.so", "-o /usr/lib/zero_out.so")
    made = box.containerize(*other_base).good()
    assert "  File: /usr/lib/zero_out.so" in made.log
    assert box_shop.engine.run(made.tag, "python", "-c", TRY_ZERO_OUT) == "[5, 0, 0]"


def test_a_local_package_that_another_stage_packs(box_shop: Shop) -> None:
    template, _ = EXAMPLES["multi-stage"]
    files = {"mypackage/setup.py": SETUP_PY, "mypackage/mypackage.py": "print('mine')\n"}
    # `wheel` is what pip needs for a package from source if it may not fetch anything.
    box = box_shop.project(template, "python:\n  packages: [wheel]\n", **files)
    other_base = ("--opt", "build-context=python:3.7-slim=docker-image://python:3.11-slim")

    pasted = box.containerize(*other_base)
    assert why(pasted) == (
        "Dockerfile.template (line 7 of the template)",
        "The build context is the Bento, where your sources lie in src/: write src/mypackage.",
    )
    box.project.edit("Dockerfile.template", "COPY mypackage .", "COPY src/mypackage .")
    relative = box.containerize(*other_base)
    assert why(relative) == (
        "Dockerfile.template (line 14 of the template)",
        "--from takes paths from the root of the stage, not from its WORKDIR: write /tmp/mypackage/mypackage.tar.gz.",
    )
    box.project.edit("Dockerfile.template", "stage mypackage.tar.gz", "stage /tmp/mypackage/mypackage.tar.gz")
    unnamed = box.containerize(*other_base)  # pip reads the version in the name of a file
    assert "  | ERROR: No matching distribution found for mypackage\n" in unnamed.said
    assert why(unnamed) == ("Dockerfile.template (line 15 of the template)", "")

    box.project.edit("Dockerfile.template", "/tmp/wheels/\n", "/tmp/wheels/mypackage-0.0.1.tar.gz\n")
    made = box.containerize(*other_base).good()
    assert box_shop.engine.run(made.tag, "python", "-m", "mypackage") == "mine"
    assert box_shop.engine.run(made.tag, "sh", "-c", "ls -d /tmp/mypackage || echo none").splitlines()[-1] == "none"
