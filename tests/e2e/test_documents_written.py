"""The documents' small examples about images, each as it is written there; packages that they name are stand-ins.

The others: AWS in test_documents_aws.py, what compiles and packs in test_documents_stages.py, engines in
test_documents_backends.py, conda with CUDA in tests/rules/test_dockerfile_distros.py, blocks, variables and base images
in test_containerize_documents.py.
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from containers import ENGINES
from harness import SCRIPT
from shop import Shop
from surroundings import Index

sys.path.insert(0, str(Path(__file__).parents[1] / "rules"))
from template_examples import EXAMPLES

pytestmark = [
    pytest.mark.real,
    pytest.mark.engine,
    pytest.mark.skipif("docker" not in ENGINES, reason="BENTOMAKE_TEST_ENGINES does not name docker"),
]
PACKAGES = {
    "nltk": {
        "nltk/__init__.py": "def download(name):\n    open(f'/opt/{name}', 'w').close()\n",
        "nltk/downloader.py": "import sys, nltk\nnltk.download(sys.argv[1])\n",
    },
    "awslambdaric": {"awslambdaric/__main__.py": "import os, sys\nprint('lambda', os.getuid(), sys.argv[1:])\n"},
}
IN_BASH = """\
#!/bin/bash
set -euxo pipefail

echo "Downloading NLTK data.."
python -m nltk.downloader all
"""
IN_PYTHON = """\
#!/usr/bin/env python

import nltk

print("Downloading NLTK data..")
nltk.download('treebank')
"""


@pytest.fixture(scope="module")
def stocked(bentoml14: str, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A shop whose index has stand-ins for the packages that the documents name."""
    made = Shop(tmp_path_factory.mktemp("written"), bentoml14)
    for name, files in PACKAGES.items():
        fill(made.index, name, files)
    return made


def fill(index: Index, name: str, files: dict[str, str]) -> None:
    index.add(name, "1.0")
    (path,) = (index.directory / name).glob("*.whl")
    info = f"{name}-1.0.dist-info"
    wheel = "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    about = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": wheel,
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as made:
        for member, text in {**files, **about}.items():
            made.writestr(member, text)


@pytest.fixture
def box_shop(stocked: Shop) -> Iterator[Shop]:
    yield stocked
    stocked.clear()


def test_a_line_that_is_run_during_containerize_seen_as_plain_text(box_shop: Shop) -> None:
    template, _ = EXAMPLES["echo"]
    made = box_shop.project(template).containerize().good()  # with --progress plain
    assert "We are running this during bentoml containerize!" in made.log
    assert box_shop.engine.run(made.tag, "serve").startswith("bentoml serve ")


def test_an_entrypoint_of_lambda(box_shop: Shop) -> None:
    template, _ = EXAMPLES["entrypoint"]
    made = box_shop.project(template, "python:\n  packages: [awslambdaric]\ndocker:\n").containerize().good()
    assert box_shop.engine.run(made.tag, "service.handler") == "lambda 1034 ['service.handler']"


@pytest.mark.parametrize(("script", "left"), [(IN_BASH, "all"), (IN_PYTHON, "treebank")], ids=["bash", "python"])
def test_data_of_nltk_that_a_setup_script_fetches(script: str, left: str, box_shop: Shop) -> None:
    options = "python:\n  packages:\n    - nltk\ndocker:\n  setup_script: ./setup.sh\n"
    made = box_shop.project(None, options, **{"setup.sh": script}).containerize().good()
    assert "Downloading NLTK data.." in made.log
    assert box_shop.engine.files(made.tag, "/opt") == {left}


@pytest.mark.parametrize(
    "line",
    [
        "bentoml containerize $NAME:latest --opt platform=linux/amd64",
        "bentoml containerize $NAME:latest --no-cache",
        "bentoml containerize --progress plain $NAME",
    ],
)
def test_a_line_of_the_shell(line: str, box_shop: Shop) -> None:
    box = box_shop.project()
    tag = box.build()
    path = f"{Path(SCRIPT).parent}:{box_shop.world.env['PATH']}"
    words = ["sh", "-c", line.replace("bentoml containerize", "bentomake containerize")]
    said = box_shop.world.command(words, env={"NAME": box.name, "PATH": path}).good().stderr
    assert f'with tag(s) "{tag}".\n' in said
    assert box_shop.engine.run(tag, "uname", "-m") in ("x86_64", "aarch64")
