"""What a bentofile can say about the image, built and looked at by a real image engine."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dockerfile_made import make
from engines import ENGINES, Docker, bento_with
from template_examples import EXAMPLES

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(not ENGINES, reason="BENTOMAKE_TEST_ENGINES names neither docker nor buildah"),
]
BUILDKIT_ENGINES = [engine for engine in ENGINES if engine.env.get("DOCKER_BUILDKIT") == "1"] if ENGINES else []


@pytest.fixture
def tag(request: pytest.FixtureRequest) -> Iterator[str]:
    name = f"bentomake-test-{os.getpid()}-{abs(hash(request.node.name))}"
    yield name
    request.node.callspec.params["engine"].remove(name)


def each(engines: list[Docker]) -> Any:
    return pytest.mark.parametrize("engine", engines, ids=lambda engine: f"{type(engine).__name__}-{engine.name}")


def template(text: str, **files: str) -> dict[str, Any]:
    given = {"Dockerfile.template": text, **files}
    return {
        "docker__dockerfile_template": "Dockerfile.template",
        "files": {path: content.encode() for path, content in given.items()},
    }


@each(ENGINES)
def test_system_packages_env_and_a_bash_setup_script(engine: Docker, tmp_path: Path, tag: str) -> None:
    script = b"#!/bin/bash\nset -euo pipefail\nwords=(a b)\necho ${words[1]} $GREETING $(tree --version) >/opt/said\n"
    made = make(
        tmp_path,
        docker__python_version="3.11",
        docker__system_packages=["tree"],
        docker__env={"GREETING": "two words"},
        docker__setup_script="setup.sh",
        files={"setup.sh": script},
    )
    engine.build(bento_with(tmp_path, made), tag)
    assert engine.run(tag, "cat", "/opt/said").startswith("b two words tree v")


@each(ENGINES)
def test_a_python_setup_script_that_needs_the_sources(engine: Docker, tmp_path: Path, tag: str) -> None:
    script = b"#!/usr/bin/env python\nimport idna\nopen('/opt/said', 'w').write(open('src/x.py').read())\n"
    made = make(tmp_path, docker__python_version="3.11", docker__setup_script="s.py", files={"s.py": script})
    engine.build(bento_with(tmp_path, made), tag)
    assert engine.run(tag, "cat", "/opt/said") == "1\n"


@each(ENGINES)
def test_a_base_image_that_has_the_user_already(engine: Docker, tmp_path: Path, tag: str) -> None:
    made = make(tmp_path, docker__base_image="python:3.11-slim", docker__env={"A": "b"})
    _, config = engine.build(bento_with(tmp_path, made), tag)
    assert config["User"] == "bentoml"
    again = make(tmp_path / "again", docker__base_image=tag)
    _, config = engine.build(bento_with(tmp_path / "again", again), f"{tag}-again")
    try:
        assert engine.run(f"{tag}-again", "id", "-un").strip() == "bentoml"
        assert engine.run(f"{tag}-again", "printenv", "A").strip() == "b"
    finally:
        engine.remove(f"{tag}-again")


@each(ENGINES)
def test_a_user_template_that_overrides_each_block(engine: Docker, tmp_path: Path, tag: str) -> None:
    blocks = ["BASE_IMAGE", "USER", "ENVARS", "COMPONENTS", "ENTRYPOINT"]
    text = '{% import "_macros.j2" as common %}{% extends bento_base_template %}\n{% set bento__user = "kim" %}\n'
    text += '{% set bento__uid_gid = 1500 %}\n{% set bento__home = "/srv/kim" %}\n'
    for name in blocks:
        root = "USER root\n" if name == "ENTRYPOINT" else ""
        back = "USER {{ bento__user }}\n" if name == "ENTRYPOINT" else ""
        text += f"{{% block SETUP_BENTO_{name} %}}\n{{{{ super() }}}}\n{root}"
        mount = '{{ common.mount_cache("/root/.cache/x") }}'
        text += f"RUN {mount} echo {name} $(id -u) >>/opt/said\n{back}{{% endblock %}}\n"
    made = make(tmp_path, docker__python_version="3.11", **template(text))
    _, config = engine.build(bento_with(tmp_path, made), tag)
    assert (config["User"], config["WorkingDir"]) == ("kim", "/srv/kim/bento")
    assert config["Entrypoint"] == ["/srv/kim/bento/env/docker/entrypoint.sh"]
    assert engine.look(tag, "cat", "/opt/said").splitlines() == [f"{name} 0" for name in blocks]
    out = engine.look(tag, "stat", "-c", "%U %u", "src/x.py", "env/python", ".")
    assert out.splitlines() == ["kim 1500"] * 3


@each(ENGINES)
def test_a_template_with_a_base_image_of_its_own(engine: Docker, tmp_path: Path, tag: str) -> None:
    text = "{% extends bento_base_template %}\n{% block SETUP_BENTO_BASE_IMAGE %}\nARG V=3.11\nFROM python:${V}-slim\n"
    made = make(tmp_path, **template(text + "{% endblock %}\n"))
    engine.build(bento_with(tmp_path, made), tag)
    assert engine.run(tag, "cat", "src/pkg/y.py") == "2\n"


@each(ENGINES)
@pytest.mark.parametrize("example", ["echo", "entrypoint"])
def test_the_examples_of_the_documents(example: str, engine: Docker, tmp_path: Path, tag: str) -> None:
    made = make(tmp_path, docker__python_version="3.11", **template(EXAMPLES[example][0]))
    _, config = engine.build(bento_with(tmp_path, made), tag)
    head = "/home/bentoml/bento/env/docker/entrypoint.sh"
    assert config["Entrypoint"] == ([head, "python", "-m", "awslambdaric"] if example == "entrypoint" else [head])


SETUP_PY = "from setuptools import setup\nsetup(name='mypackage', version='0.0.1', py_modules=['mypackage'])\n"


@each(BUILDKIT_ENGINES)
def test_the_example_with_a_stage_of_its_own(engine: Docker, tmp_path: Path, tag: str) -> None:
    """As the guide has it, with paths of a Bento, and a name that pip can read a version in."""
    text = EXAMPLES["multi-stage"][0].replace("COPY mypackage .", "COPY src/mypackage .")
    packed = "/tmp/mypackage/mypackage.tar.gz /tmp/wheels/mypackage-0.0.1.tar.gz"
    text = text.replace("mypackage.tar.gz /tmp/wheels/", packed)
    made = make(tmp_path, docker__python_version="3.11", **template(text))
    bento = bento_with(tmp_path, made)
    (bento / "env/python/requirements.txt").write_text("setuptools<81\nwheel\n")  # else pip would fetch them
    (bento / "src/mypackage").mkdir()
    (bento / "src/mypackage/setup.py").write_text(SETUP_PY)
    (bento / "src/mypackage/mypackage.py").write_text("print('mine')\n")
    engine.build(bento, tag, "--build-context", "python:3.7-slim=docker-image://python:3.11-slim")
    assert engine.run(tag, "python", "-m", "mypackage").strip() == "mine"


@each(ENGINES)
@pytest.mark.parametrize("generation", ["runner", "class"])
def test_features_are_installed_with_the_requirements(
    generation: str, engine: Docker, tmp_path: Path, tag: str
) -> None:
    bento = bento_with(tmp_path, make(tmp_path, generation, docker__python_version="3.11"), generation)
    wheels = bento / "env/python/wheels"
    wheels.mkdir(exist_ok=True)
    wheel = wheels / "bentoml-1.1.11-py3-none-any.whl"
    wheel.unlink(missing_ok=True)
    info = "bentoml-1.1.11.dist-info"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("bentoml.py", "__version__ = '1.1.11'\n")
        metadata = "Metadata-Version: 2.1\nName: bentoml\nVersion: 1.1.11\nProvides-Extra: io-json\n"
        file.writestr(f"{info}/METADATA", metadata + 'Requires-Dist: toolz==0.12.0; extra == "io-json"\n')
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")
    if generation == "class":
        (bento / "env/python/requirements.txt").write_text("./wheels/bentoml-1.1.11-py3-none-any.whl\n")
    layers, config = engine.build(bento, tag, "--build-arg", "BENTOML_FEATURES=io-json")
    assert engine.run(tag, "python3", "-c", "import toolz; print(toolz.__version__)").strip() == "0.12.0"
    without, _ = engine.build(bento, tag)
    assert len(layers) == len(without)
    assert "BENTOML_FEATURES" not in json.dumps(config["Env"])


@each(BUILDKIT_ENGINES[-1:])
def test_what_pip_has_made_is_there_at_the_next_build(engine: Docker, tmp_path: Path, tag: str) -> None:
    """Another lock: pip runs again, and finds the wheel that it had built, in the cache mount and not in the image."""
    bento = bento_with(tmp_path, make(tmp_path, docker__python_version="3.11"))
    (bento / "env/python/requirements.txt").write_text("docopt==0.6.2\n")
    engine.build(bento, tag)
    (bento / "env/python/requirements.txt").write_text(f"docopt==0.6.2\n# {os.getpid()}\n")
    said = engine.log("build", "--progress=plain", "-t", tag, "-f", str(bento / engine.dockerfile), str(bento))
    assert "Using cached docopt" in said
    look = ("--user", "root", "--entrypoint", "sh", tag, "-c", "find /root -type f -path '*/pip/*'")
    assert engine.ended(*look) == ""
