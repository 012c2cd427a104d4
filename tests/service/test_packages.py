"""What is installed, read from the site directories alone."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import service_projects as projects

from bentomake.service.packages import Packages


def site(directory: Path) -> Path:
    """A site directory with a wheel, an egg, an editable install and a namespace shared by two."""
    return projects.write(
        directory,
        {
            "Big_Data.Tools-1.2.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: Big_Data.Tools\nVersion: 1.2.0\n",
            "Big_Data.Tools-1.2.0.dist-info/RECORD": (
                "bigdata/__init__.py,sha256=x,1\n"
                '"bigdata/with, comma.py",,\n'
                "shared/one.py,,\n"
                "../../bin/big,,\n"
                "Big_Data.Tools-1.2.0.dist-info/RECORD,,\n"
            ),
            "bigdata/__init__.py": "",
            "bigdata/grown.py": "",
            "shared/one.py": "",
            "shared/two.py": "",
            "old-0.9.egg-info/PKG-INFO": "Name: old\nVersion: 0.9\n",
            "old-0.9.egg-info/installed-files.txt": "../shared/two.py\nPKG-INFO\n",
            "mine-3.dist-info/METADATA": "Name: mine\nVersion: 3\n",
            "mine-3.dist-info/RECORD": "__editable__.mine-3.pth,,\nmine-3.dist-info/METADATA,,\n",
            "__editable__.mine-3.pth": "/somewhere\n",
            "torch-2.1.0+cu121.dist-info/METADATA": "Name: torch\nVersion: 2.1.0+cu121\n",
            "single.py": "",
            "native.cpython-311-x86_64-linux-gnu.so": "",
        },
    )


def test_versions_by_normalised_name(tmp_path: Path) -> None:
    packages = Packages([str(site(tmp_path / "site"))], str(tmp_path / "cache"))
    assert packages.versions() == {"big-data-tools": "1.2.0", "mine": "3", "old": "0.9", "torch": "2.1.0+cu121"}
    assert packages.version("big.data_TOOLS") == "1.2.0"
    assert packages.version("absent") is None


def test_the_first_directory_wins(tmp_path: Path) -> None:
    first = projects.write(tmp_path / "first", {"old-2.dist-info/METADATA": "Name: old\nVersion: 2\n"})
    packages = Packages([str(first), str(site(tmp_path / "second"))], str(tmp_path / "cache"))
    assert packages.version("old") == "2"


def test_a_digest_stands_for_what_was_installed(tmp_path: Path) -> None:
    directory = site(tmp_path / "site")
    packages = Packages([str(directory)], str(tmp_path / "cache"))
    record = (directory / "Big_Data.Tools-1.2.0.dist-info/RECORD").read_bytes()
    assert packages.record_digest("big-data-tools") == hashlib.sha256(record).hexdigest()
    no_record = (directory / "torch-2.1.0+cu121.dist-info/METADATA").read_bytes()
    assert packages.record_digest("torch") == hashlib.sha256(no_record).hexdigest()
    assert packages.record_digest("absent") == "absent"


def test_the_owner_of_a_file_is_who_lists_it(tmp_path: Path) -> None:
    directory = site(tmp_path / "site")
    packages = Packages([str(directory)], str(tmp_path / "cache"))
    assert packages.owner(str(directory / "bigdata/__init__.py")) == "big-data-tools"
    assert packages.owner("bigdata/with, comma.py") == "big-data-tools"
    assert packages.owner("shared/one.py") == "big-data-tools"
    assert packages.owner("shared/two.py") == "old"
    assert packages.owner("bigdata/grown.py") is None
    assert packages.owner("mine/__init__.py") is None  # editable: its files are elsewhere


def test_presence_of_a_module(tmp_path: Path) -> None:
    packages = Packages([str(site(tmp_path / "site"))], str(tmp_path / "cache"))
    assert packages.top_level("bigdata") == ("bigdata",)
    assert packages.top_level("single") == ("single.py",)
    assert packages.top_level("native") == ("native.cpython-311-x86_64-linux-gnu.so",)
    assert packages.top_level("nothing") == ()


def test_an_installation_is_noticed_and_an_unchanged_directory_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory, cache = site(tmp_path / "site"), str(tmp_path / "cache")
    assert Packages([str(directory)], cache).version("fresh") is None
    listed: list[str] = []
    listdir = os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: listed.append(path) or listdir(path))  # type: ignore[func-returns-value]
    assert Packages([str(directory)], cache).version("old") == "0.9"
    assert listed == []
    projects.write(directory, {"fresh-1.dist-info/METADATA": "Name: fresh\nVersion: 1\n"})
    assert Packages([str(directory)], cache).version("fresh") == "1"
    assert listed


@pytest.mark.parametrize(
    "damage", ["", "[]", '{"format": 1}', '{"format": 1, "site": "S", "signature": [1], "listed": 3}']
)
def test_a_damaged_cache_is_a_miss(tmp_path: Path, damage: str) -> None:
    directory, cache = site(tmp_path / "site"), tmp_path / "cache"
    Packages([str(directory)], str(cache)).versions()
    for file in cache.iterdir():
        file.write_text(damage)
    assert Packages([str(directory)], str(cache)).version("old") == "0.9"


def test_a_real_environment_reads_as_importlib_reads_it(tmp_path: Path) -> None:
    script = "import sysconfig; print(sysconfig.get_path('purelib'))"
    where = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()
    packages = Packages([where], str(tmp_path / "cache"))
    found = {dist.metadata["Name"]: dist.version for dist in metadata.distributions(path=[where])}
    assert found
    assert {name: packages.version(name) for name in found} == found
    assert packages.owner(f"{pytest.__name__}/__init__.py") == "pytest"
