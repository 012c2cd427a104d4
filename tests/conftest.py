"""Fixtures: a clean environment, and real interpreters with a real bentoml of each generation."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import own_engines
import pytest

# What a developer's machine may set and a test must not see.
_FOREIGN = (
    "PIP_FIND_LINKS",
    "PIP_EXTRA_INDEX_URL",
    "PIP_CONFIG_FILE",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONPATH",
    "VIRTUAL_ENV",
)
ROOT = Path(__file__).resolve().parent.parent
PINNED = ROOT / "tests" / "pinned"  # what these environments were last seen to work with
own_engines.take()  # before any module of tests is imported: some keep the environment

RUNNER = ["bentoml==1.1.11", "setuptools<81", "click<8.3", "scikit-learn"]
CLASS = ["bentoml>=1.4,<2", "scikit-learn", "huggingface_hub", "uv"]  # real 1.4 builds want uv beside it


def pytest_configure(config: pytest.Config) -> None:
    for name in list(os.environ):
        ours = name.startswith(("BENTOML_", "BENTOMAKE_")) and not name.startswith("BENTOMAKE_TEST_")
        if name in _FOREIGN or ours:
            del os.environ[name]
    os.environ["BENTOML_DO_NOT_TRACK"] = "True"
    # A run in the background of a shell inherits an ignored SIGINT, and so would every program that a test interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_itemcollected(item: pytest.Item) -> None:
    """What shares an engine, or what a module's fixture made, runs on one worker (`--dist loadgroup`)."""
    assert isinstance(item, pytest.Function)
    shared = [name for name, made in item._fixtureinfo.name2fixturedefs.items() if made[-1].scope == "module"]
    given = item.callspec.params if hasattr(item, "callspec") else {}
    group = "-".join([item.nodeid.partition("::")[0], *(str(given[name]) for name in shared if name in given)])
    if item.get_closest_marker("engine"):
        item.add_marker(pytest.mark.xdist_group(group if own_engines.for_each_worker() else "engine"))
    elif shared:
        item.add_marker(pytest.mark.xdist_group(group))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest runs first, so that no worker is alone with it at the end: engines, then users' stories."""
    items.sort(key=lambda item: (item.get_closest_marker("engine") is None, "/e2e/" not in item.nodeid))


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("engine"):
        own_engines.see_that_they_live()


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Each test has its own $BENTOML_HOME and its own cache."""
    home = tmp_path / "home-of-bentoml"
    monkeypatch.setenv("BENTOML_HOME", str(home))
    monkeypatch.setenv("BENTOMAKE_CACHE_DIR", str(tmp_path / "cache-of-bentomake"))
    yield home


def _uv() -> str:
    import uv

    return uv.find_uv_bin()


def _environment(name: str, version: str, requirements: list[str], pinned: Path) -> str:
    """A virtual environment that is made once and kept beside the others of this user; its Python's path."""
    given = os.environ.get(f"BENTOMAKE_TEST_{name}")
    if given:
        return given
    base = Path(os.environ.get("BENTOMAKE_TEST_ENVS") or Path(tempfile.gettempdir()) / f"bentomake-test-{os.getuid()}")
    base.mkdir(parents=True, exist_ok=True)
    python = base / name / "bin" / "python"
    with open(base / f"{name}.lock", "w") as lock:  # several pytest workers may want it at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = base / name / "complete"
        if not done.exists() or done.read_text() != repr(requirements):
            shutil.rmtree(base / name, ignore_errors=True)
            uv = _uv()
            found = _interpreter(version)
            subprocess.run([uv, "venv", "-q", "--no-python-downloads", "--python", found, str(base / name)], check=True)
            # An index may not have the pinned versions any more: the newest will do.
            install = [uv, "pip", "install", "-q", "--python", str(python), "--compile-bytecode", *requirements]
            if subprocess.run([*install, "-c", str(pinned)]).returncode:
                subprocess.run(install, check=True)
            done.write_text(repr(requirements))
    return str(python)


def _interpreter(version: str) -> str:
    """A Python of that version: this one, or one on the PATH that works."""
    if f"{sys.version_info.major}.{sys.version_info.minor}" == version:
        return sys.executable
    for directory in [*os.environ["PATH"].split(os.pathsep), "/usr/bin", "/usr/local/bin"]:
        candidate = os.path.join(directory, f"python{version}")
        if os.access(candidate, os.X_OK):
            asked = [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
            if subprocess.run(asked, capture_output=True, text=True).stdout.strip() == version:
                return candidate
    pytest.fail(f"these tests need a Python {version} (BENTOMAKE_TEST_PY11 can name one with bentoml 1.1.11)")


@pytest.fixture(scope="session")
def bentoml11() -> str:
    """A Python 3.11 with bentoml 1.1.11 and scikit-learn."""
    return _environment("PY11", "3.11", RUNNER, PINNED / "bentoml11.txt")


@pytest.fixture(scope="session")
def bentoml14() -> str:
    """A Python 3.11 with bentoml 1.4 and scikit-learn."""
    return _environment("PY14", "3.11", CLASS, PINNED / "bentoml14.txt")
