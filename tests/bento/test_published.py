"""Where sources are published: what real git writes, read without git; addresses that a reader can follow."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bentomake.bento.published import address, published

ADDRESSES = {
    "https://github.com/me/it": "https://github.com/me/it",
    "https://github.com/me/it.git/": "https://github.com/me/it",
    "https://me:secret@host.example:8443/a/b/it.git": "https://host.example:8443/a/b/it",
    "https://token@host.example/it": "https://host.example/it",
    "http://localhost:3000/me/it.git": "http://localhost:3000/me/it",
    "git@github.com:me/it.git": "https://github.com/me/it",
    "github.com:me/it.git": "https://github.com/me/it",
    "ssh://git@host.example:2222/me/it.git": "https://host.example/me/it",
    "git+ssh://git@host.example/me/it": "https://host.example/me/it",
    "git://host.example/it.git": "https://host.example/it",
    "work:me/it.git": None,  # an alias of ssh's configuration
    "../elsewhere": None,
    "/srv/git/it.git": None,
    "file:///srv/git/it.git": None,
    "C:/it": None,
    "https://host.example": None,
    "https://host.example/it?token=secret": None,
    "https://me:12/secret@host.example/it": None,
    "my.name:secret@host.example:it": None,
    "": None,
}


@pytest.mark.parametrize("url", ADDRESSES)
def test_a_remote_as_an_address(url: str) -> None:
    assert address(url) == ADDRESSES[url]


@given(st.text("ab.:/@?#%-_ \\\n", max_size=12), st.sampled_from(["https://", "ssh://", "http://", "git://", ""]))
def test_an_address_never_has_credentials_or_room_for_more(rest: str, scheme: str) -> None:
    found = address(f"{scheme}me:secret@host.example/{rest}")
    assert found is None or (
        found.startswith(("https://host.example/", "http://host.example/")) and "secret" not in found
    )
    assert found is None or not set(found) & set(" \n?#")


def git(directory: Path, *words: str) -> None:
    told = ["git", "-c", "user.name=me", "-c", "user.email=me@example.com", "-c", "protocol.file.allow=always", *words]
    subprocess.run(told, cwd=directory, check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    made = tmp_path / "checkout"
    (made / "services/light").mkdir(parents=True)
    git(made, "init")
    return made


def test_a_context_below_a_checkout_is_published_where_that_is(checkout: Path) -> None:
    assert published(str(checkout)) is None
    git(checkout, "remote", "add", "upstream", "https://example.com/them/it.git")
    assert published(str(checkout / "services/light")) == "https://example.com/them/it"
    git(checkout, "remote", "add", "fork", "https://example.com/you/it.git")
    assert published(str(checkout)) is None
    git(checkout, "remote", "add", "origin", "git@example.com:me/it.git")
    git(checkout, "remote", "set-url", "--add", "--push", "origin", "https://example.com/elsewhere")
    git(checkout, "config", "branch.main.remote", "fork")
    assert published(str(checkout)) == "https://example.com/me/it"


def test_a_linked_work_tree_and_a_submodule_have_their_repository_s(checkout: Path, tmp_path: Path) -> None:
    git(checkout, "remote", "add", "origin", "https://example.com/me/it")
    git(checkout, "commit", "--allow-empty", "-m", "first")
    git(checkout, "worktree", "add", str(tmp_path / "tree"))
    assert published(str(tmp_path / "tree")) == "https://example.com/me/it"
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init")
    git(outer, "remote", "add", "origin", "https://example.com/me/outer")
    git(outer, "submodule", "add", str(checkout), "inner")
    git(outer / "inner", "remote", "set-url", "origin", "https://example.com/me/inner")
    assert published(str(outer / "inner")) == "https://example.com/me/inner"
    assert published(str(outer)) == "https://example.com/me/outer"


def test_a_broken_repository_has_none(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: /nowhere\n")
    assert published(str(tmp_path)) is None
    (tmp_path / ".git").unlink()
    (tmp_path / ".git").symlink_to("nowhere")
    assert published(str(tmp_path)) is None
