"""Real image engines for the stories: which this run has, what is in an image, a container to be asked over loopback.

BENTOMAKE_TEST_ENGINES names them ("docker buildah"; podman, too, can be among them).
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ended import what_it_said
from harness import World, end, start

NAMES = os.environ.get("BENTOMAKE_TEST_ENGINES", "").split()
_HANDED = ("DOCKER_HOST", "DOCKER_CONTEXT", "XDG_RUNTIME_DIR")
_ENV = dict(os.environ)  # whatever a test does to its own environment
_PATIENCE = 300  # seconds until a server has to answer
TITLE = "org.opencontainers.image.title"


def with_engine(world: World) -> World:
    """The world, from which this run's engines can be reached."""
    world.env |= {n: v for n, v in os.environ.items() if n in _HANDED or n.startswith("CONTAINERS_")}
    world.env["PATH"] = f"{world.env['PATH']}:/usr/sbin:/sbin"
    return world


class Server:
    """A Bento that is served in a container, on a port of this machine."""

    def __init__(self, published: int, address: str = "127.0.0.1", port: int = 0):
        self.url = f"http://127.0.0.1:{published}"
        self.address, self.port = address, port or published  # for other containers

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
        return self.ended(*given, tag, *words)

    def ended(self, *words: str) -> str:
        """What `run WORDS` prints."""
        return what_it_said(self.name, words, _ENV).strip()

    def read(self, tag: str, path: str) -> str:
        """A file of the image, whoever may read it there."""
        return self.ended("--user", "0", "--entrypoint", "cat", tag, path)

    def files(self, tag: str, directory: str) -> set[str]:
        """The files below a directory of the image, relative to it."""
        argv = ["--user", "0", "--entrypoint", "find", tag, directory, "-type", "f", "-printf", "%P\\n"]
        return set(self.ended(*argv).splitlines())

    @contextlib.contextmanager
    def serving(
        self, tag: str, *words: str, port: int = 3000, env: Mapping[str, str] | None = None
    ) -> Iterator[Server]:
        """A running container of the image that answers; stopped as an orchestrator stops it.

        A port other than 3000 is given by PORT, or by the word `{port}`.
        """
        given = [] if port == 3000 or "{port}" in words else ["-e", f"PORT={port}"]
        given += [word for name, value in (env or {}).items() for word in ("-e", f"{name}={value}")]
        words = tuple(word.format(port=port) for word in words)
        container = self.call("run", "-d", "-p", f"127.0.0.1::{port}", *given, tag, *words)
        try:
            published = self.call("port", container, str(port)).rpartition(":")[2]
            address = self.call("container", "inspect", "--format", "{{.NetworkSettings.IPAddress}}", container)
            server = Server(int(published), address, port)
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
        found = self.call("image", "ls", "-q", "--no-trunc", name).splitlines()
        found += self.call("image", "ls", "-q", "--no-trunc", "--filter", f"label={TITLE}={name}").splitlines()
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
    def serving(
        self, tag: str, *words: str, port: int = 3000, env: Mapping[str, str] | None = None
    ) -> Iterator[Server]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        given = [] if "{port}" in words else ["-e", f"PORT={port}"]
        given += [word for name, value in (env or {}).items() for word in ("-e", f"{name}={value}")]
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


class Podman(Docker):
    """podman: docker's words, on buildah's images."""

    name = "podman"

    def id(self, tag: str) -> str | None:
        found = super().id(tag)
        return f"sha256:{found}" if found else None


ENGINES = {kind.name: kind() for kind in (Docker, Buildah, Podman) if kind.name in NAMES}
# podman builds as buildah does: beside it, it has a few stories of its own, not each of buildah's.
EACH = {name: engine for name, engine in ENGINES.items() if name != "podman" or "buildah" not in ENGINES}
