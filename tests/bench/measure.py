"""Measuring: whole processes, their children included, in turns (A B A B …), as medians and ratios of the pairs."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import NamedTuple


class Run(NamedTuple):
    """One finished run: seconds of wall time, and of CPU (user and system) of the process and all it waited for."""

    wall: float
    cpu: float


class Failed(Exception):
    """A measured command did not do its job."""


@dataclass(eq=False)
class Contender:
    """A command, and what has to be done before each of its runs (not measured)."""

    name: str
    argv: Sequence[str]
    cwd: str
    env: Mapping[str, str]
    prepare: Callable[[], None] = lambda: None
    runs: list[Run] = field(default_factory=list)
    beside: Sequence[Contender] = ()  # those whose runs stood side by side with these

    def go(self) -> Run:
        """Prepare, then run once; Failed with the command's own words unless it exits with 0."""
        self.prepare()
        with open(os.devnull, "rb") as nothing, open(os.path.join(self.cwd, "..", "said.txt"), "w+b") as said:
            began = time.perf_counter()
            process = subprocess.Popen(self.argv, cwd=self.cwd, env=self.env, stdin=nothing, stdout=said, stderr=said)
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - began
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                said.seek(0)
                text = said.read().decode(errors="replace")[-2000:]
                raise Failed(f"{' '.join(self.argv)} (in {self.cwd}) gave {process.returncode}:\n{text}")
        return Run(wall, usage.ru_utime + usage.ru_stime)

    @property
    def wall(self) -> float:
        return median(run.wall for run in self.runs)

    @property
    def cpu(self) -> float:
        return median(run.cpu for run in self.runs)


def in_turns(contenders: Sequence[Contender], rounds: int, warm_up: int, *, alternating: bool = False) -> None:
    """Run them one after the other, `rounds` times after the warm-up; the runs are kept in each.

    `alternating`: every second round goes backwards, so that none always runs after the same other.
    """
    for number in range(warm_up + rounds):
        for contender in contenders[::-1] if alternating and number % 2 else contenders:
            contender.beside = contenders
            run = contender.go()
            if number >= warm_up:
                contender.runs.append(run)


def ratio(a: Contender, b: Contender, what: str = "wall") -> float:
    """How many times longer `a` takes than `b`: the median of the ratios of the runs that stood side by side.

    Of two that did not run in turns, the ratio of the medians.
    """
    if a not in b.beside:
        return of_medians(a, b, what)
    return median(_ratios(a, b, what))


def of_medians(a: Contender, b: Contender, what: str = "wall") -> float:
    """The median of `a` in medians of `b`."""
    return float(getattr(a, what) / getattr(b, what))


def quartiles(a: Contender, b: Contender, what: str = "wall") -> tuple[float, float]:
    """A quarter of the ratios of the pairs is below the first, a quarter above the second."""
    found = _ratios(a, b, what)
    if len(found) < 2:
        return found[0], found[0]
    low, _, high = quantiles(found, n=4, method="inclusive")
    return low, high


def _ratios(a: Contender, b: Contender, what: str) -> list[float]:
    return [getattr(x, what) / getattr(y, what) for x, y in zip(a.runs, b.runs, strict=True)]


def above(a: Contender, b: Contender, what: str = "cpu") -> float:
    """How many seconds longer `a` takes than `b`, pair by pair."""
    return median(getattr(x, what) - getattr(y, what) for x, y in zip(a.runs, b.runs, strict=True))


def seconds(value: float) -> str:
    if value < 1:
        return f"{value * 1000:.0f} ms"
    return f"{value:.2f} s"


def spread(contender: Contender, what: str) -> str:
    values = [getattr(run, what) for run in contender.runs]
    return f"{seconds(median(values))} [{seconds(min(values))} … {seconds(max(values))}]"


@dataclass
class Case:
    """A case of the table: what is promised, what was found, and the runs behind it (bentomake's own first)."""

    name: str
    target: str
    found: str
    met: bool
    contenders: list[Contender]

    def rows(self) -> list[list[str]]:
        ours = self.contenders[0]
        rows = []
        for number, one in enumerate(self.contenders):
            first = number == 0
            rows.append(
                [
                    self.name if first else "",
                    self.target if first else "",
                    f"{self.found} {'✓' if self.met else '✗'}" if first else "",
                    one.name,
                    str(len(one.runs)),
                    spread(one, "cpu"),
                    spread(one, "wall"),
                    "" if first else f"{ratio(one, ours, 'cpu'):.3g}",
                    "" if first else f"{ratio(one, ours, 'wall'):.3g}",
                ]
            )
        return rows


_HEAD = ["case", "target", "found", "command", "n", "CPU: median [min … max]", "wall: median [min … max]"]
_HEAD += ["CPU / bentomake's", "wall / bentomake's"]


def head() -> str:
    """The first two lines of the Markdown table."""
    return "\n".join(map(_line, (_HEAD, ["---"] * len(_HEAD))))


def lines(case: Case) -> str:
    """A case's lines of the table: one a command; n is how often it was run."""
    return "\n".join(map(_line, case.rows()))


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
