"""pyproject.toml: [tool.bentoml.build] is read as BentoML 1.4 reads it, with the lines of the file in every message."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from bentomake.bento import bentofile
from bentomake.bento.bentofile import Bentofile
from bentomake.errors import Several, UsageError

WHOLE = """\
[build-system]
requires = ["hatchling"]

[project]
name = "fraud_detector"
dependencies = [
    "scikit-learn>=1.3",  # the model
    "pandas",
]

[tool.bentoml.build]
service = "service:Fraud"
include = ["*.py", "data/"]
labels = { owner = "me", "app.kubernetes.io/name" = "fraud" }

[tool.bentoml.build.docker]
python_version = "3.11"
system_packages = [
    "libgomp1",
    "git",
]

[tool.bentoml.build.python]
packages = ["idna"]

[[tool.bentoml.build.envs]]
name = "LEVEL"
value = "1"

[[tool.bentoml.build.envs]]
name = "TOKEN"

[[tool.bentoml.build.models]]
tag = "fraud:latest"
alias = "fraud"
"""
REAL = """
import json, sys
from bentoml._internal.bento.build_config import BentoBuildConfig, bentoml_cattr
print(json.dumps(bentoml_cattr.unstructure(BentoBuildConfig.from_file(sys.argv[1]).with_defaults()), default=str))
"""


def load(directory: Path, text: str) -> Bentofile:
    (directory / "pyproject.toml").write_bytes(text.encode())
    return bentofile.load("pyproject.toml", str(directory))


def refused(directory: Path, text: str) -> list[str]:
    with pytest.raises(UsageError) as caught:
        load(directory, text)
    errors = caught.value.errors if isinstance(caught.value, Several) else [caught.value]
    return [f"{error.place}: {error.message}" for error in errors]


def test_a_whole_pyproject_has_values_and_lines(tmp_path: Path) -> None:
    good = load(tmp_path, WHOLE)
    assert good.values["name"] == "fraud_detector"
    assert good.values["python.packages"] == ["idna", "scikit-learn>=1.3", "pandas"]
    assert good.values["labels"] == {"owner": "me", "app.kubernetes.io/name": "fraud"}
    assert [env["name"] for env in good.values["envs"]] == ["LEVEL", "TOKEN"]
    places = {
        "service": 12,
        "name": 5,
        "labels": 14,
        "docker.python_version": 17,
        "docker.system_packages[1]": 20,
        "python.packages": 24,
        "python.packages[0]": 24,
        "python.packages[1]": 7,
        "python.packages[2]": 8,
        "envs[1].name": 31,
        "models[0].alias": 35,
    }
    assert {name: good.place(name) for name in places} == {n: f"pyproject.toml:{line}" for n, line in places.items()}
    assert Bentofile.from_json(json.loads(json.dumps(good.to_json()))) == good


def test_a_directory_with_build_options_in_pyproject_has_a_bentofile(tmp_path: Path) -> None:
    load(tmp_path, WHOLE)
    assert bentofile.find(".", str(tmp_path)) == str(tmp_path / "pyproject.toml")
    (tmp_path / "bentofile.yaml").write_text("service: service:svc\n")
    assert bentofile.find(".", str(tmp_path)) == str(tmp_path / "bentofile.yaml")


@pytest.mark.real
def test_the_real_one_reads_the_same(tmp_path: Path, bentoml14: str) -> None:
    ours = load(tmp_path, WHOLE).values
    done = subprocess.run(
        [bentoml14, "-c", REAL, "pyproject.toml"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    theirs = json.loads(done.stdout.splitlines()[-1])
    assert theirs["name"] == ours["name"]
    assert theirs["python"]["packages"] == ours["python.packages"]
    assert theirs["labels"] == ours["labels"]
    assert theirs["envs"] == ours["envs"]
    assert theirs["models"] == ours["models"]
    assert theirs["python"]["is_src_layout"] is False
    assert ours["python.is_src_layout"] is None  # the project says it: there is no src/ here


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[tool.bentoml.build]\nservice = "s:s"\n\n[tool.bentoml.build.docker]\npython_version = 3.10\n',
            ["pyproject.toml:5: docker.python_version: 3.10 without quotes is the number 3.1 to TOML."],
        ),
        (
            '[tool.bentoml.build]\nservice = "s:s"\ninclude = "*.py"\nexclud = []\n',
            [
                "pyproject.toml:3: include must be a list of strings, not a string.",
                "pyproject.toml:4: exclud is not an option of a bentofile.",
            ],
        ),
        (
            '[project]\ndependencies = ["a", 1]\n[tool.bentoml.build]\nservice = "s:s"\n',
            ["pyproject.toml:2: project.dependencies[1] must be a string, not a number."],
        ),
        ("[project\n", ["pyproject.toml:1: This is not TOML: Expected ']' at the end of a table declaration."]),
        ("[tool]\nbentoml = 3\n", ["pyproject.toml: pyproject.toml has no table [tool.bentoml.build]."]),
        (
            "[tool.bentoml]\nbuild = 3\n",
            ["pyproject.toml:2: The bentofile is a single value; it must be options, `name: value`."],
        ),
        (
            '[tool.bentoml]\nservice = "s:s"\n[tool.bentoml.biuld]\nname = "x"\n[tool.bentoml.docker]\n',
            [
                f"pyproject.toml:{line}: tool.bentoml.{key} is not read: the options of a build are those of "
                "[tool.bentoml.build]."
                for line, key in ((2, "service"), (3, "biuld"), (5, "docker"))
            ],
        ),
        ("a = " + "[" * 100_000, ["pyproject.toml: Lists and mappings are nested more than 50 levels deep."]),
        (
            '[tool.bentoml.build]\nservice = "s:s"\nargs = {a = ' + "[" * 60 + "]" * 60 + "}\n",
            ["pyproject.toml:3: Lists and mappings are nested more than 50 levels deep."],
        ),
        ("#" * (1 << 20) + "##", ["pyproject.toml: The file has more than 1 MiB: that is no pyproject.toml."]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_line(text: str, said: list[str], tmp_path: Path) -> None:
    assert refused(tmp_path, text) == said


@pytest.mark.parametrize("text", ['[project]\nname = "mine"\n', '[tool.bentoml.build]\nname = "mine"\n'])
def test_without_a_service_it_is_read_and_the_project_has_to_have_one(text: str, tmp_path: Path) -> None:
    values = load(tmp_path, text).values
    assert (values["service"], values["name"]) == (None, "mine")


def test_bytes_that_are_no_text_are_said(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes(b"[project]\nname = '\xff'\n")
    with pytest.raises(UsageError) as caught:
        bentofile.load("pyproject.toml", str(tmp_path))
    assert caught.value.place == "pyproject.toml:2"


def test_another_table_of_bentoml_is_remarked(tmp_path: Path) -> None:
    good = load(tmp_path, '[tool.bentoml.build]\nservice = "s:s"\n[tool.bentoml.cloud]\nregion = "x"\n')
    (remark,) = good.remarks
    assert remark.place == "pyproject.toml:3" and remark.message.startswith("tool.bentoml.cloud is not read")


def test_dynamic_dependencies_are_remarked(tmp_path: Path) -> None:
    good = load(tmp_path, '[project]\ndynamic = ["dependencies"]\n[tool.bentoml.build]\nservice = "s:s"\n')
    assert [remark.message for remark in good.remarks] == [
        "The project's dependencies are dynamic: none of them is known here, so none gets into the Bento."
    ]


def test_a_text_over_several_lines_holds_no_keys(tmp_path: Path) -> None:
    text = '[tool.bentoml.build]\ndescription = """\nservice = 1\n[project]\n"""\nservice = "s:s"\n'
    assert load(tmp_path, text).place("service") == "pyproject.toml:6"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("labels = ['owner=me']", 'Write it as a table: labels = {owner = "me"}'),
        ("labels = 3", 'Write labels = {owner = "me"}'),
        ("labels = {a = 1}", 'Quote it: "1"'),
        ("include = '*.py'", 'Write it as a list: include = ["*.py"]'),
        ("description = 'file:'", 'Write description = "file:README.md"'),
        ("[tool.bentoml.build.docker]\npython_version = 3.10", 'Quote it: python_version = "3.10"'),
        ("[tool.bentoml.build.docker]\nenv = [{A = 'b'}]", 'Quote it: "A=b"'),
        ("[tool.bentoml.build.docker]\nenv = 'A=b'", 'Write env = {A = "b"}; a string is the path of a dotenv file.'),
        ("[tool.bentoml.build.python]\nno_index = 'yes'", "Write no_index = true, without quotes."),
        ("[tool.bentoml.build.python]\npackages = [2024]", 'Quote it: "2024"'),
        ("[tool.bentoml.build.conda]\ndependencies = [3]", 'Write "numpy", or {pip = ["numpy"]}'),
    ],
)
def test_hints_for_a_pyproject_are_toml(text: str, hint: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.bentoml.build]\nservice = 'service:svc'\n{text}\n")
    found, errors = bentofile.judged("pyproject.toml", str(tmp_path))
    assert [said.hint for said in (*(error for _, error in errors), *found.remarks)] == [hint]
