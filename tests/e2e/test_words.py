"""Plain command lines are read without click, and mean what click would say; nothing in a cache says what they mean."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from harness import LIGHT, World

from bentomake.cli import build, containerize, main, options, plain
from bentomake.cli.main import with_command

LINE = ("containerize", "nosuch", "-t", "a:1", "--opt", "label=a=b")


def imported(world: World, *argv: str) -> tuple[str, bool]:
    """What the command said, and whether it imported click."""
    command = [sys.executable, "-X", "importtime", "-m", "bentomake", *argv]
    done = subprocess.run(command, cwd=world.directory, env=world.env, capture_output=True, text=True, check=False)
    lines = done.stderr.splitlines(keepends=True)
    said = "".join(line for line in lines if not line.startswith("import time:"))
    return said, any(line.rpartition("|")[2].strip() == "click" for line in lines)


def test_a_plain_line_needs_no_click_and_leaves_nothing_of_itself_in_the_cache(tmp_path: Path) -> None:
    world = World(tmp_path, None)
    said, clicked = imported(world, *LINE, "--build-arg", "TOKEN=hunter2")
    assert not clicked and "nosuch" in said
    assert imported(world, *LINE, "--nosuch")[1], "what is not right is click's to say"
    assert not any(b"hunter2" in path.read_bytes() for path in world.cache.rglob("*") if path.is_file())
    assert not (world.cache / "state" / "words").exists()


@pytest.fixture
def clicked(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What click makes of a line: the command and what it is given, or None if that is an error."""
    found: list[Any] = []
    for module in (build, containerize):
        monkeypatch.setattr(module, "carry_out", lambda name, given, _: found.append((name, given)) or 0)

    def ask(argv: list[str]) -> Any:
        found.clear()
        main.run(argv)
        return found[0] if found else None

    return ask


VALUES = (
    *("x", "a=b", "iris:latest", "plain", "pip-compile", "3", "0", "json", "-", "", "--", "-q", "a b"),
    *("ü\n", "\udce9", "9" * 5000),  # more digits than int() reads
)
SEED = 20261130


def lines() -> list[list[str]]:
    """Every option by itself in each spelling, with and without values; then lines that chance makes of them."""
    found: list[list[str]] = [[], ["dir"], ["lock", "b"], ["-h"], ["--version"], ["--version", "1"], ["list"]]
    chance = random.Random(SEED)
    for command, table in (("build", options.BUILD), ("containerize", options.CONTAINERIZE | options.OLDER)):
        begin = [command] if command == "build" else [command, "iris"]
        spelled = [each for (text, *_) in table.values() for each in text.replace("/", " ").split()]
        for option, value in itertools.product(spelled, VALUES):
            found += [[*begin, option, value], [*begin, f"{option}={value}"], [*begin, f"{option}{value}"]]
            found += [[*begin, option], [option, value], [*begin, option, value, option, value], [option, *begin]]
        words = (*spelled, *VALUES, *spelled, "build", "containerize")
        found += [[*begin, *chance.choices(words, k=chance.randint(1, 6))] for _ in range(2000)]
    return found


def test_a_plain_line_means_what_click_says(clicked: Any, capsys: pytest.CaptureFixture[str]) -> None:
    plain_ones = set()
    for line in lines():
        read = plain.read(line)
        if read is not None:
            plain_ones.add(with_command(line)[0])
            assert read == clicked(line), (SEED, line)
    assert plain_ones == {"build", "containerize"}


@pytest.mark.parametrize("command", ["build", "containerize"])
def test_nearly_every_option_is_read_without_click(command: str) -> None:
    """Those with a value that may be missing, and seconds, are click's; so is every value that no choice has."""
    table = options.BUILD if command == "build" else options.CONTAINERIZE | options.OLDER
    left = set()
    for name, (spellings, kind, told, _) in table.items():
        value = {"flag": (), "count": ("2",), "choice": (told or ("",))[-1:]}.get(kind, ("x",))
        for spelling in spellings.replace("/", " ").split():
            if plain.read([command, "iris", spelling, *value]) is None:
                left.add(name)
    assert left == ({"upgrade", "import_timeout"} if command == "build" else set())


def test_a_shell_is_answered_where_nothing_is_to_be_done(tmp_path: Path, bentoml14: str) -> None:
    project = World(tmp_path, bentoml14).project("light", LIGHT)
    while "0 ran" not in project.run("--progress", "plain").good().stderr:
        pass
    env = {"_BENTOMAKE_COMPLETE": "bash_complete", "COMP_WORDS": "bentomake cach", "COMP_CWORD": "1"}
    assert project.run("--progress", "plain", env=env).stdout.splitlines()[0] == "plain,cache"
