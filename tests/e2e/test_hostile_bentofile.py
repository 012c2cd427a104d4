"""A stranger's bentofile: an error in seconds and bounded memory, and nothing of this machine gets into a Bento."""

from __future__ import annotations

import resource
import subprocess
from pathlib import Path

import pytest
from harness import LIGHT_SERVICE, SCRIPT, World

START = 'service: "service:svc"\n'
BOMB = START + "args:\n  a0: &a0 [x]\n" + "".join(
    f"  a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 40)}]\n" for i in range(1, 40)
)  # fmt: skip
MEBIBYTE = 1 << 20
HOSTILE = {
    "an alias bomb": (BOMB, "The aliases of this file stand for more than 10,000 values."),
    "100 MB": (START + "#" + "x" * (100 * MEBIBYTE), "The file has more than 1 MiB: that is no bentofile."),
    "deep nesting": (START + "args: " + "[" * 400_000, "Lists and mappings are nested more than 50 levels deep."),
    "an object of Python": (
        START + "args: !!python/object/apply:os.system [touch pwned]\n",
        "The YAML tag `!!python/object/apply:os.system` is not allowed in a bentofile.",
    ),
    "a huge number": (START + "args: {a: " + "9" * 500_000 + "}\n", "looks like a number to YAML, but is none."),
    "many wrong keys": (START + "".join(f"k{i}: 1\n" for i in range(30_000)), "k0 is not an option of a bentofile."),
    "many patterns": (START + "include:\n" + "- ../a\n" * 100_000, "leaves the build context"),
    "a pattern that backtracks": (START + 'include: ["' + "*a" * 5000 + '"]\n', "matches no file."),
    "a pattern of a megabyte": (
        START + 'include: ["' + "*a" * 450_000 + '"]\n',
        "bentofile.yaml:2: A pattern in include has more than 10,000 characters: no path is as long.",
    ),
    "a name of a megabyte": (START + "name: " + "a" * 900_000 + "\n", "name cannot be"),
    "a package of a megabyte": (
        START + "python: {packages: [" + "a-" * 450_000 + "]}\n",
        "A requirement has more than 10,000 characters in one line.",
    ),
    "a label that ends the terminal": (START + 'labels: {"\\e[2J": [1]}\n', "must be a string, not a list"),
}
HOLLOW = [  # what an expression with two neighbours that take the same tries in the square of its length, or worse
    "bentoml==" + "!" * 60 + "@",
    "bentoml" + " " * 9_900 + "x",
    "bentoml=1" + " " * 9_900 + "@",
    "numpy" + " " * 9_900 + "x",
    "a" + " " * 9_900 + "@",
    "a[b" + " " * 9_900 + "]@",
    "a @ git+https://h/" + "@a" * 4_000 + "#a" + " " * 900 + "x",
    "numpy; " + "(" * 9_900,
    "bentoml==" + "1" * 9_900,
    "-e" + " " * 9_900 + "https",
    "-r" + " " * 9_900 + "more.txt",
    "-" * 9_900,
    "--index-url https://" + ":" * 4_900 + "]" + ":" * 4_900,
]
LIMIT = 1 << 30  # bytes of address space; a bomb wants far more


def bounded(world: World, directory: Path, *argv: str) -> tuple[int, str]:
    """A command with little memory and time: its exit code, and what it told."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
        resource.setrlimit(resource.RLIMIT_CPU, (30, 30))

    done = subprocess.run(
        [SCRIPT, *argv], cwd=directory, env=world.env, capture_output=True, text=True, timeout=600, preexec_fn=limit
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("name", HOSTILE)
def test_it_gets_an_error_in_little_time_and_memory(name: str, tmp_path: Path) -> None:
    text, said = HOSTILE[name]
    project = World(tmp_path, None).project("hostile", {"service.py": "", "bentofile.yaml": text})
    code, told = bounded(project.world, project.directory, "check")
    assert "Traceback" not in told and "MemoryError" not in told
    assert code == 2 and said in told, told[-2000:]
    assert "\x1b" not in told
    assert not (project / "pwned").exists()
    assert len(told) < 200_000


PATTERNS = {
    "stars": "*" + "a*" * 30 + "b",
    "stars for long": "*a" * 5_000 + "b",
    "directories": "**/" + "a/**/" * 30 + "b",
    "stars in directories": "**/" + "*a*/**/*a*/" * 10 + "b",
    "classes": "*[!b]" * 30 + "b",
    "questions": "*?" * 100 + "b",
    "stars that match": "*a" * 30 + "*",
}
LONG_NAMES = dict.fromkeys(["a" * 200, "a/" * 90 + "a", ("a" * 30 + "/") * 6 + "a"], "")


@pytest.mark.parametrize("name", PATTERNS)
@pytest.mark.parametrize("option", ["include", "exclude", ".bentoignore"])
def test_no_pattern_makes_matching_long(option: str, name: str, tmp_path: Path) -> None:
    pattern = PATTERNS[name]
    text = START + ("" if option == ".bentoignore" else f'{option}: ["{pattern}", "!c", "service.py", "{pattern}c"]\n')
    files = {"service.py": "", "bentofile.yaml": text, ".bentoignore": "", **LONG_NAMES}
    if option == ".bentoignore":
        files[".bentoignore"] = f"{pattern}\n!c\n/{pattern}\n"
    project = World(tmp_path, None).project("hostile", files)
    code, told = bounded(project.world, project.directory, "check")
    assert code in (0, 2) and "Traceback" not in told, told[-2000:]


def test_no_requirement_makes_reading_long(tmp_path: Path) -> None:
    """What is wrong with them is said by whoever reads them; here each is a line, and an item of the bentofile."""
    files = {"service.py": "", "requirements.txt": "\n".join(HOLLOW), "more.txt": "\n".join(HOLLOW)}
    packages = START + "python:\n  packages:\n" + "".join(f"    - '{line}'\n" for line in HOLLOW)
    for text in (START + "python: {requirements_txt: requirements.txt}\n", packages):
        project = World(tmp_path, None).project("hostile", {**files, "bentofile.yaml": text})
        code, told = bounded(project.world, project.directory, "check")
        assert code in (0, 2) and "Traceback" not in told, told[-2000:]


LONG_LINES = [
    "numpy" + " " * 200_000 + "x",
    "a" + " " * 50_000 + "@",
    "-e" + " " * 100_000 + "https",
    "bentoml" + " " * 20_000 + "x",
]


@pytest.mark.parametrize("line", LONG_LINES, ids=["numpy", "a", "editable", "bentoml"])
def test_a_requirement_line_has_an_end(line: str, tmp_path: Path) -> None:
    """It is an error with its place; so it is no matter what a name, a URL or a version of that length would be."""
    world = World(tmp_path, None)
    of_file = {"bentofile.yaml": START + "python: {requirements_txt: requirements.txt}\n"}
    of_item = {"bentofile.yaml": START + f"python:\n  packages:\n    - idna\n    - '{line}'\n"}
    for place, files in {"requirements.txt:2": of_file, "bentofile.yaml:5": of_item}.items():
        project = world.project("hostile", {"service.py": "", "requirements.txt": f"idna\n{line}\n", **files})
        code, told = bounded(project.world, project.directory, "check")
        assert code == 2, told[-2000:]
        assert f"{place}: A requirement has more than 10,000 characters in one line." in " ".join(told.split())
        assert "hashes may follow it in lines of their own" in " ".join(told.split())


@pytest.mark.real
def test_a_template_of_line_ends_is_read_in_one_pass(bentoml14: str, tmp_path: Path) -> None:
    text = "service: 'service:Light'\ndocker: {dockerfile_template: long.j2}\n"
    files = {"service.py": LIGHT_SERVICE, "bentofile.yaml": text, "long.j2": "x" + "\n" * 900_000 + "FRO"}
    project = World(tmp_path, bentoml14).project("hostile", files)
    code, told = bounded(project.world, project.directory, "build", "dockerfile")
    assert code == 2, told[-2000:]
    assert "renders no FROM, so nothing can be built." in " ".join(told.split())


ESCAPES = ["/etc/passwd", "../outside.txt", "a/../../outside.txt", "~/outside.txt", "$HOME/outside.txt", "."]
PATHS = {
    "description": "description: 'file:{}'\n",
    "docker.setup_script": "docker: {{setup_script: '{}'}}\n",
    "docker.dockerfile_template": "docker: {{dockerfile_template: '{}'}}\n",
    "docker.env": "docker: {{env: '{}'}}\n",
    "python.wheels": "python: {{wheels: ['{}']}}\n",
    "conda.environment_yml": "conda: {{environment_yml: '{}'}}\n",
}


@pytest.mark.parametrize("escape", ESCAPES)
@pytest.mark.parametrize("option", PATHS)
def test_no_path_leaves_the_context(option: str, escape: str, tmp_path: Path) -> None:
    world = World(tmp_path, None)
    (tmp_path / "outside.txt").write_text("private")
    (tmp_path / "user" / "outside.txt").write_text("private")
    text = START + PATHS[option].format(escape)
    project = world.project("hostile", {"service.py": "", "bentofile.yaml": text})
    run = project.run("check", "--syntax")
    assert run.code == 2
    assert f" names {escape}, which is not a file inside the build context." in run.stderr


@pytest.mark.parametrize("path", ["/etc/passwd", "~/outside.txt", "$HOME/outside.txt"])
def test_requirements_may_lie_further_up_but_not_anywhere(path: str, tmp_path: Path) -> None:
    text = START + f"python: {{requirements_txt: '{path}'}}\n"
    run = World(tmp_path, None).project("hostile", {"service.py": "", "bentofile.yaml": text}).run("check")
    assert run.code == 2
    assert "which is not a file inside the build context." in run.stderr


def test_a_named_pipe_is_no_file(tmp_path: Path) -> None:
    import os

    project = World(tmp_path, None).project("hostile", {"service.py": "", "bentofile.yaml": START})
    os.mkfifo(project / "pipe")
    # It would wait for a writer until its time is out.
    project.write("bentofile.yaml", START + "docker: {setup_script: pipe}\npython: {requirements_txt: pipe}\n")
    code, told = bounded(project.world, project.directory, "check")
    assert code == 2
    assert "docker.setup_script names pipe, which is not a file." in told
