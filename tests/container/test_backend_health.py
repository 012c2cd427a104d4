"""An engine that cannot build says what is missing, and how to get it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from stand_in import HEALTHY, StandIns, healthy

from bentomake.container.backend import BackendUnhealthy
from bentomake.container.buildah import Buildah
from bentomake.container.options import Options
from bentomake.container.registry import get_backend
from bentomake.container.request import Request
from bentomake.engine.process import run
from bentomake.errors import EXIT_USAGE, StepError

ALL = ("docker", "buildx", "podman", "buildah", "nerdctl", "buildctl")


def complaint(name: str, env: dict[str, str]) -> BackendUnhealthy:
    with pytest.raises(BackendUnhealthy) as caught:
        get_backend(name, env).health(env)
    assert caught.value.exit_code == EXIT_USAGE and caught.value.hint
    return caught.value


@pytest.mark.parametrize("name", ALL)
def test_a_healthy_engine_says_nothing_and_who_it_is(name: str, tmp_path: Path) -> None:
    stand_ins = healthy(tmp_path, *HEALTHY, "buildkitd")
    backend = get_backend(name, stand_ins.env)
    backend.health(stand_ins.env)
    assert (
        backend.version(stand_ins.env)
        == {
            "docker": "docker 26.1.5, BuildKit (context mine)",
            "buildx": "docker 26.1.5, BuildKit (context mine), buildx 0.13.1",
            "podman": "podman 4.3.1 (overlay /store, oci)",
            "buildah": "buildah version 1.28.2 (overlay /store, oci)",
            "nerdctl": "nerdctl v1.7.0, containerd v1.7.11 (default, buildkitd)",
            "buildctl": "buildctl github.com/moby/buildkit v0.12.4 (workers abc123)",
        }[name]
    )


@pytest.mark.parametrize("name", ALL)
def test_an_engine_that_is_not_installed(name: str, tmp_path: Path) -> None:
    binary = "docker" if name == "buildx" else name
    error = complaint(name, StandIns(tmp_path).env)
    assert error.message == f"{binary} is not installed, or not on the PATH."
    assert "https://" in (error.hint or "") and "--backend" in (error.hint or "")


def test_a_docker_whose_daemon_does_not_run(tmp_path: Path) -> None:
    stand_ins = StandIns(tmp_path, "docker")
    stand_ins.answer("docker version", {"Client": {}, "Server": None}, err="Cannot connect to the daemon", code=1)
    error = complaint("docker", {**stand_ins.env, "DOCKER_HOST": "unix:///nowhere"})
    assert error.message == "docker is installed, but its daemon at unix:///nowhere cannot be reached."
    assert error.detail == "Cannot connect to the daemon" and "systemctl start docker" in (error.hint or "")
    with pytest.raises(BackendUnhealthy):
        get_backend("docker", {}).version(stand_ins.env)


def test_a_docker_that_is_too_old_for_buildkit(tmp_path: Path) -> None:
    stand_ins = StandIns(tmp_path, "docker")
    stand_ins.answer("docker version", {"Server": {"Version": "18.06.3-ce"}})
    error = complaint("docker", stand_ins.env)
    assert error.message == "docker 18.06.3-ce has no BuildKit: that came with 18.09."
    assert "DOCKER_BUILDKIT=0" in (error.hint or "")
    without = {**stand_ins.env, "DOCKER_BUILDKIT": "0"}
    get_backend("docker", without).health(without)


def test_a_docker_that_is_podman(tmp_path: Path) -> None:
    stand_ins = StandIns(tmp_path, "docker")
    stand_ins.answer("docker version", {"Server": {"Version": "4.3.1", "Components": [{"Name": "Podman Engine"}]}})
    error = complaint("docker", stand_ins.env)
    assert (error.message, error.hint) == ("docker is podman 4.3.1 here.", "Choose it by its name: --backend podman.")


def test_a_docker_without_buildx(tmp_path: Path) -> None:
    stand_ins = healthy(tmp_path, "docker")
    stand_ins.answer("docker buildx", err="docker: 'buildx' is not a docker command.", code=1)
    error = complaint("buildx", stand_ins.env)
    assert error.message == "docker has no buildx here." and "plugin" in (error.hint or "")


@pytest.mark.parametrize("name", ["nerdctl", "buildctl"])
def test_a_missing_buildkitd(name: str, tmp_path: Path) -> None:
    stand_ins = healthy(tmp_path, name)
    error = complaint(name, stand_ins.env)
    assert error.message == f"{name} needs a buildkitd: none is on the PATH, and BUILDKIT_HOST does not name one."
    assert "docker run" not in (error.hint or "")
    with_docker = healthy(tmp_path, name, "docker")
    assert "export BUILDKIT_HOST=docker-container://buildkitd" in (complaint(name, with_docker.env).hint or "")
    elsewhere = {**stand_ins.env, "BUILDKIT_HOST": "tcp://build:1234"}
    get_backend(name, elsewhere).health(elsewhere)


def test_a_buildkitd_that_does_not_answer(tmp_path: Path) -> None:
    stand_ins = StandIns(tmp_path, "buildctl")
    stand_ins.answer("buildctl debug workers", err="connection refused", code=1)
    error = complaint("buildctl", {**stand_ins.env, "BUILDKIT_HOST": "tcp://build:1234"})
    assert error.message == "The buildkitd at tcp://build:1234 cannot be reached."
    assert error.detail == "connection refused"


def test_a_containerd_that_does_not_answer(tmp_path: Path) -> None:
    stand_ins = StandIns(tmp_path, "nerdctl", "buildkitd")
    stand_ins.answer("nerdctl version", {"Client": {"Version": "v1"}, "Server": None}, err="cannot access", code=1)
    error = complaint("nerdctl", stand_ins.env)
    assert error.message == "nerdctl is installed, but containerd cannot be reached."
    assert "systemctl start containerd" in (error.hint or "")


def test_nerdctl_on_macos_is_in_lima(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "lima" in (complaint("nerdctl", StandIns(tmp_path).env).hint or "")


def test_podman_on_macos_needs_its_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    stand_ins = healthy(tmp_path, "podman")
    stand_ins.answer("podman machine info", '"Stopped"\n')
    error = complaint("podman", stand_ins.env)
    assert (error.message, error.hint) == (
        "podman's machine does not run.",
        "podman machine init; podman machine start",
    )
    stand_ins.answer("podman machine info", '"Running"\n')
    get_backend("podman").health(stand_ins.env)


@pytest.mark.parametrize("name", ["podman", "buildah"])
def test_an_engine_that_is_there_and_broken(name: str, tmp_path: Path) -> None:
    stand_ins = StandIns(tmp_path, name)
    stand_ins.answer(f"{name} info", err="no storage", code=125)
    error = complaint(name, stand_ins.env)
    assert (error.message, error.detail) == (f"{name} is installed, but does not work.", "no storage")


def outdated(tmp_path: Path, name: str) -> StandIns:
    """A stand-in that prints the version of a release without BuildKit's mounts."""
    stand_ins = healthy(tmp_path, name)
    stand_ins.answer("buildah --version", "buildah version 1.23.1 (image-spec 1.0.1)\n")
    stand_ins.answer(
        "podman info", {"store": {"graphDriverName": "o", "graphRoot": "/"}, "version": {"Version": "3.4.4"}}
    )
    return stand_ins


@pytest.mark.parametrize(
    ("name", "number", "newer"), [("buildah", "1.23.1", "buildah 1.28"), ("podman", "3.4.4", "podman 4.3")]
)
def test_an_engine_that_is_too_old_for_the_mounts_gets_the_plain_dockerfile(
    name: str, number: str, newer: str, tmp_path: Path
) -> None:
    stand_ins = outdated(tmp_path, name)
    backend = get_backend(name, stand_ins.env)
    backend.health(stand_ins.env)
    assert not backend.buildkit and number in backend.version(stand_ins.env)
    assert isinstance(backend, Buildah)
    what, better = backend.plain_because() or ("", "")
    assert what.startswith(f"{name} {number} gets the plain Dockerfile") and f"came with {newer}." in what
    assert better.startswith("Upgrade: https://") and ", or" not in better.partition(" DOCKER_BUILDKIT=0 ")[0]
    question = {"buildah": ["buildah", "--version"], "podman": ["podman", "info"]}[name]
    assert [call["argv"][:2] for call in stand_ins.calls].count(question) == 1

    asked_for = get_backend(name, {**stand_ins.env, "DOCKER_BUILDKIT": "0"})
    assert isinstance(asked_for, Buildah) and not asked_for.buildkit and asked_for.plain_because() is None


@pytest.mark.parametrize("name", ["buildah", "podman"])
def test_an_engine_that_is_new_enough_gets_the_better_one_and_one_that_is_not_there_is_no_old_one(
    name: str, tmp_path: Path
) -> None:
    for env in (healthy(tmp_path, name).env, StandIns(tmp_path / "none").env):
        backend = get_backend(name, env)
        assert isinstance(backend, Buildah) and backend.buildkit and backend.plain_because() is None


# Images


def test_an_engine_that_fails_is_not_an_engine_without_the_image(tmp_path: Path) -> None:
    stand_ins = healthy(tmp_path, "docker")
    docker = get_backend("docker", {})
    stand_ins.answer("docker image inspect", err="Error response from daemon: No such image: x:1", code=1)
    assert docker.image("x:1", stand_ins.env) is None and docker.base_digest("x:1", stand_ins.env) is None
    stand_ins.answer("docker image inspect", err="disk on fire", code=1)
    with pytest.raises(StepError) as caught:
        docker.image("x:1", stand_ins.env)
    assert (caught.value.message, caught.value.detail) == ("docker cannot say whether it has x:1.", "disk on fire")
    stand_ins.answer("docker image inspect", "so be it")
    with pytest.raises(StepError, match="what nobody can read"):
        docker.image("x:1", stand_ins.env)


def test_what_podman_says_of_an_image(tmp_path: Path) -> None:
    stand_ins = healthy(tmp_path, "podman")
    told = {"Id": "ab" * 32, "Digest": "sha256:cd", "Os": "linux", "Architecture": "arm64", "Variant": "v8", "Size": 7}
    stand_ins.answer("podman image inspect", {**told, "RepoTags": ["localhost/x:1"], "Config": {"Labels": None}})
    image = get_backend("podman").image("x:1", stand_ins.env)
    assert image is not None
    assert (image.id, image.digest, image.platform) == ("sha256:" + "ab" * 32, "sha256:cd", "linux/arm64/v8")
    assert (image.size, image.tags, image.labels) == (7, ("localhost/x:1",), {})


# buildctl loads what it built


def buildctl_request(tmp_path: Path) -> Request:
    (tmp_path / "scratch").mkdir(exist_ok=True)
    (tmp_path / "scratch/image.tar").write_text("image")
    (tmp_path / "scratch/metadata.json").write_text('{"containerimage.config.digest": "sha256:abc"}')
    options = Options.parse([f"iidfile={tmp_path}/theirs"])
    return Request("c", "c/Dockerfile", ("x:1",), scratch=str(tmp_path / "scratch"), options=options)


@pytest.mark.parametrize("engines", [("docker", "podman", "nerdctl"), ("podman", "nerdctl"), ("nerdctl",)])
def test_buildctl_loads_into_the_first_engine_that_is_there(engines: tuple[str, ...], tmp_path: Path) -> None:
    stand_ins = healthy(tmp_path / "bin", "buildctl", *engines)
    request = buildctl_request(tmp_path)
    backend = get_backend("buildctl", {})
    done = run(backend.argv(request), env=stand_ins.env)
    assert backend.after(request, done, stand_ins.env) == "sha256:abc"
    assert stand_ins.calls[-1]["argv"] == [engines[0], "load", "-i", str(tmp_path / "scratch/image.tar")]
    assert not (tmp_path / "scratch/image.tar").exists() and (tmp_path / "theirs").read_text() == "sha256:abc"


def test_buildctl_alone_cannot_load(tmp_path: Path) -> None:
    stand_ins = healthy(tmp_path / "bin", "buildctl")
    request = buildctl_request(tmp_path)
    backend = get_backend("buildctl", {})
    done = run(backend.argv(request), env=stand_ins.env)
    with pytest.raises(StepError) as caught:
        backend.after(request, done, stand_ins.env)
    assert caught.value.message == ("The image was built, but there is no docker, podman or nerdctl to load it into.")
    assert "type=oci" in (caught.value.hint or "")


def test_a_load_that_fails(tmp_path: Path) -> None:
    stand_ins = healthy(tmp_path / "bin", "buildctl", "docker")
    stand_ins.answer("docker load", err="no space left on device", code=1)
    request = buildctl_request(tmp_path)
    backend = get_backend("buildctl", {})
    done = run(backend.argv(request), env=stand_ins.env)
    with pytest.raises(StepError) as caught:
        backend.after(request, done, stand_ins.env)
    assert (caught.value.message, caught.value.detail) == (
        "docker could not load the image.",
        "no space left on device",
    )


def test_the_platform_that_docker_builds_for_unasked_is_part_of_the_engine(tmp_path: Path) -> None:
    stand_ins = healthy(tmp_path, "docker")
    arm = {**stand_ins.env, "DOCKER_DEFAULT_PLATFORM": "linux/arm64"}
    docker = get_backend("docker", arm)
    assert docker.version(arm) == f"{docker.version(stand_ins.env)}, for linux/arm64"
