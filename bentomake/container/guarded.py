"""A user's template rendered in a process of its own, with little time and memory: whatever it does ends there."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from ..engine.process import Completed
from .rendering import Rendered, TemplateProblem, UserTemplate, render

SECONDS = 10
MEMORY = 1 << 29
_CODE = "import sys, json; sys.path[:] = json.loads(sys.argv[2]); from {} import main; main(sys.argv[1])"


def render_guarded(
    run: Callable[..., Completed],
    answer: str,
    templates: Mapping[str, str],
    facts: Mapping[str, Any],
    user: UserTemplate,
) -> list[Rendered]:
    """As `rendering.render`, without BuildKit and with it; `run` is the engine's way to start a process.

    `answer` is a path to write to. Raises TemplateProblem also for a template that wants too much time or memory.
    """
    argv = [sys.executable, "-I", "-c", _CODE.format(__name__), answer, json.dumps(sys.path)]
    limits = {"seconds": SECONDS, "memory": MEMORY}
    request = {"templates": dict(templates), "facts": dict(facts), "user": asdict(user), "limits": limits}
    done = run(argv, stdin=json.dumps(request), timeout=2 * SECONDS)
    if done.timed_out or done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        raise TemplateProblem(f"It is not rendered after {SECONDS} seconds.", user.shown)
    if done.returncode != 0:
        raise TemplateProblem(f"It cannot be rendered within {MEMORY >> 20} MiB of memory.", user.shown)
    with open(answer, encoding="utf-8") as file:
        told = json.load(file)
    if told["problem"]:
        raise _with_asked(TemplateProblem(*told["problem"]), told["asked"])
    return [
        Rendered(one["text"], [(said[0], said[1], said[2]) for said in one["remarks"]], one["asked"])
        for one in told["made"]
    ]


def _with_asked(problem: TemplateProblem, asked: list[str]) -> TemplateProblem:
    problem.asked = asked
    return problem


def main(answer: str) -> None:
    """The process: a request on standard input, its answer in a file."""
    request = json.load(sys.stdin)
    _limit(request["limits"])
    told: dict[str, Any] = {"made": [], "problem": None, "asked": []}
    user = UserTemplate(**request["user"])
    try:
        for buildkit in (False, True):
            told["made"].append(asdict(render(request["templates"], request["facts"], buildkit=buildkit, user=user)))
    except TemplateProblem as error:
        told |= {"problem": [error.message, error.shown, error.line, error.hint], "asked": error.asked}
    with open(answer, "w", encoding="utf-8") as file:
        json.dump(told, file)


def _limit(limits: Mapping[str, int]) -> None:
    import resource

    kinds = ((resource.RLIMIT_CPU, "seconds"), (resource.RLIMIT_AS, "memory"), (resource.RLIMIT_CORE, ""))
    for kind, name in kinds:
        most = limits.get(name, 0)
        try:
            resource.setrlimit(kind, (most, most))
        except (ValueError, OSError):  # macOS has no limit of the address space
            continue
