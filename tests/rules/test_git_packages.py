"""Packages from git: at a commit in the lock of both lockers, packed as sdists, and what cannot be."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from bentomake.rules.commits import commits
from bentomake.rules.lock import lock
from bentomake.rules.requirements import requirements
from bentomake.rules.sdists import sdists
from context import DictFiles, FakeContext, a_venv, installed_in
from git_repository import Repository

from bentomake.bento import git_source
from bentomake.bento.git_commits import GitCommits
from bentomake.engine.rule import Produced
from bentomake.errors import BentofileError, BentomakeError, StepError

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
LOCKERS = ["uv", *(["pip-compile"] if sys.platform == "linux" else [])]
SDIST = "env/python/wheels/fromgit-0.1.tar.gz"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "source")


class Built:
    """The rules that make requirements, one after the other; `commits` outlives them, as in a project."""

    def __init__(self, tmp_path: Path, kept: dict[str, str] | None = None, generation: str = "class", **options: Any):
        project = tmp_path / "project"
        project.mkdir(exist_ok=True)
        self.options = {name.replace("__", "."): value for name, value in options.items()}
        self.contexts: dict[str, FakeContext] = {}
        self.made: dict[str, dict[str, Produced]] = {}
        work = tmp_path / f"work-{len(list(tmp_path.iterdir()))}"
        for rule in (requirements, commits, sdists, lock):
            ctx = FakeContext(
                rule,
                work / rule.name,
                params={"docker.libc": "gnu", **self.options},
                places={"python.packages": "bentofile.yaml:4"},
                oracles={
                    "bentoml.version": "1.4.39",
                    "generation": generation,
                    "python.version": HERE,
                    "arch": os.uname().machine,
                },
                inputs=self.made,
                project=project,
            )
            if kept is not None:
                ctx.commits = kept
                ctx.hosts |= {"git_commit": kept.get, "keep_git_commit": kept.__setitem__}
            self.contexts[rule.name] = ctx
            made = dict(rule.recipe(ctx))
            if rule is requirements:
                made = {name: _small(data) for name, data in made.items()}
            self.made[rule.name] = made

    @property
    def text(self) -> str:
        (text,) = self.made["lock"].values()
        return str(text)

    @property
    def sdist(self) -> bytes:
        data = self.made["sdists"][SDIST]
        assert isinstance(data, bytes)
        return data


def _small(data: Produced) -> Produced:
    return data.replace("bentoml==1.4.39\n", "") if isinstance(data, str) else data


@pytest.mark.parametrize("locker", LOCKERS)
@pytest.mark.parametrize(
    "spec", ["fromgit @ git+{url}@main", "git+{url}@v1#egg=fromgit", "git+{url}", "git+{url}@{sha}"]
)
def test_both_lockers_give_the_commit(spec: str, locker: str, repository: Repository, tmp_path: Path) -> None:
    repository.git("tag", "-a", "v1", "-m", "one")
    asked = spec.format(url=repository.url, sha=repository.first)
    built = Built(tmp_path, python__packages=[asked], python__pack_git_packages=False, lock__locker=locker)
    assert built.text == f"fromgit @ git+{repository.url}@{repository.first}\n"
    assert SDIST not in built.made["sdists"]


@pytest.mark.parametrize("locker", LOCKERS)
def test_a_package_from_git_travels_as_an_sdist(locker: str, repository: Repository, tmp_path: Path) -> None:
    packages = [f"fromgit[extra] @ git+{repository.url}@main", "idna==3.6"]
    built = Built(tmp_path, python__packages=packages, lock__locker=locker)
    assert built.text == "./wheels/fromgit-0.1.tar.gz\nidna==3.6\nsix==1.16.0\n"
    with tarfile.open(fileobj=BytesIO(built.sdist)) as archive:
        names = archive.getnames()
        assert "fromgit-0.1/fromgit.py" in names and not [name for name in names if "/.git/" in name]
        committed = int(repository.git("show", "-s", "--format=%ct"))
        assert {(m.mtime, m.uid, m.uname) for m in archive.getmembers()} == {(committed, 0, "")}
    assert f"packed fromgit[extra] @ git+{repository.url}@{repository.first}" in "".join(
        built.contexts["sdists"].logged
    )

    place = tmp_path / "elsewhere/env/python"
    (place / "wheels").mkdir(parents=True)
    (place / "wheels/fromgit-0.1.tar.gz").write_bytes(built.sdist)
    (place / "requirements.txt").write_text(built.text)
    repository.directory.rename(tmp_path / "gone")
    python = a_venv(tmp_path / "venv", "pip", "setuptools")
    install = [python, "-m", "pip", "install", "-q", "--no-build-isolation", "-r", "requirements.txt"]
    done = subprocess.run(install, cwd=place, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert installed_in(python).items() >= {"fromgit": "0.1", "idna": "3.6", "six": "1.16.0"}.items()


def test_nothing_is_left_among_the_users_temporary_files(
    repository: Repository, tmp_path: Path, monkeypatch: Any
) -> None:
    """uv leaves the lock of each directory that it builds."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    assert Built(tmp_path, python__packages=[f"git+{repository.url}"]).sdist
    assert list(temporary.iterdir()) == []


def test_the_same_commit_gives_the_same_bytes(repository: Repository, tmp_path: Path) -> None:
    packages = {"python__packages": [f"git+{repository.url}"], "python__lock_packages": False}
    one = Built(tmp_path, **packages)
    time.sleep(1.1)  # the archive's own clock has seconds
    assert Built(tmp_path, **packages).sdist == one.sdist


def test_a_branch_that_moved_is_noticed_when_it_is_asked_anew(repository: Repository, tmp_path: Path) -> None:
    packages = {"python__packages": [f"fromgit @ git+{repository.url}@main"], "python__lock_packages": False}
    kept: dict[str, str] = {}
    first = Built(tmp_path, kept, **packages)
    fact = f"fromgit {repository.url}@main"
    assert first.contexts["commits"].discovered["git", fact] == repository.first == kept[fact]
    second = repository.commit("answer = 2\n")
    assert Built(tmp_path, kept, **packages).sdist == first.sdist
    kept.clear()
    again = Built(tmp_path, kept, **packages)
    assert kept == {fact: second} and again.sdist != first.sdist


def test_other_requirements_do_not_reach_the_commits(repository: Repository, tmp_path: Path) -> None:
    asked = {"python__lock_packages": False, "python__pack_git_packages": True}
    one = Built(tmp_path, python__packages=[f"git+{repository.url}@{repository.first}"], **asked)
    two = Built(tmp_path, python__packages=["idna", f"git+{repository.url}@{repository.first}"], **asked)
    assert one.made["commits"] == two.made["commits"], "so the sdists need not be built again"
    assert two.made["requirements"] != one.made["requirements"]


def test_what_is_not_locked_is_packed_all_the_same(repository: Repository, tmp_path: Path) -> None:
    packages = {"python__packages": [f"git+{repository.url} ; python_version > '3'"], "python__lock_packages": False}
    assert Built(tmp_path, **packages).text == "./wheels/fromgit-0.1.tar.gz ; python_version > '3'\n"
    left = Built(tmp_path, **packages, python__pack_git_packages=False)
    assert left.text == f"git+{repository.url} ; python_version > '3'\n"
    assert left.contexts["commits"].ran == []
    runner = Built(tmp_path, generation="runner", **packages)
    assert runner.made["lock"] == {} and runner.contexts["commits"].ran == []


def test_hashes_of_what_is_packed(repository: Repository, tmp_path: Path) -> None:
    built = Built(tmp_path, python__packages=[f"git+{repository.url}"], lock__hashes=True)
    assert built.text.startswith("./wheels/fromgit-0.1.tar.gz \\\n    --hash=sha256:")


def test_a_package_in_a_subdirectory(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "source", inside="python/pkg")
    asked = f"fromgit @ git+{repository.url}@main#subdirectory=python/pkg"
    built = Built(tmp_path, python__packages=[asked])
    assert built.text == "./wheels/fromgit-0.1.tar.gz\n"
    left = Built(tmp_path, python__packages=[asked], python__pack_git_packages=False)
    assert left.text == f"fromgit @ git+{repository.url}@{repository.first}#subdirectory=python/pkg\n"


def test_a_short_commit_and_one_that_is_on_no_branch(repository: Repository, tmp_path: Path) -> None:
    repository.git("checkout", "-q", "-b", "other")
    second = repository.commit("answer = 2\n")
    asked = {"python__packages": [f"git+{repository.url}@{second[:10]}"], "python__pack_git_packages": False}
    assert Built(tmp_path, **asked).text == f"fromgit @ git+{repository.url}@{second}\n"
    repository.git("checkout", "-q", "main")
    repository.git("branch", "-q", "-D", "other")
    repository.git("config", "uploadpack.allowAnySHA1InWant", "true")
    packed = Built(tmp_path, python__packages=[f"git+{repository.url}@{second}"])
    with tarfile.open(fileobj=BytesIO(packed.sdist)) as archive:
        file = archive.extractfile("fromgit-0.1/fromgit.py")
        assert file is not None and file.read() == b"answer = 2\n"


def test_what_a_package_wants_of_git_is_at_its_commit(tmp_path: Path) -> None:
    """With uv: pip takes no name before a repository of this machine, in what a package wants."""
    below = Repository(tmp_path / "below", "below")
    above = Repository(tmp_path / "above", "above", requires=(f"below @ git+{below.url}@main",))
    text = Built(tmp_path, python__packages=[f"git+{above.url}#egg=above"], lock__locker="uv").text
    assert f"below @ git+{below.url}@{below.first}\n" in text


@pytest.mark.parametrize(
    ("asked", "message", "kind"),
    [
        ("git+{url}@gone", "has no branch or tag gone.", StepError),
        ("git+file:///nowhere/at/all", "git cannot read the repository file:///nowhere/at/all.", StepError),
        ("git+{url}#subdirectory=nothing", "has no directory nothing.", StepError),
        ("git+{url}#subdirectory=../..", "has no directory ../...", StepError),
        ("git+https://${{TOKEN}}@example.org/a", "The variable TOKEN is not set, and a requirement", BentofileError),
        ("git+{url}@broken", "cannot be packed: it builds no sdist.", StepError),
    ],
)
def test_a_repository_that_cannot_be_had_is_said(
    asked: str, message: str, kind: type[BentomakeError], repository: Repository, tmp_path: Path
) -> None:
    repository.git("checkout", "-q", "-b", "broken")
    (repository.directory / "pyproject.toml").write_text("[project\n")
    repository.commit("")
    repository.git("checkout", "-q", "main")
    with pytest.raises(kind) as caught:
        Built(tmp_path, python__packages=[asked.format(url=repository.url)])
    assert message in caught.value.message and caught.value.place == "bentofile.yaml:4"


def test_a_credential_is_in_no_word_of_git(repository: Repository, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("WHERE", str(tmp_path).strip("/"))
    built = Built(tmp_path, python__packages=["git+file:///${WHERE}/source"])
    words = [word for ctx in built.contexts.values() for argv, _ in ctx.ran if "git" in argv[0] for word in argv]
    assert "file:///${WHERE}/source" in words and f"file://{tmp_path}/source" not in words
    assert built.text == "./wheels/fromgit-0.1.tar.gz\n"
    assert DictFiles(built.made["requirements"]).text("env/python/requirements.in") == "git+file:///${WHERE}/source\n"


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ("git+ssh://git@github.com/a/b.git@v1", ("ssh://git@github.com/a/b.git", "v1", "")),
        ("git+https://me:${TOKEN}@x.y/a/b", ("https://me:${TOKEN}@x.y/a/b", "", "")),
        ("b[c] @ git+https://x.y/a/b@refs/pull/1/head ; a", ("https://x.y/a/b", "refs/pull/1/head", "b")),
        ("-e git+https://x.y/b@main#egg=b&subdirectory=s", ("https://x.y/b", "main", "b")),
        ("git+ext://sh -c x", None),
        ("https://x.y/a.whl", None),
    ],
)
def test_a_repository_is_read(spec: str, found: tuple[str, str, str] | None) -> None:
    source = git_source.parse(spec)
    assert (source and (source.url, source.ref, source.name)) == found


def test_commits_are_kept_until_an_upgrade_names_them(tmp_path: Path) -> None:
    path = str(tmp_path / "state" / "git.json")
    GitCommits(path).keep("my-pkg u@main", "a" * 40)
    assert GitCommits(path).get("my-pkg u@main") == GitCommits(path, ["other"]).get("my-pkg u@main") == "a" * 40
    for names in (["*"], ["My_Pkg"]):
        anew = GitCommits(path, names)
        assert anew.get("my-pkg u@main") is None
        anew.keep("my-pkg u@main", "b" * 40)
        assert anew.get("my-pkg u@main") == GitCommits(path).get("my-pkg u@main") == "b" * 40
    (tmp_path / "state" / "git.json").write_text("[")
    assert GitCommits(path).get("my-pkg u@main") is None


def test_a_planted_commit_is_no_option_of_git(repository: Repository, tmp_path: Path) -> None:
    """git would start the program that --upload-pack names."""
    planted = f"--upload-pack=touch {tmp_path}/pwned; git-upload-pack"
    kept = tmp_path / "git_commits.json"
    kept.write_text(json.dumps({"fromgit u@main": planted, "other u@main": "a" * 40}))
    known = GitCommits(str(kept))
    assert (known.get("fromgit u@main"), known.get("other u@main")) == (None, "a" * 40)
    source = git_source.parse(f"fromgit @ git+file://{repository.directory}@main")
    assert source is not None
    ctx = FakeContext(commits, tmp_path / "work", params={}, places={}, oracles={})
    with pytest.raises(StepError, match="is no commit"):
        git_source.check_out(ctx, source, planted, str(tmp_path / "into"), {}, None)  # type: ignore[arg-type]
    assert not (tmp_path / "pwned").exists()
