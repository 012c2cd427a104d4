"""What is known of an image that went to a registry and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from stand_in import StandIns, healthy

from bentomake.container.options import Options
from bentomake.container.registry import get_backend
from bentomake.container.request import Request

DIGEST, CONFIG = f"sha256:{'d' * 64}", f"sha256:{'c' * 64}"
NAME = "127.0.0.1:5000/iris:v1"
MANIFEST = {"config": {"size": 400, "digest": CONFIG}, "layers": [{"size": 90, "digest": "x"}, {"size": 10}]}
RAW = f"docker buildx imagetools inspect --raw {NAME}@"


@pytest.fixture
def engines(tmp_path: Path) -> StandIns:
    made = healthy(tmp_path / "bin", "docker", "buildctl")
    made.answer("docker image inspect", err="No such image", code=1)
    made.answer("docker buildx imagetools inspect", err="no such host", code=1)
    return made


def request_of(tmp_path: Path, *opts: str, **told: Any) -> Request:
    told = {"containerimage.digest": DIGEST, "containerimage.config.digest": CONFIG, **told}
    (tmp_path / "metadata").write_text(json.dumps(told))
    options = Options.parse(opts or ["push"])
    return Request("c", "f", (NAME,), options=options, metadata_file=str(tmp_path / "metadata"))


def test_one_that_dockers_own_builder_keeps_is_what_docker_has(tmp_path: Path, engines: StandIns) -> None:
    here = {"Id": CONFIG, "Os": "linux", "Architecture": "amd64", "Size": 7, "RepoDigests": ["other@sha256:old"]}
    engines.answer("docker image inspect", here)
    sent = get_backend("buildx", {}).sent(request_of(tmp_path), CONFIG, engines.env)
    assert sent is not None and (sent.id, sent.digest, sent.platform, sent.size) == (CONFIG, DIGEST, "linux/amd64", 7)
    # Another image of that name is not the one that was sent.
    engines.answer("docker image inspect", {**here, "Id": "sha256:old"})
    sent = get_backend("buildx", {}).sent(request_of(tmp_path), CONFIG, engines.env)
    assert sent is not None and (sent.digest, sent.platform, sent.size) == (DIGEST, "", 0)


def test_one_that_only_the_registry_has_is_what_that_says(tmp_path: Path, engines: StandIns) -> None:
    engines.answer(f"{RAW}{DIGEST}", MANIFEST)
    engines.answer("docker buildx imagetools inspect --format", {"os": "linux", "architecture": "arm", "variant": "v7"})
    sent = get_backend("buildx", {}).sent(request_of(tmp_path), CONFIG, engines.env)
    assert sent is not None and (sent.platform, sent.size, sent.id) == ("linux/arm/v7", 500, CONFIG)


def test_several_platforms_are_all_named_and_attestations_are_none(tmp_path: Path, engines: StandIns) -> None:
    of = [{"os": "linux", "architecture": "amd64"}, {"os": "linux", "architecture": "arm64"}]
    listed = [{"digest": f"sha256:{number}", "platform": platform} for number, platform in enumerate(of)]
    listed.append({"digest": "sha256:9", "platform": {"os": "unknown", "architecture": "unknown"}})
    engines.answer(f"{RAW}{DIGEST}", {"manifests": listed})
    for number in (0, 1):
        engines.answer(f"{RAW}sha256:{number}", MANIFEST)
    sent = get_backend("buildx", {}).sent(request_of(tmp_path), CONFIG, engines.env)
    assert sent is not None and (sent.platform, sent.size) == ("linux/amd64,linux/arm64", 1000)


def test_no_registry_is_asked_for_what_it_was_not_given(tmp_path: Path, engines: StandIns) -> None:
    request = request_of(tmp_path, "output=type=oci,dest=x")
    sent = get_backend("docker", {}).sent(request, CONFIG, engines.env)
    assert sent is not None and (sent.digest, sent.platform, sent.size) == (DIGEST, "", 0)
    assert not any("imagetools" in call["argv"] for call in engines.calls)
    (tmp_path / "metadata").write_text("{}")  # files are no image
    assert get_backend("docker", {}).sent(request, None, engines.env) is None


def test_buildctl_says_the_platform_of_one(tmp_path: Path, engines: StandIns) -> None:
    descriptor = {"platform": {"architecture": "arm64", "os": "linux"}}
    request = request_of(tmp_path, **{"containerimage.descriptor": descriptor})
    sent = get_backend("buildctl", {}).sent(request, CONFIG, engines.env)
    assert sent is not None and (sent.digest, sent.platform, sent.size) == (DIGEST, "linux/arm64", 0)
