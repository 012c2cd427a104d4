"""Wrong input: each mistake has its place, its sentence and its hint, its exit code, and nothing is written.

What is said lies in `fixtures/NAME.txt`, word for word; after a deliberate change of words,
`BENTOMAKE_TEST_WRITE=1 pytest tests/e2e/test_wrong_input.py` writes them anew, for `git diff` to show.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import LIGHT, LIGHT_BENTOFILE, LIGHT_SERVICE, SCRIPT, Project, Run, World, hand_over, world_of_a_user

pytestmark = pytest.mark.real

FIXTURES = Path(__file__).parent / "fixtures"
SERVICE = 'service: "service:Light"\n'


def bomb() -> str:
    """A few lines that stand for a thousand million values."""
    lines = ["  a: &a [x, x, x, x, x, x, x, x, x, x]"]
    for name, before in zip("bcdefghi", "abcdefgh", strict=True):
        lines.append(f"  {name}: &{name} [{', '.join([f'*{before}'] * 10)}]")
    return "\n".join(lines) + "\n"


BENTOFILES = {
    "empty": "",
    "yaml_error": SERVICE + 'include: ["*.py"\nexclude: []\n',
    "two_documents": SERVICE + "---\n" + SERVICE,
    "list_at_the_top": '- service: "service:Light"\n',
    "unknown_key": SERVICE + "lables:\n  team: a\n",
    "unknown_key_in_a_section": SERVICE + "python:\n  package:\n    - idna\n",
    "unknown_key_in_a_list": SERVICE + 'models:\n  - tag: "a:b"\n    alais: c\n',
    "include_as_a_string": SERVICE + 'include: "*.py"\n',
    "packages_as_a_string": SERVICE + "python:\n  packages: idna\n",
    "labels_as_a_list": SERVICE + "labels:\n  - team: a\n",
    "python_version_unquoted": SERVICE + "docker:\n  python_version: 3.10\n",
    "unknown_distro": SERVICE + "docker:\n  distro: debain\n",
    "include_leaves_the_context": SERVICE + 'include:\n  - "*.py"\n  - ../x\n',
    "alias_bomb": SERVICE + "args:\n" + bomb(),
    "python_object": SERVICE + 'args:\n  a: !!python/object/apply:os.system ["touch gotcha"]\n',
    "several_at_once": 'include: "*.py"\nnaem: x\ndocker:\n  python_version: 3.10\n',
    "module_not_packed": SERVICE + "include:\n  - data.txt\npython:\n  lock_packages: false\n",
}


@pytest.fixture
def light(bentoml14: str, tmp_path: Path) -> Project:
    return World(tmp_path, bentoml14).project("light", LIGHT)


def test_a_time_that_is_no_number(light: Project) -> None:
    run = light.run(env={"SOURCE_DATE_EPOCH": "noon"})
    assert run.code == 2 and "error: SOURCE_DATE_EPOCH is 'noon', which is no number of seconds.\n" in run.stderr
    assert light.world.bentos() == []


@pytest.mark.parametrize("name", BENTOFILES)
def test_a_wrong_bentofile(name: str, light: Project) -> None:
    light.write("bentofile.yaml", BENTOFILES[name])
    check(light, light.run("-q"), name, code=2)
    assert not (light / "gotcha").exists()


def test_no_bentofile(light: Project) -> None:
    (light / "bentofile.yaml").unlink()
    (light / "service.py").rename(light / "svc.py")  # which bentoml 1.4 would not take by itself
    check(light, light.run("-q"), "no_bentofile", code=2)


COMMANDS = {
    "no_such_target": ["locc"],
    "no_such_bentofile": ["-f", "other.yaml"],
    "no_such_directory": ["-C", "elsewhere"],
    "no_such_locker": ["--locker", "poetry"],
    "no_such_python": ["--python", "./python"],
    "label_without_a_value": ["--label", "team"],
    "two_contexts": ["-f", "bentofile.yaml", ".", "../light"],
    "version_that_is_none": ["--version", "1 0"],
    "version_latest": ["--version", "latest"],
    "name_that_is_none": ["--name", "my model"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_wrong_command_line(name: str, light: Project) -> None:
    check(light, light.run("build", "-q", *COMMANDS[name]), name, code=2)


def test_an_option_that_is_none(light: Project) -> None:
    run = light.run("build", "--explian")
    assert run.code == 2 and "--explain" in run.stderr and "hint: bentomake build --help" in run.stderr


def test_the_tools_version_takes_no_argument(light: Project) -> None:
    check(light, light.run("--version", "1.0"), "version_of_the_tool", code=2)


def test_what_check_cannot_find(light: Project) -> None:
    check(light, light.run("check", "locc"), "nothing_to_check", code=2)


def test_a_python_without_bentoml(light: Project, tmp_path: Path) -> None:
    import venv

    venv.create(tmp_path / "bare", symlinks=True)
    check(light, light.run("-q", "--python", str(tmp_path / "bare")), "python_without_bentoml", code=2)


def test_no_python_with_bentoml(light: Project) -> None:
    del light.world.env["BENTOMAKE_PYTHON"]
    run = light.run("-q")
    assert run.code == 2 and run.stderr.startswith("error: No Python with bentoml was found; looked at ")
    assert "\n  hint: Name the one that runs your service with --python PATH or BENTOMAKE_PYTHON" in run.stderr


# Warnings


@pytest.mark.parametrize(
    ("pattern", "name"), [("./data.txt", "pattern_with_a_dot"), ("nothing/*.csv", "pattern_without_files")]
)
def test_a_pattern_that_matches_nothing_is_a_warning_that_says_why(pattern: str, name: str, light: Project) -> None:
    light.edit("bentofile.yaml", "- data.txt", f'- "{pattern}"')
    run = light.make().good()
    said = run.stderr.partition("  sources ")[0]
    compare(light, said, name)
    assert "".join(f"{line}\n" for line in run.json["warnings"]) == said
    again = light.run().good()
    assert again.stderr.startswith(said), "a warning is said again when nothing runs"
    assert light.run().good().stderr.startswith(said), "by fresh too"


def test_a_file_that_the_service_looks_at_but_is_not_packed_is_a_warning(light: Project) -> None:
    light.write("service.py", "open('words.json').close()\nimport more.inner\n" + LIGHT_SERVICE)
    light.write("words.json", "{}")
    light.write("more/inner.py", "")
    light.write(".bentoignore", "more/\n")
    run = light.make().good()
    compare(light, run.stderr.partition("  sources ")[0], "looked_at_but_not_packed")


# A step fails


SERVICES = {
    "module_missing": (LIGHT_SERVICE, "servce:Light"),
    "attribute_missing": (LIGHT_SERVICE, "service:Ligth"),
    "not_a_service": ("Light = 3\n", "service:Light"),
    "no_service": ("import bentoml\n", "service"),
    "import_raises": ("def load():\n    raise ValueError('no weights')\n\n\nload()\n", "service:Light"),
    "syntax_error": ("def (:\n", "service:Light"),
    "package_missing": ("import nonexistent_package_of_ours\n", "service:Light"),
    "import_exits": ("import sys\n\nsys.exit(3)\n", "service:Light"),
    "import_ends_the_process": ("import os\n\nos._exit(4)\n", "service:Light"),
    "import_hangs": ("import time\n\nprint('loading', flush=True)\ntime.sleep(600)\n", "service:Light"),
    "model_missing": ("import bentoml\n\nbentoml.models.get('nope:latest')\n" + LIGHT_SERVICE, "service:Light"),
    "import_writes_a_model": (
        "import bentoml\n\nwith bentoml.models.create('made:one'):\n    pass\n" + LIGHT_SERVICE,
        "service:Light",
    ),
}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_that_cannot_be_imported(name: str, light: Project) -> None:
    text, service = SERVICES[name]
    light.write("service.py", text)
    light.edit("bentofile.yaml", "service:Light", service)
    limit = ["--import-timeout", "4"] if name == "import_hangs" else []
    check(light, light.run("-q", *limit), name, code=1)


def test_a_declared_model_that_is_missing(light: Project) -> None:
    light.write("bentofile.yaml", LIGHT_BENTOFILE + 'models:\n  - "nope:latest"\n')
    check(light, light.run("-q"), "declared_model_missing", code=1)


def test_a_lock_that_fails_is_told_in_the_resolvers_words(light: Project) -> None:
    light.edit("bentofile.yaml", "  lock_packages: false\n", "")
    light.edit("bentofile.yaml", "- idna", "- idna==99.9")
    run = light.run("-q")
    assert "idna==99.9" in "".join(line for line in run.stderr.splitlines() if line.startswith("  | "))
    words = [line for line in run.stderr.splitlines() if not line.startswith("  | ")]
    check(light, Run(run.argv, run.code, run.stdout, "\n".join(words) + "\n"), "lock_fails", code=1)


@pytest.fixture
def someone(bentoml14: str) -> Iterator[Project]:
    with world_of_a_user(bentoml14) as world:
        project = world.project("light", LIGHT)
        hand_over(world)
        yield project


def test_a_store_that_cannot_be_written(someone: Project) -> None:
    someone.world.home.chmod(0o555)
    check(someone, someone.run("-q"), "store_not_writable", code=1)
    someone.world.home.chmod(0o755)
    someone.run("-q").good()
    assert len(someone.world.bentos()) == 1


def test_a_cache_that_cannot_be_written_is_survived(someone: Project) -> None:
    someone.world.cache.chmod(0o555)
    run = someone.make().good()
    assert run.stderr.startswith(f"warning: The cache {someone.world.cache} cannot be used (")
    assert run.path.exists()


SLEEPS = """\
import os, time
with open("../writing", "w") as file:
    file.write(str(os.getpid()))
os.rename("../writing", "../started")
time.sleep(600)
"""


def test_ctrl_c_while_the_service_is_imported(light: Project) -> None:
    light.write("service.py", SLEEPS)
    started = light.world.directory / "started"
    run = light.world.command([SCRIPT, "-q"], light.directory, interrupt_when=started)
    check(light, run, "interrupted", code=130)
    until = time.monotonic() + 60
    while lives(int(started.read_text())):
        assert time.monotonic() < until, "the import outlived its build"
        time.sleep(0.05)
    light.write("service.py", LIGHT_SERVICE)
    light.run("-q").good()
    assert len(light.world.bentos()) == 1


def lives(process: int) -> bool:
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True)
    return shown.stdout.strip()[:1] not in ("", "Z")


def check(project: Project, run: Run, name: str, code: int) -> None:
    """The exit code, the very words, and that nothing was written where the user would see it."""
    assert run.code == code, run.stderr
    assert run.stdout == ""
    assert "Traceback" not in run.stderr
    compare(project, run.stderr, name)
    assert project.world.bentos() == []
    left = [path for path in project.world.home.rglob("*") if path.is_file()]
    assert left == []
    assert not list(project.directory.rglob("__pycache__"))


def compare(project: Project, text: str, name: str) -> None:
    """What was said is what the fixture has; DIR stands for the world's directory, PYTHON for the interpreter."""
    python = project.world.python or "-"
    text = text.replace(str(project.world.directory / "python" / "bin" / "python"), "PYTHON").replace(python, "PYTHON")
    text = text.replace(str(project.world.directory), "DIR")
    fixture = FIXTURES / f"{name}.txt"
    if os.environ.get("BENTOMAKE_TEST_WRITE"):
        fixture.write_text(text)
    assert text == fixture.read_text()
