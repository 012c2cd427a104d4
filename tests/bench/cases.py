"""The cases: each builds its project in a directory of its own, measures in turns, and gives its row of the table.

Nothing is deleted before all is measured: some file systems make new files slowly for a while after that.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from measure import Case, Contender, above, in_turns, ratio, seconds
from places import Places
from projects import big_model, copy_of, data_file, files_project, for_peers, iris_project

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
    warm_up: int

    def fast(self, *contenders: Contender) -> list[Contender]:
        in_turns(contenders, self.runs, self.warm_up)
        return list(contenders)

    def slow(self, *contenders: Contender) -> list[Contender]:
        in_turns(contenders, self.slow_runs, self.warm_up)
        return list(contenders)


class Work:
    """One case's own directory: its project, BentoML home and cache, and the contenders over them."""

    def __init__(self, bench: Bench, name: str):
        self.bench = bench
        self.top = bench.top / name
        self.top.mkdir(parents=True)
        self.env = bench.places.env | {
            "BENTOML_HOME": str(self.top / "home"),
            "BENTOMAKE_CACHE_DIR": str(self.top / "cache"),
            "PATH": f"{Path(bench.python).parent}{os.pathsep}{bench.places.env['PATH']}",
        }

    def ours(self, project: Path) -> Contender:
        return Contender("bentomake", [self.bench.bentomake, "--python", self.bench.python], str(project), self.env)

    def built(self, project: Path) -> Contender:
        """bentomake, after it has found twice that there is nothing to do."""
        ours = self.ours(project)
        for _ in range(3):
            time.sleep(_SETTLED)
            ours.go()
        return ours

    def bentoml(self, project: Path) -> Contender:
        home = self.top / "home-of-bentoml"
        if not home.exists() and (self.top / "home" / "models").exists():
            shutil.copytree(self.top / "home" / "models", home / "models")
        argv = [self.bench.python, "-m", "bentoml", "build"]
        return Contender("bentoml build", argv, str(project), self.env | {"BENTOML_HOME": str(home)})

    def bare_import(self, project: Path) -> Contender:
        return Contender("import service", [self.bench.python, "-c", "import service"], str(project), self.env)

    def bare_python(self, project: Path) -> Contender:
        python = str(Path(self.bench.bentomake).parent / "python")
        return Contender("python -c pass", [python, "-c", "pass"], str(project), self.env)

    def hashing(self, path: Path) -> list[Contender]:
        """bentomake's stat index with a file that it does not know, and the same process without it."""
        python, code = str(Path(self.bench.bentomake).parent / "python"), "import xxhash; from bentomake.engine import "
        code += f"stat_index; index = stat_index.StatIndex({str(self.top / 'no-index')!r})"
        more = f"{code}; index.digest({str(path)!r})"
        return [
            Contender("the stat index", [python, "-c", more], str(self.top / "project"), self.env),
            Contender("importing it", [python, "-c", code], str(self.top / "project"), self.env),
        ]

    def doit(self, copy: Path) -> Contender:
        return Contender("doit", [self.bench.places.peer("doit"), "run"], str(copy), self.env)

    def ninja(self, copy: Path) -> Contender:
        return Contender("ninja", [self.bench.places.peer("ninja")], str(copy), self.env)


def nothing_changed(bench: Bench, count: int, target: float) -> Case:
    work = Work(bench, f"unchanged-{count}")
    project = files_project(work.top, count)
    copy = for_peers(project)
    runs = bench.fast(work.built(project), work.doit(copy), work.ninja(copy), work.bare_python(project))
    cpu = runs[0].cpu
    name = f"nothing changed, {count:,} files"
    return Case(name, f"CPU ≤ {seconds(target)}", seconds(cpu), cpu <= target, runs)


def iris_unchanged(bench: Bench, locking: bool) -> Case:
    work = Work(bench, f"iris-{locking}")
    project = iris_project(work.top, bench.python, work.env, locking=locking)
    runs = bench.slow(work.built(project), work.bentoml(copy_of(project, "for-bentoml")))
    cpu, times = runs[0].cpu, ratio(runs[1], runs[0])
    name = f"nothing changed, examples/iris, {'with' if locking else 'without'} locking"
    target, found = "CPU ≤ 35 ms, wall ≥ 60 times less than bentoml build", f"{seconds(cpu)}, {times:.0f} times"
    return Case(name, target, found, cpu <= 0.035 and times >= 60, runs)


def first_build(bench: Bench, count: int, target: float) -> Case:
    work = Work(bench, "first")
    project = files_project(work.top, count)
    ours, doit, ninja = work.ours(project), work.doit(project), work.ninja(project)
    made = 0

    def anew() -> Path:
        nonlocal made
        made += 1
        return work.top / f"{made}"

    def no_cache() -> None:
        home = anew()
        ours.env = work.env | {"BENTOML_HOME": f"{home}/home", "BENTOMAKE_CACHE_DIR": f"{home}/cache"}

    def no_output(peer: Contender) -> Callable[[], None]:
        def now() -> None:
            peer.cwd = str(for_peers(project, anew().name))

        return now

    ours.prepare, doit.prepare, ninja.prepare = no_cache, no_output(doit), no_output(ninja)
    bare = work.bare_import(copy_of(project, "for-import"))
    runs = bench.slow(ours, bare, work.bentoml(copy_of(project, "for-bentoml")), doit, ninja)
    more = above(ours, bare)
    name = f"first build, {count:,} files of 4 KB, without locking"
    return Case(name, f"CPU ≤ import + {seconds(target)}", f"import + {seconds(more)}", more <= target, runs)


def one_edited(bench: Bench, count: int, target: float) -> Case:
    work = Work(bench, "edited")
    project = files_project(work.top, count)
    work.built(project)
    copies = [copy_of(project, "for-bentoml"), for_peers(project, "for-doit"), for_peers(project, "for-ninja")]
    contenders = [work.ours(project), work.bentoml(copies[0]), work.doit(copies[1]), work.ninja(copies[2])]
    for contender, where in zip(contenders, (project, *copies), strict=True):
        contender.prepare = _edit(data_file(where, count // 2))
    for peer in contenders[2:]:
        peer.go()
    runs = bench.slow(*contenders)
    cpu = runs[0].cpu
    name = f"one of {count:,} files edited, which the service never looked at"
    return Case(name, f"CPU ≤ {seconds(target)}", seconds(cpu), cpu <= target, runs)


def service_edited(bench: Bench, target: float) -> Case:
    work = Work(bench, "service")
    project = iris_project(work.top, bench.python, work.env, locking=False)
    copy = copy_of(project, "for-bentoml")
    ours, bare, bentoml = work.built(project), work.bare_import(copy), work.bentoml(copy)
    ours.prepare = _edit(project / "service.py")
    bare.prepare = _edit(copy / "service.py")
    runs = bench.slow(ours, bare, bentoml)
    more = above(ours, bare)
    name = "service.py of examples/iris edited"
    return Case(name, f"CPU ≤ import + {seconds(target)}", f"import + {seconds(more)}", more <= target, runs)


def _edit(path: Path) -> Callable[[], None]:
    """Other bytes at the file's end: a comment in Python."""

    def now() -> None:
        with open(path, "ab") as file:
            file.write(b"# " + os.urandom(4).hex().encode() + b"\n")
        time.sleep(_SETTLED)

    return now


def model(bench: Bench, size: int) -> list[Case]:
    """A model is hashed once where it lies, linked and never copied, and costs nothing from then on."""
    work = Work(bench, "model")
    project = files_project(work.top, 100, model=True)
    big_model(work.top / "home", size)
    time.sleep(_SETTLED)
    before = _space(work.top)
    first = work.ours(project)
    in_turns([first], 1, warm_up=0)
    more = _space(work.top) - before
    hashing, python = bench.slow(*work.hashing(work.top / "home" / "models" / "big" / "1" / "weights.bin"))
    speed = size / above(hashing, python) / 1e9
    unchanged = bench.fast(work.built(project))
    edited, bare = work.ours(project), work.bare_import(copy_of(project, "for-import"))
    edited.prepare = _edit(project / "service.py")
    after = bench.slow(edited, bare)
    rest = above(edited, bare)
    name = f"a model of {size / 2**30:.3g} GiB"
    return [
        Case(
            f"{name}, first build",
            "no second copy",
            f"{more / 1e6:.1f} MB more on disk",
            more < size / 100 + 2e6,
            [first],
        ),
        Case(
            f"{name}, hashing it alone",
            "≥ 1 GB a second of CPU",
            f"{speed:.2f} GB/s",
            speed >= 1,
            [hashing, python],
        ),
        Case(
            f"{name}, nothing changed",
            "CPU ≤ 30 ms",
            seconds(unchanged[0].cpu),
            unchanged[0].cpu <= 0.03,
            unchanged,
        ),
        Case(
            f"{name}, service.py edited",
            "not hashed again: CPU ≤ import + 200 ms",
            f"import + {seconds(rest)}",
            rest <= 0.2,
            after,
        ),
    ]


def exported(bench: Bench, size: int) -> list[Case]:
    """A Bento with a model of noise, as files; once each, because bentoml needs minutes for .bento."""
    work = Work(bench, "export")
    project = files_project(work.top, 100, model=True)
    big_model(work.top / "home", size)
    work.ours(project).go()
    made = []
    for suffix in ("bento", "tar"):
        words = ["export", "files", str(work.top / f"archive.{suffix}")]
        ours = Contender("bentomake export", [bench.bentomake, *words], str(project), work.env)
        bentoml = Contender("bentoml export", [bench.python, "-m", "bentoml", *words], str(project), work.env)
        in_turns([ours, bentoml], 1, warm_up=0)
        name = f"a model of {size / 2**20:,.0f} MiB, exported to .{suffix}"
        made.append(Case(name, "", f"{ratio(bentoml, ours):.1f} times faster", True, [ours, bentoml]))
    return made


def _space(top: Path) -> int:
    """Bytes on disk below a directory, each file once however many names it has."""
    seen: dict[tuple[int, int], int] = {}
    for root, _, names in os.walk(top):
        for name in names:
            st = os.lstat(os.path.join(root, name))
            seen[st.st_dev, st.st_ino] = st.st_blocks * 512
    return sum(seen.values())
