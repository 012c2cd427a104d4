"""The rules `pinned` and `wheelhouse` run by the real engine, on Bentos that a test writes down."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bentomake.rules.pinned import pinned
from bentomake.rules.wheelhouse import wheelhouse

from bentomake.engine.action import Action, Outcome
from bentomake.engine.code import CodeIdentity
from bentomake.engine.content_store import ContentStore
from bentomake.engine.digest import of_value
from bentomake.engine.fact import ABSENT, Fact
from bentomake.engine.placing import Placing
from bentomake.engine.progress import Silent
from bentomake.engine.rebuilder import Rebuilder
from bentomake.engine.single_flight import SingleFlight
from bentomake.engine.trace import ActionCache
from bentomake.engine.tree import FILE, Entry
from bentomake.toolchain import find_tool


class Answers:
    """The Binding of one Bento: `image` are the parameters of its image, `imaging` is the engine."""

    def __init__(self, origin: str, image: Mapping[str, Any], image_platform: str | None, imaging: object = None):
        self.label, self.origin, self._image, self._platform = "", origin, image, image_platform
        self.facts, self._imaging = self, imaging

    def param(self, name: str) -> Any:
        return self._platform if name == "lock.platform" else self._image.get(name.removeprefix("image."))

    def place(self, name: str) -> str | None:
        return None

    def secret(self, name: str) -> bool:
        return False

    def oracle(self, name: str) -> Any:
        return {"arch": platform.machine()}[name]

    def tool(self, name: str) -> Any:
        return find_tool(name)

    def ask(self, kind: str, name: str) -> Fact:
        value = os.environ.get(name)
        return ABSENT if value is None else Fact(of_value(["test", value]), None, value)

    def host(self, name: str) -> Any:
        import sys

        return {"python": sys.executable, "image": self._imaging}[name]


class Wheelhouse:
    """A cache in `directory`, and what it makes for Bentos."""

    def __init__(self, directory: Path):
        self.directory = directory
        (directory / "state").mkdir(parents=True, exist_ok=True)
        self.store = ContentStore(str(directory))
        self.cache = ActionCache(str(directory / "actions"))
        self.code = CodeIdentity("1", str(directory / "state" / "code.json"))
        self.flights = SingleFlight(str(directory / "locks"))
        self.pinned: Outcome | None = None

    def of(
        self,
        *lines: str,
        origin: str = "one",
        python: str = "3.11",
        source: str = "1\n",
        image: str | None = None,
        image_platform: str | None = None,
        generation: str = "class",
        locked: bool = True,
        takes: bool = False,
        imaging: object = None,
        **asked: Any,
    ) -> Outcome:
        """The outcome of `wheelhouse` for a Bento with this lock; of whose Dockerfiles BuildKit's `takes` wheels."""
        text = "".join(f"{line}\n" for line in lines)
        name = "requirements.txt" if generation == "class" else "requirements.lock.txt"
        files = {f"env/python/{name}": text, "src/service.py": source}
        if generation == "class":
            files["env/python/requirements.in"] = "asked\n" if locked else text
        files["bento.yaml"] = f"service: x\nbentoml_version: 1.4.39\nimage:\n  python_version: '{python}'\n"
        files["env/docker/Dockerfile"] = f"FROM scratch AS bento\nFROM {image or f'python:{python}-slim'} AS base\n"
        mount = "RUN --mount=type=bind,from=wheelhouse,target=/w true\n" if takes else ""
        files["env/docker/Dockerfile.buildkit"] = files["env/docker/Dockerfile"] + mount
        tree = {f"bento/{path}": Entry(self.store.put_bytes(data.encode()), FILE) for path, data in files.items()}
        binding = Answers(origin, asked, image_platform, imaging)
        rebuilder = Rebuilder(self.store, self.cache, self.flights, self.code)
        progress = Silent()
        inputs = {"bento": self.store.put_tree(tree)}
        self.pinned = rebuilder.bring(Action("pinned", pinned, binding, ("bento",)), inputs, progress)
        assert self.pinned.tree is not None, self.pinned.error
        action = Action("wheelhouse", wheelhouse, binding, ("pinned",))
        return rebuilder.bring(action, {"pinned": self.pinned.tree}, progress)

    def files(self, outcome: Outcome) -> dict[str, Callable[[], bytes]]:
        """Path below the wheelhouse → a function that reads it."""
        assert outcome.tree is not None, outcome.error
        tree = self.store.tree(outcome.tree)
        read = self.store.read
        return {path.partition("/")[2]: lambda entry=entry: read(entry.digest) for path, entry in tree.items()}  # type: ignore[misc]

    def wheels(self, outcome: Outcome) -> list[str]:
        return sorted(path for path in self.files(outcome) if path.endswith(".whl"))

    def lay_out(self, outcome: Outcome, directory: Path) -> Path:
        """As a directory, for pip or for an engine."""
        assert outcome.tree is not None, outcome.error
        tree = {path.partition("/")[2]: entry for path, entry in self.store.tree(outcome.tree).items()}
        directory.mkdir(parents=True, exist_ok=True)
        Placing(self.store, str(directory), reflinks=False).tree(tree, linked="")
        return directory

    def target(self) -> dict[str, Any]:
        assert self.pinned is not None and self.pinned.tree is not None
        found: dict[str, Any] = json.loads(self.store.read(self.store.tree(self.pinned.tree)["target.json"].digest))
        return found
