"""An image is an action: what reruns it and what does not, what the engine is sent, what is in it, who may ask."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest
import yaml
from containers import ENGINES
from harness import LIMIT, Run, start
from shop import Shop
from surroundings import save_model

pytestmark = [
    pytest.mark.real,
    pytest.mark.engine,
    pytest.mark.skipif("docker" not in ENGINES, reason="BENTOMAKE_TEST_ENGINES does not name docker"),
]
ALL = {"bento", "pinned", "wheelhouse", "image"}
BENTO = "/home/bentoml/bento"
WEIGHT = 2 << 30
WEIGHTS = f"{BENTO}/models/weighty/v1/weights.bin"
SPY = """\
#!/bin/sh
for last; do :; done
if [ "$1" = build ]; then
    printf '%s\\n' "$@" > "$RECORD/argv"
    (cd "$last" && find . -type f -printf '%i %n %s %p\\n') > "$RECORD/context"
    for word; do shift; [ "$word" = --pull ] || set -- "$@" "$word"; done
fi
exec {docker} "$@"
"""


def weighty(shop: Shop, version: str, size: int) -> str:
    """Options with a model of that size, which lies in the model store."""
    save_model(shop.world.home, version, os.urandom(1 << 20), name="weighty")
    os.truncate(shop.world.home / f"models/weighty/{version}/weights.bin", size)
    return f"models: ['weighty:{version}']\n"


@pytest.fixture
def spy(shop: Shop, tmp_path: Path) -> dict[str, str]:
    """The environment in which docker is the real one, but what it is told is written down; it asks no registry."""
    found = next(d for d in os.environ["PATH"].split(":") if os.access(f"{d}/docker", os.X_OK))
    (tmp_path / "spy").mkdir()
    (tmp_path / "spy/docker").write_text(SPY.replace("{docker}", f"{found}/docker"))
    (tmp_path / "spy/docker").chmod(0o755)
    return {"PATH": f"{tmp_path}/spy:{shop.world.env['PATH']}", "RECORD": str(tmp_path)}


def test_only_what_changed_is_done_and_sent(shop: Shop) -> None:
    box = shop.project(None, weighty(shop, "v1", WEIGHT))
    first = box.containerize().good()
    assert first.ran >= {"bento", "pinned", "image"} and first.sent() > WEIGHT * 0.99
    again = shop.containerize(first.tag).good()
    assert again.states == dict.fromkeys(ALL, "cached") and again.log == ""
    assert "4 steps: 0 ran, 4 cached" in again.said
    assert f'Successfully built Bento container for "{first.tag}" with tag(s) "{first.tag}".\n' in again.said
    assert f"To run it: docker run --rm -p 3000:3000 {first.tag}\n" in again.said

    box.project.edit("service.py", "2 * x", "3 * x")
    edited = box.containerize().good()
    assert edited.tag != first.tag and edited.ran == {"bento", "pinned", "image"}
    assert re.search(r"image: ran.*\n(  .*\n)*.*src/service\.py changed", edited.said)
    assert edited.sent() < 1 << 20
    assert edited.cached("COPY --chown=bentoml:bentoml env/docker/entrypoint.sh model[s]")
    assert edited.cached("RUN --mount=type=bind,from=wheelhouse")
    assert "3 * x" in shop.engine.read(edited.tag, f"{BENTO}/src/service.py")
    assert "2 * x" in shop.engine.read(first.tag, f"{BENTO}/src/service.py")
    assert shop.engine.run(edited.tag, "stat", "-c", "%s %U", WEIGHTS) == f"{WEIGHT} bentoml"


def test_each_image_has_the_files_of_its_own_version(shop: Shop) -> None:
    """The versions are of one length: an engine that compares only sizes and times must not be fooled."""
    box = shop.project()
    for number in range(2, 6):
        box.project.edit("service.py", f"{number} * x", f"{number + 1} * x")
        made = box.containerize().good()
        info = yaml.safe_load(shop.engine.read(made.tag, f"{BENTO}/bento.yaml"))
        assert f"{info['name']}:{info['version']}" == made.tag
        assert f"{number + 1} * x" in shop.engine.read(made.tag, f"{BENTO}/src/service.py")


def test_an_image_that_the_engine_has_no_more_is_made_again(shop: Shop) -> None:
    box = shop.project()
    first = box.containerize().good()
    kept = shop.engine.id(first.tag)
    shop.engine.call("image", "rm", "-f", first.tag)
    assert shop.engine.id(first.tag) is None
    again = shop.containerize(first.tag).good()
    assert again.ran == {"image"} and shop.engine.id(first.tag) == kept
    assert f"the image {first.tag}, as the engine has it, is gone" in again.said
    # What somebody else has given that name is not ours.
    shop.engine.call("tag", "python:3.11-slim", first.tag)
    taken = shop.containerize(first.tag).good()
    assert taken.ran == {"image"} and shop.engine.id(first.tag) == kept
    assert f"the image {first.tag}, as the engine has it, changed" in taken.said


def test_its_id_is_noted_where_that_is_asked_for_made_or_not(shop: Shop, tmp_path: Path) -> None:
    box = shop.project()
    tag = box.build()
    for number, ran in enumerate((True, False, False)):
        words = [["--iidfile"], ["--opt", "iidfile"]][number % 2]
        at = tmp_path / f"id-{number}"
        made = shop.containerize(tag, *words[:-1], f"{words[-1]}={at}").good()
        assert ("image" in made.ran) is ran and at.read_text() == shop.engine.id(tag)


def test_it_is_named_as_often_as_asked_and_not_by_its_tag_then(shop: Shop) -> None:
    box = shop.project()
    tag = box.build()
    names = [f"{box.name}-a:1", f"localhost:5000/{box.name}/b"]
    made = shop.containerize(tag, "-t", names[0], "--image-tag", names[1]).good()
    assert f'with tag(s) "{", ".join(names)}".' in made.said
    assert shop.engine.id(names[0]) == shop.engine.id(names[1]) is not None
    assert shop.engine.id(tag) is None
    shop.engine.call("image", "rm", names[1])
    assert shop.containerize(tag, "-t", names[0], "-t", names[1]).good().ran == {"image"}
    assert shop.containerize(tag, "-t", names[0]).good().ran == {"image"}  # these are other wishes
    assert shop.world.run("containerize", tag, "-t", names[0], "-q", "-o", "tag").good().stdout == f"{names[0]}\n"
    said = shop.world.run("containerize", tag, "-t", names[0], "-q", "-o", "id").good()
    assert (said.stdout.strip(), said.stderr) == (shop.engine.id(names[0]), "")
    assert shop.world.run("containerize", tag, "-t", names[0], "-q", "-o", "json").json["platform"].startswith("linux/")


def test_there_is_no_copy_of_a_model_and_nothing_is_left(shop: Shop, spy: dict[str, str]) -> None:
    box = shop.project(options=weighty(shop, "v2", 64 << 20))
    box.containerize(env=spy).good()
    context = {path: line for *line, path in (x.split() for x in (Path(spy["RECORD"]) / "context").open())}
    model = (shop.world.home / "models/weighty/v2/weights.bin").stat()
    inode, links, size = map(int, context["./models/weighty/v2/weights.bin"])
    assert (inode, size) == (model.st_ino, 64 << 20) and links > model.st_nlink
    assert sum(int(size) for _, links, size in context.values() if links == "1") < 1000
    assert list((shop.world.home / "tmp").iterdir()) == []
    assert stat.S_IMODE(model.st_mode) == 0o644


def test_what_a_server_leaves_in_the_store_is_not_in_the_image(shop: Shop) -> None:
    box = shop.project()
    os.symlink("service.py", box.project.directory / "own")
    made = box.project.make().good()
    os.symlink("service.py", made.path / "src/stray")
    for path in ("src/__pycache__/service.cpython-311.pyc", "src/core.7", "stray.txt", "env/docker/mine"):
        (made.path / path).parent.mkdir(exist_ok=True)
        (made.path / path).write_text("left behind")
    shop.containerize(made.tag).good()
    listed = {line.partition("  ")[2] for line in (made.path / "bentomake.sha256").open().read().splitlines()}
    there = shop.engine.files(made.tag, BENTO)
    assert there - {"bentomake.sha256", "models/entrypoint.sh"} <= listed and {"src/service.py", "bento.yaml"} <= there
    links = shop.engine.ended("--entrypoint", "find", made.tag, f"{BENTO}/src", "-type", "l")
    assert links == f"{BENTO}/src/own"


def test_the_labels_of_an_image(shop: Shop) -> None:
    box = shop.project(options="labels: {source: 'https://example.com/light', team: a}\n")
    made = box.containerize("--opt", "label=who=me", env={"SOURCE_DATE_EPOCH": "1700000000"}).good()
    info = yaml.safe_load((shop.world.home / "bentos" / made.tag.replace(":", "/") / "bento.yaml").read_text())
    labels = shop.engine.config(made.tag)["Labels"]
    oci = "org.opencontainers.image."
    assert labels[f"{oci}title"] == box.name and labels[f"{oci}version"] == info["version"]
    assert labels[f"{oci}source"] == "https://example.com/light"
    assert labels["bentomake.bento.digest"] == info["content_digest"]
    assert labels["who"] == "me" and re.match(r"20\d\d-\d\d-\d\d", labels[f"{oci}created"])
    own = shop.containerize(made.tag, "--label", f"{oci}title={box.name}", "--label", f"{oci}version=mine").good()
    assert shop.engine.config(own.tag)["Labels"][f"{oci}version"] == "mine"
    assert f"warning: '--label={oci}version=mine' is deprecated: write '--opt label={oci}version=mine'.\n" in own.said


def test_the_source_of_an_image_is_the_checkout_that_it_was_built_in(shop: Shop) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", *words], cwd=box.project.directory, check=True, capture_output=True)

    def source() -> str | None:
        return shop.engine.config(tag)["Labels"].get("org.opencontainers.image.source")

    box = shop.project()
    git("init")
    git("remote", "add", "origin", "https://me:hunter2hunter2@example.com/me/light.git")
    tag = box.containerize().good().tag
    assert source() == "https://example.com/me/light"
    assert shop.containerize(tag).good().ran == set()
    shop.world.run("image", "-C", str(box.project.directory)).good()
    git("remote", "set-url", "origin", "git@example.org:us/light.git")
    anew = shop.world.run("image", "-C", str(box.project.directory)).good().stderr
    assert "14 steps: 1 ran, 13 cached" in anew and source() == "https://example.org/us/light"
    assert f"where the sources of {box.name} are published changed: https://example.com/me/light → " in anew
    assert shop.containerize(tag).good().ran == set()
    git("remote", "remove", "origin")
    box.project.edit("service.py", "2 * x", "4 * x")
    tag = box.containerize().good().tag
    assert source() is None
    for root, _, names in os.walk(shop.world.env["BENTOMAKE_CACHE_DIR"]):
        assert not any(b"hunter2" in (Path(root) / name).read_bytes() for name in names)


def test_the_time_of_a_reproducible_build_is_in_the_image(shop: Shop) -> None:
    box = shop.project()
    tag = box.build()
    early = shop.containerize(tag, env={"SOURCE_DATE_EPOCH": "1700000000"}).good()
    assert shop.engine.call("image", "inspect", "--format", "{{.Created}}", early.tag).startswith("2023-11-14T22:13:20")
    assert shop.engine.config(early.tag)["Labels"]["org.opencontainers.image.created"] == "2023-11-14T22:13:20Z"
    assert shop.containerize(tag, env={"SOURCE_DATE_EPOCH": "1700000000"}).good().ran == set()
    later = shop.containerize(tag, env={"SOURCE_DATE_EPOCH": "1700000001"}).good()
    assert later.ran == {"image"} and "source_date_epoch changed: 1700000000 → 1700000001" in later.said


def test_options_reach_the_engine_and_the_same_ones_are_the_same_image(shop: Shop, spy: dict[str, str]) -> None:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    box = shop.project()
    tag = box.build()

    def argv() -> list[str]:
        return (Path(spy["RECORD"]) / "argv").read_text().split()

    shop.containerize(tag, "--opt", f"platform=linux/{machine}", env=spy).good()
    assert f"--platform linux/{machine}" in " ".join(argv()) and argv()[argv().index("--progress") + 1] == "plain"
    assert shop.containerize(tag, "--opt", f"platform:linux/{machine}", env=spy).good().ran == set()
    old = shop.containerize(tag, "--platform", f"linux/{machine}", env=spy).good()
    assert old.ran == set() and f"'--platform=linux/{machine}' is deprecated" in old.said
    for word in ("no-cache", "pull"):
        asked = ("--opt", f"platform=linux/{machine}", f"--{word}")
        for _ in range(2):
            forced = shop.containerize(tag, *asked, env=spy).good()
            assert forced.ran == {"image"} and f"--{word}" in argv()
        assert re.search(r"^image: ran in .* s, because forced$", forced.said, re.MULTILINE)
        assert forced.cached("COPY --from=bento") is (word == "pull")


def test_an_option_that_an_engine_does_not_have_is_named(shop: Shop) -> None:
    tag = shop.project().build()
    run = shop.world.run("containerize", tag, "--opt", "squash-all")
    assert (run.code, run.stdout) == (2, "")
    assert run.stderr.startswith("error: docker has no option squash-all.\n  hint: ")
    assert "podman have it (--backend)" in run.stderr or "podman has it (--backend)" in run.stderr


def test_a_bento_that_is_not_there(shop: Shop) -> None:
    tag = shop.project().build()
    name = tag.partition(":")[0]
    run = shop.world.run("containerize", "no_such_bento")
    assert run.code == 2 and run.stderr.startswith("error: There is no Bento no_such_bento in ")
    run = shop.world.run("containerize", f"{name}:nothing")
    assert run.code == 2 and run.stderr.startswith(f"error: There is no Bento {name}:nothing")


def test_without_buildkit(shop: Shop) -> None:
    box = shop.project()
    tag = box.build()
    classic = {"DOCKER_BUILDKIT": "0"}
    made = shop.containerize(tag, env=classic).good()
    assert "Step 1/" in made.log and "--mount" not in made.log
    info = yaml.safe_load(shop.engine.read(tag, f"{BENTO}/bento.yaml"))
    assert tag.endswith(info["version"])
    assert shop.containerize(tag, env=classic).good().ran == set()
    modern = shop.containerize(tag).good()
    assert modern.ran == {"image"} and "image.engine changed" in modern.said and "#1 " in modern.log


@pytest.mark.skipif("buildah" not in ENGINES, reason="BENTOMAKE_TEST_ENGINES does not name buildah")
def test_buildah_takes_wheels_and_contexts_too(shop: Shop) -> None:
    buildah, words = ENGINES["buildah"], ("--backend", "buildah")
    box = shop.project(None, f"{weighty(shop, 'v3', 64 << 20)}python:\n  packages: [toy==1.0]\n")
    try:
        first = box.containerize(*words).good()
        box.project.edit("service.py", "2 * x", "3 * x")
        edited = box.containerize(*words).good()
        assert edited.ran == {"bento", "pinned", "image"}
        for step in (r"COPY --chown=bentoml:bentoml env/docker/entrypoint\.sh model\[s\]", "RUN --mount=type=bind"):
            assert re.search(rf"STEP \d+/\d+: {step}.*\n--> Using cache ", edited.log)
        for made, text in ((first, "2 * x"), (edited, "3 * x")):
            assert text in buildah.read(made.tag, f"{BENTO}/src/service.py")
            assert (
                yaml.safe_load(buildah.read(made.tag, f"{BENTO}/bento.yaml"))["version"] == made.tag.partition(":")[2]
            )
        moved = shop.index.directory.rename(shop.index.directory.with_name("gone"))
        try:
            made = shop.containerize(edited.tag, *words, "--offline", "--opt", "no-cache").good()
        finally:
            moved.rename(shop.index.directory)
        assert {"wheelhouse", "image"} <= made.ran
        assert "toy" in buildah.run(made.tag, "python", "-m", "pip", "list")
    finally:
        buildah.remove(box.name)


def test_two_versions_at_once(shop: Shop) -> None:
    box = shop.project()
    first = box.build()
    box.project.edit("service.py", "2 * x", "5 * x")
    second = box.build()
    script = [shop.world.run("--version").argv[0], "containerize"]
    running = [start([*script, tag], shop.world.directory, shop.world.env) for tag in (first, second)]
    for process, tag in zip(running, (first, second), strict=True):
        out, err = process.communicate(timeout=LIMIT)
        Run([tag], process.returncode, out, err).good()
    for tag, text in ((first, "2 * x"), (second, "5 * x")):
        assert text in shop.engine.read(tag, f"{BENTO}/src/service.py")
        assert yaml.safe_load(shop.engine.read(tag, f"{BENTO}/bento.yaml"))["version"] == tag.partition(":")[2]
    assert list((shop.world.home / "tmp").iterdir()) == []


def test_without_a_network_it_says_which_packages_are_missing_and_then_needs_none(shop: Shop, tmp_path: Path) -> None:
    own = {"BENTOMAKE_CACHE_DIR": str(tmp_path / "own")}  # in the shop's, other stories have wheels
    tag = shop.project(None, "python:\n  packages: [toy==1.0, other==1.0]\n").build()
    run = shop.world.run("containerize", tag, "--offline", env=own)
    assert run.code == 1
    (line,) = [line for line in run.stderr.splitlines() if line.startswith("error: ")]
    assert re.match(r"error: --offline, and the cache does not have \d of the image's packages: ", line)
    assert "toy==1.0" in line and "other==1.0" in line
    assert "  hint: Build the image once without --offline" in run.stderr
    shop.containerize(tag, env=own).good()
    moved = shop.index.directory.rename(shop.index.directory.with_name("gone"))
    try:
        made = shop.containerize(tag, "--offline", "--opt", "no-cache", env=own).good()
    finally:
        moved.rename(shop.index.directory)
    assert {"wheelhouse", "image"} <= made.ran and "BENTOMAKE_OFFLINE" not in made.run.stdout
    assert shop.engine.run(made.tag, "python", "-m", "pip", "list").count("toy") == 1
