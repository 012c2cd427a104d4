"""Packages from git, end to end: packed at a commit, followed when asked to, and installed without git."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from harness import ALL, LIGHT_SERVICE, Project, World

sys.path.insert(0, str(Path(__file__).parents[1] / "rules"))
from git_repository import Repository

pytestmark = [pytest.mark.real, pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")]
TEXT = 'service: "service:Light"\ninclude: ["*.py"]\npython:\n  packages:\n    - fromgit @ git+{}@main\n{}'
SDIST = "env/python/wheels/fromgit-0.1.tar.gz"
LOCK = "env/python/requirements.txt"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "source")


@pytest.fixture
def project(repository: Repository, bentoml14: str, tmp_path: Path) -> Project:
    text = TEXT.format(repository.url, "    - idna\n")
    return World(tmp_path / "world", bentoml14).project("light", {"service.py": LIGHT_SERVICE, "bentofile.yaml": text})


def packed(bento: Path) -> str:
    """The code that travels in the Bento."""
    with tarfile.open(bento / SDIST) as archive:
        file = archive.extractfile("fromgit-0.1/fromgit.py")
        assert file is not None
        return file.read().decode()


def test_a_branch_is_packed_once_and_moves_when_an_upgrade_asks(project: Project, repository: Repository) -> None:
    first = project.make().good()
    assert first.ran == ALL
    assert (first.path / LOCK).read_text().startswith("./wheels/fromgit-0.1.tar.gz\n")
    assert packed(first.path) == "answer = 1\n"
    assert not (first.path / "packed.json").exists()

    repository.commit("answer = 2\n")
    assert project.make().good().ran == set(), "the branch moved, and nobody asked"
    project.edit("bentofile.yaml", "- idna", "- six")
    edited = project.make().good()
    assert edited.ran == {"requirements", "commits", "lock", "bento"}, "the commit is the same: its sdist is, too"
    assert packed(edited.path) == "answer = 1\n"
    assert "sdists" not in project.make("--upgrade", "six").good().ran

    dry = project.make("-n", "--upgrade", "fromgit")
    assert dry.states["commits"] == "runs"
    moved = project.make("--upgrade", "fromgit").good()
    assert {"commits", "sdists", "lock", "bento"} <= moved.ran and "requirements" not in moved.ran
    assert packed(moved.path) == "answer = 2\n" and moved.tag != edited.tag
    again = project.make().good()
    assert packed(again.path) == "answer = 2\n" and again.tag == moved.tag

    project.world.run("cache", "clear", "-y").good()
    assert project.make().good().tag == moved.tag, "the same bytes, built anew"


def test_the_option_decides(project: Project, repository: Repository) -> None:
    first = project.make().good()
    project.edit("bentofile.yaml", "python:\n", "python:\n  lock_packages: true\n  pack_git_packages: false\n")
    left = project.make().good()
    assert left.ran == {"commits", "sdists", "lock", "bento"}
    assert f"fromgit @ git+{repository.url}@{repository.first}\n" in (left.path / LOCK).read_text()
    assert not (left.path / SDIST).exists() and (first.path / SDIST).exists()
    assert "python.pack_git_packages changed" in project.run("explain").good().stdout


def test_bentoml_puts_the_same_package_into_its_bento(project: Project, repository: Repository) -> None:
    """Real 1.4 packs it among the sources, bentomake beside the lock; both name it as ./wheels/…"""
    repository.git("clone", "-q", "--bare", ".", str(project.directory.parent / "served" / "fromgit.git"))
    with served(project.directory.parent / "served") as url:
        project.edit("bentofile.yaml", repository.url, f"{url}/fromgit.git")
        compared(project)


@contextmanager
def served(directory: Path) -> Iterator[str]:
    """The bare repositories of a directory, over HTTP: real bentoml cannot read the URL of one of this machine."""
    subprocess.run(["git", "-C", str(directory / "fromgit.git"), "update-server-info"], check=True)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(directory)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def compared(project: Project) -> None:
    ours = project.make().good().path
    said = project.world.bentoml(
        "build", cwd=project.directory, env={"BENTOML_HOME": str(project.directory / "theirs")}
    )
    assert said.code == 0, said.stdout + said.stderr
    (theirs,) = (path for path in (project.directory / "theirs/bentos/light").iterdir() if path.is_dir())
    named = [line for line in (theirs / LOCK).read_text().splitlines() if "wheels" in line]
    assert (
        named
        == ["./wheels/fromgit-0.1.tar.gz"]
        == [line for line in (ours / LOCK).read_text().splitlines() if "wheels" in line]
    )
    with tarfile.open(theirs / "src/wheels/fromgit-0.1.tar.gz") as real, tarfile.open(ours / SDIST) as mine:
        assert sorted(m.name for m in mine.getmembers() if m.isfile()) == sorted(
            m.name for m in real.getmembers() if m.isfile()
        )
    info = yaml.safe_load((ours / "bento.yaml").read_text())
    assert info["spec"] == 2 and "./wheels/fromgit-0.1.tar.gz" in info["image"]["python_requirements"]


def test_a_repository_that_is_gone_is_said_and_a_built_commit_is_not_missed(
    project: Project, repository: Repository
) -> None:
    project.make().good()
    repository.directory.rename(repository.directory.with_name("moved"))
    project.edit("bentofile.yaml", "- idna", "- six")
    assert project.make().good().ran == {"requirements", "commits", "lock", "bento"}
    project.edit("bentofile.yaml", "@main", "@other")
    gone = project.make()
    assert gone.code == 1 and f"git cannot read the repository {repository.url}." in gone.stderr
    assert "bentofile.yaml:4" in gone.stderr
