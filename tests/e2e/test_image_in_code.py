"""Users who describe the image in code, or write no bentofile at all: what is built, and what an edit costs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import ALL, LIGHT_SERVICE, Project, World

pytestmark = pytest.mark.real
SERVICE = """\
import bentoml

image = (
    bentoml.images.Image(python_version="3.11", lock_python_packages=False)
    .system_packages("curl", "jq")
    .run("echo first >/opt/first")
    .requirements_file("reqs.txt")
    .pyproject_toml("pyproject.toml")
    .python_packages("six", "toolz")
    .run("echo after >/opt/after")
    .build_include("data")
)
VARIABLES = [{"name": "LEVEL", "value": "high"}]


@bentoml.service(image=image, envs=VARIABLES)
class Light:
    @bentoml.api
    def double(self, x: int) -> int:
        return 2 * x
"""
WITH_SCRIPT = SERVICE.replace('.run("echo after', '.run_script("setup.sh")\n    .run("echo after')
FILES = {
    "service.py": SERVICE,
    "bentofile.yaml": 'service: "service:Light"\n',
    "reqs.txt": "idna==3.6  # here\n",
    "pyproject.toml": '[project]\nname = "x"\nversion = "1"\ndependencies = ["docopt>=0.6"]\n',
    "data/x.txt": "x\n",
    "setup.sh": "#!/bin/sh\necho script >/opt/script\n",
    "notes.md": "nothing looks at it\n",
}
SCRIPT = "script__[0-9a-f]{32}"


@pytest.fixture
def world(bentoml14: str, tmp_path: Path) -> Iterator[World]:
    yield World(tmp_path / "world", bentoml14)


def real_build(project: Project, *args: str) -> Path:
    """The directory of the Bento that the real bentoml makes of the project, in a store of its own."""
    home = project.world.directory / "real"
    home.mkdir(exist_ok=True)
    python = project.world.python
    assert python is not None
    path = {"PATH": f"{Path(python).parent}:{project.world.env['PATH']}"}  # it starts uv
    run = project.world.bentoml(
        "build", "-o", "tag", *args, cwd=project.directory, env={"BENTOML_HOME": str(home), **path}
    )
    tag = re.search(r"__tag__:(\S+)", run.good().stdout)
    assert tag is not None
    name, _, version = tag[1].partition(":")
    return home / "bentos" / name / version


def bento_yaml(bento: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((bento / "bento.yaml").read_text())
    return found


def alike(image: dict[str, Any]) -> dict[str, Any]:
    """What is the same in both: the first command once, one way to say apt-get, no machine in a script's name."""
    commands = [
        re.sub(r"-o Dpkg::Options::=--force-confdef|(?<=-y) --no-install-recommends(?! --allow)", "", command)
        for command in dict.fromkeys(image["commands"])
    ]
    image["commands"] = [re.sub(r"\s+", " ", command) for command in commands]
    image["python_requirements"] = sorted(re.sub(r"#.*", "", image["python_requirements"]).split())
    return image


def without_place(value: Any) -> Any:
    return yaml.safe_load(re.sub(SCRIPT, "script__", yaml.safe_dump(value)))


def test_it_is_what_the_real_build_makes(world: World) -> None:
    project = world.project("light", FILES)
    real = real_build(project)
    run = project.make().good()
    theirs, ours = bento_yaml(real), bento_yaml(run.path)
    assert alike(ours["image"]) == alike(theirs["image"])
    for key in ("spec", "service", "entry_service", "envs", "services", "schema", "labels"):
        assert ours[key] == theirs[key], key
    for path in ("env/python/requirements.in", "env/python/requirements.txt"):
        asked = [re.sub(r"\s+#.*", "", line) for line in (real / path).read_text().splitlines()]
        assert (run.path / path).read_text().splitlines() == asked
    assert (run.path / "src/data/x.txt").read_text() == "x\n"
    dockerfile = (run.path / "env/docker/Dockerfile").read_text()
    for line in ("RUN echo first >/opt/first", "RUN echo after >/opt/after", 'ENV LEVEL="high"', "src/data ./src/data"):
        assert line in dockerfile


@pytest.mark.parametrize("locked", [True, False])
def test_the_bentofile_counts_more_as_in_the_real_build(locked: bool, world: World) -> None:
    """But for what the real one does not see through: its image is that of the code, with another Python in it."""
    service = SERVICE.replace("lock_python_packages=False", "").replace('    .run("echo after >/opt/after")\n', "")
    bentofile = (
        'service: "service:Light"\n'
        'docker: {python_version: "3.12", system_packages: [tree], setup_script: setup.sh}\n'
        f"python: {{packages: [zipp], lock_packages: {str(locked).lower()}}}\n"
    )
    project = world.project("light", {**FILES, "service.py": service, "bentofile.yaml": bentofile})
    theirs = alike(bento_yaml(real_build(project))["image"])
    run = project.make().good()
    ours = alike(bento_yaml(run.path)["image"])
    assert (theirs["base_image"], ours["base_image"]) == ("python:3.11-slim", "python:3.12-slim")
    assert theirs["python_version"] == ours["python_version"] == "3.12"
    assert ours["commands"] == theirs["commands"]
    assert ours["build_include"] == theirs["build_include"] == ["data"]
    (theirs_,) = theirs["post_commands"]
    assert re.sub(SCRIPT, "setup_script", theirs_) == ours["post_commands"][0]
    named = ("idna==", "six", "toolz", "docopt", "zipp")
    for image in (theirs, ours):
        assert all(any(line.startswith(name) for line in image["python_requirements"]) for name in named)
    assert (
        "warning: bentofile.yaml:2: docker.python_version is 3.12, so the python_version of the image in code (3.11) "
        "is not used.\n  hint: Write it in one place.\n"
    ) in run.stderr


def test_each_edit_reaches_what_depends_on_it_and_nothing_else(world: World) -> None:
    project = world.project("light", {**FILES, "service.py": WITH_SCRIPT})
    first = project.make().good()
    assert first.ran == ALL
    script = next((first.path / "env/docker").glob("script__*"))
    assert script.read_text() == FILES["setup.sh"] and script.stat().st_mode & 0o111

    project.edit("setup.sh", "echo script", "echo another script")
    project.edit("bentofile.yaml", "\n", '\nexclude: ["setup.sh", "notes.md", "reqs.txt", "pyproject.toml"]\n')
    project.make().good()  # from here on the files are no sources, so that only the image wants them
    project.edit("setup.sh", "another", "yet another")
    assert project.make().good().ran == {"dockerfile", "bento"}

    project.edit("reqs.txt", "# here", "# there")
    assert project.make().good().ran == {"requirements"}
    project.edit("reqs.txt", "3.6", "3.7")
    assert project.make().good().ran == {"requirements", "commits", "lock", "bento"}
    project.edit("pyproject.toml", "docopt>=0.6", "docopt>=0.5")
    assert project.make().good().ran == {"requirements", "commits", "lock", "bento"}

    project.edit("service.py", "return 2 * x", "return x + x")
    assert project.make().good().ran == {"sources", "service", "bento"}
    project.edit("service.py", "echo first", "echo one")
    assert project.make().good().ran >= {"sources", "service", "described", "dockerfile", "bento"}
    assert project.make().states["lock"] == "cached"
    project.edit("service.py", '"high"', '"low"')
    run = project.make().good()
    assert "lock" not in run.ran and 'ENV LEVEL="low"' in (run.path / "env/docker/Dockerfile").read_text()
    project.write("notes.md", "not packed, and nothing looks at it\n")
    assert project.make().good().ran == set()


def test_a_command_that_changes_spares_the_lock(world: World) -> None:
    project = world.project("light", FILES)
    project.make().good()
    project.edit("service.py", "echo first", "echo one")
    run = project.make().good()
    assert "requirements" in run.ran and not {"commits", "lock"} & run.ran


def test_where_the_project_lies_does_not_matter(world: World) -> None:
    files = {
        **FILES,
        "service.py": SERVICE.replace('.run("echo after', '.run_script("setup.sh")\n    .run("echo after'),
    }
    first = world.project("here", files).make().good()
    again = world.project("there", files).make().good()
    assert again.tag == first.tag and again.ran == set()


def test_a_file_that_the_image_does_not_account_for_counts_as_looked_at(world: World) -> None:
    """Somebody takes what was read into something else: then the text itself is what the service has read."""
    service = SERVICE.replace(
        "VARIABLES =", "image.python_requirements = image.python_requirements.upper()\nVARIABLES ="
    )
    project = world.project("light", {**FILES, "service.py": service})
    first = project.make().good()
    assert "IDNA==3.6" in (first.path / "env/python/requirements.in").read_text()
    project.edit("reqs.txt", "3.6", "3.7")
    run = project.make().good()
    assert "service" in run.ran and "IDNA==3.7" in (run.path / "env/python/requirements.in").read_text()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            '.build_include("data")',
            '.build_include("data", "none")',
            "error: bentofile.yaml: build_include of the image in code names none, which is not packed.\n"
            '  hint: Add "/none" to `include`, and see that no `exclude` pattern or .bentoignore removes it.',
        ),
        (
            '.requirements_file("reqs.txt")',
            '.requirements_file("none.txt")',
            "error: service.py:7: Importing service:Light raised FileNotFoundError: file none.txt not found",
        ),
        (
            'Image(python_version="3.11"',
            'Image(python_version="3.10", distro="ubi8"',
            "error: bentofile.yaml:1: ubi8 has no Python 3.10.\n"
            "  hint: ubi8 has Python 3.8, 3.9, 3.11, 3.12; Python 3.10 is on debian, alpine.",
        ),
    ],
)
def test_what_is_wrong_is_said(old: str, new: str, said: str, world: World) -> None:
    assert old in SERVICE
    run = world.project("light", {**FILES, "service.py": SERVICE.replace(old, new)}).make()
    assert run.code and "Traceback" not in run.stderr
    assert said in run.stderr


# No service in the bentofile, or no bentofile


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({"bentofile.yaml": "python: {lock_packages: false}\nname: mine\n"}, "mine"),
        ({"bentofile.yaml": 'service: ""\npython: {lock_packages: false}\n'}, "light"),
        ({"pyproject.toml": '[project]\nname = "mine"\ndependencies = ["idna==3.6"]\n'}, "mine"),
        ({}, "light"),
    ],
    ids=["no-service", "empty", "pyproject-without-table", "no-bentofile"],
)
def test_service_py_is_the_service_where_none_is_named(files: dict[str, str], name: str, world: World) -> None:
    project = world.project("light", {"service.py": LIGHT_SERVICE, **files})
    real = real_build(project)
    run = project.make().good()
    theirs, ours = bento_yaml(real), bento_yaml(run.path)
    assert run.tag.startswith(f"{name}:") and ours["name"] == theirs["name"] == name
    assert ours["service"] == theirs["service"] == "service:Light"
    told = [re.sub(r"==.*", "", line) for line in (real / "env/python/requirements.in").read_text().split()]
    assert [re.sub(r"==.*", "", line) for line in (run.path / "env/python/requirements.in").read_text().split()] == told
    assert project.make().ran == set()
    project.edit("service.py", "2 * x", "x * 2")
    assert "service" in project.make().good().ran


def test_a_pyproject_beside_it_may_name_the_service(world: World) -> None:
    files = {
        "service.py": LIGHT_SERVICE.replace("Light", "Wrong"),
        "other.py": LIGHT_SERVICE,
        "bentofile.yaml": "python: {lock_packages: false}\n",
        "pyproject.toml": '[tool.bentoml.build]\nservice = "other:Light"\n',
    }
    project = world.project("light", files)
    assert bento_yaml(real_build(project))["service"] == "other:Light"
    assert bento_yaml(project.make().good().path)["service"] == "other:Light"


def test_a_bentofile_that_comes_later_is_read(world: World) -> None:
    project = world.project("light", {"service.py": LIGHT_SERVICE})
    assert project.make().good().tag.startswith("light:")
    project.write("bentofile.yaml", "name: mine\n")
    assert project.make().good().tag.startswith("mine:")


def test_without_a_service_py_one_has_to_be_named(world: World) -> None:
    project = world.project("light", {"bentofile.yaml": "name: mine\n", "svc.py": LIGHT_SERVICE})
    run = project.make()
    assert run.code == 2
    assert (
        "error: bentofile.yaml: service is missing (the service to pack: `module:attribute`).\n"
        '  hint: Write service: "service:svc", or call its file service.py.\n'
    ) in run.stderr
    assert project.run("check").code == 2


def test_bentoml_1_1_wants_it_named(bentoml11: str, tmp_path: Path) -> None:
    world = World(tmp_path / "world", bentoml11)
    runner = "import bentoml\nfrom bentoml.io import Text\nsvc = bentoml.Service('light')\n"
    project = world.project("light", {"service.py": runner, "bentofile.yaml": "name: mine\n"})
    run = project.make()
    assert run.code == 2
    assert (
        "error: bentofile.yaml: service is missing (the service to pack: `module:attribute`).\n"
        '  hint: Write service: "service:svc"\n'
    ) in run.stderr
    (project / "bentofile.yaml").unlink()
    run = project.make()
    assert run.code == 2 and f"error: There is no bentofile.yaml in {project.directory}.\n" in run.stderr
