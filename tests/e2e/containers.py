"""Real image engines for the stories: which this run has, what is in an image, a container to be asked over loopback.

BENTOMAKE_TEST_ENGINES names them ("docker buildah"); BENTOMAKE_TEST_ENGINE, the older variable, names one.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import LIGHT_SERVICE, Project, Run, World, end, start
from surroundings import Index

NAMES = (os.environ.get("BENTOMAKE_TEST_ENGINES") or os.environ.get("BENTOMAKE_TEST_ENGINE", "")).split()
_HANDED = ("DOCKER_HOST", "DOCKER_CONTEXT", "XDG_RUNTIME_DIR")
_ENV = dict(os.environ)  # whatever a test does to its own environment
_PATIENCE = 90  # seconds until a server has to answer
TITLE = "org.opencontainers.image.title"


def with_engine(world: World) -> World:
    """The world, from which this run's engines can be reached."""
    world.env |= {n: v for n, v in os.environ.items() if n in _HANDED or n.startswith("CONTAINERS_")}
    world.env["PATH"] = f"{world.env['PATH']}:/usr/sbin:/sbin"
    return world


class Server:
    """A Bento that is served in a container, on a port of this machine."""

    def __init__(self, port: int):
        self.url = f"http://127.0.0.1:{port}"

    def ask(self, path: str, body: Any = None) -> tuple[int, Any]:
        """Status, and the answer: JSON where it is JSON."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/{path}", data, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                text = response.read().decode()
                return response.status, json.loads(text) if "json" in response.headers["Content-Type"] else text
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def ready(self) -> bool:
        with contextlib.suppress(OSError):
            return self.ask("readyz")[0] == 200
        return False


class Docker:
    """The docker daemon that this run has."""

    name = "docker"

    def call(self, *words: str, may_fail: bool = False, given: str | None = None) -> str:
        done = subprocess.run([self.name, *words], capture_output=True, text=True, input=given, env=_ENV)
        assert may_fail or done.returncode == 0, f"{self.name} {' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def id(self, tag: str) -> str | None:
        """The id of an image, if the engine has it."""
        return self.call("image", "inspect", "--format", "{{.Id}}", tag, may_fail=True) or None

    def config(self, tag: str) -> dict[str, Any]:
        """User, Env, Labels, Entrypoint and the like of an image."""
        found: dict[str, Any] = json.loads(self.call("image", "inspect", tag))[0]["Config"]
        return found

    def run(self, tag: str, *words: str, env: Mapping[str, str] | None = None) -> str:
        """What a command prints that the image's entrypoint is given."""
        given = [word for name, value in (env or {}).items() for word in ("-e", f"{name}={value}")]
        return self.call("run", "--rm", *given, tag, *words)

    def read(self, tag: str, path: str) -> str:
        """A file of the image, whoever may read it there."""
        return self.call("run", "--rm", "--user", "0", "--entrypoint", "cat", tag, path)

    def files(self, tag: str, directory: str) -> set[str]:
        """The files below a directory of the image, relative to it."""
        argv = ["--user", "0", "--entrypoint", "find", tag, directory, "-type", "f", "-printf", "%P\\n"]
        return set(self.call("run", "--rm", *argv).splitlines())

    @contextlib.contextmanager
    def serving(self, tag: str, *words: str, port: int = 3000) -> Iterator[Server]:
        """A running container of the image that answers; stopped as an orchestrator stops it.

        A port other than 3000 is given by PORT, or by the word `{port}`.
        """
        given = [] if port == 3000 or "{port}" in words else ["-e", f"PORT={port}"]
        words = tuple(word.format(port=port) for word in words)
        container = self.call("run", "-d", "-p", f"127.0.0.1::{port}", *given, tag, *words)
        try:
            published = self.call("port", container, str(port)).rpartition(":")[2]
            server = Server(int(published))
            until = time.monotonic() + _PATIENCE
            while not server.ready():
                running = self.call("container", "inspect", "--format", "{{.State.Running}}", container) == "true"
                assert running and time.monotonic() < until, self._said(container)
                time.sleep(0.2)
            yield server
            self.call("stop", "--time", "20", container)
            code = self.call("container", "inspect", "--format", "{{.State.ExitCode}}", container)
            assert code != "137", "it had to be killed"
        finally:
            self.call("rm", "-f", container)

    def _said(self, container: str) -> str:
        done = subprocess.run([self.name, "logs", container], capture_output=True, text=True, env=_ENV)
        return f"it did not get ready:\n{done.stdout}{done.stderr}"

    def remove(self, name: str) -> None:
        """Remove all images of the Bento of that name, those that have lost their tag included."""
        found = self.call("image", "ls", "-q", "--no-trunc", "--filter", f"label={TITLE}={name}").splitlines()
        if found:
            self.call("image", "rm", "-f", *dict.fromkeys(found))


class Buildah(Docker):
    """buildah: no daemon, so a container is a process of this test."""

    name = "buildah"

    def id(self, tag: str) -> str | None:
        found = self.call("inspect", "--type", "image", "--format", "{{.FromImageID}}", tag, may_fail=True)
        return f"sha256:{found}" if found else None

    def config(self, tag: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.call("inspect", "--type", "image", tag))["OCIv1"]["config"]
        return found

    @contextlib.contextmanager
    def _container(self, tag: str) -> Iterator[str]:
        container = self.call("from", tag)
        try:
            yield container
        finally:
            self.call("rm", container)

    def run(self, tag: str, *words: str, env: Mapping[str, str] | None = None) -> str:
        given = [word for name, value in (env or {}).items() for word in ("-e", f"{name}={value}")]
        with self._container(tag) as container:
            return self.call("run", *given, container, "--", *self.config(tag)["Entrypoint"], *words)

    def read(self, tag: str, path: str) -> str:
        with self._container(tag) as container:
            return (Path(self.call("mount", container)) / path.lstrip("/")).read_text().strip()

    def files(self, tag: str, directory: str) -> set[str]:
        with self._container(tag) as container:
            top = Path(self.call("mount", container)) / directory.strip("/")
            return {str(path.relative_to(top)) for path in top.rglob("*") if path.is_file() and not path.is_symlink()}

    @contextlib.contextmanager
    def serving(self, tag: str, *words: str, port: int = 3000) -> Iterator[Server]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        given = [] if "{port}" in words else ["-e", f"PORT={port}"]
        words = tuple(word.format(port=port) for word in words)
        with self._container(tag) as container:
            entrypoint = self.config(tag)["Entrypoint"]
            argv = [self.name, "run", "--network", "host", *given, container, "--", *entrypoint, *words]
            process = start(argv, Path.cwd(), os.environ)
            try:
                server = Server(port)
                until = time.monotonic() + _PATIENCE
                while not server.ready():
                    assert process.poll() is None, f"it ended: {process.communicate()}"
                    assert time.monotonic() < until, "it was not ready in time"
                    time.sleep(0.2)
                yield server
            finally:
                end(process)
            with contextlib.suppress(OSError):
                server.ask("livez")
                raise AssertionError("it still answers")

    def remove(self, name: str) -> None:
        found = self.call("images", "-q", "--no-trunc", "--filter", f"label={TITLE}={name}").splitlines()
        if found:
            self.call("rmi", "-f", *dict.fromkeys(found))


ENGINES = {kind.name: kind() for kind in (Docker, Buildah) if kind.name in NAMES}

QUICK = """\
{% extends bento_base_template %}
{% block SETUP_BENTO_COMPONENTS %}
COPY --chown={{ bento__user }} env/docker/entrypoint.sh model[s] ./models/
COPY --chown={{ bento__user }} env/docker ./env/docker
COPY --from=bento --chown={{ bento__user }} /bento/ ./
# more
{% endblock %}
"""
"""A template with which nothing is installed, so that an image is there in two seconds."""


class Shop:
    """A world with docker and a package index of its own, where each Bento has a name that nobody else uses."""

    def __init__(self, directory: Path, python: str):
        self.world = with_engine(World(directory, python))
        self.index = Index(directory / "index")
        self.world.env |= self.index.for_builds_with(python)
        a_bentoml_that_says_its_words(self.index.directory / "bentoml")
        self.engine = ENGINES["docker"]
        self._names: list[str] = []

    def name(self) -> str:
        """A new name for a Bento; its images are removed after the test."""
        self._names.append(f"story-{os.urandom(5).hex()}")
        return self._names[-1]

    def project(self, template: str | None = QUICK, options: str = "", **files: str) -> Box:
        """A project with this template (none: bentomake's own) and these lines more in its bentofile."""
        name = self.name()
        bentofile = f'service: "service:Light"\nname: {name}\n{options}'
        if "docker:" not in options:
            bentofile += "docker:\n"
        bentofile = bentofile.replace("docker:\n", 'docker:\n  python_version: "3.11"\n')
        given = {"service.py": LIGHT_SERVICE, "bentofile.yaml": bentofile, **files}
        if template is not None:
            given |= {"Dockerfile.template": template}
            given["bentofile.yaml"] = bentofile.replace(
                "docker:", "docker:\n  dockerfile_template: Dockerfile.template"
            )
        return Box(self, name, self.world.project(name, given))

    def containerize(self, *words: str, env: Mapping[str, str] | None = None) -> Made:
        """`bentomake containerize WORDS`, with each line of the engine, and why each step ran."""
        return Made(self.world.run("containerize", *words, "--progress", "plain", "--explain", env=env))

    def clear(self) -> None:
        for name in self._names:
            self.engine.remove(name)
        self._names.clear()


def a_bentoml_that_says_its_words(place: Path) -> None:
    """Fill the empty wheel of bentoml in that directory of an index: its program prints what it is told."""
    (wheel,) = place.glob("*.whl")
    version = wheel.name.split("-")[1]
    info = f"bentoml-{version}.dist-info"
    features = "".join(f"Provides-Extra: {name}\n" for name in ("aws", "grpc", "tracing"))
    files = {
        "bentoml.py": f"import sys\n__version__ = {version!r}\n\n\ndef main():\n    print('bentoml', *sys.argv[1:])\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: bentoml\nVersion: {version}\n{features}"
        'Requires-Dist: other; extra == "grpc"\n',
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nbentoml = bentoml:main\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(wheel, "w") as made:
        for path, text in files.items():
            made.writestr(path, text)


@dataclass
class Box:
    """A project whose Bento becomes an image."""

    shop: Shop
    name: str
    project: Project

    def build(self) -> str:
        """Build the Bento: its tag."""
        return self.project.make().good().tag

    def containerize(self, *words: str, env: Mapping[str, str] | None = None) -> Made:
        """Build, and containerize what was built."""
        return self.shop.containerize(self.build(), *words, env=env)


class Made:
    """What a `containerize` said."""

    def __init__(self, run: Run):
        self.run = run
        self.said = run.stderr
        self.log = "\n".join(re.findall(r"^  image \| (.*)$", self.said, re.MULTILINE))
        self.states = dict(re.findall(r"^(bento|pinned|wheelhouse|image): (\w+)", self.said, re.MULTILINE))

    def good(self) -> Made:
        self.run.good()
        return self

    @property
    def ran(self) -> set[str]:
        return {name for name, state in self.states.items() if state == "ran"}

    @property
    def tag(self) -> str:
        """The first name of the image."""
        (names,) = re.findall(r'with tag\(s\) "([^"]+)"', self.said)
        return str(names).partition(",")[0]

    def sent(self) -> float:
        """The bytes that the engine says it was sent."""
        units = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}
        last = {}
        for step, size, unit in re.findall(r"^(#\d+) transferring \S+ ([\d.]+)([kMG]?B)\b", self.log, re.MULTILINE):
            last[step] = float(size) * units[unit]
        assert last, self.log
        return sum(last.values())

    def cached(self, instruction: str) -> bool:
        """Whether the engine had the layer of the instruction that begins so."""
        (step,) = re.findall(rf"^(#\d+) \[.*\] {re.escape(instruction)}", self.log, re.MULTILINE)
        return f"\n{step} CACHED" in self.log
