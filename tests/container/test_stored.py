"""A Bento of the store as its image has it: no file is left out in silence, none is copied twice."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from stand_in import healthy
from stored_bento import FOUND, Stored

import bentomake.imaging
from bentomake.bento.layout import digests_file
from bentomake.bento.library import Library
from bentomake.bento.tag import Tag
from bentomake.container.docker import Docker
from bentomake.container.staging import Slot
from bentomake.containerize import containerize
from bentomake.engine.collect import clear
from bentomake.engine.content_store import ContentStore
from bentomake.engine.digest import of_bytes, of_value
from bentomake.engine.manifest import Manifest
from bentomake.engine.progress import Silent
from bentomake.engine.stat_index import StatIndex
from bentomake.engine.tree import FILE, LINK, Entry
from bentomake.errors import StoreError
from bentomake.imaging import Imaging
from bentomake.session import Session
from bentomake.stored import StoredBento
from bentomake.workspace import Settings


@pytest.fixture
def iris(own_home: Path, tmp_path: Path) -> Stored:
    return Stored(own_home, tmp_path)


def files(iris: Stored) -> set[str]:
    stored = StoredBento(Tag("iris", "v1"), Session(Settings(str(iris.here), dict(os.environ))))
    return set(stored.source("stored").tree)


def test_a_file_of_any_name_is_in_the_image(iris: Stored) -> None:
    names = {"src/a\u2028b.py", "src/a\fb.py", "src/a\rb.py", "src/a\\n.py", "src/a\n.py", "bento.yaml"}
    for name in names:
        (iris.directory / name).touch()
    listed = digests_file({name: Entry(of_bytes(b""), FILE) for name in names})
    (iris.directory / "bentomake.sha256").write_bytes(listed.encode())
    assert files(iris) == names | {"bentomake.sha256"}


def test_a_listed_file_that_is_missing_is_an_error(iris: Stored) -> None:
    names = {"src/service.py", "bento.yaml", "models/m/a/file"}  # models are found by their tags
    listed = digests_file({name: Entry(of_bytes(b""), FILE) for name in names})
    (iris.directory / "bentomake.sha256").write_bytes(listed.encode())
    with pytest.raises(StoreError, match=r"iris/v1 lacks src/service\.py, which bentomake\.sha256 lists\.") as raised:
        files(iris)
    assert raised.value.hint == "Build or import the Bento again."
    (iris.directory / "src/service.py").touch()
    assert files(iris) == {"src/service.py", "bento.yaml", "bentomake.sha256"}


@pytest.mark.parametrize("knows_links", [True, False], ids=["list with links", "older list"])
def test_only_links_of_the_bentos_own_are_in_its_image(knows_links: bool, iris: Stored) -> None:
    """What a server or a user left there is not; a list of before says of no link whose it is."""
    (iris.directory / "src/own").symlink_to("service.py")
    (iris.directory / "src/stray").symlink_to("/etc/passwd")
    (iris.directory / "stray-directory").symlink_to("src")
    own = {"bento.yaml": FILE, "src/own": LINK}
    listed = digests_file({name: Entry(of_bytes(b""), mode) for name, mode in own.items()})
    if not knows_links:
        listed = "".join(line for line in listed.splitlines(keepends=True) if not line.startswith("#"))
    (iris.directory / "bentomake.sha256").write_text(listed)
    stray = set() if knows_links else {"src/stray", "stray-directory"}
    assert files(iris) == {*own, "bentomake.sha256", *stray}
    (iris.directory / "src/own").unlink()
    if knows_links:
        with pytest.raises(StoreError, match="lacks src/own, which"):
            files(iris)


def test_what_an_archive_had_in_the_place_of_links_is_in_the_image(iris: Stored) -> None:
    """bentoml 1.1 exports and imports files in the place of links."""
    own = {"bento.yaml": FILE, "src/file": LINK, "src/directory": LINK}
    (iris.directory / "bentomake.sha256").write_text(digests_file({n: Entry(of_bytes(b""), m) for n, m in own.items()}))
    (iris.directory / "src/file").touch()
    (iris.directory / "src/directory/inner/__pycache__").mkdir(parents=True)
    for name in ("a", "inner/b", "inner/__pycache__/b.pyc", "../directory.py"):
        (iris.directory / "src/directory" / name).touch()
    below = {"src/directory/a", "src/directory/inner/b"}
    assert files(iris) == {"bento.yaml", "bentomake.sha256", "src/file", *below}


def test_all_links_of_a_bento_without_a_list_are_its_own(iris: Stored) -> None:
    (iris.directory / "src/link").symlink_to("service.py")
    assert "src/link" in files(iris)


def test_a_directory_that_cannot_be_read_is_an_error(iris: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def locked(path: str) -> object:
        if path.endswith("/src"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", locked)
    with pytest.raises(StoreError, match="src cannot be read: Permission denied"):
        files(iris)


def test_a_file_that_the_cache_has_is_not_copied_again(iris: Stored, tmp_path: Path) -> None:
    def blobs() -> dict[Path, int]:
        return {path: path.stat().st_ino for path in (tmp_path / "cache-of-bentomake/blobs").rglob("*")}

    assert iris.containerize().errors == []
    before = blobs()
    assert iris.containerize(force=True).outcomes["bento"].state == "ran"
    assert before and blobs() == before


def test_latest_is_the_same_model_in_the_bento_and_in_its_image(
    iris: Stored, own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    yaml = "name: iris\nversion: v1\nmodels:\n"
    for version, month in (("a", 1), ("b", 3), ("c", 2), ("d", 4)):
        (own_home / "models/m" / version).mkdir(parents=True)
        (own_home / "models/m" / version / "model.yaml").write_text(f"creation_time: '2024-0{month}-01'\n")
        yaml += f"- tag: m:{version}\n  creation_time: '2024-0{month}-01'\n" if version != "d" else ""
    (own_home / "models/m/latest").write_text("d")
    (iris.directory / "bento.yaml").write_text(yaml)
    models = [Tag("m", version) for version in "abc"]
    Library(str(own_home)).install(
        Tag("iris", "v2"), "", {}, models, ContentStore(str(tmp_path / "store")), StatIndex(str(tmp_path / "i"))
    )
    staged: dict[str, str | bytes] = {}

    @contextlib.contextmanager
    def noting(place: Slot, tree: object, beside: Mapping[str, str | bytes], *_: object) -> Iterator[str]:
        staged.update(beside)
        yield str(tmp_path)
        place.release()

    monkeypatch.setattr(bentomake.imaging, "staged", noting)
    assert iris.containerize().errors == []
    assert staged["models/m/latest"] == (own_home / "bentos/iris/v2/models/m/latest").read_bytes() == b"b"


@pytest.mark.parametrize("given", [{}, {"MODE": "slow"}], ids=["bento.yaml", "environment"])
def test_a_value_of_the_stage_build_is_lent_where_the_environment_has_none(
    given: dict[str, str], iris: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    envs = "envs: [{name: MODE, value: fast, stage: build}, {name: LEVEL, value: '1', stage: all}]\n"
    (iris.directory / "bento.yaml").write_text("name: iris\nversion: v1\n" + envs)
    text = "FROM scratch\nRUN --mount=type=secret,id=MODE --mount=type=secret,id=LEVEL true\n"
    (iris.directory / "env/docker/Dockerfile").write_text(text)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert not iris.containerize().errors
    (words,) = [call["argv"] for call in iris.docker.calls if "--file" in call["argv"]]
    secrets = [words[at + 1] for at, word in enumerate(words) if word == "--secret"]
    assert secrets == ["id=MODE,env=MODE" if given else "id=MODE,env=BENTOMAKE_BUILD_MODE"]


def test_what_a_cache_has_of_a_secret_is_its_own_and_tells_nobody(
    iris: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who guesses a secret finds its digest in no cache, and two caches do not tell that they have the same one."""
    secret = "hunter2-hunter2"
    (tmp_path / "aws").write_text(secret)
    monkeypatch.setenv("TOKEN", secret)
    mounting = "FROM scratch\nRUN --mount=type=secret,id=TOKEN true\n"
    (iris.directory / "env/docker/Dockerfile.buildkit").write_text(mounting)
    given = ["secret=id=aws,src=aws", f"build-arg=KEY={secret}", f"cache-to=type=s3,secret_access_key={secret}"]
    keys, facts = [], []
    for name in ("here", "there"):
        monkeypatch.setenv("BENTOMAKE_CACHE_DIR", str(tmp_path / name))
        assert iris.containerize(*given).errors == []
        session = iris.session()
        rows = [session.cache.read(f"trace/{key}") for key in session.cache.traces()]
        session.close()
        (manifest,) = [Manifest.from_json(row["manifest"]) for row in rows if row["rule"] == "image"]
        keys.append(manifest.key)
        facts.append({(entry.kind, entry.name): entry.digest for entry in manifest.lines})
        kept = [path.read_bytes() for path in (tmp_path / name).rglob("*") if path.is_file()]
        kept.append(json.dumps(rows).encode())
        for told in (secret, *(hashlib.new(way, secret.encode()).hexdigest() for way in ("sha256", "sha1", "blake2b"))):
            assert not any(told.encode() in data for data in kept)
        assert of_value(secret) not in str(rows)
    different = {what for what in facts[0] if facts[0][what] != facts[1][what]}
    assert keys[0] != keys[1]
    names = ("build_args", "options", "secrets")
    assert different == {("secret", "TOKEN"), *(("param", f"image.{name}") for name in names)}


@pytest.mark.parametrize("changed", [("DOCKER_BUILDKIT", "0"), ("BUILDAH_FORMAT", "docker")])
def test_an_image_by_another_dockerfile_or_in_another_format_is_another(
    changed: tuple[str, str], iris: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    iris.docker = healthy(tmp_path / "buildah", "buildah")
    iris.docker.answer("buildah inspect", {"FromImageID": "new", "FromImage": "iris:v1", "OCIv1": {}})
    for state in ("ran", "cached"):
        assert iris.containerize(backend="buildah").outcomes["image"].state == state
    monkeypatch.setenv(*changed)
    for state in ("ran", "cached"):
        assert iris.containerize(backend="buildah").outcomes["image"].state == state


def test_a_base_that_the_engine_fetched_for_the_build_makes_no_second_build(
    iris: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    (iris.directory / "env/docker/Dockerfile").write_text("FROM base:1\n")
    inspect = "docker image inspect --format {{json .}} base:1"
    iris.docker.answer(inspect, err="No such image: base:1", code=1)
    build = bentomake.imaging.Imaging.build

    def fetching(self: object, *args: object) -> object:
        iris.docker.answer(inspect, {**FOUND, "Id": "sha256:base"})
        return build(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(bentomake.imaging.Imaging, "build", fetching)
    assert iris.containerize().outcomes["image"].state == "ran"
    assert iris.containerize().outcomes["image"].state == "cached"
    monkeypatch.setattr(bentomake.imaging.Imaging, "build", build)
    iris.docker.answer(inspect, {**FOUND, "Id": "sha256:newer"})
    again = iris.containerize().outcomes["image"]
    assert again.state == "ran" and [reason.name for reason in again.reasons] == ["base:1"]


@pytest.mark.parametrize("given", ["build-arg=BASE=theirs:1", "build-arg=BASE"])
def test_a_base_that_a_build_argument_names_is_watched_and_not_named(
    given: str, iris: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BASE", "theirs:1")
    (iris.directory / "env/docker/Dockerfile").write_text("ARG BASE=unused:1\nFROM $BASE\n")
    theirs, unused = (f"docker image inspect --format {{{{json .}}}} {name}:1" for name in ("theirs", "unused"))
    iris.docker.answer(theirs, {**FOUND, "Id": "sha256:base"})
    assert iris.containerize(given).outcomes["image"].state == "ran"
    iris.docker.answer(unused, {**FOUND, "Id": "sha256:other"})
    assert iris.containerize(given).outcomes["image"].state == "cached"
    iris.docker.answer(theirs, {**FOUND, "Id": "sha256:other"})
    again = iris.containerize(given).outcomes["image"]
    assert again.state == "ran" and [reason.name for reason in again.reasons] == ["${BASE}"]


def test_an_engine_that_is_not_there_is_said_once_and_nothing_is_fetched_for_it(iris: Stored) -> None:
    (iris.directory / "env/python").mkdir()
    (iris.directory / "env/python/version.txt").write_text("3.11")
    (iris.directory / "env/python/requirements.lock.txt").write_text("--no-index\nnowhere==1\n")
    mount = "FROM scratch AS wheelhouse\nFROM scratch\nRUN --mount=type=bind,from=wheelhouse,target=/w true\n"
    (iris.directory / "env/docker/Dockerfile.buildkit").write_text(mount)
    iris.docker.answer("docker version", err="Cannot connect to the daemon", code=1)
    result = iris.containerize()
    assert [type(error).__name__ for error in result.errors] == ["BackendUnhealthy"]
    states = {name: outcome.state for name, outcome in result.outcomes.items()}
    assert (states["wheelhouse"], states["image"]) == ("failed", "skipped")


@pytest.mark.parametrize("pulling", [False, True], ids=["by somebody", "by --pull"])
def test_an_image_whose_base_became_another_while_it_was_built_is_made_again(
    pulling: bool, iris: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    (iris.directory / "env/docker/Dockerfile").write_text("FROM base:1\n")
    iris.docker.answer("docker image inspect --format {{json .}} base:1", {"Id": "sha256:old", "Os": "linux"})
    build = Imaging.build

    def pulled(*args: Any) -> Any:
        iris.docker.answer("docker image inspect --format {{json .}} base:1", {"Id": "sha256:newer", "Os": "linux"})
        return build(*args)

    with monkeypatch.context() as patch:
        patch.setattr(Imaging, "build", pulled)
        made = iris.containerize(*(["pull"] if pulling else [])).outcomes["image"]
    why = "forced" if pulling else "the base image base:1 changed while the image was built"
    assert (made.state, made.why) == ("ran", why)


def test_an_image_whose_model_was_edited_while_it_was_built_is_made_again(
    iris: Stored, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = own_home / "models/m/a/weights"
    weights.parent.mkdir(parents=True)
    (weights.parent / "model.yaml").write_text("creation_time: '2024-01-01'\n")
    weights.write_text("first")
    (iris.directory / "bento.yaml").write_text("name: iris\nversion: v1\nmodels:\n- tag: m:a\n  creation_time: ''\n")
    build = Imaging.build

    def editing(*args: Any) -> Any:
        weights.write_text("other")  # in place: the context has a link of it
        return build(*args)

    with monkeypatch.context() as patch:
        patch.setattr(Imaging, "build", editing)
        made = iris.containerize().outcomes["image"]
    assert (made.state, made.why) == ("ran", "the model m:a changed while the image was built")
    weights.write_text("first")
    assert iris.containerize().outcomes["image"].state == "ran"
    assert iris.containerize().outcomes["image"].state == "cached"


def test_a_cache_that_is_cleared_beside_a_command_that_has_opened_it_fails_nothing(
    iris: Stored, tmp_path: Path
) -> None:
    assert iris.containerize().errors == []
    session = iris.session()
    assert clear(session.settings.cache)
    assert containerize("iris:v1", session, Silent()).errors == []
    session.close()
    assert iris.containerize().outcomes["image"].state == "cached", "what it made is remembered"


def test_a_model_with_a_file_that_cannot_be_read_any_more_is_an_error_and_no_traceback(
    iris: Stored, own_home: Path
) -> None:
    model = own_home / "models/m/a"
    model.mkdir(parents=True)
    (model / "model.yaml").write_text("creation_time: '2024-01-01'\n")
    (model / "weights").symlink_to(own_home / "elsewhere")
    (own_home / "elsewhere").touch()
    (iris.directory / "bento.yaml").write_text("name: iris\nversion: v1\nmodels:\n- tag: m:a\n  creation_time: ''\n")
    assert iris.containerize().errors == []
    (own_home / "elsewhere").unlink()
    (error,) = iris.containerize().errors
    assert error.message == f"The model m:a cannot be read: {model}/weights: No such file or directory."


def test_a_planted_image_is_an_error_and_no_traceback(iris: Stored, tmp_path: Path) -> None:
    assert iris.containerize().errors == []
    session = iris.session()
    (row,) = [row for key in session.cache.traces() if (row := session.cache.read(f"trace/{key}"))["rule"] == "image"]
    key, tree = Manifest.from_json(row["manifest"]).key, {"image.json": Entry(session.store.put_bytes(b"[]"), FILE)}
    session.cache.write(f"trace/{key}", {**row, "tree": str(session.store.put_tree(tree))})
    session.close()
    with pytest.raises(StoreError, match="What the cache says of the image cannot be read"):
        iris.containerize()
    assert iris.containerize(force=True).errors == []


def test_an_image_whose_tag_another_build_took_meanwhile_is_described_by_its_own_id(
    iris: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two builds with one tag at once: the tag names the other's image by the time this one is asked about."""
    with monkeypatch.context() as patch:
        patch.setattr(Docker, "after", lambda *_: "sha256:mine")
        iris.docker.answer("docker image inspect --format {{json .}} sha256:mine", {**FOUND, "Id": "sha256:mine"})
        made = iris.containerize()
    assert [image.id for image in made.images] == ["sha256:mine"]
    assert iris.containerize().outcomes["image"].state == "ran", "the tag names another image"
    assert iris.containerize().outcomes["image"].state == "cached"


@pytest.mark.parametrize("planted", ["[]", "5", '[["", "nosuch"]]', '[["", "image"]]', '[["x", "bento"]]', "[[[], 1]]"])
def test_a_planted_plan_is_made_anew(iris: Stored, tmp_path: Path, planted: str) -> None:
    assert iris.containerize().errors == []
    (plan,) = (tmp_path / "cache-of-bentomake/state/plans").iterdir()
    true = plan.read_text()
    plan.write_text(planted)
    assert iris.containerize().outcomes["image"].state == "cached"
    assert plan.read_text() == true
