"""Hundreds of generated bentofiles: both real BentoMLs and bentomake agree, or DEVIATIONS.md says why not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from differential import FILES, cases, ours, real, surroundings, text_of

from bentomake.bento import distros, schema
from bentomake.bento.targets import has_conda

DEVIATIONS = Path(schema.__file__).parent / "DEVIATIONS.md"
PYTHON = "3.11"  # of both real environments
pytestmark = pytest.mark.real

# id → the messages with which bentomake refuses what a BentoML takes
REFUSED = {
    "kind": r"must be (a list|a string|a mapping|a version|a list of strings).*, not (a|the|empty)",
    "boolean": r"must be true or false, not ",
    "null-value": r"(labels|docker\.env)\.\w+ has no value\.",
    "service": r"service is missing",
    "leaves": r"names \S+, which is not a file inside the build context\.",
    "leaves-pattern": r"leaves the build context: only what lies in it can be packed",
    "missing-file": r"names \S+, which does not exist",
    "variable-name": r"cannot be the name of an environment variable",
    "editable": r"editable package|(path|directory) of this machine|not be where conda installs",
    "credentials": r"A package URL must not carry credentials",
    "misspelt-key": r"envs\[\d+\]\.\w+ is not an option",
    "dotenv-line-break": r"has a line break, which a Dockerfile cannot hold",
}
Case = dict[str, Any]


def _no_service(case: Case, generation: str) -> bool:
    return generation == "runner" and not case.get("service")


def _env_list(case: Case, generation: str) -> bool:
    env = (case.get("docker") or {}).get("env")
    return isinstance(env, list) and not all(re.match(r"^\w+=[\w.,/-]+$", str(item)) for item in env)


def _newer(case: Case, generation: str) -> bool:
    python = case.get("python") or {}
    return generation == "runner" and bool({"envs", "args"} & case.keys() or {"pack_git_packages"} & python.keys())


def _image_python(case: Case, generation: str) -> bool:
    docker = case.get("docker") or {}
    known = {
        "runner": {**dict.fromkeys(("debian", "alpine"), "3.8 3.9 3.10 3.11"), "ubi8": "3.8 3.9", "amazonlinux": "3.8"},
        "class": {**dict.fromkeys(("debian", "alpine", "ubi8"), "3.9 3.10 3.11 3.12 3.13 3.14"), "amazonlinux": ""},
    }[generation]  # fmt: skip
    python = str(docker.get("python_version") or PYTHON)
    return ".".join(python.split(".")[:2]) not in known[docker.get("distro") or "debian"].split()


def _newer_cuda(case: Case, generation: str) -> bool:
    return generation == "runner" and str((case.get("docker") or {}).get("cuda_version")).startswith(("12.6", "12.8"))


# id → whether a case has what bentomake takes and a BentoML refuses
TAKEN: dict[str, Callable[[Case, str], bool]] = {
    "no-service": _no_service,
    "newer-option": _newer,
    "env-list": _env_list,
    "image-python": _image_python,
    "newer-cuda": _newer_cuda,
}

# id → what a dotenv file has that the two read otherwise
OTHERWISE = {
    "dotenv-hash": r"=\S+#",
    "dotenv-variable": r"[^\\]\$\{?\w",
    "dotenv-escape": r'"[^"]*\\t',
    "dotenv-indent": r"(?m)^\s+\w",
}


def ids() -> set[str]:
    rows = re.findall(r"^\| ([\w-]+) \|", DEVIATIONS.read_text(encoding="utf-8"), re.MULTILINE)
    rows = [row for row in rows if row != "id" and row.strip("-")]
    assert len(rows) == len(set(rows))
    return set(rows)


def test_the_table_and_the_tests_name_the_same_deviations() -> None:
    assert ids() == REFUSED.keys() | TAKEN.keys() | OTHERWISE.keys()


def deviations(case: Case, theirs: dict[str, Any], mine: Any, messages: list[str], generation: str) -> set[str]:
    """The lines of the table that a case shows; the test fails for a difference that is in none."""
    if mine is None and "config" in theirs:
        found = set()
        for message in messages:
            named = {name for name, said in REFUSED.items() if re.search(said, message)}
            assert named, f"refused, and not in the table: {message}\n{text_of(case)}"
            found |= named
        return found
    if mine is not None and "error" in theirs:
        named = {name for name, holds in TAKEN.items() if holds(case, generation)}
        assert named, f"taken, and not in the table: {theirs['error']}\n{text_of(case)}"
        return named
    if mine is not None:
        normal = normalised(mine, generation)
        different = {
            name: (value, normal.get(name))
            for name, value in as_we_write(theirs["config"]).items()
            if (value or None) != (normal.get(name) or None)
        }
        env = (case.get("docker") or {}).get("env")
        if different.keys() == {"docker.env"} and isinstance(env, str):
            named = {name for name, has in OTHERWISE.items() if re.search(has, FILES[env])}
            assert named, f"read otherwise, and not in the table: {different}\n{text_of(case)}"
            return named
        assert not different, f"{different}\n{text_of(case)}"
    return set()


def as_we_write(config: dict[str, Any]) -> dict[str, Any]:
    """Their values, with what they do only when the Bento is made: lower case, and labels as text; no empty links."""
    config["python.find_links"] = [link for link in config["python.find_links"] or [] if link]
    config["name"] = config["name"].lower() if config["name"] else None
    config["labels"] = {str(name): str(value) for name, value in config["labels"].items()}
    for model in config["models"]:
        model["tag"] = model["tag"].lower()
    return config


def normalised(values: dict[str, Any], generation: str) -> dict[str, Any]:
    """Our values with the defaults that depend on the installed bentoml, as the rules fill them in."""
    found = dict(values)
    if found["docker.base_image"] is None:
        found["docker.python_version"] = found["docker.python_version"] or PYTHON
        found["docker.distro"] = found["docker.distro"] or "debian"
    found["docker.cuda_version"] = distros.cuda_version(found["docker.cuda_version"], generation)
    if generation == "class":
        found["docker.env"] = found["docker.env"] or {env["name"]: env["value"] for env in found["envs"]}
        found["python.lock_packages"] = found["python.lock_packages"] is not False
    if has_conda(found) and not found["conda.channels"] and not found["conda.environment_yml"]:
        found["conda.channels"] = ["conda-forge"]
    return found


def shown_by(generation: str, python: str, directory: Path) -> set[str]:
    """Compare every case with one real generation; the lines of the table that the differences are."""
    generated = cases(260)
    assert len(generated) > 200
    texts = [text_of(case) for case in generated]
    answers = real(python, directory, texts)
    context = surroundings(directory)
    agreed = taken = 0
    shown: set[str] = set()
    for case, text, theirs in zip(generated, texts, answers, strict=True):
        mine, messages = ours(context, text)
        found = deviations(json.loads(json.dumps(case)), theirs, mine, messages, generation)
        shown |= found
        agreed += not found
        taken += mine is not None
    assert agreed > len(generated) * 0.6
    assert taken > len(generated) * 0.4
    return shown


def test_the_real_ones_and_bentomake_agree_but_for_the_table_whose_every_line_is_shown(
    bentoml11: str, bentoml14: str, tmp_path: Path
) -> None:
    shown: set[str] = set()
    for generation, python in (("runner", bentoml11), ("class", bentoml14)):
        directory = tmp_path / generation
        directory.mkdir()
        shown |= shown_by(generation, python, directory)
    assert shown == ids()
