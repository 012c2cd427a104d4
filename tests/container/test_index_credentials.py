"""Whose credentials a build is lent: those of the hosts that its requirements name, from netrc, else keyring."""

from __future__ import annotations

import sys
from netrc import netrc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bentomake.container import index_credentials

QUOTES = sys.version_info >= (3, 11)  # which the netrc of Python 3.10 does not know, nor letters that are not of ASCII
REQUIREMENTS = """\
--index-url https://one.example/simple
--extra-index-url http://127.0.0.1:8080/simple/
--extra-index-url https://${TOKEN}@named.example/simple
--find-links https://one.example/links
pkg @ https://files.example/pkg-1-py3-none-any.whl#sha256=0
git_pkg @ git+https://git.example/some/repo@v1
plain==1.0
"""


def test_the_hosts_that_requirements_name_once_each() -> None:
    assert index_credentials.addresses(
        [REQUIREMENTS, "python3 -m pip install -i 'https://quoted.example/simple' x"]
    ) == [
        "https://one.example/simple",
        "http://127.0.0.1:8080/simple/",
        "https://files.example/pkg-1-py3-none-any.whl",
        "https://git.example/some/repo@v1",
        "https://quoted.example/simple",
    ]


def test_netrc_is_asked_by_host(tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine one.example login me password hush\n")
    env = {"HOME": str(tmp_path), "PATH": ""}
    assert index_credentials.credential("https://one.example:8443/simple", env) == ("me", "hush")
    assert index_credentials.credential("https://two.example/simple", env) is None
    assert index_credentials.credential("https://one.example/", env | {"NETRC": str(tmp_path / "no")}) is None
    (tmp_path / ".netrc").write_text('machine one.example login me password "with space"\n')
    quoted = ("me", "with space") if QUOTES else None
    assert index_credentials.credential("https://one.example/", env) == quoted
    (tmp_path / ".netrc").write_text("machine one.example login me passwort oh\n")
    assert index_credentials.credential("https://one.example/", env) is None


@pytest.mark.parametrize("script", ["exit 1", "echo only-one-line", "exec sleep 0"])
def test_a_keyring_that_knows_nothing(tmp_path: Path, script: str) -> None:
    (tmp_path / "keyring").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "keyring").chmod(0o755)
    env = {"HOME": str(tmp_path), "PATH": f"{tmp_path}:/usr/bin:/bin", "PIP_KEYRING_PROVIDER": "subprocess"}
    assert index_credentials.credential("https://one.example/simple", env) is None


def test_keyring_is_asked_for_the_url_and_then_for_the_host_and_only_if_allowed(tmp_path: Path) -> None:
    (tmp_path / "keyring").write_text('#!/bin/sh\n[ "$4" = one.example ] && printf "me\\nhush\\n"\n')
    (tmp_path / "keyring").chmod(0o755)
    env = {"HOME": str(tmp_path), "PATH": f"{tmp_path}:/usr/bin:/bin"}
    assert index_credentials.credential("https://one.example/simple", env) is None
    env["UV_KEYRING_PROVIDER"] = "subprocess"
    assert index_credentials.credential("https://one.example/simple", env) == ("me", "hush")
    assert index_credentials.credential("https://two.example/simple", env) is None


ANY = st.characters(codec="utf-8", exclude_categories=["C", "Z"], include_characters=" ")
WORDS = st.text(ANY if QUOTES else "aZ09-_.!$%&*+/:=?@~", min_size=1)


@given(WORDS, WORDS)
def test_what_is_written_is_read_back(login: str, password: str) -> None:
    import tempfile

    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".netrc") as file:
        file.write(index_credentials.netrc({"https://one.example/simple": (login, password)}))
        file.flush()
        assert (netrc(file.name).authenticators("one.example") or ())[::2] == (login, password)
