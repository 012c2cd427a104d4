"""The harness of the stories: a project directory, edits to it, and the real `bentomake` in a clean environment.

world = World(tmp_path, python)           # a BENTOML_HOME, a cache and a HOME of its own
project = world.project("light", LIGHT)   # its files: path → text
first = project.make()                    # runs `bentomake --output json` there
assert first.code == 0 and first.ran == ALL
project.edit("service.py", "2 * x", "3 * x")
again = project.make("lock", "-n")
project.run("list")                       # any other command line, word for word
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCRIPT = os.path.join(sysconfig.get_path("scripts"), "bentomake")
ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
ALL = {
    *("sources", "requirements", "commits", "sdists", "lock"),
    *("service", "described", "openapi", "models", "dockerfile", "bento"),
}
NOBODY = 65534
LIMIT = 600  # seconds that any one command may take before the test fails; an image of real packages takes minutes

LIGHT_SERVICE = """\
import bentoml


@bentoml.service
class Light:
    @bentoml.api
    def double(self, x: int) -> int:
        return 2 * x
"""
LIGHT_BENTOFILE = """\
service: "service:Light"
include:
  - "*.py"
  - data.txt
python:
  lock_packages: false
  packages:
    - idna
"""
LIGHT = {"service.py": LIGHT_SERVICE, "bentofile.yaml": LIGHT_BENTOFILE, "data.txt": "packed, never looked at\n"}
"""A class service that is imported in half a second, is not locked, and packs a file that it never looks at."""


@dataclass(frozen=True)
class Run:
    """What a command did: exit code, both streams, and the answer of `--output json` if it was asked for."""

    argv: list[str]
    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)

    @property
    def states(self) -> dict[str, str]:
        """State by action id, e.g. {"lock": "cached"}."""
        return {record["action"]: record["state"] for record in self.json["actions"]}

    @property
    def ran(self) -> set[str]:
        return {name for name, state in self.states.items() if state == "ran"}

    @property
    def tag(self) -> str:
        """The tag of the one Bento."""
        (bento,) = self.json["bentos"]
        return str(bento["tag"])

    @property
    def path(self) -> Path:
        """The directory of the one Bento."""
        (bento,) = self.json["bentos"]
        return Path(bento["path"])

    def reasons(self, action: str) -> list[dict[str, Any]]:
        (record,) = [record for record in self.json["actions"] if record["action"] == action]
        found: list[dict[str, Any]] = record["reasons"]
        return found

    def good(self) -> Run:
        """Itself, if it succeeded; else the test ends with what was printed."""
        assert self.code == 0, f"{' '.join(self.argv)} gave {self.code}\n{self.stdout}\n{self.stderr}"
        assert "Traceback" not in self.stderr, self.stderr
        return self


class World:
    """A machine as far as bentomake can tell: HOME, BENTOML_HOME, the cache, and the Python of the services."""

    def __init__(self, directory: Path, python: str | None, user: int | None = None):
        self.directory = directory
        self.python = python
        self.user = user
        self.home = directory / "bentoml"
        self.cache = directory / "cache"
        for path in (self.directory / "user", self.home, self.cache):
            path.mkdir(parents=True, exist_ok=True)
        self.env = clean_environment(directory / "user")
        self.env |= {"BENTOML_HOME": str(self.home), "BENTOMAKE_CACHE_DIR": str(self.cache)}
        if python is not None:
            self.env["BENTOMAKE_PYTHON"] = python

    def project(self, name: str, files: Mapping[str, str]) -> Project:
        """A new project of these files (path → text)."""
        made = Project(self, self.directory / name)
        for path, text in files.items():
            made.write(path, text)
        return made

    def example(self, name: str) -> Project:
        """A copy of an example of this repository."""
        shutil.copytree(EXAMPLES / name, self.directory / name, ignore=shutil.ignore_patterns("__pycache__", ".venv"))
        return Project(self, self.directory / name)

    def run(self, *args: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Run:
        """`bentomake ARGS`, word for word."""
        return self.command([SCRIPT, *args], cwd, env)

    def bentoml(self, *args: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Run:
        """The real `bentoml ARGS` of the services' Python."""
        assert self.python is not None
        return self.command([self.python, "-m", "bentoml", *args], cwd, env)

    def command(
        self,
        argv: list[str],
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        interrupt_when: Path | None = None,
    ) -> Run:
        """Any program, in this world."""
        argv = argv if self.user is None else as_user(self.user, argv)
        return command(argv, cwd or self.directory, {**self.env, **(env or {})}, interrupt_when)

    def bentos(self) -> list[str]:
        """The tags in the store, by its directories."""
        root = self.home / "bentos"
        return sorted(f"{p.parent.name}:{p.name}" for p in root.glob("*/*") if p.is_dir())

    def latest(self, name: str) -> str:
        """What `latest` names: NAME:VERSION."""
        return f"{name}:{(self.home / 'bentos' / name / 'latest').read_text()}"


class Project:
    """A directory with a bentofile in it, and the user who edits it."""

    def __init__(self, world: World, directory: Path):
        self.world = world
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def __truediv__(self, path: str) -> Path:
        return self.directory / path

    def write(self, path: str, text: str) -> Path:
        target = self / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        return target

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace text in a file; the text has to be there."""
        text = (self / path).read_text(encoding="utf-8")
        assert old in text, f"{path} has no {old!r}"
        self.write(path, text.replace(old, new))

    def touch(self, path: str) -> None:
        """Give a file new times, as editors and git do."""
        st = os.stat(self / path)
        os.utime(self / path, ns=(st.st_atime_ns, st.st_mtime_ns + 5_000_000_000))

    def run(self, *args: str, env: Mapping[str, str] | None = None) -> Run:
        """`bentomake ARGS` in this directory, word for word."""
        return self.world.run(*args, cwd=self.directory, env=env)

    def make(self, *args: str, env: Mapping[str, str] | None = None) -> Run:
        """`bentomake build ARGS --output json` in this directory."""
        return self.run("build", *args, "--output", "json", env=env)


def clean_environment(user: Path) -> dict[str, str]:
    """The variables of a new login, and how this machine reaches the network; nothing of pip, uv or Python."""
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(user), "LANG": "C.UTF-8", "BENTOML_DO_NOT_TRACK": "True"}
    transport = ("PIP_CERT", "SSL_CERT_FILE", "SSL_CERT_DIR", "UV_CACHE_DIR", "UV_DEFAULT_INDEX", "PIP_INDEX_URL")
    env |= {n: v for n, v in os.environ.items() if n in transport or n.lower().endswith("_proxy")}
    if "UV_CACHE_DIR" not in env:  # so that tests do not each download the same metadata
        env["UV_CACHE_DIR"] = os.path.join(os.path.expanduser("~"), ".cache", "uv")
    return env


@contextmanager
def world_of_a_user(python: str) -> Iterator[World]:
    """A world whose commands are run by somebody who is not root, also where root runs the tests."""
    directory = Path(tempfile.mkdtemp(prefix="bentomake-e2e-"))
    if os.getuid():
        world = World(directory, python)
    else:
        world = World(directory, reachable(python, directory / "python"), NOBODY)
        world.env["UV_CACHE_DIR"] = str(directory / "user" / "uv")
    try:
        yield world
    finally:
        for path in (directory, *directory.rglob("*")):
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o700)
        shutil.rmtree(directory)


def reachable(python: str, directory: Path) -> str:
    """The environment of a Python that may lie below /root, where another user finds its program."""
    environment = Path(python).parent.parent
    (directory / "bin").mkdir(parents=True)
    shutil.copy(os.path.realpath(python), directory / "bin" / "python")
    shutil.copy(environment / "pyvenv.cfg", directory)
    (directory / "lib").symlink_to(environment / "lib")
    return str(directory / "bin" / "python")


def hand_over(world: World) -> None:
    """Everything of the world is its user's; to be called when root has put files there."""
    if world.user is not None:
        for path in (world.directory, *world.directory.rglob("*")):
            os.chown(path, world.user, world.user, follow_symlinks=False)


def as_user(user: int, argv: list[str]) -> list[str]:
    """The command as another user, who may read what root may (a Python below /root), but write nothing of root's."""
    ids = ["--reuid", str(user), "--regid", str(user), "--clear-groups"]
    caps = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
    return ["setpriv", *ids, *caps, *argv]


def command(argv: list[str], cwd: Path, env: Mapping[str, str], interrupt_when: Path | None = None) -> Run:
    """Run a program in a process group of its own, for at most LIMIT seconds.

    `interrupt_when` names a file: when it appears, Ctrl-C is pressed, as a terminal does it: for the whole group.
    """
    process = start(argv, cwd, env)
    try:
        if interrupt_when is not None:
            wait_for(interrupt_when.exists, process)
            os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=LIMIT)
    except BaseException:
        end(process)
        raise
    return Run(argv, process.returncode, out, err)


def start(argv: list[str], cwd: Path, env: Mapping[str, str], output: Any = subprocess.PIPE) -> subprocess.Popen[str]:
    """Start a program in a process group of its own, and do not wait."""
    return subprocess.Popen(
        argv,
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output is not subprocess.PIPE else output,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )


def wait_for(ready: Callable[[], bool], process: subprocess.Popen[str], limit: float = 300) -> None:
    """Wait until `ready()`; the test fails if the process ends before, or the time is over."""
    until = time.monotonic() + limit
    while not ready():
        assert process.poll() is None, f"it ended with {process.returncode} before it was ready"
        assert time.monotonic() < until, "it was not ready in time"
        time.sleep(0.05)


def end(process: subprocess.Popen[str]) -> None:
    """End a process that `start_new_session` gave a group, and its group."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            pass
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            continue
    process.wait(timeout=10)
