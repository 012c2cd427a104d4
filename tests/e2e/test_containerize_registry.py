"""Registries: what is known of an image that went there, what is said when it may not, and bases that come from one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from containers import ENGINES
from harness import World
from registry import registry
from shop import Shop

from bentomake.container.image_tag import registry_of
from bentomake.container.options import Options
from bentomake.container.registry import get_backend
from bentomake.container.request import Request

pytestmark = [
    pytest.mark.real,
    pytest.mark.engine,
    pytest.mark.skipif("docker" not in ENGINES, reason="BENTOMAKE_TEST_ENGINES does not name docker"),
]


@pytest.fixture
def tiny(shop: Shop) -> Iterator[str]:
    """The tag of a Bento of a few bytes, whose images take no time to be pushed."""
    name = shop.name()
    place = shop.world.home / "bentos" / name / "v1"
    (place / "env/docker").mkdir(parents=True)
    (place / "bento.yaml").write_text(f"name: {name}\nversion: v1\n")
    (place / "env/docker/Dockerfile").write_text("FROM scratch\nCOPY bento.yaml /\n")
    yield f"{name}:v1"


@pytest.mark.parametrize("engine", ["BuildKit", "classic", "buildah"])
def test_a_base_that_the_engine_fetches_makes_no_second_build(
    engine: str, shop: Shop, tiny: str, tmp_path: Path
) -> None:
    if engine == "buildah" and engine not in ENGINES:
        pytest.skip("BENTOMAKE_TEST_ENGINES does not name buildah")
    tool = ENGINES["buildah" if engine == "buildah" else "docker"]
    words = ["--backend", tool.name, *(["--opt", "tls-verify=false"] if engine == "buildah" else [])]
    env = {"DOCKER_BUILDKIT": "0"} if engine == "classic" else {}
    with registry(tmp_path / "registry") as host:
        base = f"{host}/base-of-{tiny}"
        try:
            sent(shop.world, tiny, base, "docker")
            shop.engine.call("image", "rm", "-f", base)
            dockerfile = shop.world.home / "bentos" / tiny.replace(":", "/") / "env/docker/Dockerfile"
            dockerfile.write_text(f"FROM {base}\nCOPY bento.yaml /again\n")
            assert "image" in shop.containerize(tiny, *words, env=env).good().ran
            assert shop.containerize(tiny, *words, env=env).good().ran == set()
        finally:
            for name in (base, tiny):
                tool.call("rmi", "-f", name, may_fail=True)


def sent(world: World, tag: str, name: str, backend: str) -> dict[str, object]:
    run = world.run("containerize", tag, "-t", name, "--backend", backend, "--opt", "push", "-o", "json").good()
    return dict(run.json)


@pytest.mark.parametrize("backend", ["docker", "buildx"])
def test_what_is_known_of_an_image_that_was_pushed(backend: str, shop: Shop, tiny: str, tmp_path: Path) -> None:
    with registry(tmp_path / "registry") as host:
        name = f"{host}/{tiny}"
        try:
            made = sent(shop.world, tiny, name, backend)
            (there,) = json.loads(shop.engine.call("image", "inspect", name))
            assert (made["id"], made["size"]) == (there["Id"], there["Size"]) and made["tags"] == [name]
            assert [f"{name.rpartition(':')[0]}@{made['digest']}"] == there["RepoDigests"]
            assert made["platform"] == f"linux/{there['Architecture']}"
        finally:
            shop.engine.call("image", "rm", "-f", name, may_fail=True)
        # Of one that docker does not have any more, the registry tells.
        (tmp_path / "metadata").write_text(json.dumps({"containerimage.digest": made["digest"]}))
        request = Request("c", "f", (name,), options=Options.parse(["push"]), metadata_file=str(tmp_path / "metadata"))
        found = get_backend(backend, shop.world.env).sent(request, None, shop.world.env)
        assert (found.digest, found.platform) == (made["digest"], made["platform"]) and 0 < found.size < 2000


def test_a_registry_that_refuses(shop: Shop, tiny: str, tmp_path: Path) -> None:
    with registry(tmp_path / "registry", login=True) as host:
        name = f"{host}/{tiny}"
        try:
            for _ in range(2):  # what was refused is not known
                run = shop.world.run("containerize", tiny, "-t", name, "--opt", "push")
                assert run.code == 1
                said = run.stderr[run.stderr.index("error: ") :]
                assert said.startswith(
                    f"error: docker built the image of {tiny}, but {host} refused the push of {name}."
                )
                assert "no basic auth credentials" in said and f"`docker login {registry_of(name)}`" in said
        finally:
            shop.engine.call("image", "rm", "-f", name, may_fail=True)


@pytest.mark.skipif("buildah" not in ENGINES, reason="BENTOMAKE_TEST_ENGINES does not name buildah")
def test_layers_that_a_registry_keeps(shop: Shop, tiny: str, tmp_path: Path) -> None:
    buildah = ENGINES["buildah"]
    with registry(tmp_path / "registry") as host:
        words = ["--backend", "buildah", "--opt", "tls-verify=false", "--opt", f"cache-from={host}/layers"]
        try:
            shop.containerize(tiny, *words, "--opt", f"cache-to={host}/layers").good()
            assert "layers" in {path.name for path in (tmp_path / "registry").rglob("repositories/*")}
            buildah.remove(tiny.partition(":")[0])
            again = shop.containerize(tiny, *words).good()
            assert again.ran == {"image"} and "Cache pulled from remote" in again.log
        finally:
            buildah.remove(tiny.partition(":")[0])
