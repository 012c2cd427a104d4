"""A head start: buildx is started for a new Bento before all is known, and waits for its Dockerfile."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from fake_daemon import FakeDaemon
from stand_in import healthy

from bentomake.bento import yaml_text
from bentomake.bento.layout import digests_file
from bentomake.container import docker_direct
from bentomake.container.begun import HeadStart
from bentomake.container.options import Options
from bentomake.containerize import containerize
from bentomake.engine.digest import of_bytes
from bentomake.engine.fresh import SETTLE
from bentomake.engine.progress import Silent
from bentomake.engine.tree import FILE, Entry
from bentomake.errors import BentomakeError
from bentomake.execution import Result
from bentomake.head_start import head_start
from bentomake.session import Session
from bentomake.workspace import ImageAsk, Settings

DOCKERFILE = "FROM scratch AS bento\nCOPY src /bento/src/\nFROM python:3.11-slim\nCOPY --from=bento /bento/ ./\n"
# buildx, as far as it is seen here: it notes how it was started, reads a Dockerfile, looks into its contexts, and ends.
BUILDX = """#!{python}
import json, os, sys, tempfile
words = sys.argv[1:]
def note(**what):
    with open({log!r}, "a") as file:
        file.write(json.dumps(what) + "\\n")
note(started=words)
file = words[words.index("--file") + 1]
if file == "-":
    file = os.path.join(tempfile.mkdtemp(prefix="dockerfile"), "Dockerfile")  # and left there
    with open(file, "w") as copy:
        copy.write(sys.stdin.read())
text = open(file).read()
if not text:
    sys.exit("ERROR: the Dockerfile cannot be empty")
named = [words[at + 1].split("=", 1) for at, word in enumerate(words) if word == "--build-context"]
kept = [os.path.realpath(f"/proc/self/fd/{{number}}") for number in os.listdir("/proc/self/fd")]
seen = {{name: sorted(os.listdir(path)) for name, path in [*named, ("", words[-1])]}}
note(built=text, seen=seen, kept=sorted(os.path.basename(path) for path in kept if path.endswith(".lock")))
with open(words[words.index("--iidfile") + 1], "w") as made:
    made.write("sha256:" + "b" * 64)
"""


class Shop:
    """Bentos of the store, and a docker whose daemon is asked by its socket and built with by buildx itself."""

    def __init__(self, home: Path, here: Path):
        self.home, self.here = home, here
        self.log = here / "buildx.log"
        self.docker = healthy(here / "bin", "docker")
        program = here / "bin/.docker/cli-plugins/docker-buildx"
        program.parent.mkdir(parents=True)
        program.write_text(BUILDX.format(python=sys.executable, log=str(self.log)))
        program.chmod(0o755)
        where = {"DOCKER_HOST": f"unix://{here}/d.sock", "DOCKER_CONFIG": str(here / "bin/.docker")}
        self._temporary = here / "of the user"
        self._temporary.mkdir()
        self.env = {**os.environ, **self.docker.env, **where, "TMPDIR": str(self._temporary)}

    def bento(self, version: str, dockerfile: str = DOCKERFILE, more: Sequence[str] = (), **info: Any) -> None:
        files = {"src/service.py": f"# {version}", "env/docker/Dockerfile.buildkit": dockerfile}
        files |= dict.fromkeys(more, "")
        told = {"name": "iris", "version": version, "creation_time": "2026-01-01T00:00:00+00:00", "labels": {}}
        files["bento.yaml"] = yaml_text.dump({**told, **info, "content_digest": "sha256:" + "c" * 64})
        listed = {path: Entry(of_bytes(text.encode()), FILE) for path, text in files.items()}
        files["bentomake.sha256"] = digests_file(listed)
        for path, text in files.items():
            target = self.home / "bentos/iris" / version / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        (self.home / "bentos/iris/latest").write_text(version)
        time.sleep(2 * SETTLE)  # a younger file is looked at again, as if it had never been seen

    def settings(self, *opts: str, env: dict[str, str] | None = None, **more: Any) -> Settings:
        ask = ImageAsk(**{"backend": "docker", "options": Options.parse(opts), **more})
        return Settings(str(self.here), {**self.env, **(env or {})}, image=ask)

    def begin(self, *opts: str, tag: str = "iris", **more: Any) -> HeadStart | None:
        return head_start(tag, self.settings(*opts, **more))

    def containerize(self, *opts: str, begun: HeadStart | None, **more: Any) -> Result:
        session = Session(self.settings(*opts, **more))
        try:
            return containerize("iris", session, Silent(), head_start=begun)
        finally:
            session.close()
            if begun is not None:
                begun.end()

    @property
    def noted(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    @property
    def started(self) -> list[list[str]]:
        return [note["started"] for note in self.noted if "started" in note]

    @property
    def built(self) -> list[str]:
        return [note["built"] for note in self.noted if "built" in note]

    def wait_for_start(self, number: int = 1) -> None:
        until = time.monotonic() + 20
        while len(self.started) < number:
            assert time.monotonic() < until, "buildx was not started"
            time.sleep(0.01)

    @property
    def left(self) -> list[str]:
        return sorted(os.listdir(self.home / "tmp")) if (self.home / "tmp").exists() else []

    @property
    def temporary(self) -> list[str]:
        """What is left where the user's programs have their temporary files."""
        return sorted(os.listdir(self._temporary))


@pytest.fixture
def shop(own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setattr(docker_direct, "wrapped", lambda program: False)  # the stand-ins are scripts
    with FakeDaemon(tmp_path / "d.sock") as server:
        server.answers["/images/iris:v1/json"] = server.answers["/images/iris:v2/json"] = (404, {})
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        shop = Shop(own_home, tmp_path)
        shop.bento("v1")
        assert shop.begin() is None  # there is no cache yet
        done = shop.containerize(begun=None)
        assert done.errors == [], done.errors[0].detail
        shop.log.unlink()
        shop.bento("v2")
        yield shop
        server.shutdown()


def test_a_new_bento_is_built_by_what_was_started_ahead(shop: Shop) -> None:
    begun = shop.begin()
    assert begun is not None
    shop.wait_for_start()
    assert shop.built == []
    assert shop.containerize(begun=begun).errors == []
    (words,), (text,) = shop.started, shop.built
    assert words[words.index("--file") + 1] == "-" and text == DOCKERFILE
    assert words[words.index("--tag") + 1] == "iris:v2" and "org.opencontainers.image.version=v2" in words
    assert shop.noted[1]["seen"] == {"bento": ["bento"], "": ["env"]}
    assert shop.left == [] and shop.temporary == []


def test_an_options_value_is_not_taken_for_an_option(shop: Shop) -> None:
    begun = shop.begin("target=--file")
    shop.wait_for_start()
    shop.containerize("target=--file", begun=begun)
    (words,) = shop.started
    assert words[words.index("--target") + 1 :][:2] == ["--file", "--build-context"]
    assert words[-3:-1] == ["--file", "-"]


def test_what_outlives_us_keeps_its_directories(shop: Shop) -> None:
    locks = ["bentomake-context-iris-sources.lock", "bentomake-context-iris.lock"]
    assert shop.containerize(begun=shop.begin()).errors == []
    assert shop.containerize("label=a=b", begun=None).errors == []
    assert [note["kept"] for note in shop.noted if "built" in note] == [locks, locks]


def test_it_is_the_same_build_as_without_it(shop: Shop) -> None:
    assert shop.containerize(begun=shop.begin()).errors == []
    ahead = shop.noted
    shop.log.unlink()
    session = Session(shop.settings()._replace(force=True))
    try:
        assert containerize("iris", session, Silent()).errors == []
    finally:
        session.close()
    late = shop.noted
    words = [word if word != "-" else late[0]["started"][at] for at, word in enumerate(ahead[0]["started"])]
    assert words == late[0]["started"] and ahead[1:] == late[1:]


def test_nothing_is_started_for_a_bento_whose_image_was_asked_for_before(shop: Shop) -> None:
    assert shop.containerize(begun=shop.begin()).errors == []
    assert shop.begin() is None
    assert shop.begin(tag="iris:v1") is None
    assert len(shop.started) == 1


def test_one_that_was_started_for_something_else_is_ended(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = shop.begin()
    shop.wait_for_start()
    assert shop.containerize("label=team=flowers", begun=begun).errors == []
    first, second = shop.started
    assert "team=flowers" in second and "team=flowers" not in first
    assert len(shop.built) == 1 and shop.left == []


def test_the_environment_counts_as_much_as_the_words(shop: Shop) -> None:
    begun = shop.begin()
    assert shop.containerize(begun=begun, env={"BUILDX_EXPERIMENTAL": "1"}).errors == []
    assert len(shop.built) == 1 and shop.left == []


def test_a_mistake_that_is_found_later_ends_it(shop: Shop) -> None:
    shop.bento("v3", models=[{"tag": "flowers:1", "module": "", "creation_time": ""}])
    begun = shop.begin()
    assert begun is not None
    (error,) = shop.containerize(begun=begun).errors
    assert "flowers:1 is not in the model store" in error.message
    assert shop.built == [] and shop.left == []


@pytest.mark.parametrize(
    "more",
    [
        {"opts": ["push"]},  # what was made is noted where nobody knows yet
        {"env": {"UV_KEYRING_PROVIDER": "subprocess"}},  # a keyring may ask its user, and is asked once
        {"env": {"DOCKER_BUILDKIT": "0"}},
        {"opts": ["builder=mine"]},  # it would be booted
        {"env": {"BUILDX_BUILDER": "mine"}},
        {"backend": "buildx"},  # has a builder that somebody chose with `docker buildx use`
        {"env": {"DOCKER_HOST": "tcp://far:1"}},
        {"run_as_root": True},
        {"tag": "tulip"},
    ],
    ids=str,
)
def test_where_it_is_no_use_nothing_is_started(shop: Shop, more: dict[str, Any]) -> None:
    opts = more.pop("opts", [])
    assert shop.begin(*opts, **more) is None
    assert shop.started == [] and shop.left == []


def test_half_a_dockerfile_is_never_read(shop: Shop) -> None:
    """Killed while it feeds a waiting builder, bentomake leaves it with what the pipe has: all of it, or nothing."""
    fits = f"{DOCKERFILE}# ".ljust((1 << 13) - 2, "x") + "é"
    shop.bento("v2", fits)
    begun = shop.begin()
    assert begun is not None
    begun.end()
    shop.bento("v3", f"{fits}x")
    assert shop.begin() is None and shop.left == []


def test_a_bento_of_another_tool_is_left_to_those_who_look_closer(shop: Shop) -> None:
    (shop.home / "bentos/iris/v2/bentomake.sha256").unlink()
    assert shop.begin() is None
    shop.bento("v2", labels={"odd": "\x07"})  # an escape of YAML's alone
    assert shop.begin() is None
    assert shop.started == [] and shop.left == []


def test_a_bento_that_is_called_as_the_wheels_are_leaves_nothing(shop: Shop) -> None:
    takes_wheels = f"{DOCKERFILE}RUN --mount=type=bind,from=wheelhouse,target=/wheels true\n"
    shop.bento("v2", takes_wheels, ["env/python/requirements.txt"], name="wheelhouse")
    begun = shop.begin()
    assert begun is not None
    begun.end()
    assert shop.left == []


def test_what_waits_is_ended_with_whoever_waits_for_it(shop: Shop) -> None:
    begun = shop.begin()
    assert begun is not None
    shop.wait_for_start()
    begun.end()
    begun.end()
    assert shop.built == [] and shop.left == []


def test_a_secret_that_is_gone_when_it_is_wanted_ends_it(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    (shop.here / "aws").write_text("key = hunter2-hunter2")
    begun = shop.begin("secret=id=aws,src=aws")
    assert begun is not None
    monkeypatch.setattr(HeadStart, "taken", lambda self, *_: pytest.fail("it would be left behind"))
    monkeypatch.setattr("bentomake.imaging.noted.forget", lambda _: (shop.here / "aws").unlink())
    (error,) = shop.containerize("secret=id=aws,src=aws", begun=begun).errors
    assert "The secret aws cannot be read" in error.message and shop.built == [] and shop.left == []


def test_a_secret_of_the_image_is_no_argument(shop: Shop) -> None:
    shop.bento("v2", "FROM scratch\nRUN --mount=type=secret,id=TOKEN,required=true true\n")
    assert shop.begin() is None  # it is not given: the step says so
    with pytest.raises(BentomakeError, match="TOKEN"):
        raise shop.containerize(begun=None).errors[0]
    env = {"TOKEN": "hunter2-hunter2"}
    assert shop.containerize(begun=shop.begin(env=env), env=env).errors == []
    assert len(shop.built) == 1 and "hunter2" not in json.dumps(shop.noted)
