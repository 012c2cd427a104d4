"""Each fact changes when what was looked at changes, and only then."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import service_projects as projects

from bentomake.engine.fact import ABSENT, Fact
from bentomake.service.facts import ServiceFacts
from bentomake.service.packages import Packages


class World:
    """A context, a home, a site directory and variables, with fresh facts on each question."""

    def __init__(self, directory: Path) -> None:
        self.ctx = directory / "ctx"
        self.site = directory / "site"
        self.home = directory / "home"
        self.cache = directory / "cache"
        self.env: dict[str, str] = {}
        self.watched: list[str] = []
        for path in (self.ctx, self.site, self.home):
            path.mkdir()

    def facts(self) -> ServiceFacts:
        return ServiceFacts(
            {"ctx": str(self.ctx), "home": str(self.home)},
            [str(self.site)],
            Packages([str(self.site)], str(self.cache)),
            digest=lambda path: hashlib.sha256(Path(path).read_bytes()).hexdigest(),
            mac=lambda text: f"mac-of-{len(text)}",
            watch=self.watched.append,
            env=self.env,
        )

    def ask(self, kind: str, name: str) -> Fact:
        return self.facts().ask(kind, name)

    def install(self, name: str, version: str, record: str = "") -> None:
        info = self.site / f"{name}-{version}.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
        (info / "RECORD").write_text(record)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


# Per story: (kind, name), what is there, an edit that must change the fact, an edit that must not.
Edit = Callable[[World], object]
STORIES: dict[str, tuple[str, str, Edit, Edit, Edit]] = {
    "a file is its bytes": (
        "file",
        "ctx/a.txt",
        lambda w: (w.ctx / "a.txt").write_text("one"),
        lambda w: (w.ctx / "a.txt").write_text("two"),
        lambda w: os.utime(w.ctx / "a.txt", (1, 1)),
    ),
    "a missing file may come": (
        "file",
        "ctx/deep/a.txt",
        lambda w: None,
        lambda w: projects.write(w.ctx, {"deep/a.txt": ""}),
        lambda w: projects.write(w.ctx, {"other": ""}),
    ),
    "a file beside the context": (
        "file",
        "ctx/../beside/x.py",
        lambda w: projects.write(w.ctx, {"../beside/x.py": "1"}),
        lambda w: projects.write(w.ctx, {"../beside/x.py": "2"}),
        lambda w: projects.write(w.ctx, {"../beside/y.py": ""}),
    ),
    "a model's latest": (
        "file",
        "home/models/m/latest",
        lambda w: projects.write(w.home, {"models/m/latest": "v1"}),
        lambda w: projects.write(w.home, {"models/m/latest": "v2"}),
        lambda w: projects.write(w.home, {"models/n/latest": "v2"}),
    ),
    "existence is kind and size": (
        "stat",
        "ctx/a.txt",
        lambda w: (w.ctx / "a.txt").write_text("one"),
        lambda w: (w.ctx / "a.txt").write_text("three"),
        lambda w: (w.ctx / "a.txt").write_text("two"),
    ),
    "existence is whether it can be executed": (
        "stat",
        "ctx/a.sh",
        lambda w: (w.ctx / "a.sh").touch(0o644),
        lambda w: (w.ctx / "a.sh").chmod(0o755),
        lambda w: (w.ctx / "a.sh").chmod(0o755) or (w.ctx / "a.sh").chmod(0o600),
    ),
    "a directory that is asked for": (
        "stat",
        "ctx/d",
        lambda w: (w.ctx / "d").mkdir(),
        lambda w: (w.ctx / "d").rename(w.ctx / "moved"),
        lambda w: projects.write(w.ctx, {"d/x": ""}),
    ),
    "where a link leads": (
        "stat",
        "ctx/l",
        lambda w: (w.ctx / "l").symlink_to("here"),
        lambda w: (w.ctx / "here").write_text(""),
        lambda w: (w.ctx / "there").write_text(""),
    ),
    "a listing is its names": (
        "listing",
        "ctx/d",
        lambda w: projects.write(w.ctx, {"d/x": ""}),
        lambda w: projects.write(w.ctx, {"d/y": ""}),
        lambda w: projects.write(w.ctx, {"d/x": "other", "d/__pycache__/x.pyc": ""}),
    ),
    "a module that would be found earlier": (
        "import",
        "ctx:numpy",
        lambda w: projects.write(w.ctx, {"other.py": ""}),
        lambda w: projects.write(w.ctx, {"numpy.py": ""}),
        lambda w: projects.write(w.ctx, {"numpy_extra.py": "", "numpy.txt": ""}),
    ),
    "a directory that becomes a package": (
        "import",
        "ctx/sub:data",
        lambda w: projects.write(w.ctx, {"sub/data/x.csv": ""}),
        lambda w: projects.write(w.ctx, {"sub/data/__init__.py": ""}),
        lambda w: projects.write(w.ctx, {"sub/data/y.csv": ""}),
    ),
    "a module that may be installed": (
        "import",
        "site:extra",
        lambda w: None,
        lambda w: projects.write(w.site, {"extra/__init__.py": ""}),
        lambda w: projects.write(w.site, {"extras/__init__.py": ""}),
    ),
    "a part of an installed package": (
        "import",
        "site/space:extra",
        lambda w: projects.write(w.site, {"space/one.py": ""}),
        lambda w: projects.write(w.site, {"space/extra.py": ""}),
        lambda w: projects.write(w.site, {"space/two.py": ""}),
    ),
    "distributions that lie in the context": (
        "dists",
        "ctx",
        lambda w: None,
        lambda w: projects.write(w.ctx, {"p.egg-info/PKG-INFO": ""}),
        lambda w: projects.write(w.ctx, {"new.py": ""}),
    ),
    "a variable": (
        "env",
        "MODE",
        lambda w: w.env.update(MODE="fast"),
        lambda w: w.env.pop("MODE"),
        lambda w: w.env.update(OTHER="1"),
    ),
    "a distribution is its version and its files": (
        "dist",
        "tool",
        lambda w: w.install("tool", "1", "tool.py,sha256=a,1\n"),
        lambda w: w.install("tool", "1", "tool.py,sha256=b,1\n"),
        lambda w: w.install("other", "1"),
    ),
    "an installed version": (
        "installed",
        "tool",
        lambda w: None,
        lambda w: w.install("tool", "1"),
        lambda w: w.install("other", "1"),
    ),
}


@pytest.mark.parametrize("story", STORIES)
def test_a_fact_changes_with_what_it_is_about_and_with_nothing_else(world: World, story: str) -> None:
    kind, name, make, matters, does_not = STORIES[story]
    make(world)
    before = world.ask(kind, name)
    does_not(world)
    assert world.ask(kind, name) == before
    matters(world)
    assert world.ask(kind, name).digest != before.digest


def test_what_is_not_there_is_absent(world: World) -> None:
    for kind, name in [("file", "ctx/x"), ("stat", "ctx/x/y"), ("listing", "ctx/x"), ("dist", "x"), ("installed", "x")]:
        assert world.ask(kind, name) == ABSENT
    assert world.ask("import", "ctx/x:y") == ABSENT


def test_a_variable_is_never_shown(world: World) -> None:
    world.env["TOKEN"] = "secret-value"
    assert world.ask("env", "TOKEN") == Fact("mac-of-12", None)


def test_versions_are_shown(world: World) -> None:
    world.install("tool", "1.2")
    assert world.ask("dist", "Tool").shown == "1.2"
    assert world.ask("installed", "tool") == Fact("1.2", "1.2", "1.2")


def test_every_path_that_guards_an_answer_is_watched(world: World) -> None:
    world.install("tool", "1")
    projects.write(world.ctx, {"d/x": "", "pkg/x.csv": ""})
    (world.ctx / "link").symlink_to("d/x")
    expected = {
        ("file", "ctx/none"): {world.ctx / "none"},
        ("stat", "ctx/link"): {world.ctx / "link", world.ctx / "d/x"},
        ("listing", "ctx/d"): {world.ctx / "d"},
        ("import", "ctx:pkg"): {world.ctx, world.ctx / "pkg"},
        ("import", "site:x"): {world.site},
        ("dist", "tool"): {world.site, world.site / "tool-1.dist-info/RECORD"},
        ("env", "X"): set(),
    }
    for (kind, name), paths in expected.items():
        world.watched.clear()
        world.ask(kind, name)
        assert {Path(path) for path in world.watched} == paths, (kind, name)


def test_a_directory_is_listed_once_however_many_names_are_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[str] = []
    listdir = os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: listed.append(path) or listdir(path))  # type: ignore[func-returns-value]
    asking = world.facts()
    for number in range(300):
        asking.ask("import", f"ctx:m{number}")
    asking.ask("listing", "ctx")
    assert listed == [os.path.realpath(world.ctx)]
