"""Backends by name: bentomake's own, those registered from Python, those of installed packages; and the SDK around."""

from __future__ import annotations

import importlib
import inspect
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stand_in import StandIns

from bentomake import container
from bentomake.container import registry
from bentomake.container.backend import Backend, BackendUnhealthy
from bentomake.container.options import Options
from bentomake.container.registry import chosen, get_backend, names, register_backend
from bentomake.container.request import Request
from bentomake.engine.process import run
from bentomake.errors import StepError, UsageError

OWN = ["buildah", "buildctl", "buildx", "docker", "nerdctl", "podman"]


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(registry, "_registered", {})
    yield


def test_the_backends_that_there_are() -> None:
    assert names() == OWN
    assert all(isinstance(get_backend(name), Backend) and get_backend(name).name == name for name in OWN)


def test_which_backend_is_meant() -> None:
    both = {"BENTOML_CONTAINERIZE_BACKEND": "podman", "BENTOMAKE_BACKEND": "buildah"}
    assert chosen("buildx", both) == "buildx"
    assert chosen(None, both) == "podman"
    assert chosen(None, {"BENTOMAKE_BACKEND": "buildah"}) == "buildah"
    assert chosen(None, {"BENTOMAKE_BACKEND": ""}) == "docker"
    assert get_backend(None, both).name == "podman"


def test_a_name_that_no_backend_has() -> None:
    with pytest.raises(UsageError) as caught:
        get_backend("dokcer")
    assert caught.value.message == "There is no backend dokcer."
    assert caught.value.hint == f"Did you mean docker? There are {', '.join(OWN)}."


def lima_args(*, context_path: str = ".", file: str, tag: tuple[str, ...], **options: Any) -> list[Any]:
    words: list[Any] = []
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        words += [flag] if value is True else [flag, value]
    return [*words, "--tag", tag, "--file", file, context_path]


def register(name: str = "lima", healthy: object = True, **more: Any) -> None:
    def health() -> bool:
        if isinstance(healthy, Exception):
            raise healthy
        return bool(healthy)

    arguments = {"binary": "limactl", "build_cmd": ["shell", "nerdctl", "build"], "construct_build_args": lima_args}
    register_backend(name, buildkit_support=True, health=health, **{**arguments, **more})


def test_a_registered_backend_is_one_of_them(tmp_path: Path) -> None:
    register(env={"DOCKER_BUILDKIT": "1", "MINE": "default"})
    assert names() == sorted([*OWN, "lima"])
    lima = get_backend("lima")
    assert isinstance(lima, Backend) and (lima.name, lima.buildkit, lima.named_contexts) == ("lima", True, False)
    assert get_backend(lima) is lima
    lima.health({})
    assert lima.env({"MINE": "user"}) == {"DOCKER_BUILDKIT": "1", "MINE": "user"}
    options = Options.parse(["build-arg=A=1", "build-arg=B=2", "no-cache", "their-own:x"], {"network": "host"})
    request = Request("context", "context/Dockerfile", ("x:1", "x:2"), options=options)
    assert lima.argv(request) == [
        *("limactl", "shell", "nerdctl", "build", "--build-arg", "A=1", "--build-arg", "B=2", "--no-cache"),
        *("--their-own", "x", "--network", "host", "--tag", "x:1", "--tag", "x:2"),
        *("--file", "context/Dockerfile", "context"),
    ]
    stand_ins = StandIns(tmp_path, "limactl")
    run(lima.argv(request), env=lima.env(stand_ins.env))
    assert stand_ins.calls[-1]["argv"][1:4] == ["shell", "nerdctl", "build"]


def test_it_is_called_as_bentoml_calls_it() -> None:
    """Words of --opt are tuples, switches are True, single flags and Python keywords are as they are."""
    seen: dict[str, Any] = {}

    def arguments(**keywords: Any) -> list[str]:
        seen.clear()
        seen.update(keywords)
        return []

    register(construct_build_args=arguments, build_cmd=None, binary=None)
    lima = get_backend("lima")
    options = Options.parse(["a=1", "a=2", "b", "cache_from=x"], {"network": "host", "label": ("l=1",), "push": True})
    assert lima.argv(Request("c", "f", ("t",), options=options)) == ["lima", "build"]
    assert seen == {
        **{"context_path": "c", "file": "f", "tag": ("t",)},
        **{"a": ("1", "2"), "b": True, "cache_from": ("x",), "network": "host", "label": ("l=1",), "push": True},
    }
    options = Options.of(build_arg={"A": "1"}, cache_from="x", load=False)
    lima.argv(Request("c", "f", ("t",), options=options, build_args={"FEATURES": "grpc"}, iidfile="iid"))
    assert seen["cache_from"] == "x" and seen["load"] is False
    assert seen["build_arg"] == ("FEATURES=grpc", "A=1") and seen["iidfile"] == "iid"


def test_the_example_of_the_documents_works_as_written() -> None:
    def arg_parser_func(context_path: str = ".", cache_from: str | None = None) -> list[str]:
        args = [context_path]
        if cache_from:
            args.extend(["--cache-from", cache_from])
        return args

    def health_func() -> bool:
        return shutil.which("limactl") is not None

    register_backend(
        "lima",
        binary=shutil.which("limactl"),
        buildkit_support=True,
        health=health_func,
        construct_build_args=arg_parser_func,
        env={"DOCKER_BUILDKIT": "1"},
    )
    lima = get_backend("lima")
    request = Request("c", "f", ("t",), options=Options.parse(["cache-from=x", "cache-from=y"]), iidfile="i")
    assert lima.argv(request) == ["lima", "build", "c", "--cache-from", "x", "--cache-from", "y"]
    assert lima.argv(request._replace(build_args={"SOURCE_DATE_EPOCH": "1"})) == lima.argv(request)
    with pytest.raises(UsageError) as caught:
        lima.argv(Request("c", "f", ("t",), options=Options.parse(["build-arg=A=1"])))
    assert caught.value.message == "lima has no option build-arg."


@pytest.mark.parametrize("name", ["docker", "lima"])
def test_a_name_is_registered_once(name: str) -> None:
    register()
    with pytest.raises(UsageError) as caught:
        register(name)
    assert caught.value.message == f"The backend {name} is already registered."


def test_a_registered_backend_that_cannot_build() -> None:
    register(healthy=False)
    with pytest.raises(BackendUnhealthy) as caught:
        get_backend("lima").health({})
    assert caught.value.message == "The backend lima says that it cannot build."
    register("broken", healthy=OSError("no limactl"))
    with pytest.raises(BackendUnhealthy, match="cannot say whether it works: OSError: no limactl"):
        get_backend("broken").health({})


def test_a_registered_function_that_fails_is_no_traceback() -> None:
    def arguments(**keywords: Any) -> list[str]:
        raise KeyError("x")

    register(construct_build_args=arguments)
    with pytest.raises(StepError) as caught:
        get_backend("lima").argv(Request("c", "f", ("t",)))
    assert caught.value.message == "construct_build_args of the backend lima failed: KeyError: 'x'."
    register("text", construct_build_args=lambda **keywords: "build --file x")
    with pytest.raises(StepError) as caught:
        get_backend("text").argv(Request("c", "f", ("t",)))
    assert caught.value.message == "construct_build_args of the backend text gave a str, not a list of words."


def installed(directory: Path, body: str, value: str) -> None:
    """A distribution with a backend, as pip would leave it."""
    (directory / "their_backend.py").write_text(body)
    info = directory / "their_backend-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-backend\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[bentomake.backends]\nlima = {value}\n")


BODY = """from bentomake.container import register_backend
def make():
    register_backend("lima", buildkit_support=False, health=lambda: True, construct_build_args=lambda **k: ["x"])
def broken(): raise ValueError("not today")
def nothing(): return None
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield tmp_path
    sys.modules.pop("their_backend", None)


def test_an_installed_package_brings_a_backend(site: Path) -> None:
    installed(site, BODY, "their_backend:make")
    assert names() == sorted([*OWN, "lima"])
    assert get_backend("lima").argv(Request("c", "f", ("t",))) == ["lima", "build", "x"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("their_backend:broken", "The backend lima of their_backend:broken cannot be loaded: ValueError: not today."),
        ("their_backend:nothing", "The backend lima of their_backend:nothing is neither a backend nor registers one."),
        ("nowhere:make", "The backend lima of nowhere:make cannot be loaded: ModuleNotFoundError"),
    ],
)
def test_an_installed_backend_that_is_broken(value: str, message: str, site: Path) -> None:
    installed(site, BODY, value)
    with pytest.raises(UsageError) as caught:
        get_backend("lima")
    assert caught.value.message.startswith(message)


# The SDK

OWN_WORDS = ["buildkit_support", "health", "construct_build_args"]


def test_importing_the_sdk_is_cheap_and_does_not_climb() -> None:
    code = (
        "import sys, bentomake.container as c; before = set(sys.modules); c.get_backend('docker');"
        "heavy = {'yaml', 'jinja2', 'click', 'networkx', 'rich', 'importlib.metadata', 'bentomake.build'};"
        "print(sorted(heavy & set(sys.modules)), 'bentomake.container.docker' in before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[] False", done.stderr


@pytest.mark.parametrize(
    ("name", "needed", "by_place", "by_name"),
    [
        ("build", 1, ["bento_tag", "backend", "image_tag", "features"], []),
        ("health", 1, ["backend"], []),
        ("get_backend", 0, ["backend", "env"], []),
        ("get_containerfile", 1, ["bento_tag", "output_path", "enable_buildkit", "features"], []),
        ("register_backend", 1, ["backend"], [*OWN_WORDS, "binary", "build_cmd", "env"]),
    ],
)
def test_each_function_takes_what_bentomls_takes(
    name: str, needed: int, by_place: list[str], by_name: list[str]
) -> None:
    parameters = inspect.signature(getattr(container, name)).parameters.values()
    assert [each.name for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD] == by_place
    assert set(by_name) <= {each.name for each in parameters if each.kind is each.KEYWORD_ONLY}
    without = [each.name for each in parameters if each.default is each.empty and each.kind is not each.VAR_KEYWORD]
    assert without == by_place[:needed] + (OWN_WORDS if by_name else [])
    assert any(each.kind is each.VAR_KEYWORD for each in parameters) == (name == "build")


def test_health_is_a_yes_or_a_no(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert container.health("docker") is False
    container.register_backend("lima", buildkit_support=True, health=lambda: True, construct_build_args=lima_args)
    assert container.health("lima") is True and container.health(container.get_backend("lima")) is True
    with pytest.raises(UsageError):
        container.health("nobody")
    with pytest.raises(AttributeError):
        container.nothing  # noqa: B018


@pytest.fixture
def bento(own_home: Path) -> Path:
    directory = own_home / "bentos/iris/v1"
    (directory / "env/docker").mkdir(parents=True)
    (directory / "bento.yaml").write_text("name: iris\nversion: v1\n")
    (directory / "env/docker/Dockerfile").write_text("FROM plain\nARG BENTOML_FEATURES=\n")
    (directory / "env/docker/Dockerfile.buildkit").write_text("FROM buildkit\nARG BENTOML_FEATURES=\n")
    (own_home / "bentos/iris/latest").write_text("v1")
    return directory


def test_the_dockerfile_of_a_bento(bento: Path, tmp_path: Path) -> None:
    assert container.get_containerfile("iris:latest") == "FROM buildkit\nARG BENTOML_FEATURES=\n"
    assert container.get_containerfile("iris", enable_buildkit=False) == "FROM plain\nARG BENTOML_FEATURES=\n"
    made = container.get_containerfile("iris", features=["grpc", "io-image"])
    assert made == "FROM buildkit\nARG BENTOML_FEATURES=grpc,io-image\n"
    assert container.get_containerfile("iris:v1", tmp_path) is None
    assert (tmp_path / "iris_v1.dockerfile").read_text().startswith("FROM buildkit")
    assert container.get_containerfile("iris:v1", str(tmp_path / "D"), False) is None
    assert (tmp_path / "D").read_text().startswith("FROM plain")


def test_a_dockerfile_that_cannot_be_had(bento: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="bentoml has no feature grcp"):
        container.get_containerfile("iris", features=["grcp"])
    (bento / "env/docker/Dockerfile.buildkit").unlink()
    (bento / "env/docker/Dockerfile").write_text("FROM bentoml\n")
    assert container.get_containerfile("iris") == "FROM bentoml\n"
    with pytest.raises(UsageError, match="The Dockerfile of iris:v1 takes no features"):
        container.get_containerfile("iris", features=["grpc"])
    with pytest.raises(UsageError, match="cannot be written"):
        container.get_containerfile("iris", tmp_path / "no/such/directory")
    (bento / "env/docker/Dockerfile").unlink()
    with pytest.raises(UsageError, match="iris:v1 has no Dockerfile"):
        container.get_containerfile("iris")
