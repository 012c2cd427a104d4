"""The time that SOURCE_DATE_EPOCH says, in the images of each engine, as far as it can."""

from __future__ import annotations

import json

import pytest
from containers import ENGINES
from shop import Shop

pytestmark = [
    pytest.mark.real,
    pytest.mark.engine,
    pytest.mark.skipif("docker" not in ENGINES, reason="BENTOMAKE_TEST_ENGINES does not name docker"),
]
EARLY, LATER = "1700000000", "1700000001"


@pytest.mark.skipif("buildah" not in ENGINES, reason="BENTOMAKE_TEST_ENGINES does not name buildah")
def test_buildah_makes_the_same_image_twice_and_each_time_is_its_own(shop: Shop) -> None:
    buildah, box = ENGINES["buildah"], shop.project()
    tag = box.build()

    def made(epoch: str, *words: str) -> tuple[str, str]:
        """The image's id and when it is said to be made, which the engine's cached layers do not decide."""
        answer = shop.world.run(
            "containerize", tag, "--backend", "buildah", "-o", "json", *words, env={"SOURCE_DATE_EPOCH": epoch}
        ).good()
        (name,) = answer.json["tags"]
        described = json.loads(buildah.call("inspect", "--type", "image", name))
        assert buildah.id(name) == answer.json["id"]
        return answer.json["id"], described["OCIv1"]["created"]

    try:
        first = made(EARLY, "--opt", "no-cache")
        assert first[1] == "2023-11-14T22:13:20Z"
        assert made(EARLY, "--opt", "no-cache") == first
        later = made(LATER)
        assert later[0] != first[0] and later[1] == "2023-11-14T22:13:21Z"
        assert made(EARLY)[1] == first[1]
    finally:
        buildah.remove(box.name)


def test_docker_without_buildkit_says_that_it_knows_no_such_time(shop: Shop) -> None:
    env = {"DOCKER_BUILDKIT": "0", "SOURCE_DATE_EPOCH": EARLY}
    tag = shop.project().build()
    for _ in range(2):  # of an image that is there, too
        said = shop.containerize(tag, env=env).good().said
        assert (
            "warning: The image is of the time when it is built: docker without BuildKit knows no SOURCE_DATE" in said
        )
    assert "warning" not in shop.containerize(tag, env={**env, "DOCKER_BUILDKIT": "1"}).good().said
