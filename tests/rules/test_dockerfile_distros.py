"""The Dockerfiles of the other distributions, each line of them run by a real engine on a stand-in for its base image.

Real: the engine, the shells (busybox's ash, bash, dash) and the programs that they find or do not find, pip, uv and the
requirement, apt-get where the image has it; that Python is 3.11. Stand-ins are the base images and their package
managers: see stand_in_bases.py. So these tests do not see that a tag is gone from its registry, that a package has
another name in the distribution's own repositories, what musl and other versions of Python, pip and conda make of it,
or how uv fetches a Python that the image has not. An image that is here under its real name is used as it is.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import stand_in_bases
from dockerfile_made import BUILDKIT, DOCKERFILE, make
from engines import ENGINES, Buildah, Docker, bento_with
from template_examples import EXAMPLES

PLAIN_AND_BUILDKIT = [
    engine
    for engine in ENGINES
    if not isinstance(engine, Buildah)
    and (engine.env["DOCKER_BUILDKIT"], engine.dockerfile) in (("0", DOCKERFILE), ("1", BUILDKIT))
]
pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(not PLAIN_AND_BUILDKIT, reason="BENTOMAKE_TEST_ENGINES does not name docker"),
]


class Case(NamedTuple):
    """Options; a package of that distribution, and how what it brings answers `--version`; whether to build it plain.

    The plain Dockerfile with CUDA's Ubuntu takes long: its lines are those of the other, and of debian's plain one.
    """

    options: dict[str, Any]
    package: str = "git"
    version: str = "git version 2"
    plain: bool = True


CONDA: dict[str, Any] = {"conda__dependencies": ["zlib"], "conda__pip": ["toolz==0.12.0"]}
CUDA: dict[str, Any] = {"docker__cuda_version": "12"}
CASES = {
    "alpine": Case({"docker__distro": "alpine"}),
    "alpine-conda": Case({"docker__distro": "alpine", **CONDA}),
    "amazonlinux": Case({"docker__distro": "amazonlinux"}),
    "amazonlinux-2": Case({"docker__distro": "amazonlinux", "docker__python_version": "3.8"}),
    "ubi8": Case({"docker__distro": "ubi8"}),
    "ubi8-cuda": Case({"docker__distro": "ubi8", **CUDA}),
    "debian-cuda": Case(CUDA, "tree", "tree v", plain=False),
    "debian-conda": Case(CONDA, "tree", "tree v"),
    "debian-cuda-conda": Case({**CUDA, **CONDA}, "tree", "tree v", plain=False),
}

# What somebody sees who starts the image: one answer a line.
LOOK = """
id -un; id -u; pwd; echo "$HOME"; touch "$HOME/x" && stat -c %U "$HOME/x"
cat src/x.py src/pkg/y.py; stat -c %U . src/x.py env/python/requirements.txt; echo "$GREETING"
python3 -c 'import idna, sys; print(idna.__name__, sys.version_info.major)'; python -m pip --version | cut -c1-3
cat /opt/said
"""
SEEN = ["bentoml", "1034", "/home/bentoml/bento", "/home/bentoml", "bentoml"]
SEEN += ["1", "2", *["bentoml"] * 3, "two words", "idna 3", "pip"]
# What package managers have kept for a next time, which there is not.
KEPT = "for at in /root /home/bentoml /opt/app-root/src; do [ ! -d $at/.cache ] || ls -R $at/.cache; done"


@pytest.fixture(scope="session")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    engine = Docker(buildkit=True)
    if not stand_in_bases.usable(engine):
        pytest.skip("python:3.11-slim has its Python not in /usr/local")
    made = stand_in_bases.build(engine, tmp_path_factory.mktemp("stand-ins") / "context")
    yield
    for name in made:
        engine.remove(name)


@pytest.fixture
def tag(request: pytest.FixtureRequest) -> Iterator[str]:
    name = f"bentomake-test-{os.getpid()}-{abs(hash(request.node.name))}"
    yield name
    request.node.callspec.params["engine"].remove(name)


def as_root(engine: Docker, tag: str, script: str) -> str:
    return engine.ended("--user", "root", "--entrypoint", "sh", tag, "-c", script)


def each(plain: bool) -> pytest.MarkDecorator:
    chosen = [
        pytest.param(name, engine, id=f"{name}-{engine.name}")
        for name, case in CASES.items()
        for engine in PLAIN_AND_BUILDKIT
        if engine.dockerfile == BUILDKIT or (plain and case.plain)
    ]
    return pytest.mark.parametrize(("name", "engine"), chosen)


@each(plain=True)
@pytest.mark.usefixtures("bases")
def test_system_packages_env_and_a_bash_setup_script(name: str, engine: Docker, tmp_path: Path, tag: str) -> None:
    case = CASES[name]
    script = "#!/bin/bash\nset -euo pipefail\nwords=(a b)\n"
    script += f"echo ${{words[1]}} $GREETING $HOME $({case.package} --version) >/opt/said\n"
    if "conda" in name:
        script += "python3 -c 'import toolz; assert toolz.__version__ == \"0.12.0\"'\n"
    made = make(
        tmp_path,
        docker__system_packages=[case.package],
        docker__env={"GREETING": "two words"},
        docker__setup_script="setup.sh",
        files={"setup.sh": script.encode()},
        **case.options,
    )
    _, config = engine.build(bento_with(tmp_path, made), tag)
    assert (config["User"], config["WorkingDir"]) == ("bentoml", "/home/bentoml/bento")
    assert config["Entrypoint"] == ["/home/bentoml/bento/env/docker/entrypoint.sh"]
    assert not config["Cmd"]
    *seen, said = engine.run(tag, "sh", "-c", LOOK).splitlines()
    assert seen == SEEN
    assert said.startswith(f"b two words /root {case.version}")
    assert as_root(engine, tag, KEPT) == ""


@each(plain=False)
@pytest.mark.usefixtures("bases")
def test_without_options_a_python_setup_script_and_the_older_generation(
    name: str, engine: Docker, tmp_path: Path, tag: str
) -> None:
    script = b"#!/usr/bin/env python\nimport idna\nopen('/opt/said', 'w').write(open('src/x.py').read())\n"
    made = make(tmp_path, "runner", docker__setup_script="s.py", files={"s.py": script}, **CASES[name].options)
    engine.build(bento_with(tmp_path, made, "runner"), tag)
    assert engine.run(tag) == "bentoml serve /home/bentoml/bento\n"
    assert as_root(engine, tag, f"{KEPT}; cat /opt/said") == "1\n"


BRINGS = "cp -a /stand-in/python/. /usr/local/\n"
AFTER = "python3 -c 'import idna'\n"


@pytest.mark.parametrize("engine", PLAIN_AND_BUILDKIT, ids=lambda engine: engine.name)
@pytest.mark.parametrize(
    ("base", "does"),
    [(stand_in_bases.NO_PYTHON, BRINGS), ("python:3.11-slim", AFTER)],
    ids=["without-python", "with-python"],
)
@pytest.mark.usefixtures("bases")
def test_a_setup_script_may_bring_python_to_a_base_image_else_it_runs_after_the_requirements(
    base: str, does: str, engine: Docker, tmp_path: Path, tag: str
) -> None:
    script = f'#!/bin/sh\nset -eu\n{does}echo "$(id -u) $GREETING" >>/opt/said\n'.encode()
    options: dict[str, Any] = {"docker__base_image": base, "docker__env": {"GREETING": "hello"}}
    made = make(tmp_path, docker__setup_script="s.sh", files={"s.sh": script}, **options)
    engine.build(bento_with(tmp_path, made), tag)
    look = "python3 -c 'import idna; print(idna.__version__)'; cat /opt/said; ls env/docker"
    seen = ["3.6", "0 hello", "entrypoint.sh", "setup_script"]
    assert engine.run(tag, "sh", "-c", look).splitlines() == seen, "it ran once, and left no mark"


@pytest.mark.parametrize("engine", [e for e in PLAIN_AND_BUILDKIT if e.dockerfile == BUILDKIT], ids=lambda e: e.name)
@pytest.mark.usefixtures("bases")
def test_the_guides_template_that_adds_conda_to_cuda(engine: Docker, tmp_path: Path, tag: str) -> None:
    """As it is written there, but for the sum of the installer, which is a stand-in here."""
    template, _ = EXAMPLES["cuda-conda"]
    sums = hashlib.sha256(stand_in_bases.MINICONDA.encode()).hexdigest()
    template, changed = re.subn('SHA256SUM="[0-9a-f]{64}"', f'SHA256SUM="{sums}"', template)
    assert changed == 4
    files = {"Dockerfile.template": template.encode()}
    made = make(tmp_path, docker__dockerfile_template="Dockerfile.template", files=files, **CUDA, **CONDA)
    assert made.warnings == []
    engine.build(bento_with(tmp_path, made), tag)
    look = "python -c 'import idna, sys, toolz; print(sys.prefix, toolz.__version__)'; ls /opt/conda/lib /etc/profile.d"
    seen = engine.run(tag, "sh", "-c", look).splitlines()
    assert seen[0] == "/opt/conda 0.12.0" and "conda.sh" in seen and not {"x.a", "x.js.map"} & {*seen}
    assert "activate base" in as_root(engine, tag, "cat /root/.bashrc")
    assert as_root(engine, tag, "[ -e /var/lib/apt/updated ] || echo none") == "none\n", "it was in the cache alone"


def there(*programs: str) -> str:
    return " || ".join(f"command -v {program}" for program in programs)


# What must fail in a base image, else these tests would not see that a Dockerfile forgets to bring it.
NO_PIP = "python3 -m pip --version"
MISSING = {
    "python:3.11-alpine": [there("bash", "apt-get", "useradd", "gcc"), "apk add --no-cache no-such", "apk add -x git"],
    "continuumio/miniconda3:4.10.3p0-alpine": [there("apt-get", "useradd", "gcc")],
    "amazonlinux:2023": [
        NO_PIP,
        there("useradd", "python3.11"),
        "dnf install -y no-such",
        "dnf install git </dev/null",
    ],
    "amazonlinux:2": [NO_PIP, there("useradd", "python3.8"), "yum install -y python38"],
    "registry.access.redhat.com/ubi8/python-311:1": [there("apt-get"), "dnf install -y git", "touch /opt/x"],
    "nvidia/cuda:12.8.1-cudnn-runtime-ubi8": [NO_PIP, there("python3.11", "apt-get")],
    "nvidia/cuda:12.8.1-cudnn-runtime-ubuntu24.04": [NO_PIP, there("uv")],
    stand_in_bases.NO_PYTHON: [there("python3", "python", "pip")],
    "continuumio/miniconda3:latest": [
        "conda create -y -p /opt/x -c conda-forge",
        "conda env update -p /opt/conda -f /x",
    ],
}


@pytest.mark.parametrize(
    ("image", "engine"), [(image, engine) for image in MISSING for engine in PLAIN_AND_BUILDKIT[:1]]
)
@pytest.mark.usefixtures("bases")
def test_the_base_images_do_not_have_what_the_dockerfiles_bring(image: str, engine: Docker) -> None:
    script = "".join(f"if ( {line} ) >/dev/null 2>&1; then echo '{line}'; fi\n" for line in MISSING[image])
    assert engine.look(image, "sh", "-c", script) == ""
