"""The cases of images: bentomake, the engine itself, and real bentoml 1.4 and 1.1, one engine for all of them.

The peers take 8 to 40 seconds a run where bentomake takes a fraction of one: they run less often (the table says how
often each), and are compared by medians. What is close, an edit against the engine's own no-op, is measured in pairs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from cases import Bench
from image_projects import Project, base_image
from measure import Case, Contender, in_turns, of_medians, quartiles, ratio, seconds

# Small, pure, with no requirements of their own, and in no lock of scikit-learn and bentoml.
EXTRAS = ("six", "toolz", "tabulate", "docopt", "pluggy", "iniconfig", "sortedcontainers")
OTHER_EXTRAS = ("wcwidth", "colorama", "ply", "termcolor", "pytz", "xmltodict", "cachetools")
_SMALL = 2**20  # bytes: a model that costs nothing
_WITHOUT = "bentomake without the wheel cache"


class Often(NamedTuple):
    """How often a command is run: ours with nothing to do, each of a pair, an image made anew, and a peer."""

    unchanged: int
    pairs: int
    rebuilds: int
    peers: int


class Images:
    """The cases with a model of `model` bytes; a project and its first image are made when a case asks for them."""

    def __init__(self, bench: Bench, model: int, often: Often, prune_to: str | None = None):
        self._bench, self._model, self._often, self._prune_to = bench, model, often, prune_to
        self._projects: dict[str, Project] = {}
        self._tags: list[str] = []

    def close(self) -> None:
        """Take the images out of the engine; what is on the disk is the script's own directory."""
        if self._tags:
            subprocess.run(["docker", "image", "rm", "-f", *self._tags], capture_output=True)

    def unchanged(self) -> Case:
        ours, peers = self._ours(), self._peers()
        in_turns([ours], self._often.unchanged, 1)
        in_turns(peers, self._often.peers, 0)
        return self._case("nothing changed", "wall ≤ 0.3 s", seconds(ours.wall), ours.wall <= 0.3, [ours, *peers])

    def edited(self) -> Case:
        ours, peers = self._ours(Project.edited), self._peers(Project.edited)
        engine = self._engine()
        in_turns([ours, engine], self._often.pairs, 1, alternating=True)
        in_turns(peers, self._often.peers, 0)
        over, medians, ahead = ratio(ours, engine), of_medians(ours, engine), ratio(peers[-1], ours)
        low, high = quartiles(ours, engine)
        text = f"{over:.2f} times (median of {len(ours.runs)} pairs, quartiles {low:.2f} and {high:.2f}; "
        text += f"ratio of the medians {medians:.2f}), {ahead:.0f} times"
        goal = "wall ≤ 1.3 times the engine's no-op, ≥ 5 times less than bentoml 1.1"
        met = max(over, medians) <= 1.3 and ahead >= 5
        return self._case("one .py edited", goal, text, met, [ours, engine, *peers])

    def remodelled(self) -> Case:
        ours, peers = self._ours(Project.new_model), self._peers(Project.new_model)
        in_turns([ours], self._often.rebuilds, 0)
        in_turns(peers, self._often.peers, 0)
        text = ", ".join(f"{ratio(peer, ours):.1f} times less than {peer.name}" for peer in peers)
        return self._case("the model changed", "", text, True, [ours, *peers])

    def extended(self) -> Case:
        return self._one_more(self._model, self._peers(Project.extended))

    def extended_small(self) -> Case:
        """Where no model is in the way of what is measured; the peers stand in the case with the model."""
        return self._one_more(_SMALL, [])

    def _one_more(self, model: int, peers: list[Contender]) -> Case:
        ours = self._ours(Project.extended, model=model)
        without = self._ours(Project.extended, _WITHOUT, "--no-wheel-cache", model=model)
        in_turns([ours, without], self._often.rebuilds, 0)
        in_turns(peers, self._often.peers, 0)
        ahead, goal = ratio(without, ours), "wall ≥ 3 times less than without the wheel cache"
        runs = [ours, without, *peers]
        return self._case("one requirement added", goal, f"{ahead:.1f} times", ahead >= 3, runs, model)

    def _case(
        self, name: str, goal: str, text: str, met: bool, runs: list[Contender], model: int | None = None
    ) -> Case:
        return Case(f"image, {(model or self._model) / 2**20:,.0f} MiB model: {name}", goal, text, met, runs)

    def _ours(
        self,
        before: Callable[[Project], None] = Project.tidied,
        name: str = "bentomake",
        *more: str,
        model: int | None = None,
    ) -> Contender:
        python = self._bench.python
        build = [self._bench.bentomake, "build", "-q", "--python", python]
        containerize = [self._bench.bentomake, "containerize", "bench:latest", "-q", *more]
        return self._contender(name, build, containerize, python, before, model=model or self._model)

    def _peers(self, before: Callable[[Project], None] = Project.tidied) -> list[Contender]:
        """Real bentoml 1.4 and 1.1, in this order."""
        made = []
        for name, python in (("bentoml 1.4", self._bench.python), ("bentoml 1.1", self._bench.places.runner_python())):
            bentoml, runner = [python, "-m", "bentoml"], name == "bentoml 1.1"
            build, containerize = [*bentoml, "build"], [*bentoml, "containerize", "bench:latest"]
            made.append(self._contender(name, build, containerize, python, before, runner=runner, model=self._model))
        return made

    def _contender(
        self,
        name: str,
        build: list[str],
        containerize: list[str],
        python: str,
        before: Callable[[Project], None],
        *,
        runner: bool = False,
        model: int,
    ) -> Contender:
        words = f"{name}, {model}"
        tag = self._tag(words)
        argv = [*containerize, "-t", tag]
        if words not in self._projects:
            base_image()
            path = f"{Path(python).parent}{os.pathsep}{self._bench.places.env['PATH']}"
            extras = EXTRAS if model == self._model else OTHER_EXTRAS  # an engine would remember the others' layers
            top, env = self._bench.top / "images" / words, self._bench.places.env | {"PATH": path}
            made = Project(top, runner, build, env, tag, model, extras, self._prune_to)
            Contender(name, argv, str(made.directory), made.env).go()
            self._projects[words] = made
        project = self._projects[words]
        return Contender(name, argv, str(project.directory), project.env, prepare=lambda: before(project))

    def _engine(self) -> Contender:
        """The engine's own no-op: the last Bento's directory and Dockerfile once more."""
        project = self._projects[f"bentomake, {self._model}"]
        home, context = Path(project.env["BENTOML_HOME"], "bentos", "bench"), self._bench.top / "images" / "engine"
        shutil.rmtree(context, ignore_errors=True)
        shutil.copytree(home / (home / "latest").read_text(), context, copy_function=os.link)
        argv = ["docker", "build", "-q", "-f", "env/docker/Dockerfile.buildkit", "-t", self._tag("engine"), "."]
        made = Contender("docker build, nothing to do", argv, str(context), project.env)
        made.go()
        return Contender(made.name, argv, made.cwd, made.env, prepare=project.tidied)

    def _tag(self, words: str) -> str:
        tag = f"bentomake-bench:{words.replace(' ', '-').replace(',', '')}"
        self._tags.append(tag)
        return tag
