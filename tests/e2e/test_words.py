"""A command line that was read before means the same, and click is not imported to read it again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from harness import LIGHT, World

LINE = ("containerize", "nosuch", "-t", "a:1", "--opt", "label=a=b")


def imported(world: World, *argv: str) -> tuple[str, bool]:
    """What the command said, and whether it imported click."""
    command = [sys.executable, "-X", "importtime", "-m", "bentomake", *argv]
    done = subprocess.run(command, cwd=world.directory, env=world.env, capture_output=True, text=True, check=False)
    lines = done.stderr.splitlines(keepends=True)
    said = "".join(line for line in lines if not line.startswith("import time:"))
    return said, any(line.rpartition("|")[2].strip() == "click" for line in lines)


def test_the_second_time_a_line_is_known(tmp_path: Path) -> None:
    world = World(tmp_path, None)
    world.run("cache", "stats").good()  # a cache must be there to remember in
    said, clicked = imported(world, *LINE)
    assert clicked and "nosuch" in said
    assert imported(world, *LINE) == (said, False)
    assert imported(world, *LINE[:-1], "label=a=c")[1], "it is another line"
    (record, _) = sorted((world.cache / "state" / "words").iterdir(), key=os.path.getmtime)
    record.write_text("[1, 2")
    assert imported(world, *LINE) == (said, True)
    assert imported(world, *LINE) == (said, False)


def test_a_line_with_a_value_that_may_be_secret_is_not_written_down(tmp_path: Path) -> None:
    world = World(tmp_path, None)
    world.run("cache", "stats").good()
    for words in (
        ["--build-arg", "TOKEN=hunter2"],
        ["--opt", "build_arg:TOKEN=hunter2"],
        ["--opt", "creds=me:hunter2"],
        ["--opt", "env=TOKEN=hunter2"],
    ):
        assert imported(world, *LINE, "--backend", "buildah", *words)[1]
    assert not (world.cache / "state" / "words").exists()


def test_a_shell_is_answered_where_nothing_is_to_be_done(tmp_path: Path, bentoml14: str) -> None:
    project = World(tmp_path, bentoml14).project("light", LIGHT)
    while "0 ran" not in project.run("--progress", "plain").good().stderr:
        pass
    env = {"_BENTOMAKE_COMPLETE": "bash_complete", "COMP_WORDS": "bentomake cach", "COMP_CWORD": "1"}
    assert project.run("--progress", "plain", env=env).stdout.splitlines()[0] == "plain,cache"
