"""Incremental equals clean: after any edits a build gives the content that an empty cache gives, and says no untruth.

BENTOMAKE_TEST_EXAMPLES=20 looks for longer: each example is another order with other random words.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from harness import Run, World
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from surroundings import Environment, Index, content_digest, copy_into, save_model

from bentomake.engine import fresh

EXAMPLES = int(os.environ.get("BENTOMAKE_TEST_EXAMPLES", "1"))

SERVICES = {
    "class": """
import os
import bentoml
from helper import GREETING
from pkg import part

with open(os.path.join(os.path.dirname(__file__), "data", "read.txt")) as file:
    READ = file.read()
MODE = os.environ.get("MODE")
if os.path.exists("data/flag"):
    GREETING += "!"
LISTED = len(os.listdir("data/listed"))
model = bentoml.models.get("toy_model:latest")

@bentoml.service(labels={"mode": MODE or "none", "greeting": GREETING + part.WORD, "read": READ, "n": str(LISTED)})
class Light:
    @bentoml.api
    def echo(self, text: str) -> str:
        return text
""",
    "runner": """
import os
import bentoml
from bentoml.io import Text
from helper import GREETING
from pkg import part

with open(os.path.join(os.path.dirname(__file__), "data", "read.txt")) as file:
    READ = file.read()
MODE = os.environ.get("MODE") or "none"
if os.path.exists("data/flag"):
    GREETING += "!"
LISTED = len(os.listdir("data/listed"))
svc = bentoml.Service("light", models=[bentoml.models.get("toy_model:latest")])

@svc.api(input=Text(), output=Text(), doc=f"{MODE} {GREETING} {part.WORD} {READ} {LISTED}")
def echo(text):
    return text
""",
}
FILES = {
    "helper.py": 'GREETING = "hello"\n',
    "pkg/__init__.py": "",
    "pkg/part.py": 'WORD = "word"\n',
    "data/read.txt": "read at import",
    "data/packed.txt": "never looked at",
    "data/listed/one": "1",
    "tool.sh": "#!/bin/sh\n",
    "reqs.txt": "toy\n# a comment\n",
    ".bentoignore": "*.log\n",
    "noise.log": "ignored",
}


@dataclass(frozen=True)
class Answer:
    """What the user has of a build: the exit code, and the Bento's tag and content digest, or what was said."""

    code: int
    bento: str
    digest: str


class Story:
    """A project of one generation, edited again and again, with a cache that lives through all of it."""

    def __init__(self, directory: Path, generation: str, python: str, pick: random.Random):
        self.environment = Environment(directory / "venv", python)
        self.world = World(directory, self.environment.python)
        self.generation, self.pick = generation, pick
        self.world.env |= Index(directory / "index").for_builds_with(python)
        self.bentofile = {
            "include": ["*.py", "pkg", "data", "tool.sh", "links"],
            "exclude": ["*.tmp"],
            "labels": {"owner": "me"},
            "packages": ["toy"],
            "comment": "",
            "requirements_txt": None,
            "models": ["quiet_model:latest"],
            "docker_env": None,
            "description": None,
        }
        self.project = self.world.project("light", {**FILES, "service.py": SERVICES[generation]})
        self.model("one", b"weights")
        for version in ("one", "two"):
            save_model(self.world.home, version, f"declared, never opened {version}".encode(), name="quiet_model")
        self.write_bentofile()
        self.clean_serial = 0
        self.number = 0

    # the world

    def model(self, version: str, data: bytes, latest: bool = True) -> None:
        save_model(self.world.home, version, data, latest)

    def write_bentofile(self) -> None:
        b = self.bentofile
        python = (
            {"packages": b["packages"]}
            if b["requirements_txt"] is None
            else {"requirements_txt": b["requirements_txt"]}
        )
        data = {
            "service": "service:svc" if self.generation == "runner" else "service:Light",
            **{name: b[name] for name in ("include", "exclude", "labels", "description", "models") if b[name]},
            "python": {**python, "lock_packages": True},
            **({"docker": {"env": b["docker_env"]}} if b["docker_env"] else {}),
        }
        lines = [b["comment"], *(f"{name}: {json.dumps(value)}" for name, value in data.items())]
        self.project.write("bentofile.yaml", "\n".join(lines) + "\n")

    def random_word(self) -> str:
        return "".join(self.pick.choice("abcdef") for _ in range(5))

    # the laws

    def answer(self, run: Run, env: dict[str, str] | None = None) -> Answer:
        """Of a run with `-o path`."""
        assert "Traceback" not in run.stderr, run.stderr
        if run.code != 0:
            # Warnings come before it, of those steps that had ended when it failed: with a cache more of them had.
            said = run.stderr[run.stderr.find("error:") :].splitlines() if "error:" in run.stderr else []
            assert said, run.stderr
            return Answer(run.code, "\n".join(said), "")
        bento = Path(run.stdout.strip())
        return Answer(0, "/".join(bento.parts[-2:]), content_digest(bento))

    def clean(self) -> Answer:
        """The same project with an empty cache, and a $BENTOML_HOME that only has the models."""
        self.clean_serial += 1
        place = self.world.directory / f"clean-{self.clean_serial}"
        shutil.copytree(self.world.home / "models", place / "home" / "models")
        env = {"BENTOML_HOME": str(place / "home"), "BENTOMAKE_CACHE_DIR": str(place / "cache")}
        found = self.answer(self.project.run("-o", "path", env=env))
        shutil.rmtree(place)
        return found

    def fresh_says(self) -> tuple[str, str] | None:
        return fresh.answer(["-o", "path"], self.world.env, str(self.project.directory))

    def foretold(self) -> dict[str, str]:
        run = self.project.run("-n", "-o", "json")
        return run.states if run.stdout else {}

    def what_ran(self) -> set[str]:
        last = self.project.run("explain", "-o", "json").good().json
        return {record["action"] for record in last["actions"] if record["state"] in ("ran", "failed")}

    def check(self, why: str) -> Answer:
        """Build, and hold it against every law."""
        plan = self.foretold()
        said = self.fresh_says()
        run = self.project.run("-o", "path")
        answer = self.answer(run)
        if said is not None:
            assert (run.stdout, run.code) == (said[0], 0), why
            ran: set[str] = set()
            shutil.rmtree(self.world.cache / "state" / "fresh")
            full = self.project.run("-o", "path")
            assert (full.stdout, full.code) == (run.stdout, 0), f"{why}: fresh was wrong"
            assert "0 ran" in full.stderr, f"{why}: fresh did nothing where there was something to do\n{full.stderr}"
        else:
            ran = self.what_ran()
        if plan:
            runs = {name for name, state in plan.items() if state == "runs"}
            may = {name for name, state in plan.items() if state == "may run"}
            if answer.code == 0:
                assert runs <= ran, f"{why}: -n said {plan}, {ran} ran"
            fails = {name for name, state in plan.items() if state == "failed"}
            assert ran <= runs | may | fails, f"{why}: -n said {plan}, {ran} ran"
        assert self.clean() == answer, why
        if answer.code == 0:
            again = self.project.run("-o", "path")
            assert again.stdout == run.stdout and " 0 ran, " in again.stderr, (
                f"{why}: the second build was not free\n{again.stderr}"
            )
            name, version = answer.bento.split("/")
            assert self.world.latest(name) == f"{name}:{version}", why
        return answer

    # undoing

    def remember(self) -> Path:
        self.number += 1
        place = self.world.directory / f"before-{self.number}"
        for name, part in self.parts().items():
            shutil.copytree(part, place / name, symlinks=True)
        return place

    def parts(self) -> dict[str, Path]:
        return {"project": self.project.directory, "models": self.world.home / "models", "site": self.environment.site}

    def undo(self, place: Path, env: dict[str, str], bentofile: dict) -> None:
        for name, part in self.parts().items():
            copy_into(place / name, part)
        self.world.env, self.bentofile = env, bentofile


# The edits. Each says what it did; `free` ones must change nothing.


def edit(s: Story) -> None:
    s.project.write("data/packed.txt", s.random_word())


def edit_read(s: Story) -> None:
    s.project.write("data/read.txt", s.random_word())


def edit_same_size_and_time(s: Story) -> None:
    path = s.project / "helper.py"
    before = os.stat(path)
    s.project.write("helper.py", f'GREETING = "{s.random_word()}"\n')
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def edit_module(s: Story) -> None:
    s.project.write("pkg/part.py", f'WORD = "{s.random_word()}"\n')


def edit_service(s: Story) -> None:
    with open(s.project / "service.py", "a") as file:
        file.write(f"# {s.random_word()}\n")


def shadow_module(s: Story) -> None:
    """A package of the same name comes before the module."""
    s.project.write("helper/__init__.py", f'GREETING = "package {s.random_word()}"\n')


def add(s: Story) -> None:
    s.project.write(f"data/{s.random_word()}.txt", s.random_word())


def add_listed(s: Story) -> None:
    s.project.write(f"data/listed/{s.random_word()}", "x")


def add_flag(s: Story) -> None:
    s.project.write("data/flag", "")


def remove(s: Story) -> None:
    path = s.pick.choice([p for p in sorted((s.project / "data").rglob("*")) if p.is_file() and p.name != "read.txt"])
    path.unlink()


def break_it(s: Story) -> None:
    """The import fails: an error, the same with and without a cache."""
    (s.project / "data" / "read.txt").unlink()


def rename(s: Story) -> None:
    (s.project / "data" / "listed").rename(s.project / "data" / "was-listed")
    s.project.write("data/listed/again", "x")


def mode(s: Story) -> None:
    (s.project / "tool.sh").chmod(s.pick.choice([0o755, 0o700, 0o775]))


def link(s: Story) -> None:
    (s.project / "links").mkdir(exist_ok=True)
    target = s.pick.choice(
        ["../data/packed.txt", "../data/listed", "../noise.log", str(s.world.directory / "index" / "toy")]
    )
    (s.project / "links" / s.random_word()).symlink_to(target)


def broken_link(s: Story) -> None:
    (s.project / "links").mkdir(exist_ok=True)
    (s.project / "links" / "broken").symlink_to("nowhere")


def file_to_link(s: Story) -> None:
    (s.project / "tool.sh").unlink()
    (s.project / "tool.sh").symlink_to("helper.py")


def ignore(s: Story) -> None:
    s.project.write("data/.bentoignore", s.pick.choice(["*.txt\n!read.txt\n", "listed/\n", "# nothing\n"]))


def include(s: Story) -> None:
    s.bentofile["include"] = [*s.bentofile["include"], s.pick.choice(["*.sh", "*.log", "reqs.txt"])]
    s.write_bentofile()


def exclude(s: Story) -> None:
    s.bentofile["exclude"] = [
        *s.bentofile["exclude"],
        s.pick.choice(["data/packed.txt", "/tool.sh", "listed", "service.py"]),
    ]
    s.write_bentofile()


def labels(s: Story) -> None:
    s.bentofile["labels"] = {"owner": s.random_word()}
    s.write_bentofile()


def docker_env(s: Story) -> None:
    s.bentofile["docker_env"] = {"LEVEL": s.random_word()}
    s.write_bentofile()


def packages(s: Story) -> None:
    s.bentofile |= {
        "packages": s.pick.choice([["toy<2"], ["toy==1.1", "other"], ["other"], ["toy==9"]]),
        "requirements_txt": None,
    }
    s.write_bentofile()


def requirements_file(s: Story) -> None:
    s.project.write("reqs.txt", s.pick.choice(["toy==1.0\n", "other<3\n", "# only words\ntoy\n"]))
    s.bentofile["requirements_txt"] = "./reqs.txt"
    s.write_bentofile()


def declared_model(s: Story) -> None:
    s.bentofile["models"] = ["quiet_model:latest", s.pick.choice(["toy_model:latest", "toy_model:one"])]
    s.write_bentofile()


def install(s: Story) -> None:
    s.environment.install("toy", s.pick.choice(["1.0", "1.1"]))
    s.environment.install("other", "1.0")


def uninstall(s: Story) -> None:
    s.environment.install("toy", None)


def install_unrelated(s: Story) -> None:
    s.environment.install("unrelated", s.pick.choice(["1", "2"]))


def save_another_model(s: Story) -> None:
    s.model(s.random_word(), s.random_word().encode())


def move_quiet_latest(s: Story) -> None:
    """A declared model that the service itself never asks for."""
    (s.world.home / "models" / "quiet_model" / "latest").write_text("one")


def save_model_in_place(s: Story) -> None:
    s.model("one", s.random_word().encode(), latest=False)


def model_without_latest(s: Story) -> None:
    s.model(s.random_word(), b"not the latest", latest=False)


def move_latest(s: Story) -> None:
    top = s.world.home / "models" / "toy_model"
    (top / "latest").write_text(s.pick.choice(sorted(path.name for path in top.iterdir() if path.is_dir())))


def variable(s: Story) -> None:
    s.world.env = {**s.world.env, "MODE": s.random_word()}


def lose_the_bento(s: Story) -> None:
    shutil.rmtree(s.world.home / "bentos", ignore_errors=True)


def touch(s: Story) -> None:
    for path in s.project.directory.rglob("*"):
        if path.is_file():
            os.utime(path, ns=(1, s.pick.randrange(10**18)))


def comment(s: Story) -> None:
    s.bentofile["comment"] = f"# {s.random_word()}\n#\n"
    s.write_bentofile()


def noise(s: Story) -> None:
    s.project.write("noise.log", s.random_word())
    s.project.write("__pycache__/x.pyc", "x")
    s.project.write(".venv/lib/x.py", "x")


FREE = [touch, noise]
EDITS: list[Callable[[Story], None]] = [
    *(edit, edit_read, edit_same_size_and_time, edit_module, edit_service, shadow_module, add, add_listed, add_flag),
    *(remove, break_it, rename, mode, link, broken_link, file_to_link, ignore, include, exclude, labels, docker_env),
    *(packages, requirements_file, declared_model, install, uninstall, install_unrelated, save_another_model),
    *(
        move_quiet_latest,
        save_model_in_place,
        model_without_latest,
        move_latest,
        variable,
        lose_the_bento,
        comment,
        *FREE,
    ),
]


def tell(tmp_path: Path, generation: str, python: str, edits: list[Callable[[Story], None]], number: int) -> None:
    """One sequence of edits; a third of them are undone, and so are those that end in an error."""
    shutil.rmtree(tmp_path, ignore_errors=True)
    tmp_path.mkdir()
    story = Story(tmp_path, generation, python, random.Random(number))
    before = story.check("first")
    assert before.code == 0, before
    for step, change in enumerate(edits):
        why = f"step {step}: {change.__name__} ({generation}, {number})"
        note(why)
        place, env, bentofile = story.remember(), dict(story.world.env), dict(story.bentofile)
        change(story)
        after = story.check(why)
        if change in FREE:
            assert after == before, why
        if after.code != 0 or step % 3 == 0:
            story.undo(place, env, bentofile)
            said = story.fresh_says()
            run = story.project.run("-o", "path")
            assert story.answer(run) == before, f"{why}: undone"
            if said is None:
                assert not story.what_ran(), f"{why}: undoing it ran {story.what_ran()}"
            name, version = before.bento.split("/")
            assert story.world.latest(name) == f"{name}:{version}"
        else:
            before = after
        shutil.rmtree(place)


@pytest.mark.parametrize(("generation", "part"), [("class", 0), ("class", 1), ("runner", 0), ("runner", 1)])
def test_incremental_equals_clean(tmp_path, generation, part, request):
    """Every kind of edit once for classes and half of them for runners, in an order that is the same in every run."""
    python = request.getfixturevalue("bentoml14" if generation == "class" else "bentoml11")
    share = len(EDITS) // (2 if generation == "class" else 4) + 1

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        phases=[Phase.generate],  # to shrink a story of builds takes longer than to read it
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(number=st.integers(0, 2**32))
    def look(number: int) -> None:
        order = random.Random(f"{generation} {number}").sample(EDITS, len(EDITS))
        tell(tmp_path / "story", generation, python, order[part * share : (part + 1) * share], number)

    look()
