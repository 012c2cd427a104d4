"""wheelhouse: each wheel is fetched once, for whatever Bento; what cannot be fetched is left to the image, and said."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from private_index import TOKEN, Index, a_wheel, private_index
from wheelhouses import Wheelhouse

from bentomake.bento import wheel_export
from bentomake.bento.artifacts import Target, suits
from bentomake.bento.targets import machine
from bentomake.container.backend import BackendUnhealthy
from bentomake.engine.action import CACHED, FAILED, RAN
from bentomake.engine.collect import collect
from bentomake.errors import EXIT_USAGE


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wheelhouse:
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TOKEN", TOKEN)
    monkeypatch.setenv("PIP_RETRIES", "0")
    return Wheelhouse(tmp_path / "cache")


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    for name in ("alpha", "beta", "gamma"):
        a_wheel(tmp_path / "served", name, "1.0", code=f"NAME = '{name}'\n")
    with private_index(tmp_path / "served") as found:
        yield found


def at(index: Index, *pins: str) -> list[str]:
    return [f"--index-url {index.url('me:${TOKEN}')}", *pins]


def fetched(index: Index) -> list[str]:
    """The wheels that the index was asked for since the last time."""
    found = sorted(path.rpartition("/")[2] for path in index.served if path.endswith(".whl"))
    index.served.clear()
    return found


ALPHA, BETA, GAMMA = (f"{name}-1.0-py3-none-any.whl" for name in ("alpha", "beta", "gamma"))


def test_a_lock_is_fetched_once_and_another_one_fetches_only_what_is_new(house: Wheelhouse, index: Index) -> None:
    first = house.of(*at(index, "alpha==1.0", "beta==1.0"))
    assert house.wheels(first) == [ALPHA, BETA] and fetched(index) == [ALPHA, BETA]
    other = house.of(*at(index, "beta==1.0", "alpha==1.0"), origin="another project", generation="runner")
    assert other.state == RAN and house.wheels(other) == [ALPHA, BETA]
    assert index.served == []  # not even the index pages
    added = house.of(*at(index, "alpha==1.0", "beta==1.0", "gamma==1.0"))
    assert house.wheels(added) == [ALPHA, BETA, GAMMA] and fetched(index) == [GAMMA]


def test_an_edited_source_does_not_reach_it(house: Wheelhouse, index: Index) -> None:
    house.of(*at(index, "alpha==1.0"))
    index.served.clear()
    again = house.of(*at(index, "alpha==1.0"), source="2\n")
    assert house.pinned is not None and house.pinned.state == RAN
    assert again.state == CACHED and index.served == []


def test_the_directory_says_what_it_has_and_whether_that_is_all(house: Wheelhouse, index: Index) -> None:
    files = house.files(house.of(*at(index, "beta==1.0", "alpha[x]==1.0")))
    assert {"complete", "install.sh", "requirements.txt", ALPHA, BETA} <= set(files)
    assert files["requirements.txt"]() == b"alpha[x]==1.0\nbeta==1.0\n"
    assert "complete" not in house.files(house.of(*at(index, "alpha==1.0"), locked=False))
    here = house.of(*at(index, "alpha==1.0", "./wheels/mine-1.0-py3-none-any.whl"), origin="own wheel")
    assert house.wheels(here) == [ALPHA] and "complete" not in house.files(here)


def test_each_python_machine_and_c_library_has_its_own(house: Wheelhouse, index: Index, tmp_path: Path) -> None:
    tags = ["cp311-cp311-manylinux_2_28_x86_64", "cp312-cp312-manylinux_2_28_x86_64"]
    tags += ["cp311-cp311-manylinux_2_17_aarch64", "cp311-cp311-musllinux_1_2_x86_64"]
    tags += ["cp311-cp311-manylinux_2_39_x86_64", "cp311-cp311-manylinux2014_x86_64"]
    for tag in tags:
        a_wheel(tmp_path / "served", "native", "1.0", tag=tag)
    amd = "linux/amd64"
    images = [
        ({"image_platform": amd}, tags[0]),
        ({"image_platform": amd, "python": "3.12"}, tags[1]),
        ({"image_platform": "linux/arm64"}, tags[2]),
        ({"image_platform": amd, "image": "python:3.11-alpine"}, tags[3]),
        ({"image_platform": amd, "image": "nvidia/cuda:12.8.1-cudnn-runtime-ubuntu24.04"}, tags[4]),
        ({"image_platform": amd, "image": "amazonlinux:2"}, tags[5]),
    ]
    for asked, tag in images:
        outcome = house.of(*at(index, "native==1.0"), **asked)  # type: ignore[arg-type]
        assert house.wheels(outcome) == [f"native-1.0-{tag}.whl"], asked
        assert f"native-1.0-{tag}.whl" in fetched(index)
    house.of(*at(index, "native==1.0"), origin="again", image_platform=amd)
    for variant in ("linux/arm64/v8", "arm64"):
        outcome = house.of(*at(index, "native==1.0"), image_platform=variant)
        assert house.wheels(outcome) == [f"native-1.0-{tags[2]}.whl"]
    assert index.served == []


def test_a_platform_is_a_machine_by_whatever_name() -> None:
    told = {"linux/amd64/v2": "x86_64", "AMD64": "x86_64", "linux/arm": "armv7l", "linux/arm/v7": "armv7l"}
    told |= {"linux/arm/v6": "armv6l", "linux/386": "i686", "linux/riscv64": "riscv64", "linux/aarch64": "aarch64"}
    assert {name: machine(name) for name in told} == told


def test_offline_asks_nobody_and_says_what_is_missing(house: Wheelhouse, index: Index) -> None:
    house.of(*at(index, "alpha==1.0"))
    index.served.clear()
    there = house.of(*at(index, "alpha==1.0"), origin="other", offline=True)
    assert house.wheels(there) == [ALPHA]
    lacks = house.of(*at(index, "alpha==1.0", "beta==1.0", "x @ https://example.com/x.zip"), offline=True)
    assert lacks.state == FAILED and index.served == index.refused == []
    assert lacks.error is not None and lacks.error.message == (
        "--offline, and the cache does not have 2 of the image's packages: beta==1.0, x @ https://example.com/x.zip."
    )


def test_what_was_left_to_the_image_is_an_error_offline(house: Wheelhouse, index: Index) -> None:
    lines = at(index, "alpha==1.0", "nowhere==7")
    assert house.wheels(house.of(*lines)) == [ALPHA]
    assert house.of(*lines).state == CACHED
    offline = house.of(*lines, offline=True)
    assert offline.error is not None and "nowhere==7" in offline.error.message


def test_an_index_that_is_away_is_a_warning_and_forgotten(house: Wheelhouse, tmp_path: Path) -> None:
    a_wheel(tmp_path / "served", "alpha", "1.0")
    with private_index(tmp_path / "served") as index:
        lines = at(index, "alpha==1.0", "beta==1.0")
        house.of(lines[0], lines[1])
    outcome = house.of(*lines)
    assert outcome.state == RAN and house.wheels(outcome) == [ALPHA]
    assert "complete" not in house.files(outcome)
    assert outcome.warnings[0]["message"].startswith(
        "1 packages could not be fetched; the build of the image fetches them by itself. pip said: "
    )
    assert TOKEN not in str(outcome.warnings) + outcome.log
    assert house.of(*lines).state == RAN  # it asks again


def test_a_variable_that_is_not_set_is_named(house: Wheelhouse, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    house.of(*at(index, "alpha==1.0"))
    monkeypatch.delenv("TOKEN")
    assert house.of(*at(index, "alpha==1.0"), origin="needs nothing").state == RAN
    outcome = house.of(*at(index, "alpha==1.0", "beta==1.0"))
    assert outcome.error is not None and "The variable TOKEN is not set" in outcome.error.message


def test_a_credential_is_nowhere_in_the_cache(house: Wheelhouse, index: Index) -> None:
    house.of(*at(index, "alpha==1.0", "nowhere==1"))
    assert set(fetched(index)) == {ALPHA}
    files = [path for path in house.directory.rglob("*") if path.is_file()]
    assert len(files) > 5 and not [path for path in files if TOKEN.encode() in path.read_bytes()]


def test_another_index_may_have_another_package_of_that_name(house: Wheelhouse, index: Index, tmp_path: Path) -> None:
    a_wheel(tmp_path / "others", "alpha", "1.0", code="NAME = 'of the other index'\n")
    mine = house.files(house.of(*at(index, "alpha==1.0")))[ALPHA]()
    with private_index(tmp_path / "others") as other:
        theirs = house.files(house.of(*at(other, "alpha==1.0")))[ALPHA]()
    assert mine != theirs


def test_the_hosts_mirror_is_asked_and_counts(house: Wheelhouse, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", index.url(f"me:{TOKEN}"))
    assert house.wheels(house.of("alpha==1.0")) == [ALPHA]
    assert fetched(index) == [ALPHA]
    for path in house.directory.rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path


def test_a_wheel_that_is_not_the_one_of_the_lock_is_not_taken(house: Wheelhouse, index: Index) -> None:
    wrong = f"alpha==1.0 --hash=sha256:{'0' * 64}"
    outcome = house.of(*at(index, wrong))
    assert house.files(outcome) == {} and "HASHES" in str(outcome.warnings) + outcome.log


def test_a_source_distribution_is_left_to_the_image_and_not_run(house: Wheelhouse, tmp_path: Path) -> None:
    links = tmp_path / "links"
    a_wheel(links, "alpha", "1.0")
    (tmp_path / "setup.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with tarfile.open(links / "native-1.0.tar.gz", "w:gz") as sdist:
        sdist.add(tmp_path / "setup.py", "native-1.0/setup.py")
    outcome = house.of("--no-index", f"--find-links {links}", "alpha==1.0", "native==1.0")
    assert house.wheels(outcome) == [ALPHA] and "complete" not in house.files(outcome)
    assert "native==1.0 has no wheel for Python 3.11 on Linux" in outcome.log
    assert not (tmp_path / "ran").exists()


def test_a_marker_is_read_for_the_image(house: Wheelhouse, index: Index) -> None:
    lines = ["alpha==1.0 ; python_version < '3.12'", "beta==1.0 ; sys_platform == 'win32'"]
    outcome = house.of(*at(index, *lines))
    assert house.wheels(outcome) == [ALPHA] and "complete" in house.files(outcome)
    assert house.files(house.of(*at(index, *lines), python="3.12")) == {}


def test_a_damaged_wheel_is_fetched_again(house: Wheelhouse, index: Index, tmp_path: Path) -> None:
    outcome = house.of(*at(index, "alpha==1.0"))
    assert outcome.tree is not None
    blob = Path(house.store.path(house.store.tree(outcome.tree)[f"wheelhouse/{ALPHA}"].digest))
    blob.chmod(0o644)
    blob.write_bytes(b"x" * blob.stat().st_size)
    index.served.clear()
    again = Wheelhouse(house.directory)
    assert again.wheels(again.of(*at(index, "alpha==1.0"))) == [ALPHA] and fetched(index) == [ALPHA]


def test_collection_keeps_what_a_trace_names_and_a_lost_wheel_is_fetched(house: Wheelhouse, index: Index) -> None:
    house.of(*at(index, "alpha==1.0"))
    root = str(house.directory)
    assert collect(root, house.store, house.cache, 1 << 40, grace=0) is not None
    index.served.clear()
    kept = Wheelhouse(house.directory)
    assert kept.wheels(kept.of(*at(index, "alpha==1.0"), origin="other")) == [ALPHA] and index.served == []
    assert collect(root, kept.store, kept.cache, 0, grace=0) is not None
    lost = Wheelhouse(house.directory)
    assert lost.wheels(lost.of(*at(index, "alpha==1.0"), origin="third")) == [ALPHA] and fetched(index) == [ALPHA]


def test_features_are_resolved_beside_the_lock(house: Wheelhouse, index: Index, tmp_path: Path) -> None:
    served = tmp_path / "served"
    a_wheel(served, "delta", "1.0")
    a_wheel(served, "delta", "2.0")
    a_wheel(served, "bentoml", "1.4.39", requires=("beta", "delta<2; extra == 'grpc'", "alpha; extra == 'grpc'"))
    lines = at(index, "beta==1.0", "bentoml==1.4.39")
    outcome = house.of(*lines, features=["grpc"])
    assert [name.partition("-")[:3:2] for name in house.wheels(outcome)] == [
        *(("alpha", "1.0-py3-none-any.whl"), ("bentoml", "1.4.39-py3-none-any.whl")),
        *(("beta", "1.0-py3-none-any.whl"), ("delta", "1.0-py3-none-any.whl")),
    ]
    impossible = house.of(*lines, "delta==2.0", features=["grpc"], offline=True)
    assert impossible.error is not None and "bentoml[grpc]==1.4.39" in impossible.error.message


def test_it_can_be_turned_off(house: Wheelhouse, index: Index) -> None:
    assert house.files(house.of(*at(index, "alpha==1.0"), wheel_cache=False)) == {}
    assert index.served == []


BUILDKIT, PLAIN = "env/docker/Dockerfile.buildkit", "env/docker/Dockerfile"


class Engine:
    """What the recipe asks of an engine: whether it can build, and what it is called."""

    backend, fresh = SimpleNamespace(name="podman"), False

    @property
    def engine(self) -> dict[str, str]:
        raise BackendUnhealthy("podman is not installed.")


def test_nothing_is_fetched_that_the_image_would_not_take(house: Wheelhouse, index: Index) -> None:
    lines, healthy = at(index, "alpha==1.0"), SimpleNamespace(fresh=False, engine={}, backend=Engine.backend)
    for takes, by in ((True, [PLAIN]), (True, []), (False, [BUILDKIT, PLAIN])):
        outcome = house.of(*lines, takes=takes, wheels_by=by, imaging=healthy)
        assert house.files(outcome) == {} and "the image installs by itself" in outcome.log
        assert house.of(*lines, takes=takes, wheels_by=by, imaging=healthy).state == CACHED
    assert index.served == []
    made = house.of(*lines, takes=True, wheels_by=[BUILDKIT, PLAIN], imaging=healthy)
    assert house.wheels(made) == [ALPHA]  # another backend is another key
    assert house.wheels(house.of(*lines, takes=False)) == [ALPHA]  # they are the goal themselves


def test_without_a_cache_nothing_is_fetched_and_what_is_known_stays_known(house: Wheelhouse, index: Index) -> None:
    asked = {"takes": True, "wheels_by": [BUILDKIT, PLAIN]}
    fresh, usual = (SimpleNamespace(fresh=fresh, engine={}, backend=Engine.backend) for fresh in (True, False))
    outcome = house.of(*at(index, "alpha==1.0"), **asked, imaging=fresh)
    assert house.files(outcome) == {} and index.served == []
    outcome = house.of(*at(index, "alpha==1.0"), **asked, imaging=usual)
    assert (outcome.state, house.wheels(outcome)) == (RAN, [ALPHA])
    assert house.of(*at(index, "alpha==1.0"), **asked, imaging=fresh).state == CACHED


def test_an_engine_that_cannot_build_is_said_before_anything_is_fetched(house: Wheelhouse, index: Index) -> None:
    outcome = house.of(*at(index, "alpha==1.0"), takes=True, wheels_by=[BUILDKIT, PLAIN], imaging=Engine())
    assert isinstance(outcome.error, BackendUnhealthy) and index.served == []


def test_offline_needs_an_engine_that_takes_wheels(house: Wheelhouse, index: Index) -> None:
    asked = {"wheels_by": [PLAIN], "imaging": Engine(), "offline": True}
    error = house.of(*at(index, "alpha==1.0"), takes=True, **asked).error
    assert error is not None and error.exit_code == EXIT_USAGE and "--no-wheel-cache" in (error.hint or "")
    assert error.message == "--offline, and podman cannot give the cache's wheels to the build of an image here."
    assert house.of(*at(index, "alpha==1.0"), takes=True, wheel_cache=False, **asked).error is None
    assert house.of(*at(index, "alpha==1.0"), takes=False, **asked).error is None  # no engine would give it any
    assert index.served == []


def test_what_another_tool_wrote_may_be_beyond_it(house: Wheelhouse, index: Index) -> None:
    outcome = house.of(*at(index, "alpha==1.0", "--config-settings x=y"))
    assert house.files(outcome) == {} and "The image installs by itself: The option --config-settings" in outcome.log
    assert house.files(house.of("alpha==1.0", python="")) == {}


def test_pip_installs_from_what_is_exported(house: Wheelhouse, index: Index, tmp_path: Path) -> None:
    house.of(*at(index, "alpha==1.0", "beta==1.0"))
    house.of(*at(index, "gamma==1.0"), origin="other")
    out = tmp_path / "out"
    wheels = wheel_export.known(house.cache, house.store)
    assert wheel_export.export(wheels, str(out), house.store) == 3
    assert sorted(os.listdir(out)) == [ALPHA, BETA, GAMMA]
    assert wheel_export.export(wheels, str(out), house.store) == 0
    (out / ALPHA).unlink()
    assert wheel_export.export(wheels, str(out), house.store) == 1
    (tmp_path / "lock.txt").write_text("alpha==1.0\nbeta==1.0\n")
    words = ["install", "-q", "--no-index", "--find-links", str(out), "--target", str(tmp_path / "site")]
    env = {**os.environ, "PIP_CONFIG_FILE": os.devnull}
    subprocess.run([sys.executable, "-m", "pip", *words, "-r", str(tmp_path / "lock.txt")], env=env, check=True)
    assert {"alpha.py", "beta.py"} <= set(os.listdir(tmp_path / "site"))


def test_the_command_exports_all_or_what_one_bento_names(
    house: Wheelhouse, index: Index, tmp_path: Path, own_home: Path
) -> None:
    house.of(*at(index, "alpha==1.0", "beta==1.0"))
    house.cache.close()
    bento = own_home / "bentos" / "clf" / "v1"
    (bento / "env" / "python").mkdir(parents=True)
    (bento / "bento.yaml").write_text("name: clf\nversion: v1\ncreation_time: '2026-01-01T00:00:00+00:00'\n")
    (bento / "env" / "python" / "requirements.txt").write_text("# of bentoml\nbeta==1.0\n")
    env = {**os.environ, "BENTOMAKE_CACHE_DIR": str(house.directory)}

    def export(*words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "bentomake", "cache", "export-wheels", *words]
        return subprocess.run(argv, env=env, capture_output=True, text=True)

    out = tmp_path / "out"
    assert export(str(out)).stdout == f"2 wheels in {out}, 2 of them new\n"
    assert sorted(os.listdir(out)) == [ALPHA, BETA]
    one = export(str(tmp_path / "one"), "--bento", "clf:v1")
    assert one.stdout == f"1 wheels in {tmp_path / 'one'}, 1 of them new\n" and os.listdir(tmp_path / "one") == [BETA]
    (bento / "env" / "python" / "requirements.txt").write_text("beta==1.0\nbeta2==1.0\n")
    lacks = export(str(out), "--bento", "clf:v1")
    assert lacks.returncode == 1
    assert "The cache does not have 1 of the packages of clf:v1: beta2==1.0." in lacks.stderr
    (bento / "env" / "python" / "requirements.txt").unlink()
    assert "clf:v1 has no locked requirements." in export(str(out), "--bento", "clf:v1").stderr


def test_the_best_platform_comes_first() -> None:
    assert Target("3.11", "aarch64", "musl").platforms == [
        "musllinux_1_2_aarch64",
        "musllinux_1_1_aarch64",
        "linux_aarch64",
    ]
    tags = Target("3.11", "x86_64", "glibc-2.28").platforms
    assert tags[0] == "manylinux_2_28_x86_64" and tags[-1] == "linux_x86_64"
    assert tags.index("manylinux2014_x86_64") == tags.index("manylinux_2_17_x86_64") + 1


@pytest.mark.parametrize(
    "words", ["", "--pre --timeout 100 --progress-bar=off -q", "-i https://x.org --trusted-host x"]
)
def test_pip_args_about_the_way_leave_the_wheels_in_use(words: str) -> None:
    assert suits(words.split())


@pytest.mark.parametrize(
    ("image", "libc"),
    [
        ("python:3.11-slim", "glibc-2.36"),
        ("python:3.11-slim-bullseye", "glibc-2.31"),
        ("python:3.11-alpine", "musl"),
        ("theirs:1", "glibc-2.28"),
        # a user's template may have stages before the Bento's own
        ("python:3.11-alpine AS one\nFROM python:3.11-slim AS base-container\nFROM x", "glibc-2.36"),
        ("python:3.11-slim as one\nFROM python:3.11-alpine AS base-container\nFROM x", "musl"),
    ],
)
def test_wheels_are_for_the_c_library_of_the_bentos_own_image(image: str, libc: str, tmp_path: Path) -> None:
    house = Wheelhouse(tmp_path)
    house.of(image=image)
    assert house.target()["libc"] == libc


@pytest.mark.parametrize("words", ["--no-cache-dir", "--timeout 9 --no-deps", "--force-reinstall", "--target x", "y"])
def test_other_pip_args_have_the_image_fetch_by_itself(words: str) -> None:
    assert not suits(words.split())
