"""gRPC of bentoml 1.1: it is bound wherever it is installed, unless the user says otherwise, and never asked for."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bentomake.rules.requirements import requirements
from context import FakeContext, a_venv, follow, installed_in
from dockerfile_made import INSTALL, make, written
from private_index import TOKEN, Index, a_wheel, private_index
from test_lock import a_lock, pins_of
from wheelhouses import Wheelhouse

from bentomake.bento import grpc_bounds
from bentomake.errors import StepError

NEW = {"protobuf": "7.36.2", "grpcio": "1.85.3"}  # what an index has today


def locked(tmp_path: Path, *packages: str, **more: Any) -> tuple[dict[str, str], list[str]]:
    """Name → version of a lock by the real index for Python 3.11, and the warnings about gRPC."""
    options: dict[str, Any] = {"generation": "runner", "bentoml": "1.1.11", "version": "3.11", "installed": NEW, **more}
    ctx, made = a_lock(tmp_path, list(packages), **options)
    return pins_of(made), [message for message, _, _ in ctx.warnings if "gRPC" in message]


@pytest.mark.parametrize("package", ["bentoml[grpc]", "BentoML [io-json, grpc_reflection] == 1.1.11"])
def test_the_lock_of_a_bento_with_grpc_is_bound(package: str, tmp_path: Path) -> None:
    pins, warnings = locked(tmp_path, package)
    assert int(pins["protobuf"].split(".")[0]) < 6
    assert tuple(map(int, pins["grpcio"].split(".")[:2])) < (1, 83)
    assert pins["bentoml"] == "1.1.11" and warnings == []


def test_without_grpc_nothing_is_bound_and_nothing_is_asked_for(tmp_path: Path) -> None:
    pins, warnings = locked(tmp_path, "bentoml", "protobuf")
    assert pins["protobuf"] == NEW["protobuf"] and "grpcio" not in pins and warnings == []
    pins, warnings = locked(tmp_path, "protobuf", "grpcio", generation="class")
    assert {name: pins[name] for name in NEW} == NEW and warnings == []


@pytest.mark.parametrize(
    ("packages", "constraints", "kept"),
    [
        (["protobuf==6.33.6"], [], {"protobuf": "6.33.6"}),  # theirs is said, so ours is not
        ([], ["grpcio>=1.85"], {"grpcio": NEW["grpcio"]}),
        (["grpcio-health-checking==1.85.1"], [], NEW),  # wants protobuf 6, of which they say nothing
    ],
)
def test_the_users_own_bounds_stand_and_are_warned_of(
    packages: list[str], constraints: list[str], kept: dict[str, str], tmp_path: Path
) -> None:
    pins, warnings = locked(tmp_path, "bentoml[grpc]", *packages, constraints=constraints)
    assert {name: pins[name] for name in kept} == kept
    (warning,) = warnings
    assert warning.startswith("bentoml 1.1 cannot serve gRPC with ")
    assert all(f"{name} {version} (wanted: " in warning for name, version in kept.items())


@pytest.mark.parametrize("locker", ["uv", "pip-compile"])
@pytest.mark.parametrize(("package", "times"), [("no-such-package-at-all", 1), ("grpcio-health-checking==1.85.1", 2)])
def test_only_a_lock_that_they_may_have_hindered_is_tried_without_them(
    locker: str, package: str, times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"  # pip-compile locks for no other
    ran, run = [], FakeContext.run
    monkeypatch.setattr(FakeContext, "run", lambda self, argv, **more: (ran.append(argv), run(self, argv, **more))[1])
    if times == 1:
        with pytest.raises(StepError, match="The requirements cannot be locked"):
            locked(tmp_path, "bentoml[grpc]", package, locker=locker, version=here)
    else:
        locked(tmp_path, "bentoml[grpc]", package, locker=locker, version=here, installed={})
    assert len(ran) == times


def test_without_a_lock_they_are_constraints(tmp_path: Path) -> None:
    def constraints(*packages: str, generation: str = "runner", lock: bool | None = False) -> list[str]:
        ctx = FakeContext(
            requirements,
            tmp_path / "work",
            params={"python.packages": list(packages), "python.lock_packages": lock},
            oracles={"generation": generation, "bentoml.version": "1.1.11"},
        )
        return follow(requirements, ctx).get("env/python/constraints.txt", "").splitlines()

    assert constraints("bentoml[grpc]") == ["grpcio<1.83", "protobuf<6", "bentoml==1.1.11"]
    assert constraints("bentoml[grpc]==1.1.10", "protobuf==4.25.9") == ["grpcio<1.83"]
    assert constraints("bentoml", "protobuf") == constraints("bentoml[grpc]", lock=None) == []
    assert constraints("bentoml[grpc]", generation="class") == []


def test_they_are_written_as_install_sh_reads_them() -> None:
    assert all(re.fullmatch(r"[a-z-]+<[0-9.]+", line) for line in grpc_bounds.beside([]))


@pytest.mark.parametrize(("version", "holds"), [("1.1.11", True), ("1.0.25", True), ("1.2.0", False), (None, False)])
def test_they_hold_for_the_versions_with_runners(version: str | None, holds: bool) -> None:
    assert grpc_bounds.concern(version) is holds


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    served = tmp_path / "served"
    for name, version in [("grpcio", "1.82.3"), ("grpcio", "1.85.3"), ("protobuf", "5.29.6"), ("protobuf", "7.36.2")]:
        a_wheel(served, name, version)
    grpc = tuple(f"{name}; extra == '{extra}'" for name in NEW for extra in ("grpc", "grpc-reflection", "aws"))
    for version in ("1.1.11", "1.4.39"):
        a_wheel(served, "bentoml", version, requires=grpc, code=f"__version__ = '{version}'\n")
    with private_index(served) as found:
        yield found


@pytest.mark.parametrize(
    ("lock", "feature", "added", "warned"),
    [
        (["bentoml==1.1.11"], "grpc", {"grpcio": "1.82.3", "protobuf": "5.29.6"}, False),
        (["bentoml==1.1.11", "protobuf==7.36.2"], "grpc", {"grpcio": "1.82.3", "protobuf": "7.36.2"}, True),
        (["bentoml==1.1.11"], "aws", NEW, False),
        (["bentoml==1.4.39"], "grpc", NEW, False),
    ],
)
def test_the_wheels_of_a_feature_are_bound(
    lock: list[str],
    feature: str,
    added: dict[str, str],
    warned: bool,
    index: Index,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TOKEN", TOKEN)
    house = Wheelhouse(tmp_path / "cache")
    outcome = house.of(f"--index-url {index.url('me:${TOKEN}')}", *lock, generation="runner", features=[feature])
    wheels = dict(name.split("-")[:2] for name in house.wheels(outcome))
    assert {name: wheels[name] for name in added} == added
    assert ("cannot serve gRPC with protobuf 7.36.2 (wanted: <6)" in str(outcome.warnings)) == warned


@pytest.mark.parametrize(
    ("there", "feature", "added", "said"),
    [
        ([], "aws,grpc-reflection", {"grpcio": "1.82.3", "protobuf": "5.29.6"}, ""),
        (["protobuf==7.36.2"], "grpc", {"grpcio": "1.82.3", "protobuf": "7.36.2"}, "protobuf 7.36.2, not protobuf<6"),
        ([], "aws", NEW, ""),
    ],
)
def test_install_sh_binds_what_it_adds(
    there: list[str], feature: str, added: dict[str, str], said: str, index: Index, tmp_path: Path
) -> None:
    install = written(tmp_path, make(tmp_path, "runner"), INSTALL)
    (install.parent / "requirements.txt").write_text("".join(f"{line}\n" for line in ["bentoml==1.1.11", *there]))
    python = a_venv(tmp_path / "venv", "pip", python=sys.executable)
    env = {"PATH": f"{Path(python).parent}:/usr/bin:/bin", "PIP_INDEX_URL": index.url(f"me:{TOKEN}")}
    env |= {"PIP_CONFIG_FILE": "/dev/null", "BENTOML_FEATURES": feature, "TMPDIR": str(tmp_path)}
    done = subprocess.run(["sh", str(install)], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found = installed_in(python)
    assert {name: found[name] for name in added} == added
    assert said in done.stderr and bool(said) == ("gRPC cannot be served" in done.stderr)
    assert list(tmp_path.glob("tmp.*")) == []  # it would be in the image
