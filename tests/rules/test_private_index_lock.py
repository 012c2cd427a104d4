"""Credentials of an index: named in the bentofile, used by the resolver, written nowhere."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bentomake.rules.lock import lock
from bentomake.rules.requirements import requirements
from context import FakeContext, follow, with_git
from private_index import TOKEN, Index, a_wheel, private_index

from bentomake.bento.package_source import Options, hide, secret_variables
from bentomake.errors import BentofileError, StepError

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
LOCKERS = ["uv", *(["pip-compile"] if sys.platform == "linux" else [])]
PLACES = {"python.packages": "bentofile.yaml:4", "python.extra_index_url": "bentofile.yaml:6"}


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL", "PRIVATE_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    a_wheel(tmp_path / "served", "secretpkg", "1.2")
    with private_index(tmp_path / "served") as found:
        yield found


def both(tmp_path: Path, locker: str = "uv", generation: str = "class", **python: Any) -> tuple[Any, dict[str, str]]:
    """The rules requirements and lock, one after the other; the lock's context and all the text that they made."""
    params = {f"python.{name}": value for name, value in python.items()}
    oracles = {
        "bentoml.version": "1.4.39",
        "generation": generation,
        "python.version": HERE,
        "arch": platform.machine(),
    }
    project = tmp_path / "project"
    project.mkdir(exist_ok=True)
    asked = FakeContext(
        requirements, tmp_path / "asked", params=params, places=PLACES, oracles=oracles, project=project
    )
    made = follow(requirements, asked)
    made = {name: text.replace("bentoml==1.4.39\n", "") for name, text in made.items()}  # to keep the set small
    given: dict[str, Any] = {
        "params": {**params, "lock.locker": locker, "docker.libc": "gnu"},
        "places": PLACES,
        "oracles": oracles,
        "project": project,
    }
    ctx = FakeContext(lock, tmp_path / "lock", inputs=with_git(tmp_path / "git", made, **given), **given)
    return ctx, {**made, **follow(lock, ctx)}


def nowhere(ctx: FakeContext, made: dict[str, str]) -> None:
    told = [str(made), str(ctx.logged), str([argv for argv, _ in ctx.ran]), str(ctx.warnings), str(ctx.discovered)]
    assert not [text for text in told if TOKEN in text]


@pytest.mark.parametrize("locker", LOCKERS)
def test_the_resolver_gets_what_the_files_only_name(
    locker: str, index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRIVATE_TOKEN", TOKEN)
    url = index.url("me:${PRIVATE_TOKEN}")
    host = ["127.0.0.1"]
    ctx, made = both(tmp_path, locker, index_url=url, trusted_host=host, packages=["secretpkg"])
    text = made["env/python/requirements.txt"]
    assert text == f"--index-url {url}\n--trusted-host 127.0.0.1\nsecretpkg==1.2\n"
    assert ("env", "PRIVATE_TOKEN") in ctx.discovered
    nowhere(ctx, made)


@pytest.mark.parametrize("locker", LOCKERS)
def test_a_package_from_a_url_keeps_its_variable(
    locker: str, index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRIVATE_TOKEN", TOKEN)
    line = "secretpkg @ " + index.url("me:${PRIVATE_TOKEN}", "files/secretpkg-1.2-py3-none-any.whl")
    ctx, made = both(tmp_path, locker, packages=[line])
    assert made["env/python/requirements.txt"] == f"{line}\n"
    nowhere(ctx, made)


@pytest.mark.parametrize("locker", LOCKERS)
def test_a_wrong_password_fails_without_being_told(
    locker: str, index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRIVATE_TOKEN", wrong := "wrong-hunter2-1234")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(StepError) as caught:
        both(tmp_path, locker, index_url=index.url("me:${PRIVATE_TOKEN}"), packages=["secretpkg"])
    assert index.refused and not index.served
    assert wrong not in str(caught.value.to_json()) + str(caught.value)


@pytest.mark.parametrize("locker", LOCKERS)
def test_what_the_resolver_says_has_names_for_values(
    locker: str, index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRIVATE_TOKEN", TOKEN)
    links = "http://localhost:9/${PRIVATE_TOKEN}/simple/"
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(StepError) as caught:
        both(tmp_path, locker, packages=[f"secretpkg @ {links}secretpkg-1.2-py3-none-any.whl"])
    assert "${PRIVATE_TOKEN}" in (caught.value.detail or "")
    assert TOKEN not in str(caught.value.to_json()) + str(caught.value)


@pytest.mark.parametrize("locker", LOCKERS)
def test_netrc_serves_the_resolver(locker: str, index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1\nlogin me\npassword {TOKEN}\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    ctx, made = both(tmp_path, locker, index_url=index.url(), trusted_host=["127.0.0.1"], packages=["secretpkg"])
    assert "secretpkg==1.2\n" in made["env/python/requirements.txt"]
    nowhere(ctx, made)


def test_a_variable_that_is_not_set_is_named(index: Index, tmp_path: Path) -> None:
    with pytest.raises(BentofileError) as caught:
        both(tmp_path, extra_index_url=[index.url("me:${PRIVATE_TOKEN}")], packages=["secretpkg"])
    assert caught.value.message == (
        "The variable PRIVATE_TOKEN is not set, and python.extra_index_url needs its value."
    )
    assert (caught.value.place, caught.value.exit_code) == ("bentofile.yaml:6", 2)
    with pytest.raises(BentofileError) as caught:
        both(tmp_path, packages=["a @ https://${PRIVATE_TOKEN}@localhost/a-1-py3-none-any.whl"])
    assert caught.value.message == "The variable PRIVATE_TOKEN is not set, and a requirement needs its value."
    assert caught.value.place == "bentofile.yaml:4"


@pytest.mark.parametrize(
    "url",
    [
        "https://${TOKEN}@example.org/simple",
        "https://${TOKEN}:@example.org/simple",
        "https://${TOKEN}:x-oauth-basic@example.org/simple",
        "https://me:${TOKEN}@example.org:8443/simple",
        "https://${ME}:${TOKEN}@example.org/simple",
        "https://${HOST}:${PORT}/simple",
        "https://oauth2accesstoken@example.org/simple",  # a keyring has the rest
        "https://example.org/${TOKEN}/simple",
    ],
)
def test_a_variable_may_stand_for_a_credential(url: str, tmp_path: Path) -> None:
    _, made = both(tmp_path, lock_packages=False, extra_index_url=[url], packages=["a"])
    assert made["env/python/requirements.in"].splitlines()[0] == f"--extra-index-url {url}"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://hunter2@example.org/simple", "must not carry credentials"),
        ("https://${ME}:hunter2@example.org/simple", "must not carry credentials"),
        ("https://x-${TOKEN}@example.org/simple", "must not carry credentials"),
        ("https://$TOKEN@example.org/simple", "must not carry credentials"),
        ("https://${token}@example.org/simple", "pip does not expand ${token}"),
    ],
)
def test_what_is_no_variable_is_refused(url: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(BentofileError) as caught:
        both(tmp_path, extra_index_url=[url], packages=["a"])
    assert told in caught.value.message and caught.value.place == "bentofile.yaml:6"
    assert "${" in (caught.value.hint or "") and "hunter2" not in str(caught.value.to_json())


def test_the_variables_of_options_are_known_to_whoever_installs() -> None:
    options = Options("https://${B}@x/simple", extra_index_url=["https://${A}:${B}@y"], find_links=["https://z/${C}"])
    assert secret_variables(options) == ["A", "B", "C"]


def test_hidden_in_any_spelling() -> None:
    told = hide("at https://me:p%40ss%2Fword@x, p@ss/word, a", {"TOKEN": "p@ss/word", "A": "a"})
    assert told == "at https://****@x, ${TOKEN}, a"
