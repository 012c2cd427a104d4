"""Which steps an option reaches: edit one, and exactly these run; the explanation names it with its line."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harness import LIGHT_SERVICE, Project, Run, World

from bentomake.bento import schema

pytestmark = pytest.mark.real
FILES = {
    **{
        "service.py": LIGHT_SERVICE,
        "other.py": LIGHT_SERVICE.replace("2 * x", "3 * x"),
        "a.txt": "a",
        "b.txt": "b",
        "src/inner.py": "",
    },
    **{"a.sh": "#!/bin/sh\n", "b.sh": "#!/bin/bash\n", "a.req": "idna\n", "b.req": "six\n"},
    **{
        "a.yml": "channels: [conda-forge]\ndependencies: [a]\n",
        "b.yml": "channels: [conda-forge]\ndependencies: [b]\n",
    },
    **{"a.env": "A=b\n", "b.env": "A=c\n"},
    **{"a.tpl": "{% extends bento_base_template %}\n", "b.tpl": "{% extends bento_base_template %}\n# b\n"},
}
SAVE = """
import bentoml
from bentoml._internal.models.model import ModelContext
context = ModelContext(framework_name="none", framework_versions={})
for name in [f"m:v{number}" for number in range(1, 7)]:
    labels = {"v": name[-1], "all": "x"}
    with bentoml.models.create(name, module="none", signatures={}, context=context, labels=labels): pass
"""
IMAGE = {"dockerfile", "bento"}
WHENCE = {"requirements", "commits", "sdists", "lock", "dockerfile", "bento"}  # where packages come from

# option → (before, after, the steps that run); a form of it stands in brackets. No two rows say the same: it is cached.
TABLE: dict[str, tuple[str, str, set[str]]] = {
    "service": ("service:Light", "other:Light", {"service", "described", "openapi", "models", "bento"}),
    "name": ("one", "two", {"bento"}),
    "description": ("One.", "Two.", {"bento"}),
    "labels": ("{a: b}", "{a: c}", {"bento"}),
    "include": ('["*.py"]', '["*.py", "a.txt"]', {"sources", "bento"}),
    "exclude": ('["a.txt"]', '["b.txt"]', {"sources", "bento"}),
    "models": ('["m:v1"]', '["m:v2"]', {"models", "bento"}),
    "models (mapping)": ('[{tag: "m:v3"}]', '[{tag: "m:v4"}]', {"models", "bento"}),
    "models[].tag": ('[{tag: "m:v1", alias: a}]', '[{tag: "m:v2", alias: a}]', {"service", "models", "bento"}),
    "models[].filter": (
        '[{tag: "m:latest", filter: "label:v=5"}]',
        '[{tag: "m:latest", filter: "label:v=6"}]',
        {"models", "bento"},
    ),
    "models[].alias": ('[{tag: "m:v1", alias: a}]', '[{tag: "m:v1", alias: b}]', {"service", "models", "bento"}),
    "envs": ("[{name: A, value: b}]", "[{name: A, value: c}]", IMAGE),
    "envs[].name": ("[{name: A, value: b}]", "[{name: B, value: b}]", IMAGE),
    "envs[].value": ("[{name: A}]", "[{name: A, value: d}]", IMAGE),
    "envs[].stage": ("[{name: A, stage: all}]", "[{name: A, stage: build}]", IMAGE),
    "args": ("{a: 1}", "{a: 2}", {"service", "bento"}),
    "docker.distro": ("debian", "alpine", {"lock", *IMAGE}),
    "docker.python_version": ('"3.11"', '"3.12"', {"lock", "dockerfile", "bento"}),
    "docker.cuda_version": ('"12.1"', '"12.6"', IMAGE),
    "docker.env": ("{A: b}", "{A: c}", IMAGE),
    "docker.env (list)": ('["A=d"]', '["A=e"]', IMAGE),
    "docker.env (file)": ("a.env", "b.env", IMAGE),
    "docker.system_packages": ("[git]", "[git, curl]", IMAGE),
    "docker.setup_script": ("a.sh", "b.sh", IMAGE),
    "docker.base_image": ('"python:3.11"', '"python:3.12"', IMAGE),
    "docker.dockerfile_template": ("a.tpl", "b.tpl", IMAGE),
    "python.requirements_txt": ("a.req", "b.req", {"requirements", "commits", "lock", "bento"}),
    "python.packages": ("[idna]", "[attrs]", {"requirements", "commits", "lock", "bento"}),
    "python.lock_packages": ("false", "true", {"requirements", "commits", "lock", "bento"}),
    "python.pack_git_packages": ("true", "false", {"commits"}),
    "python.index_url": ('"https://a.example/simple"', '"https://b.example/simple"', WHENCE),
    "python.no_index": ("false", "true", WHENCE),
    "python.trusted_host": ("a.example", "b.example", WHENCE),
    "python.find_links": ('"https://a.example/"', '"https://b.example/"', WHENCE),
    "python.extra_index_url": ('"https://a.example/simple"', '"https://b.example/simple"', WHENCE),
    "python.pip_args": ("--pre", "--no-deps", {"lock", *IMAGE}),
    "python.is_src_layout": ("false", "true", {"sources", "service", "bento"}),
    "conda.environment_yml": ("a.yml", "b.yml", IMAGE),
    "conda.channels": ("[conda-forge]", "[bioconda]", IMAGE),
    "conda.dependencies": ("[numpy]", "[scipy]", IMAGE),
    "conda.pip": ("[idna]", "[six]", IMAGE),
}
FILE_BY_FILE = {"include", "exclude"}  # the explanation names each file that came or went
ELSEWHERE = {"python.wheels"}  # tested where wheels are built


def test_every_option_is_in_the_table() -> None:
    assert {name.partition(" (")[0] for name in TABLE} | ELSEWHERE == {field.name for field in schema.FIELDS}


@pytest.fixture(scope="module")
def project(bentoml14: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    world = World(tmp_path_factory.mktemp("options"), bentoml14)
    world.command([bentoml14, "-c", SAVE]).good()
    made = world.project("light", FILES)
    yield made


def written(option: str) -> str:
    """The option that stands in the bentofile: of `models[].tag`, and of a form, the one that holds it."""
    return option.partition(" (")[0].partition("[]")[0]


def bentofile(option: str, value: str) -> tuple[str, int]:
    """A bentofile where only that option is written, beside what a quick build needs; and the option's line."""
    option = written(option)
    lines = [] if option == "service" else ['service: "service:Light"']
    section, _, key = option.rpartition(".")
    if section != "python":
        lines.append("python: {lock_packages: false}")
    if section:
        lines.append(f"{section}:")
        if section == "python" and key != "lock_packages":
            lines.append("  lock_packages: false")
        if option == "conda.channels":
            lines.append("  dependencies: [numpy]")
    lines.append(f"{'  ' if section else ''}{key}: {value}")
    return "\n".join(lines) + "\n", len(lines)


@pytest.mark.parametrize("option", TABLE)
def test_exactly_the_steps_that_an_option_reaches_run(option: str, project: Project) -> None:
    before, after, steps = TABLE[option]
    world = project.world
    place = world.directory / "bentofile.yaml"  # outside of the context, so that it is no source itself

    def make(text: str) -> Run:
        place.write_text(text)
        return world.run("build", "-f", "bentofile.yaml", "light", "-o", "json").good()

    make(bentofile(option, before)[0])
    text, line = bentofile(option, after)
    run = make(text)
    assert run.ran == steps
    told = world.run("explain").good().stdout
    if steps and option not in FILE_BY_FILE:
        assert f"  because bentofile.yaml:{line} {written(option)} changed" in told
    assert make(text).ran == set()
