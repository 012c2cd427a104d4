"""The cases: each builds its project in a directory of its own, measures in turns, and gives one row of the table."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from measure import Case, Contender, above, in_turns, ratio, seconds
from places import Places
from projects import big_model, data_file, files_project, for_peers, iris_project

_SETTLED = 0.1  # seconds; a file younger than a clock's tick is looked at again, which no user ever sees


@dataclass
class Bench:
    """What the cases share: the installed programs, where to work, and how often to measure."""

    places: Places
    bentomake: str
    python: str
    top: Path
    runs: int
    slow_runs: int


class Work:
    """One case's own directory: its project, BentoML home and cache, and the contenders over them."""

    def __init__(self, bench: Bench, name: str):
        self.bench = bench
        self.top = bench.top / name
        shutil.rmtree(self.top, ignore_errors=True)
        self.top.mkdir(parents=True)
        self.env = bench.places.env | {
            "BENTOML_HOME": str(self.top / "home"),
            "BENTOMAKE_CACHE_DIR": str(self.top / "cache"),
            "PATH": f"{Path(bench.python).parent}{os.pathsep}{bench.places.env['PATH']}",
        }

    def forget(self) -> None:
        """As on the first day: no cache, no Bento (models stay)."""
        shutil.rmtree(self.top / "cache", ignore_errors=True)
        shutil.rmtree(self.top / "home" / "bentos", ignore_errors=True)
        time.sleep(_SETTLED)

    def ours(self, project: Path, prepare: Callable[[], None] = lambda: None, *more: str) -> Contender:
        argv = [self.bench.bentomake, "--python", self.bench.python, *more]
        return Contender("bentomake", argv, str(project), self.env, prepare)

    def built(self, project: Path) -> Contender:
        """bentomake, after it has found twice that there is nothing to do."""
        ours = self.ours(project)
        for _ in range(3):
            time.sleep(_SETTLED)
            ours.go()
        return ours

    def bentoml(self, project: Path, prepare: Callable[[], None] = lambda: None) -> Contender:
        argv = [self.bench.python, "-m", "bentoml", "build"]
        env = self.env | {"BENTOML_HOME": str(self.top / "home-of-bentoml")}
        if not (self.top / "home-of-bentoml").exists() and (self.top / "home" / "models").exists():
            shutil.copytree(self.top / "home" / "models", self.top / "home-of-bentoml" / "models")
        return Contender("bentoml build", argv, str(project), env, prepare)

    def bare_import(self, project: Path, prepare: Callable[[], None] = lambda: None) -> Contender:
        argv = [self.bench.python, "-c", "import service"]
        return Contender("the bare import of the service", argv, str(project), self.env, prepare)

    def doit(self, copy: Path, prepare: Callable[[], None] = lambda: None) -> Contender:
        return Contender("doit", [self.bench.places.peer("doit"), "run"], str(copy), self.env, prepare)

    def ninja(self, copy: Path, prepare: Callable[[], None] = lambda: None) -> Contender:
        return Contender("ninja", [self.bench.places.peer("ninja")], str(copy), self.env, prepare)

    def end(self) -> None:
        shutil.rmtree(self.top, ignore_errors=True)


def nothing_changed(bench: Bench, count: int, target: float) -> Case:
    work = Work(bench, f"unchanged-{count}")
    project = files_project(work.top, count)
    copy = for_peers(project)
    contenders = [work.built(project), work.doit(copy), work.ninja(copy)]
    in_turns(contenders, bench.runs)
    cpu = contenders[0].cpu
    work.end()
    name = f"nothing changed, {count:,} files"
    return Case(name, f"CPU ≤ {seconds(target)}", seconds(cpu), cpu <= target, contenders)


def iris_unchanged(bench: Bench, locking: bool) -> Case:
    work = Work(bench, "iris")
    project = iris_project(work.top, bench.python, work.env)
    if not locking:
        with open(project / "bentofile.yaml", "a") as file:
            file.write("  lock_packages: false\n")
    contenders = [work.built(project), work.bentoml(project)]
    in_turns(contenders, bench.slow_runs)
    ours, theirs = contenders
    times = ratio(theirs, ours)
    work.end()
    name = f"nothing changed, examples/iris, {'with' if locking else 'without'} locking"
    target, found = "CPU ≤ 35 ms, wall ≥ 60× faster than bentoml build", f"{seconds(ours.cpu)}, {times:.0f}×"
    return Case(name, target, found, ours.cpu <= 0.035 and times >= 60, contenders)


def first_build(bench: Bench, count: int, target: float) -> Case:
    work = Work(bench, "first")
    project = files_project(work.top, count)
    copy = for_peers(project)

    def undone() -> None:
        for name in (".doit.db", ".doit.db.db", ".ninja_log", ".ninja_deps", "out.done"):
            (copy / name).unlink(missing_ok=True)
        shutil.rmtree(copy / "out", ignore_errors=True)

    contenders = [
        work.ours(project, work.forget),
        work.bare_import(project),
        work.bentoml(project),
        work.doit(copy, undone),
        work.ninja(copy, undone),
    ]
    in_turns(contenders, bench.slow_runs)
    more = above(contenders[0], contenders[1])
    work.end()
    name = f"first build, {count:,} files of 4 KB, without locking"
    return Case(name, f"CPU ≤ import + {seconds(target)}", f"import + {seconds(more)}", more <= target, contenders)


def one_edited(bench: Bench, count: int, target: float) -> Case:
    work = Work(bench, "edited")
    project = files_project(work.top, count)
    copy = for_peers(project)

    def edit(where: Path) -> Callable[[], None]:
        def now() -> None:
            data_file(where, count // 2).write_bytes(os.urandom(4096))
            time.sleep(_SETTLED)

        return now

    work.built(project)
    contenders = [
        work.ours(project, edit(project)),
        work.bentoml(project, edit(project)),
        work.doit(copy, edit(copy)),
        work.ninja(copy, edit(copy)),
    ]
    contenders[1].prepare = lambda: None  # it builds everything each time
    in_turns(contenders, bench.slow_runs)
    cpu = contenders[0].cpu
    work.end()
    name = f"one of {count:,} files edited, which the service never looked at"
    return Case(name, f"CPU ≤ {seconds(target)}", seconds(cpu), cpu <= target, contenders)


def service_edited(bench: Bench, target: float) -> Case:
    work = Work(bench, "service")
    project = iris_project(work.top, bench.python, work.env)
    with open(project / "bentofile.yaml", "a") as file:
        file.write("  lock_packages: false\n")
    work.built(project)
    contenders = [work.ours(project, _edit_service(project)), work.bare_import(project), work.bentoml(project)]
    in_turns(contenders, bench.slow_runs)
    more = above(contenders[0], contenders[1])
    work.end()
    name = "service.py of examples/iris edited"
    return Case(name, f"CPU ≤ import + {seconds(target)}", f"import + {seconds(more)}", more <= target, contenders)


def _edit_service(project: Path) -> Callable[[], None]:
    def now() -> None:
        with open(project / "service.py", "a") as file:
            file.write(f"# {os.urandom(4).hex()}\n")
        time.sleep(_SETTLED)

    return now


def big_model_case(bench: Bench, size: int) -> list[Case]:
    """A model is hashed once where it lies, linked and never copied, and costs nothing from then on."""
    work = Work(bench, "model")
    project = files_project(work.top, 100, model=True)
    big_model(work.top / "home", size)
    time.sleep(_SETTLED)
    before = _space(work.top)
    said = work.top / "build.json"
    script = f'exec "$0" "$@" --output json > {said}'
    first = Contender(
        "bentomake, first build",
        ["sh", "-c", script, *work.ours(project).argv],
        str(project),
        work.env,
    )
    in_turns([first], 1, warm_up=0)
    more = _space(work.top) - before
    steps = {action["action"]: action["seconds"] for action in json.loads(said.read_text())["actions"]}
    speed = size / steps["models"] / 1e9
    linked = next((work.top / "home" / "bentos").glob("files/*/models/big/1/weights.bin"))
    assert os.path.samefile(linked, work.top / "home" / "models" / "big" / "1" / "weights.bin")
    unchanged = work.built(project)
    edited = work.ours(project, _edit_service(project))
    edited.name = "bentomake, service.py edited"
    bare = work.bare_import(project)
    in_turns([unchanged], bench.runs)
    in_turns([edited, bare], bench.slow_runs)
    unchanged.name = "bentomake, nothing changed"
    rest = above(edited, bare)
    work.end()
    shown = f"{size / 2**30:g} GiB"
    return [
        Case(
            f"a model of {shown}, first build",
            "no second copy, hashed at ≥ 1 GB/s",
            f"{more / 1e6:.1f} MB more on disk, {speed:.2f} GB/s",
            more < size / 100 + 2e6 and speed >= 1,
            [first],
        ),
        Case(
            f"a model of {shown}, service.py edited",
            "not hashed again: CPU ≤ import + 200 ms",
            f"import + {seconds(rest)}",
            rest <= 0.2,
            [edited, bare],
        ),
        Case(
            f"a model of {shown}, nothing changed",
            "CPU ≤ 30 ms",
            seconds(unchanged.cpu),
            unchanged.cpu <= 0.03,
            [unchanged],
        ),
    ]


def _space(top: Path) -> int:
    """Bytes on disk below a directory, each file once however many names it has."""
    seen: dict[tuple[int, int], int] = {}
    for root, _, names in os.walk(top):
        for name in names:
            st = os.lstat(os.path.join(root, name))
            seen[st.st_dev, st.st_ino] = st.st_blocks * 512
    return sum(seen.values())
