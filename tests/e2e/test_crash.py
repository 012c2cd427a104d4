"""`kill -9` at any point leaves nothing half made; builds at once do each thing once."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from harness import ALL, LIMIT, SCRIPT, Project, World, start
from surroundings import Index, check_store, content_digest, save_model

SERVICE = """\
import bentoml

bentoml.models.get("toy_model:latest")


@bentoml.service
class Light:
    @bentoml.api
    def echo(self, text: str) -> str:
        return text
"""
BENTOFILE = 'service: "service:Light"\ninclude: ["*.py", data]\npython:\n  packages: [toy]\n'
FILES = 400
KILLS_A_SHARE = 15


class Victim:
    """A project of several hundred files and a model, and what a build of it should give."""

    def __init__(self, directory: Path, python: str):
        self.world = World(directory, python)
        self.world.env |= Index(directory / "index").for_builds_with(python)
        self.project: Project = self.world.project("light", {"service.py": SERVICE, "bentofile.yaml": BENTOFILE})
        content = random.Random(1)
        for number in range(FILES):
            self.project.write(f"data/{number % 7}/{number}.txt", f"{number} {content.random()}\n" * 50)
        save_model(self.world.home, "one", content.randbytes(20 << 20))
        began = time.monotonic()
        self.digest = self.build()
        self.seconds = time.monotonic() - began

    @property
    def staged(self) -> list[str]:
        try:
            return [name for name in os.listdir(self.world.home / "tmp") if name.startswith("bentomake-")]
        except FileNotFoundError:
            return []

    def build(self) -> str:
        """A build to its end; the content digest of the one whole Bento that is then in the store."""
        run = self.project.run("-o", "path").good()
        (bento,) = check_store(self.world.home)
        assert str(bento) == run.stdout.strip()
        assert (bento / "models/toy_model/one/weights.bin").stat().st_size == 20 << 20
        return content_digest(bento)

    def forget(self) -> None:
        shutil.rmtree(self.world.cache)
        shutil.rmtree(self.world.home / "bentos", ignore_errors=True)

    def kill(self, when: Callable[[subprocess.Popen[str]], None], family: bool) -> bool:
        """Start a build and kill it; whether it was still alive. `family`: with all that it had started."""
        process = start([SCRIPT, "-o", "path"], self.project.directory, self.world.env)
        when(process)
        doomed = [*(descendants(process.pid) if family else []), process.pid]
        alive = process.poll() is None
        for pid in reversed(doomed):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        process.communicate()
        return alive


def descendants(pid: int) -> list[int]:
    """The processes that a process started, and those that these started."""
    pairs = [
        line.split()
        for line in subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True).stdout.splitlines()
    ]
    found = [int(child) for child, parent in pairs if int(parent) == pid]
    return [*found, *(deeper for child in found for deeper in descendants(child))]


@pytest.mark.parametrize("share", range(4))
def test_a_killed_build_leaves_nothing_half_made_and_the_next_one_is_right(tmp_path, bentoml14, share):
    """Sixty kills: at any time, and more of them while the Bento arrives; alone or with its children, once or twice."""
    victim = Victim(tmp_path, bentoml14)
    chance = random.Random(share)

    def any_time(process, window):
        time.sleep(chance.uniform(0, victim.seconds * window))

    def while_it_arrives(process, window):
        while process.poll() is None and not victim.staged:
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.08 * window))

    for number in range(KILLS_A_SHARE):
        if number % 3 == 0:
            victim.forget()
        when = while_it_arrives if number % 3 == 2 else any_time
        for tries in range(12):  # a build that was faster than its killer is built once more, and killed sooner
            if when is while_it_arrives or tries:  # what is known by then leaves a build nothing but its arrival to do
                shutil.rmtree(victim.world.home / "bentos", ignore_errors=True)
            if victim.kill(partial(when, window=0.7**tries), family=chance.random() < 0.5):
                break
        else:
            pytest.fail("every build had ended before it was killed")
        check_store(victim.world.home)
        if number % 3 == 2:
            assert victim.build() == victim.digest
            assert " 0 ran, " in victim.project.run().good().stderr
    shutil.rmtree(victim.world.home / "bentos")
    victim.build()
    assert victim.staged == []  # what dead builds left is swept
    assert os.listdir(victim.world.cache / "tmp") == []


def test_a_dead_builds_leftovers_are_swept_and_a_living_ones_are_not(tmp_path, bentoml14):
    victim = Victim(tmp_path, bentoml14)
    tmp = victim.world.home / "tmp"
    (tmp / "bentomake-1-dead" / "src").mkdir(parents=True)
    (tmp / "bentomake-1-dead.lock").write_text("")
    (tmp / "somebody-elses").mkdir()
    (victim.world.cache / "tmp" / "action-dead").mkdir()
    shutil.rmtree(victim.world.home / "bentos")
    victim.build()
    assert sorted(os.listdir(tmp)) == ["somebody-elses"]
    assert os.listdir(victim.world.cache / "tmp") == []


def test_three_builds_at_once_run_each_action_once_and_agree(tmp_path, bentoml14):
    victim = Victim(tmp_path, bentoml14)
    for _ in range(2):
        victim.forget()
        argv = [SCRIPT, "--progress", "json", "-o", "tag"]
        builds = [start(argv, victim.project.directory, victim.world.env) for _ in range(3)]
        said = [build.communicate(timeout=LIMIT) for build in builds]
        assert [build.returncode for build in builds] == [0, 0, 0], said
        assert len({out for out, _ in said}) == 1
        events = [json.loads(line) for _, err in said for line in err.splitlines() if line.startswith("{")]
        ended = [(event["action"], event["state"]) for event in events if event["event"] == "ended"]
        assert len(ended) == 3 * len(ALL)
        ran = sorted(action for action, state in ended if state == "ran")
        assert ran == sorted(ALL)
        (bento,) = check_store(victim.world.home)
        assert content_digest(bento) == victim.digest
        assert victim.staged == []


def test_when_the_holder_of_an_action_is_killed_a_waiter_runs_it(tmp_path, bentoml14):
    victim = Victim(tmp_path, bentoml14)
    victim.forget()
    argv = [SCRIPT, "--progress", "json", "-o", "tag"]
    first = start(argv, victim.project.directory, victim.world.env)
    assert first.stderr is not None
    for line in first.stderr:
        if json.loads(line) == {"event": "started", "action": "service"}:
            break
    second = start(argv, victim.project.directory, victim.world.env)
    assert second.stderr is not None
    lines = []
    for line in second.stderr:
        lines.append(line)
        if "waits for another build" in line:
            for pid in [*descendants(first.pid), first.pid]:
                os.kill(pid, signal.SIGKILL)
            break
    first.wait()
    lines.extend(second.stderr)
    assert second.wait() == 0, "".join(lines)
    events = [json.loads(line) for line in lines if line.startswith("{")]
    assert {"service", "bento"} <= {e["action"] for e in events if e["event"] == "ended" and e["state"] == "ran"}
    (bento,) = check_store(victim.world.home)
    assert content_digest(bento) == victim.digest
