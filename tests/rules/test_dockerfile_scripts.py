"""The scripts beside the Dockerfile, run by real shells with stand-ins for bentoml and python3."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from dockerfile_made import CASES, ENTRYPOINT, INSTALL, make, written


def programs(tmp_path: Path, **scripts: str) -> dict[str, str]:
    """An environment whose PATH holds these scripts, and the shells."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for name, text in scripts.items():
        path = directory / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
    return {"PATH": f"{directory}:/usr/bin:/bin"}


SHELLS = ["sh", "bash"]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_scripts_have_no_syntax_error(shell: str, tmp_path: Path) -> None:
    for case in CASES.values():
        made = make(tmp_path, "runner", **case)
        for path in (ENTRYPOINT, INSTALL):
            done = subprocess.run([shell, "-n", str(written(tmp_path, made, path))], capture_output=True, text=True)
            assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("arguments", "env", "runs"),
    [
        ([], {}, "bentoml serve {bento}"),
        (["--port", "80"], {}, "bentoml serve --port 80 {bento}"),
        (["serve", "--reload"], {}, "bentoml serve --reload {bento}"),
        (["serve-http"], {}, "bentoml serve-http {bento}"),
        (["serve-grpc", "-p", "1"], {}, "bentoml serve-grpc -p 1 {bento}"),
        ([], {"BENTO_PATH": "/else where"}, "bentoml serve /else where"),
        ([], {"PORT": "8080"}, "bentoml serve {bento} port=8080"),
        ([], {"PORT": "8080", "BENTOML_PORT": "1"}, "bentoml serve {bento} port=8080"),
        ([], {"PORT": "", "BENTOML_PORT": "1"}, "bentoml serve {bento} port=1"),
        (["start-http-server", "-p", "1"], {}, "bentoml start-http-server -p 1 {bento}"),
        (["start-runner-server"], {"NEW": "1"}, "python3 -m bentoml_cli._internal.start start-runner-server {bento}"),
        ([], {"BENTOML_SERVE_COMPONENT": "http_server"}, "bentoml start-http-server {bento}"),
        (["--a", "b"], {"BENTOML_SERVE_COMPONENT": "grpc_server"}, "bentoml start-grpc-server --a b {bento}"),
        ([], {"BENTOML_SERVE_COMPONENT": "runner"}, "bentoml start-runner-server {bento}"),
        (["serve"], {"BENTOML_SERVE_COMPONENT": "runner"}, "bentoml serve {bento}"),
        (["echo", "two  words", "$HOME"], {}, "two  words $HOME"),
        (["sh", "-c", "echo $BENTO_PATH"], {}, "{bento}"),
    ],
)
def test_the_entrypoint_starts(
    shell: str, arguments: list[str], env: dict[str, str], runs: str, tmp_path: Path
) -> None:
    entrypoint = written(tmp_path, make(tmp_path), ENTRYPOINT)
    python3 = '[ "$1" != -c ] || exit ${NEW:+0} ${NEW:-1}; echo "python3 $*"'
    stubs = programs(tmp_path, bentoml='echo "bentoml $*${BENTOML_PORT:+ port=$BENTOML_PORT}"', python3=python3)
    done = subprocess.run([shell, str(entrypoint), *arguments], env={**stubs, **env}, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == (runs.format(bento=tmp_path / "a bento"), "")


def test_the_entrypoint_refuses_an_unknown_component(tmp_path: Path) -> None:
    entrypoint = written(tmp_path, make(tmp_path), ENTRYPOINT)
    env = {**programs(tmp_path, bentoml="exit 0"), "BENTOML_SERVE_COMPONENT": "web"}
    done = subprocess.run([str(entrypoint)], env=env, capture_output=True, text=True)
    assert done.returncode == 2 and "'web'; it can be http_server, grpc_server or runner" in done.stderr


PIP = "-m pip install --no-warn-script-location"


@pytest.mark.parametrize(
    ("files", "env", "runs"),
    [
        (["requirements.lock.txt", "requirements.txt"], {"HAS": "1.1.11"}, [f"{PIP} -r {{}}/requirements.lock.txt"]),
        (["requirements.txt"], {"HAS": "1.1.11"}, [f"{PIP} -r {{}}/requirements.txt"]),
        ([], {}, [f"{PIP} bentoml==1.1.11 setuptools<81 click<8.3"]),
        ([], {"BENTOML_VERSION": "1.0.25"}, [f"{PIP} bentoml==1.0.25 setuptools<81 click<8.3"]),
        ([], {"HAS": "1.0.0"}, []),
    ],
)
def test_install_sh_installs_as_bentoml_containerize_calls_it(
    files: list[str], env: dict[str, str], runs: list[str], tmp_path: Path
) -> None:
    install = written(tmp_path, make(tmp_path, "runner"), INSTALL)
    for name in files:
        (install.parent / name).parent.mkdir(exist_ok=True)
        (install.parent / name).touch()
    python3 = f'[ "$1" = -c ] || {{ echo "$*" >>{tmp_path}/ran; exit 0; }}; [ -n "$HAS" ] && echo "$HAS"'
    call = ["bash", "-euxo", "pipefail", str(install)]
    done = subprocess.run(call, env={**programs(tmp_path, python3=python3), **env}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    ran = (tmp_path / "ran").read_text().splitlines() if (tmp_path / "ran").exists() else []
    assert ran == [line.format(install.parent) for line in runs]
    assert ("bentoml 1.0.0 is installed, not 1.1.11" in done.stderr) == (env.get("HAS") == "1.0.0")


def test_install_sh_gives_pip_the_index_of_the_bentofile(tmp_path: Path) -> None:
    install = written(tmp_path, make(tmp_path, "runner", **CASES["index"]), INSTALL)
    (install.parent / "requirements.txt").touch()
    python3 = f'[ "$1" = -c ] && echo 1.1.11 || for word; do echo "$word"; done >>{tmp_path}/words'
    subprocess.run([str(install)], env=programs(tmp_path, python3=python3), check=True)
    words = (tmp_path / "words").read_text().splitlines()[4:-2]
    assert words[:4] == ["--index-url", "https://pypi.example.com/simple", "--trusted-host", "pypi.example.com"]
    assert words[-4:] == ["--pre", "--timeout", "100", "--progress-bar=o f$f"]
