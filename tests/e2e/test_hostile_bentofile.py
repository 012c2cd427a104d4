"""A stranger's bentofile: an error in a second and a few megabytes, and nothing of this machine gets into a Bento."""

from __future__ import annotations

import resource
import subprocess
import time
from pathlib import Path

import pytest
from harness import SCRIPT, World

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
    "a pattern that backtracks": (START + 'include: ["' + "*a" * 5000 + '"]\n', None),
    "a name of a megabyte": (START + "name: " + "a" * 900_000 + "\n", "name cannot be"),
    "a package of a megabyte": (START + "python: {packages: [" + "a-" * 450_000 + "]}\n", None),
    "a label that ends the terminal": (START + 'labels: {"\\e[2J": [1]}\n', "must be a string, not a list"),
}
LIMIT = 1 << 30  # bytes of address space; a bomb wants far more


def bounded(world: World, directory: Path, *argv: str) -> tuple[int, str, float]:
    """A command with little memory: its exit code, what it told, and the processor's seconds."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
        resource.setrlimit(resource.RLIMIT_CPU, (30, 30))

    began = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = subprocess.run(
        [SCRIPT, *argv], cwd=directory, env=world.env, capture_output=True, text=True, timeout=60, preexec_fn=limit
    )
    return done.returncode, done.stderr, resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - began


@pytest.mark.parametrize("name", HOSTILE)
def test_it_gets_an_error_in_little_time_and_memory(name: str, tmp_path: Path) -> None:
    text, said = HOSTILE[name]
    project = World(tmp_path, None).project("hostile", {"service.py": "", "bentofile.yaml": text})
    code, told, _ = bounded(project.world, project.directory, "check")
    assert "Traceback" not in told and "MemoryError" not in told
    assert code == (2 if said else 0), told[-2000:]
    assert said is None or said in told
    assert "\x1b" not in told
    assert not (project / "pwned").exists()
    assert len(told) < 200_000


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
    project.write("bentofile.yaml", START + "docker: {setup_script: pipe}\npython: {requirements_txt: pipe}\n")
    began = time.monotonic()
    code, told, _ = bounded(project.world, project.directory, "check")
    assert code == 2
    assert "docker.setup_script names pipe, which is not a file." in told
    assert time.monotonic() - began < 50  # it did not wait for a writer
