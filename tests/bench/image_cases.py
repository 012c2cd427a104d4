"""The cases of images: bentomake, the engine itself, and real bentoml 1.4 and 1.1, one engine for all of them.

All images start from one base that has what bentoml 1.4 installs in each image (a compiler, git): only the peers gain.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path

from cases import Bench
from measure import Case, Contender, Failed, ratio, seconds
from projects import big_model

BASE = "bentomake-bench-base:1"
_BASE = """\
FROM python:3.11-slim AS plain
FROM python:3.11-slim
RUN apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends \\
    ca-certificates gnupg2 bash build-essential git
COPY --from=plain /etc/ssl/certs /etc/ssl/certs
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
"""
_SETTLED = 1.0  # seconds: what was done just before, by the engine, too, is not to be paid for by what is measured
_KEPT = "24GB"  # of layers and contexts that no image has any more; the peers copy the model into each image anew
_CLASS = """\
import bentoml


@bentoml.service(name="bench")
class Bench:
    big = bentoml.models.BentoModel("big:1")

    @bentoml.api
    def count(self, text: str) -> int:
        return len(text)
"""
_RUNNER = """\
import bentoml
from bentoml.io import JSON

svc = bentoml.Service("bench", models=[bentoml.models.get("big:1")])


@svc.api(input=JSON(), output=JSON())
def count(x):
    return x
"""
_BENTOFILE = """\
service: "service:{attribute}"
include: ["*.py"]
models: ["big:1"]
docker:
  base_image: {base}
python:
  packages: [scikit-learn{more}]
"""
# Small, pure, with no requirements of their own, and in no lock of scikit-learn and bentoml.
EXTRAS = (
    *("six", "toolz", "tabulate", "docopt", "pluggy", "iniconfig", "sortedcontainers", "wcwidth", "colorama", "ply"),
    *("termcolor", "pytz", "xmltodict", "cachetools"),
)


class Project:
    """A project and what happens to it between two runs: an edit and a new Bento, or a new model; not measured."""

    def __init__(self, bench: Bench, top: Path, runner: bool, builder: list[str], env: dict[str, str], model: int):
        self.directory = top / "project"
        self.directory.mkdir(parents=True)
        self.env = env | {"BENTOML_HOME": str(top / "home"), "BENTOMAKE_CACHE_DIR": str(top / "cache")}
        self._top, self._builder, self._model = top, builder, model
        self._runner = runner
        self._edits: Iterator[int] = count()
        self.write([])
        self.new_model()

    def write(self, extras: list[str]) -> None:
        text = (_RUNNER if self._runner else _CLASS) + f"# {next(self._edits)}\n"
        (self.directory / "service.py").write_text(text)
        attribute, more = "svc" if self._runner else "Bench", "".join(f", {name}" for name in extras)
        (self.directory / "bentofile.yaml").write_text(_BENTOFILE.format(attribute=attribute, base=BASE, more=more))

    def build(self) -> None:
        tidy()
        done = subprocess.run(self._builder, cwd=self.directory, env=self.env, capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"{' '.join(self._builder)}: {done.stdout[-1000:]}{done.stderr[-1000:]}")
        time.sleep(_SETTLED)

    def new_model(self) -> None:
        shutil.rmtree(self._top / "home" / "models", ignore_errors=True)
        big_model(self._top / "home", self._model)
        self.build()

    def edited(self) -> None:
        self.write([])
        self.build()

    def extended(self, extras: Iterator[str]) -> Callable[[], None]:
        def now() -> None:
            self.write([next(extras)])
            self.build()

        return now


def tidy() -> None:
    """What earlier runs left in the engine would fill the disk."""
    for what in (["image", "prune", "-f"], ["builder", "prune", "-f", "--keep-storage", _KEPT]):
        subprocess.run(["docker", *what], stdout=subprocess.DEVNULL, check=True)


def _tidied() -> None:
    tidy()
    time.sleep(_SETTLED)


class Images:
    """The contenders, each with a project, a home and an image of its own."""

    def __init__(self, bench: Bench, model: int, extras: Sequence[str]):
        self.bench, self.model = bench, model
        self._extras = extras
        self.top = bench.top / f"images-{model}"
        self.top.mkdir(parents=True)
        self.tags: list[str] = []
        subprocess.run(
            ["docker", "build", "-q", "-t", BASE, "-"], input=_BASE, text=True, check=True, stdout=subprocess.DEVNULL
        )
        pairs = [
            self.ours(),
            self.peer("bentoml 1.4", bench.python, runner=False),
            self.peer("bentoml 1.1", bench.places.runner_python(), runner=True),
        ]
        self.every, self.projects = [contender for contender, _ in pairs], [project for _, project in pairs]
        for contender in self.every:
            contender.go()

    def extras(self) -> Iterator[str]:
        """A package for each run that adds one."""
        return iter(self._extras)

    def case(self, name: str, goal: str, text: str, met: bool, runs: list[Contender]) -> Case:
        """What was measured; the same contenders go on to the next case."""
        found = Case(
            f"image, {self.model / 2**20:,.0f} MiB model: {name}", goal, text, met, [_kept(run) for run in runs]
        )
        for run in runs:
            run.runs = []
        return found

    def ours(self, name: str = "bentomake", *more: str) -> tuple[Contender, Project]:
        build = [self.bench.bentomake, "build", "-q", "--python", self.bench.python]
        project = self._project(name, False, build, Path(self.bench.python))
        argv = [self.bench.bentomake, "containerize", "bench:latest", "-q", "-t", self._tag(name), *more]
        return self._contender(name, argv, project), project

    def peer(self, name: str, python: str, runner: bool) -> tuple[Contender, Project]:
        project = self._project(name, runner, [python, "-m", "bentoml", "build"], Path(python))
        argv = [python, "-m", "bentoml", "containerize", "bench:latest", "-t", self._tag(name)]
        return self._contender(name, argv, project), project

    def engine(self, project: Project) -> Contender:
        """The engine's own no-op: the last Bento's directory and Dockerfile once more."""
        home = project.directory.parent / "home" / "bentos" / "bench"
        context = self.top / "engine"
        shutil.copytree(home / (home / "latest").read_text(), context, copy_function=os.link)
        argv = ["docker", "build", "-q", "-f", "env/docker/Dockerfile.buildkit", "-t", self._tag("engine"), "."]
        return Contender("docker build, nothing to do", argv, str(context), project.env, prepare=_tidied)

    def _tag(self, name: str) -> str:
        tag = f"bentomake-bench:{name.replace(' ', '-').replace(',', '')}"
        self.tags.append(tag)
        return tag

    def _project(self, name: str, runner: bool, builder: list[str], python: Path) -> Project:
        path = f"{python.parent}{os.pathsep}{self.bench.places.env['PATH']}"
        return Project(self.bench, self.top / name, runner, builder, self.bench.places.env | {"PATH": path}, self.model)

    @staticmethod
    def _contender(name: str, argv: list[str], project: Project) -> Contender:
        return Contender(name, argv, str(project.directory), project.env)

    def close(self) -> None:
        subprocess.run(
            ["docker", "image", "rm", "-f", *self.tags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )


def images(bench: Bench, model: int) -> list[Case]:
    """All cases of images; `model` is the model's size in bytes. Requirements also with a model of 1 MiB."""
    found: list[Case] = []
    cases = (_nothing, _edited, _remodelled, _extended)
    # Other packages the second time: an engine would remember the layers of the first.
    for size, extras, measured in ((model, EXTRAS, cases), (2**20, EXTRAS[::-1], (_extended,))):
        made = Images(bench, size, extras)
        try:
            found += [measure(made) for measure in measured]
        finally:
            made.close()
    return found


def _nothing(made: Images) -> Case:
    made.bench.slow(*made.every)
    ours = made.every[0]
    return made.case("nothing changed", "wall ≤ 0.3 s", seconds(ours.wall), ours.wall <= 0.3, made.every)


def _edited(made: Images) -> Case:
    ours, new, old = made.every
    engine = made.engine(made.projects[0])
    engine.go()
    for contender, project in zip(made.every, made.projects, strict=True):
        contender.prepare = project.edited
    made.bench.slow(ours, engine, new, old)
    over, ahead = ratio(ours, engine), ratio(old, ours)
    text = f"{over:.2f} times, {ahead:.0f} times"
    goal = "wall ≤ 1.3 times the engine's no-op, ≥ 5 times less than bentoml 1.1"
    return made.case("one .py edited", goal, text, over <= 1.3 and ahead >= 5, [ours, engine, new, old])


def _remodelled(made: Images) -> Case:
    ours, _, old = made.every
    for contender, project in zip(made.every, made.projects, strict=True):
        contender.prepare = project.new_model
    made.bench.slow(*made.every)
    return made.case("the model changed", "", f"{ratio(old, ours):.1f} times less than bentoml 1.1", True, made.every)


def _extended(made: Images) -> Case:
    ours, new, old = made.every
    without, project = made.ours("bentomake without the wheel cache", "--no-wheel-cache")
    without.go()
    runs = [ours, without, new, old]
    for contender, each in zip(runs, (made.projects[0], project, *made.projects[1:]), strict=True):
        contender.prepare = each.extended(made.extras())
    made.bench.slow(*runs)
    ahead, goal = ratio(without, ours), "wall ≥ 3 times less than without the wheel cache"
    return made.case("one requirement added", goal, f"{ahead:.1f} times", ahead >= 3, runs)


def _kept(run: Contender) -> Contender:
    """The contender with the runs that it has now: the same one goes on to the next case."""
    return Contender(run.name, run.argv, run.cwd, run.env, runs=list(run.runs))
