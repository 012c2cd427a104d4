"""An image described in code: what it makes of the Dockerfile, the requirements and the lock."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from bentomake.rules.described import described
from bentomake.rules.requirements import requirements
from bentomake.rules.service import service
from context import DictFiles, FakeContext, follow
from dockerfile_made import BUILDKIT, DOCKERFILE, IMAGE_IN_CODE, Made, make
from dockerfile_made import described as described_by

from bentomake.bento import image, image_commands
from bentomake.bento.info import class_info
from bentomake.errors import BentofileError, StepError

SCRIPT = b"#!/bin/sh\necho script\n"


def instructions(made: Made, path: str = DOCKERFILE) -> list[str]:
    """The Dockerfile's lines that say something, from the base image to the sources."""
    lines = [line for line in made[path].splitlines() if line and not line.startswith("#")]
    begin = next(number for number, line in enumerate(lines) if "AS base-container" in line)
    return lines[begin:]


def where(lines: list[str], *texts: str) -> list[int]:
    """The first line that each text is in; the test fails if one is in none."""
    found = [next((number for number, line in enumerate(lines) if text in line), -1) for text in texts]
    assert -1 not in found, dict(zip(texts, found, strict=True))
    return found


# The rule between


def test_only_the_image_and_the_variables_of_a_service_go_on(tmp_path: Path) -> None:
    text = json.dumps({**IMAGE_IN_CODE, "distro": "alpine"})
    files = {"service.json": json.dumps({"name": "x", "envs": []}), "openapi.yaml": "a", "image.json": text}
    ctx = FakeContext(described, tmp_path / "1", inputs={"service": files})
    assert follow(described, ctx) == {"image.json": text}
    other = {"service.json": json.dumps({"name": "y", "envs": []}), "openapi.yaml": "b"}
    assert follow(described, FakeContext(described, tmp_path / "2", inputs={"service": other})) == {}
    variables = {"service.json": json.dumps({"envs": [{"name": "A", "value": "b", "stage": "all"}]})}
    made = follow(described, FakeContext(described, tmp_path / "3", inputs={"service": variables}))
    assert json.loads(made["envs.json"]) == [{"name": "A", "value": "b", "stage": "all"}]
    assert "(image.json)" in service.outputs


# The Dockerfile


def test_commands_stand_before_and_after_the_requirements_in_their_order(tmp_path: Path) -> None:
    made = make(
        tmp_path,
        files={"setup.sh": SCRIPT, "later.sh": SCRIPT},
        in_code={
            "python_version": "3.12",
            "commands": [
                {"packages": ["curl", "jq"]},
                {"run": "echo first"},
                {"packages": ["tree"]},
                {"script": "setup.sh"},
            ],
            "post_commands": [{"run": "echo after"}, {"script": "later.sh"}],
            "build_include": ["data", "my file.txt", "conf/*.toml"],
        },
    )
    early, late = image.script("setup.sh"), image.script("later.sh")
    for path in (DOCKERFILE, BUILDKIT):
        lines = instructions(made, path)
        assert lines[0] == "FROM python:3.12-slim AS base-container"
        order = where(
            lines,
            " git curl jq",  # with what bentoml installs first, as commands may count on it
            "useradd",
            "WORKDIR",
            "RUN echo first",
            "--no-install-recommends tree",
            f"RUN chmod 0755 ./{early} && ./{early}",
            "COPY --chown=bentoml:bentoml src/data ./src/data",
            'COPY --chown=bentoml:bentoml ["src/my file.txt", "./src/my file.txt"]',
            "COPY --chown=bentoml:bentoml src/conf/*.toml ./src/conf/",
            "-m pip install ",
            "RUN echo after",
            f"./{late}",
            "COPY --from=bento",
        )
        assert order == sorted(order)
    assert made.modes[early] == made.modes[late] == 0o755
    assert made[early] == SCRIPT.decode()
    assert ("file", "ctx/setup.sh") in made.discovered


def test_an_image_that_says_nothing_is_the_image_without_it(tmp_path: Path) -> None:
    plain, in_code = make(tmp_path / "1"), make(tmp_path / "2", in_code={})
    assert plain == in_code and in_code.warnings == []
    with_packages = make(tmp_path / "3", in_code={"commands": [{"packages": ["tree"]}]})
    assert with_packages == make(tmp_path / "4", docker__system_packages=["tree"])


def test_a_base_image_gets_the_packages_of_the_distro_and_the_python_of_the_code(tmp_path: Path) -> None:
    made = make(
        tmp_path,
        in_code={
            "base_image": "registry.example/x:1",
            "distro": "alpine",
            "python_version": "3.10",
            "commands": [{"packages": ["tree"]}],
        },
    )
    lines = instructions(made)
    assert lines[0] == "FROM registry.example/x:1 AS base-container"
    assert any(line.startswith("RUN apk add") and "tree" in line for line in lines)
    python, path, pip = where(lines, "sys.version_info[:2] != (3, 10)", "ENV PATH=/opt/venv/bin:$PATH", "pip install -")
    assert python < path < pip
    assert made.warnings == []


def test_the_bentofile_has_precedence_and_says_so(tmp_path: Path) -> None:
    made = make(
        tmp_path,
        in_code={"distro": "alpine", "python_version": "3.10", "given": ["distro", "python_version"]},
        docker__distro="debian",
        docker__python_version="3.12",
        docker__system_packages=["tree"],
    )
    assert instructions(made)[0] == "FROM python:3.12-slim AS base-container"
    assert "apt-get install -y --no-install-recommends tree" in made[DOCKERFILE]
    assert made.warnings == [
        "docker.distro is debian, so the distro of the image in code (alpine) is not used.",
        "docker.python_version is 3.12, so the python_version of the image in code (3.10) is not used.",
    ]
    base = make(tmp_path / "base", in_code={"base_image": "a:1", "given": ["base_image"]}, docker__base_image="b:2")
    assert instructions(base)[0] == "FROM b:2 AS base-container"
    assert base.warnings == ["docker.base_image is b:2, so the base_image of the image in code (a:1) is not used."]


def test_what_an_image_in_code_has_no_place_for_is_said_and_left_out(tmp_path: Path) -> None:
    made = make(
        tmp_path,
        in_code={},
        files={"t.j2": b"{% extends bento_base_template %}\n"},
        docker__cuda_version="12",
        docker__dockerfile_template="t.j2",
        conda__dependencies=["numpy"],
        python__wheels=["a.whl"],
    )
    assert instructions(made)[0] == "FROM python:3.11-slim AS base-container"
    assert made.warnings == [
        f"{name} has no effect: the service describes its image in code."
        for name in ("docker.cuda_version", "docker.dockerfile_template", "python.wheels", "conda.dependencies")
    ]


def test_a_distro_without_that_python_is_refused_at_the_service(tmp_path: Path) -> None:
    with pytest.raises(BentofileError, match=r"ubi8 has no Python 3\.10\.") as caught:
        make(tmp_path, in_code={"distro": "ubi8", "python_version": "3.10", "given": ["distro", "python_version"]})
    assert caught.value.place and "service" in caught.value.place


def test_a_script_that_is_not_there_is_an_error_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(BentofileError, match=r"run_script of the image in code names no\.sh, which does not exist\."):
        make(tmp_path, in_code={"commands": [{"script": "no.sh"}]})
    made = make(tmp_path / "2", files={"a.sh": b"echo x\n"}, in_code={"commands": [{"script": "a.sh"}]})
    assert made.warnings == ["The script a.sh has no shebang, so sh runs it."]


def test_build_include_stays_in_the_sources(tmp_path: Path) -> None:
    with pytest.raises(BentofileError, match=r"build_include of the image in code names \.\./x, which is not in"):
        make(tmp_path, in_code={"build_include": ["../x"]})


def test_variables_of_the_service_are_in_the_image_and_its_secrets_are_mounted(tmp_path: Path) -> None:
    envs = [
        {"name": "LEVEL", "value": "two words", "stage": "all"},
        {"name": "TOKEN", "value": "", "stage": "build"},
    ]
    made = make(tmp_path, in_code={"commands": [{"run": "echo $TOKEN | wc -c"}]}, envs_in_code=envs)
    assert 'ENV LEVEL="two words"' in made[DOCKERFILE]
    (line,) = [line for line in instructions(made, BUILDKIT) if line.endswith("echo $TOKEN | wc -c")]
    assert line.startswith("RUN --mount=type=secret,id=TOKEN if [ -f /run/secrets/TOKEN ]; then TOKEN=$(cat ")
    assert 'ENV LEVEL="two words"' in make(tmp_path / "2", envs_in_code=envs)[DOCKERFILE], "without an image, too"


@pytest.mark.parametrize(
    ("command", "instruction"),
    [
        ("echo a", "RUN echo a"),
        ("--mount=type=cache,target=/x pip list", "RUN --mount=type=cache,target=/x pip list"),
        ("echo a\necho b", 'RUN ["/bin/sh", "-ec", "echo a\\necho b"]'),
        ("echo a && \\\n  echo b", 'RUN ["/bin/sh", "-ec", "echo a && \\\\\\n  echo b"]'),
        ("\n  echo a\n", "RUN echo a"),
    ],
)
def test_a_command_is_one_instruction(command: str, instruction: str) -> None:
    assert image_commands.instruction(command, []) == instruction


# The requirements


def asked(tmp_path: Path, in_code: dict[str, Any], files: dict[str, str], **params: Any) -> tuple[str, FakeContext]:
    """requirements.in of an image in code."""
    for path, text in files.items():
        (tmp_path / "context" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "context" / path).write_text(text)
    ctx = FakeContext(
        requirements,
        tmp_path / "workdir",
        params={name.replace("__", "."): value for name, value in params.items()},
        places={"service": "bentofile.yaml:1"},
        oracles={"generation": "class", "bentoml.version": "1.4.39", "python.version": "3.11"},
        inputs={"described": described_by(in_code)},
        project=tmp_path / "context",
    )
    made = follow(requirements, ctx)
    assert json.loads(made["image.json"])["lock"] == {**IMAGE_IN_CODE, **in_code}["lock"]
    return made["env/python/requirements.in"], ctx


def test_packages_files_and_a_pyproject_come_before_those_of_the_bentofile(tmp_path: Path) -> None:
    parts = [{"file": "reqs/a.txt"}, {"text": "six\nidna<4\n"}, {"pyproject": "pyproject.toml"}]
    files = {
        "reqs/a.txt": "-r b.txt\nattrs # here\n--extra-index-url https://a.example/simple\n",
        "reqs/b.txt": "toolz\n",
        "pyproject.toml": '[project]\nname = "x"\ndependencies = ["docopt>=0.6", "certifi"]\n',
    }
    text, ctx = asked(
        tmp_path,
        {"requirements": parts},
        files,
        python__packages=["zipp"],
        python__index_url="https://b.example/simple",
    )
    assert text.splitlines() == [
        *("--index-url https://b.example/simple", "--extra-index-url https://a.example/simple"),
        *("toolz", "attrs", "six", "idna<4", "docopt>=0.6", "certifi", "zipp", "bentoml==1.4.39"),
    ]
    assert {name for kind, name in ctx.discovered if kind == "file"} == {f"ctx/{path}" for path in files}


def test_files_that_are_missing_or_say_nothing_are_errors(tmp_path: Path) -> None:
    with pytest.raises(BentofileError, match=r"There is no requirement file none\.txt"):
        asked(tmp_path, {"requirements": [{"file": "none.txt"}]}, {})
    with pytest.raises(BentofileError, match=r"The image in code names pyproject\.toml, which does not exist\."):
        asked(tmp_path, {"requirements": [{"pyproject": "pyproject.toml"}]}, {})
    with pytest.raises(BentofileError, match=r"pyproject\.toml has no dependencies under \[project\]") as caught:
        asked(tmp_path, {"requirements": [{"pyproject": "pyproject.toml"}]}, {"pyproject.toml": "[project]\n"})
    assert caught.value.place == "bentofile.yaml:1"


UV_LOCK = """\
version = 1
revision = 3
requires-python = ">=3.10"

[[package]]
name = "demo"
version = "0.1.0"
source = { virtual = "." }
dependencies = [{ name = "idna" }]

[package.metadata]
requires-dist = [{ name = "idna", specifier = "<4" }]

[[package]]
name = "idna"
version = "3.6"
source = { registry = "https://pypi.org/simple" }
wheels = [{ url = "https://files.example/idna-3.6-py3-none-any.whl", hash = "sha256:HASH", size = 1 }]
"""
UV_LOCK = UV_LOCK.replace("HASH", "0" * 64)
PYPROJECT = '[project]\nname = "demo"\nversion = "0.1.0"\nrequires-python = ">=3.10"\ndependencies = ["idna<4"]\n'


def test_a_uv_lock_is_exported_and_stays_as_it_is(tmp_path: Path) -> None:
    files = {"uv.lock": UV_LOCK, "pyproject.toml": PYPROJECT}
    in_code = {"uv_lock": True, "lock": False, "requirements": [{"text": "six\n"}]}
    text, ctx = asked(tmp_path, in_code, files)
    assert text.splitlines() == ["idna==3.6", "six", "bentoml==1.4.39"]
    assert {name for kind, name in ctx.discovered if kind == "file"} == {"ctx/uv.lock", "ctx/pyproject.toml"}
    with pytest.raises(
        BentofileError, match=r"uv_lock\(\) of the image in code needs uv\.lock, which does not exist\."
    ):
        asked(tmp_path / "2", in_code, {"pyproject.toml": PYPROJECT})
    with pytest.raises(StepError, match=r"uv\.lock cannot be used for the image in code\.") as caught:
        asked(tmp_path / "3", in_code, {"uv.lock": "version = 99\n", "pyproject.toml": PYPROJECT})
    assert caught.value.detail and str(tmp_path) not in caught.value.detail


def test_the_options_that_the_lock_depends_on_are_completed_by_the_image() -> None:
    read = DictFiles(described_by({"distro": "alpine", "python_version": "3.10", "lock": False, "pack_git": False}))
    in_code = image.Image(**json.loads(read.text("image.json")))
    given = {
        "docker.python_version": "3.12",
        "python.lock_packages": True,
        "conda.pip": ["x"],
        "python.packages": ["a"],
    }
    option = image.option(given.get, in_code)
    assert (option("docker.distro"), option("docker.libc")) == ("alpine", "musl")
    for said, libc in (("distro", "gnu"), ("base_image", None)):  # of the bentofile
        more = {**given, "docker.said": said, "docker.libc": libc}
        assert image.option(more.get, in_code)("docker.libc") == libc
    assert option("docker.python_version") == "3.12"
    assert option("python.lock_packages") is option("python.pack_git_packages") is False
    assert option("conda.pip") is None and option("python.packages") == ["a"]
    rest = image.Image(**json.loads(image.for_lock(in_code)))
    assert image.option(given.get, rest)("docker.libc") == "musl"


# bento.yaml


def test_bento_yaml_has_the_commands_for_bentomls_own_containerize() -> None:
    in_code = image.Image(
        **{
            **IMAGE_IN_CODE,
            "commands": [{"packages": ["curl"]}, {"run": "echo a"}, {"script": "x.sh"}],
            "post_commands": [{"run": "echo b"}],
            "build_include": ["data"],
        }
    )
    given: dict[str, Any] = {
        "docker.system_packages": ["tree jq"],
        "docker.setup_script": "s",
        "docker.env": None,
        "labels": {},
    }
    params = {**given, **{n: image.option(given.get, in_code)(n) for n in ("docker.distro", "docker.python_version")}}
    params |= dict.fromkeys(("docker.base_image", "docker.cuda_version", "docker.dockerfile_template", "python.wheels"))
    params |= dict.fromkeys(("conda.environment_yml", "conda.channels", "conda.dependencies", "conda.pip"))
    service = {"service": "s:S", "entry_service": "S", "services": [], "schema": {}}
    info = class_info(params, service, [], {"python": "3.11", "bentoml": "1.4.39"}, "idna\n", in_code)
    script = f"./{image.script('x.sh')}"
    assert info["spec"] == 2
    assert info["image"] == {
        "base_image": "python:3.11-slim",
        "python_version": "3.11",
        "commands": [
            "apt-get update && apt-get install -q -y --no-install-recommends --allow-remove-essential ca-certificates "
            "gnupg2 bash build-essential git",
            "apt-get install -q -y --no-install-recommends curl",
            "echo a",
            f"chmod +x {script} && {script}",
            "apt-get install -q -y --no-install-recommends tree jq",
        ],
        "python_requirements": "idna\n",
        "post_commands": ["echo b", "chmod +x ./env/docker/setup_script && ./env/docker/setup_script"],
        "build_include": ["data"],
    }


def test_a_multi_line_command_runs_and_stops_at_what_fails(tmp_path: Path) -> None:
    words = json.loads(image_commands.instruction("echo a\nfalse\necho b", [])[len("RUN ") :])
    done = subprocess.run(words, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "a\n")
