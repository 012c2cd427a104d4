"""conda: the environment file that is passed or written, its Python, its channels; nothing dropped in silence."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from dockerfile_made import CONDA, DOCKERFILE, make

from bentomake.errors import BentofileError

NUMPY = {"conda__dependencies": ["numpy"]}


def test_without_options_there_is_no_conda(tmp_path: Any) -> None:
    made = make(tmp_path, conda__channels=[], conda__dependencies=[])
    assert CONDA not in made and "conda" not in made[DOCKERFILE]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (NUMPY, {"channels": ["conda-forge"], "dependencies": ["numpy"]}),
        ({"conda__channels": ["bioconda"]}, {"channels": ["bioconda"], "dependencies": []}),
        (
            {"conda__pip": ["idna==3.6"]},
            {"channels": ["conda-forge"], "dependencies": ["pip", {"pip": ["idna==3.6"]}]},
        ),
        (
            {"conda__dependencies": ["pip=24", {"pip": ["idna"]}], "conda__channels": ["h2oai", "conda-forge"]},
            {"channels": ["h2oai", "conda-forge"], "dependencies": ["pip=24", {"pip": ["idna"]}]},
        ),
    ],
)
def test_the_environment_that_is_written(options: dict[str, Any], expected: dict[str, Any], tmp_path: Any) -> None:
    made = make(tmp_path, **options)
    assert yaml.safe_load(made[CONDA]) == expected
    assert made.warnings == []
    install = "/opt/conda/bin/conda env update -p /opt/conda/envs/bento"
    assert f"{install} -f /home/bentoml/bento/env/conda/environment.yml" in made[DOCKERFILE]
    for channel in expected["channels"]:
        assert f" -c {channel} " in made[DOCKERFILE]
    assert made[DOCKERFILE].index("conda env update") < made[DOCKERFILE].index("pip install")


def given(text: str, **options: Any) -> dict[str, Any]:
    return {"conda__environment_yml": "./env.yml", "files": {"env.yml": text.encode()}, **options}


def test_a_given_file_is_passed_as_it_is_and_another_version_is_another_key(tmp_path: Any) -> None:
    text = "# mine\nname: x\nchannels: [conda-forge, nodefaults]\ndependencies: [python=3.11, h5py]\n"
    made = make(tmp_path, **given(text))
    assert made[CONDA] == text
    assert ("file", "ctx/env.yml") in made.discovered
    assert " -c conda-forge python=3.11 pip" in made[DOCKERFILE] and "-c nodefaults" not in made[DOCKERFILE]


@pytest.mark.parametrize(
    ("dependency", "python"),
    [
        ("python=3.9", "3.9"),
        ("python==3.9.18", "3.9"),
        ("python = 3.10", "3.10"),
        ("conda-forge::python=3.12.*", "3.12"),
        ("python=3.8=h123_0", "3.8"),
        ("python>=3.9", "3.11"),
        ("python", "3.11"),
        ("python-dateutil=2.8", "3.11"),
        ("ipython=3.9", "3.11"),
    ],
)
def test_the_python_of_the_environment_wins_with_a_warning(dependency: str, python: str, tmp_path: Any) -> None:
    made = make(tmp_path, conda__dependencies=[dependency])
    assert f"python={python} pip" in made[DOCKERFILE]
    said = [hint for message, _, hint in made.said if "conda's environment has Python" in message]
    assert said == ([] if python == "3.11" else [f'Write docker.python_version: "{python}"'])


def test_a_python_that_is_too_old_is_not_what_to_write(tmp_path: Any) -> None:
    (_, _, hint), *_ = make(tmp_path, conda__dependencies=["python=3.7"]).said
    assert hint == "Write python=3.11 there: BentoML does not run on Python 3.7."


def test_a_python_that_conda_has_not_is_an_error(tmp_path: Any) -> None:
    with pytest.raises(BentofileError) as caught:
        make(tmp_path, docker__python_version="3.99", **NUMPY)
    error = caught.value
    assert (error.message, error.place) == ("conda has no Python 3.99.", "bentofile.yaml:docker.python_version")
    assert error.hint == "conda has Python 3.8, 3.9, 3.10, 3.11, 3.12, 3.13, 3.14."
    assert "python=3.13 pip" in make(tmp_path, docker__python_version="3.13", **NUMPY)[DOCKERFILE]


def test_docker_python_version_otherwise(tmp_path: Any) -> None:
    assert "python=3.8 pip" in make(tmp_path, docker__python_version="3.8", **NUMPY)[DOCKERFILE]


def test_cuda_and_conda_go_together_on_debian(tmp_path: Any) -> None:
    text = make(tmp_path, docker__cuda_version="11.8", **NUMPY)[DOCKERFILE]
    assert "FROM nvidia/cuda:11.8.0" in text
    assert "COPY --from=continuumio/miniconda3:latest /opt/conda /opt/conda" in text
    assert "envs/bento" in text and "uv venv" not in text


def test_a_base_image_must_bring_conda_and_the_build_says_so(tmp_path: Any) -> None:
    text = make(tmp_path, docker__base_image="mine", **NUMPY)[DOCKERFILE]
    assert "docker.base_image has no /opt/conda/bin/conda" in text and "envs/bento" in text


@pytest.mark.parametrize(
    ("options", "message", "place"),
    [
        ({"conda__environment_yml": "gone.yml"}, "names gone.yml, which does not exist", "conda.environment_yml"),
        ({"conda__environment_yml": "/etc/passwd"}, "not a file inside the build context", "conda.environment_yml"),
        (given("- a\n"), "is not a conda environment", "./env.yml"),
        (given("dependencies: a\n"), "`dependencies` must be a list", "./env.yml:1"),
        (given("dependencies:\n- a\n- npm: [b]\n"), "A dependency of conda must be a string, or", "./env.yml:3"),
        (given("dependencies: [{pip: [3]}]\n"), "A dependency of conda must be a string, or", "./env.yml:1"),
        (given("dependencies:\n- pip:\n  - -e .\n"), "`-e .` is an editable package", "./env.yml:3"),
        (given("dependencies:\n- pip:\n  - -r r.txt\n"), "`-r r.txt` names a file", "./env.yml:3"),
        (given("a: 1\n---\nb: 1\n"), "A second document begins here; a conda environment is one.", "./env.yml:2"),
        (given("a: [\n"), "", "./env.yml:"),
        (given("a: !!python/object:os.system x\n"), "", "./env.yml:1"),
    ],
)  # fmt: skip
def test_mistakes(options: dict[str, Any], message: str, place: str, tmp_path: Any) -> None:
    with pytest.raises(BentofileError) as caught:
        make(tmp_path, **options)
    assert message in caught.value.message
    assert str(caught.value.place).removeprefix("bentofile.yaml:").startswith(place)


def test_what_will_surprise_in_a_file_is_a_warning(tmp_path: Any) -> None:
    text = "channels: [conda-forge]\ndependencies:\n- pip:\n  - sklearn\n  - -r https://example.org/r.txt\n"
    (said,) = make(tmp_path, **given(text)).said
    message = "sklearn is the name of an import; the package that has it is scikit-learn."
    assert said == (message, "./env.yml:4", "Write scikit-learn.")
    (said,) = make(tmp_path, **given("channels: [conda-forge]\n")).said
    assert said[:2] == ("./env.yml has no `dependencies`: conda installs nothing.", "./env.yml")


def test_other_options_beside_a_file_have_no_effect_which_the_judgement_of_the_text_says(tmp_path: Any) -> None:
    assert make(tmp_path, **given("channels: [conda-forge]\ndependencies: [a]\n", **NUMPY)).said == []


@pytest.mark.parametrize("channels", ["[defaults]", "[conda-forge, defaults]", "[pkgs/main]", "[]"])
def test_channels_that_stop_an_unattended_build_are_said(channels: str, tmp_path: Any) -> None:
    (said,) = make(tmp_path, **given(f"channels: {channels}\ndependencies: [a]\n")).said
    assert "terms of service" in said[0] and said[2] == "Use the channel conda-forge."
