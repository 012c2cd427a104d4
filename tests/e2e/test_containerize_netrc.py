"""What netrc and keyring know of a private index reaches the image's own pip as a secret, and nothing else."""

from __future__ import annotations

import gzip
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from containers import ENGINES
from shop import Box, Made, Shop

sys.path.insert(0, str(Path(__file__).parents[1] / "rules"))
from private_index import TOKEN, Index, a_wheel, private_index

pytestmark = [
    pytest.mark.real,
    pytest.mark.engine,
    pytest.mark.skipif("docker" not in ENGINES, reason="BENTOMAKE_TEST_ENGINES does not name docker"),
]
OTHER = "tok-rotated-5a6b7c"


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    a_wheel(tmp_path / "served", "secretpkg", "1.2", code="HERE = 'installed'\n")
    with private_index(tmp_path / "served") as served:
        yield served


@pytest.fixture
def public(shop: Shop) -> Iterator[str]:
    """The shop's own index by HTTP: from another one pip would fetch the real bentoml, and all that it requires."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(shop.index.directory))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}/"  # another name than the private one's, which has credentials
        server.shutdown()


@pytest.fixture
def box(shop: Shop, index: Index, public: str) -> Box:
    """A project whose one private package comes from the index; the bentofile has no credential and no variable."""
    options = f'python:\n  packages: [secretpkg]\n  extra_index_url: ["{index.url()}"]\n  trusted_host: 127.0.0.1\n'
    options += f"  index_url: {public}\n"
    new = os.urandom(5).hex()  # no layer that another test has made is of use; --no-cache would leave twins of layers
    return shop.project(None, f"{options}docker:\n  base_image: python:3.11-slim\n  env: [STORY={new}]\n")


def containerize(box: Box, tag: str, *words: str, env: dict[str, str]) -> Made:
    """With the network of the machine, where the index is, and without the wheels that bentomake has already."""
    return box.shop.containerize(tag, "--opt", "network=host", "--no-wheel-cache", *words, env=env)


def a_netrc(place: Path, password: str) -> dict[str, str]:
    other = "machine elsewhere.example login me password not-for-this-build\n"
    place.write_text(f"{other}machine 127.0.0.1 login me password {password}\n")
    place.chmod(0o600)
    return {"NETRC": str(place)}


def holding(directory: Path, value: str) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file() and value.encode() in path.read_bytes()]


def test_netrc_reaches_pip_in_the_image_and_stays_nowhere(box: Box, index: Index, tmp_path: Path) -> None:
    env = a_netrc(tmp_path / "netrc", TOKEN)
    box.shop.world.env |= {"UV_HTTP_RETRIES": "0"}
    tag = box.project.make(env=env).good().tag
    served = len(index.served)
    made = containerize(box, tag, "-v", env=env).good()
    assert len(index.served) > served, "pip in the image asked the index itself"
    engine = box.shop.engine
    assert engine.run(tag, "python", "-c", "import secretpkg; print(secretpkg.HERE)") == "installed"
    history = engine.call("history", "--no-trunc", tag) + engine.call("image", "inspect", tag)
    assert TOKEN not in history + made.said + made.run.stdout
    assert engine.run(tag, "sh", "-c", "cat /root/.netrc /run/secrets/* 2>/dev/null || echo none") == "none"
    with subprocess.Popen(["docker", "save", tag], stdout=subprocess.PIPE) as saved:
        found = subprocess.run(["grep", "-c", "-a", "-F", TOKEN], stdin=saved.stdout, capture_output=True, text=True)
    assert found.stdout.strip() == "0"
    for place in (box.shop.world.cache, box.shop.world.home, box.project.directory):
        assert holding(place, TOKEN) == []

    assert containerize(box, tag, env=env).good().ran == set()
    changed = containerize(box, tag, env=a_netrc(tmp_path / "netrc", OTHER))
    assert f"the credentials for {index.url()} changed" in changed.said
    assert TOKEN not in changed.said and OTHER not in changed.said
    assert "not-for-this-build" not in changed.said


@pytest.mark.skipif("buildah" not in ENGINES, reason="BENTOMAKE_TEST_ENGINES does not name buildah")
def test_buildah_mounts_it_too(box: Box, index: Index, tmp_path: Path) -> None:
    buildah, env = ENGINES["buildah"], a_netrc(tmp_path / "netrc", TOKEN)
    tag = box.project.make(env=env).good().tag
    served = len(index.served)
    try:
        made = containerize(box, tag, "--backend", "buildah", env=env).good()
        assert len(index.served) > served and TOKEN not in made.said
        assert buildah.run(tag, "python", "-c", "import secretpkg; print(secretpkg.HERE)") == "installed"
        assert buildah.run(tag, "sh", "-c", "cat /root/.netrc /run/secrets/* 2>/dev/null || echo none") in ("none", "")
        subprocess.run(["buildah", "push", tag, f"oci:{tmp_path}/image"], check=True, capture_output=True)
        layers = list((tmp_path / "image/blobs/sha256").iterdir())
        assert layers and holding(tmp_path / "image", TOKEN) == []
        packed = [path for path in layers if path.read_bytes()[:2] == b"\x1f\x8b"]
        assert packed and not any(TOKEN.encode() in gzip.decompress(path.read_bytes()) for path in packed)
    finally:
        buildah.remove(box.name)


def test_without_credentials_the_index_says_no(box: Box, index: Index, tmp_path: Path) -> None:
    tag = box.project.make(env=a_netrc(tmp_path / "netrc", TOKEN)).good().tag
    refused = len(index.refused)
    made = containerize(box, tag, env={"NETRC": str(tmp_path / "none")})
    assert made.run.code == 1 and len(index.refused) > refused
    assert "User for 127.0.0.1" in made.said, "pip wants to be told"


def test_a_keyring_that_uv_may_ask_is_asked(box: Box, index: Index, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    keyring = tmp_path / "bin/keyring"
    keyring.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n[ "$*" = "--mode creds get {index.url()}" ] || exit 1\n'
        f"printf 'me\\n{TOKEN}\\n'\n"
    )
    keyring.chmod(keyring.stat().st_mode | stat.S_IXUSR)
    tag = box.project.make(env=a_netrc(tmp_path / "netrc", TOKEN)).good().tag
    path = f"{tmp_path / 'bin'}:{box.shop.world.env['PATH']}"
    env = {"NETRC": str(tmp_path / "none"), "PATH": path, "UV_KEYRING_PROVIDER": "subprocess"}
    made = containerize(box, tag, env=env).good()
    assert f"--mode creds get {index.url()}" in (tmp_path / "asked").read_text()
    assert box.shop.engine.run(tag, "python", "-c", "import secretpkg; print(secretpkg.HERE)") == "installed"
    assert TOKEN not in made.said + made.run.stdout and holding(box.shop.world.cache, TOKEN) == []
