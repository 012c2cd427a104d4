"""Every image of the support matrix: a golden Dockerfile for each, that parsers and linters accept."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from dockerfile_made import BUILDKIT, CASES, DOCKERFILE, make

from bentomake.bento.distros import CONDA_PYTHONS, CUDA, DISTROS, cuda_version, image, support
from bentomake.errors import BentofileError, Several

GOLDEN = Path(__file__).with_name("golden")
NUMPY: dict[str, Any] = {"conda__dependencies": ["numpy"]}


def matrix() -> dict[str, dict[str, Any]]:
    """Name → options of every combination that there is an image for."""
    found: dict[str, dict[str, Any]] = {}
    for distro in DISTROS.values():
        for python in distro.images:
            found[f"{distro.name}-{python}"] = {"docker__distro": distro.name, "docker__python_version": python}
        for cuda in distro.cuda:
            found[f"{distro.name}-cuda-{cuda}"] = {"docker__distro": distro.name, "docker__cuda_version": cuda}
        if distro.conda:
            found[f"{distro.name}-conda"] = {"docker__distro": distro.name, **NUMPY}
    found["debian-cuda-conda"] = {"docker__cuda_version": "12.8.1", **NUMPY}
    return found


MATRIX = matrix()


@pytest.mark.parametrize("case", MATRIX)
def test_the_dockerfile_of_each_image_is_the_golden_one(case: str, tmp_path: Path) -> None:
    made = make(tmp_path, **{"docker__system_packages": ["git"], **MATRIX[case]})
    golden = GOLDEN / "matrix" / f"{case}.Dockerfile"
    if os.environ.get("BENTOMAKE_TEST_WRITE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(made[DOCKERFILE])
    assert made[DOCKERFILE] == golden.read_text()
    assert made.warnings == []


def test_there_is_no_golden_file_too_many() -> None:
    assert {path.name.removesuffix(".Dockerfile") for path in (GOLDEN / "matrix").iterdir()} == set(MATRIX)


@pytest.mark.parametrize("case", ["debian-3.11", "alpine-3.11", "ubi8-3.11", "ubi8-cuda-11.8.0", "amazonlinux-3.8"])
def test_buildkit_has_the_same_with_caches_and_needs_no_other_frontend(case: str, tmp_path: Path) -> None:
    made = make(tmp_path, **{"docker__system_packages": ["git"], **MATRIX[case]})
    golden = GOLDEN / "buildkit" / f"{case}.Dockerfile"
    if os.environ.get("BENTOMAKE_TEST_WRITE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(made[BUILDKIT])
    assert made[BUILDKIT] == golden.read_text()
    assert "# syntax" not in made[BUILDKIT]
    assert "--mount=type=cache" in made[BUILDKIT] and "--mount" not in made[DOCKERFILE]


LEFT_OUT = {
    "DL3008 DL3013 DL3018 DL3033 DL3041": "versions of packages are the user's to pin",
    "DL3007": "continuumio/miniconda3:latest, as bentoml",
    "DL3066": "the user has a name, which templates and scripts count on",
    "DL3003": "requirements name wheels as seen from env/python, and a WORKDIR would be the one of the image",
    "SC2016": "a `$` of the user's pip_args is quoted on purpose",
}
CACHED = "DL3032 DL3040"  # yum's cache is a mount there, in no layer
HADOLINT = shutil.which("hadolint", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))


@pytest.mark.skipif(HADOLINT is None, reason="hadolint is not installed")
def test_hadolint_finds_nothing() -> None:
    for directories, codes in ((("", "matrix"), [*LEFT_OUT]), (("buildkit",), [*LEFT_OUT, CACHED])):
        files = [str(path) for name in directories for path in (GOLDEN / name).glob("*.Dockerfile")]
        ignored = [word for code in " ".join(codes).split() for word in ("--ignore", code)]
        done = subprocess.run([str(HADOLINT), "--no-color", *ignored, *files], capture_output=True, text=True)
        assert (done.returncode, done.stdout, bool(files)) == (0, "", True)


def test_a_parser_reads_what_was_meant(tmp_path: Path) -> None:
    """The structure of each: two stages, one more for wheels, one user, one entrypoint, the sources copied last."""
    parse = pytest.importorskip("dockerfile_parse")
    for number, (case, options) in enumerate({**MATRIX, **CASES}.items()):
        made = make(tmp_path / str(number), "runner" if case in CASES else "class", **options)
        for name in (DOCKERFILE, BUILDKIT):
            known = parse.DockerfileParser(fileobj=io.BytesIO(made[name].encode())).structure
            words = [entry["instruction"] for entry in known if entry["instruction"] != "COMMENT"]
            assert words[0] == "FROM" and words[-1] == "ENTRYPOINT", case
            assert words.count("FROM") == 2 + ("FROM scratch AS wheelhouse" in made[name]), case
            copies = [entry["value"] for entry in known if entry["instruction"] == "COPY"]
            last = copies[-2] if "setup_script" in copies[-1] else copies[-1]
            assert last.startswith("--from=bento"), case
            users = [entry["value"] for entry in known if entry["instruction"] == "USER"]
            assert users[-1] == "bentoml" and set(users[:-1]) <= {"root"}, case


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        ({"distro": "alpine", "cuda": "12"}, "alpine has no CUDA.", "Distros with CUDA are debian, ubi8."),
        ({"distro": "debian", "cuda": "10.2"}, "There is no image with CUDA 10.2.", "There are 12.8.1, 12.8.0"),
        (
            {"distro": "debian", "cuda": "12.8", "generation": "runner"},
            "bentoml 1.1 does not know CUDA 12.8, and could not read the Bento.",
            "There are 12.1.1,",
        ),
        ({"distro": "ubi8", "conda": True}, "ubi8 has no conda.", "Distros with conda are debian, alpine."),
        (
            {"distro": "ubi8", "python": "3.10"},
            "ubi8 has no Python 3.10.",
            "ubi8 has Python 3.8, 3.9, 3.11, 3.12; Python 3.10 is on debian, alpine.",
        ),
        ({"distro": "debian", "python": "3.99"}, "debian has no Python 3.99.", "debian has Python 3.8, "),
    ],
)
def test_a_combination_without_an_image_is_named_with_those_that_have_one(
    options: dict[str, Any], message: str, hint: str
) -> None:
    (lack,) = support(**options)
    assert (lack.message, lack.hint[: len(hint)]) == (message, hint)


def test_every_combination_without_fault_has_an_image() -> None:
    for distro in DISTROS:
        for python in ("3.7", *DISTROS["debian"].images):
            for asked in (None, "default", "11", "12", "12.1.0", *CUDA):
                for conda in (False, True):
                    if not support(distro, python, asked, conda):
                        exact = cuda_version(asked) if asked else None
                        assert ":" in image(distro, python, exact, conda)


def test_conda_brings_its_own_python_whatever_the_distro_has() -> None:
    for python in CONDA_PYTHONS:
        assert support("alpine", python, conda=True) == support("debian", python, conda=True) == []
    for python in ("3.7", "3.99"):  # no bentoml is for the one, and there is no other
        assert [lack.option for lack in support("alpine", python, conda=True)] == ["docker.python_version"]
    assert [lack.option for lack in support("alpine", "3.7")] == ["docker.python_version"]


@pytest.mark.parametrize(
    ("asked", "runner", "classes"),
    [
        ("default", "11.6.2", "12.8.1"),
        ("12", "12.1.1", "12.8.1"),
        ("12.1", "12.1.1", "12.1.1"),
        ("12.0", "12.0.1", "12.0.1"),
        ("12.0.0", "12.0.0", "12.0.0"),
        ("12.6", None, "12.6.3"),
        ("11", "11.8.0", "11.8.0"),
        ("11.7", "11.7.1", "11.7.1"),
        ("11.4", "11.4.3", "11.4.3"),
        ("11.2", "11.2.2", "11.2.2"),
        ("1", None, None),
        ("12.1.1.1", None, None),
        ("10.2", None, None),
    ],
)
def test_names_of_cuda_versions(asked: str, runner: str | None, classes: str | None) -> None:
    assert (cuda_version(asked, "runner"), cuda_version(asked, "class")) == (runner, classes)


def test_the_rule_refuses_at_the_option_to_blame(tmp_path: Path) -> None:
    with pytest.raises(BentofileError) as one:
        make(tmp_path, docker__distro="alpine", docker__cuda_version="11")
    assert (one.value.message, one.value.place) == ("alpine has no CUDA.", "bentofile.yaml:docker.cuda_version")
    with pytest.raises(Several) as more:
        make(tmp_path, docker__distro="amazonlinux", docker__python_version="3.10", docker__cuda_version="10")
    assert [error.message for error in more.value.errors] == [
        "amazonlinux has no CUDA.",
        "amazonlinux has no Python 3.10.",
    ]
    with pytest.raises(BentofileError) as own:
        make(tmp_path, docker__distro="amazonlinux", python="3.10")
    assert own.value.place == "bentofile.yaml:docker.distro"
    assert "service's own Python" in str(own.value.hint)


def test_base_image_comes_as_it_is(tmp_path: Path) -> None:
    made = make(tmp_path, docker__base_image="a/b:c", docker__cuda_version="10", docker__python_version="3.5")
    assert "FROM a/b:c AS base-container" in made[DOCKERFILE]


def test_the_generations_differ_in_what_12_means(tmp_path: Path) -> None:
    assert "cuda:12.1.1-cudnn8-" in make(tmp_path, "runner", docker__cuda_version="12")[DOCKERFILE]
    assert "cuda:12.8.1-cudnn-" in make(tmp_path, "class", docker__cuda_version="12")[DOCKERFILE]
