"""Which interpreter is chosen, and that it is asked only once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bentomake.engine import process
from bentomake.errors import UsageError
from bentomake.service.interpreter import Interpreter, choose, facts, watched


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with nothing in it."""
    directory = tmp_path_factory.mktemp("envs") / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(directory)], check=True)
    return directory


def with_bentoml(directory: Path, version: str = "1.4.0") -> Path:
    """A virtual environment that says it has bentoml."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(directory)], check=True)
    site = next(directory.glob("lib/python*/site-packages"))
    info = site / f"bentoml-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: bentoml\nVersion: {version}\n")
    return directory


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Every process that is started."""
    started: list[list[str]] = []
    run = process.run

    def counted(argv: list[str], **more: object) -> process.Completed:
        started.append(argv)
        return run(argv, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(process, "run", counted)
    return started


def test_facts_of_a_virtual_environment(bare: Path, tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('the context shadows the standard library')")
    extra = tmp_path / "extra"
    env = {"PYTHONPATH": str(extra), "PATH": "/bin"}
    found = facts(str(bare / "bin/python"), "--python", str(tmp_path), env, str(tmp_path / "cache"))
    assert found.path == str(bare / "bin/python")  # not resolved: a venv stays a venv
    assert found.prefix == str(bare)
    assert found.version == "{}.{}.{}".format(*sys.version_info[:3])
    assert found.python_version == "{}.{}".format(*sys.version_info[:2])
    assert found.paths == (str(extra),)
    assert found.site == (str(next(bare.glob("lib/python*/site-packages"))),)
    assert os.path.dirname(os.__file__) in [os.path.realpath(path) for path in found.stdlib] + list(found.stdlib)
    assert str(tmp_path) not in (*found.paths, *found.site, *found.stdlib)
    assert found.bentoml is None
    assert Interpreter.from_json(found.to_json()) == found


def test_a_pth_file_brings_its_directory(tmp_path: Path) -> None:
    environment = with_bentoml(tmp_path / "env")
    site = next(environment.glob("lib/python*/site-packages"))
    (tmp_path / "sources").mkdir()
    (site / "editable.pth").write_text(f"{tmp_path / 'sources'}\n")
    found = facts(str(environment / "bin/python"), "--python", str(tmp_path), {}, str(tmp_path / "cache"))
    assert found.paths == (str(tmp_path / "sources"),)
    assert str(site / "editable.pth") in watched(found)


def test_an_interpreter_is_asked_once_and_again_when_something_was_installed(
    tmp_path: Path, asked: list[list[str]]
) -> None:
    environment = with_bentoml(tmp_path / "env")
    path, cache = str(environment / "bin/python"), str(tmp_path / "cache")
    for _ in range(3):
        assert facts(path, "--python", str(tmp_path), {}, cache).bentoml == "1.4.0"
    assert len(asked) == 1
    site = next(environment.glob("lib/python*/site-packages"))
    (site / "bentoml-1.4.0.dist-info").rename(site / "bentoml-1.4.1.dist-info")
    (site / "bentoml-1.4.1.dist-info/METADATA").write_text("Name: bentoml\nVersion: 1.4.1\n")
    assert facts(path, "--python", str(tmp_path), {}, cache).bentoml == "1.4.1"
    assert len(asked) == 2


@pytest.mark.parametrize("damage", ["", "{", "[]", "null", '{"key": 1}'])
def test_a_damaged_cache_is_a_miss(bare: Path, tmp_path: Path, asked: list[list[str]], damage: str) -> None:
    cache = tmp_path / "cache"
    first = facts(str(bare / "bin/python"), "--python", str(tmp_path), {}, str(cache))
    for file in cache.iterdir():
        file.write_text(damage)
    assert facts(str(bare / "bin/python"), "--python", str(tmp_path), {}, str(cache)) == first
    assert len(asked) == 2


def test_the_order_of_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, cache = tmp_path / "project", str(tmp_path / "cache")
    context.mkdir()
    for name in ("named", "variable", "own", "active"):
        with_bentoml(tmp_path / name)
    with_bentoml(context / ".venv")
    env = {"BENTOMAKE_PYTHON": str(tmp_path / "variable"), "VIRTUAL_ENV": str(tmp_path / "active")}
    monkeypatch.setattr(sys, "executable", str(tmp_path / "own/bin/python"))

    def chosen(python: str | None = None) -> tuple[str, str]:
        found = choose(python, str(context), env, cache)
        return found.chosen_by, str(Path(found.path).relative_to(tmp_path).parts[0])

    assert chosen(str(tmp_path / "named/bin/python")) == ("--python", "named")
    assert chosen() == ("BENTOMAKE_PYTHON", "variable")
    del env["BENTOMAKE_PYTHON"]
    assert chosen() == ("bentomake's own", "own")
    next((tmp_path / "own").glob("lib/*/site-packages/bentoml-*")).rename(tmp_path / "uninstalled")
    assert chosen() == ("$VIRTUAL_ENV", "active")
    del env["VIRTUAL_ENV"]
    assert chosen() == (".venv", "project")


def test_a_command_on_path_is_an_interpreter(tmp_path: Path) -> None:
    environment = with_bentoml(tmp_path / "env")
    env = {"PATH": f"/nonexistent:{environment / 'bin'}"}
    found = choose("python", str(tmp_path), env, str(tmp_path / "cache"))
    assert found.path == str(environment / "bin/python")


def test_wrong_choices_are_usage_errors(bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = str(tmp_path / "cache")
    script = tmp_path / "not-python"
    script.write_text("#!/bin/sh\necho hello\n")
    script.chmod(0o755)
    (tmp_path / "empty").mkdir()
    wrong = {
        str(bare): "bentoml is not installed in",
        str(tmp_path / "nowhere"): "there is no such file",
        str(tmp_path / "empty"): "is not a virtual environment",
        str(script): "does not behave like a Python interpreter",
        "no-such-command": "no command no-such-command on PATH",
    }
    for python, message in wrong.items():
        with pytest.raises(UsageError, match=message):
            choose(python, str(tmp_path), {"PATH": "/bin"}, cache)
    monkeypatch.setattr(sys, "executable", str(bare / "bin/python"))
    with pytest.raises(UsageError, match="No Python with bentoml was found") as caught:
        choose(None, str(tmp_path), {}, cache)
    assert "--python" in str(caught.value.hint)


@pytest.mark.parametrize("signatures", [True, False])
@pytest.mark.parametrize("other", ["/bin/false", "evil/bin/python"], ids=["program", "environment"])
def test_a_planted_record_names_no_other_program(
    bare: Path, tmp_path: Path, asked: list[list[str]], signatures: bool, other: str
) -> None:
    """What the record says is started: it may say only what was asked about."""
    true = facts(str(bare / "bin/python"), "--python", str(tmp_path), {}, str(tmp_path / "cache"))
    (record,) = (tmp_path / "cache").iterdir()
    data = json.loads(record.read_text())
    (tmp_path / "evil/bin").mkdir(parents=True)
    (tmp_path / "evil/bin/python").symlink_to(os.path.realpath(true.path))
    data["facts"]["path"] = str(tmp_path / other)
    record.write_text(json.dumps(data if signatures else {**data, "signatures": {}}))
    asked.clear()
    assert facts(str(bare / "bin/python"), "--python", str(tmp_path), {}, str(tmp_path / "cache")) == true
    assert len(asked) == 1
