"""Values of options: a slip is told in a sentence with a hint, before any engine is asked; the rest is handed on."""

from __future__ import annotations

from pathlib import Path

import pytest

from bentomake.container.options import Options
from bentomake.container.registry import get_backend
from bentomake.container.values import check_base, check_keys, check_target
from bentomake.errors import UsageError

SLIPS = {
    "platform=": "The option platform needs a value.",
    "label= ": "The option label needs a value.",
    "target": "The option target needs a value.",
    "platform=foo": "The option platform cannot be 'foo'.",
    "platform=linux/amd64;linux/arm64": "The option platform cannot be 'linux/amd64;linux/arm64'.",
    "ulimit=nofile": "The option ulimit cannot be 'nofile'.",
    "shm-size=much": "The option shm-size cannot be 'much'.",
    "add-host=db": "The option add-host cannot be 'db'.",
    "build-context=wheels": "The option build-context cannot be 'wheels'.",
    "build-context=theirs=nowhere": "There is no directory nowhere for the build context theirs.",
    "output=type=local": "The output type=local needs a directory.",
    "iidfile=.": "The iidfile . is a directory.",
    "metadata-file=nowhere/it.json": "There is no directory nowhere for the metadata-file.",
    "network=mine": "BuildKit has no network 'mine' for a build.",
}
GOOD = [
    *("platform=linux/arm64", "platform=arm64", "platform=linux/arm/v7", "platform=local", "platform=Linux/AMD64"),
    *("ulimit=nofile=1024", "ulimit=nofile=1024:4096", "ulimit=core=-1", "shm-size=64m", "shm-size=1.5 GiB"),
    *("add-host=db:10.0.0.1", "add-host=db=::1", "build-context=here=.", "build-context=b=docker-image://alpine"),
    *("build-context=g=git@host.example:me/it.git", "output=type=local,dest=out", "output=out", "network=none"),
    *("label=who=", "target=final", "iidfile=id", "metadata-file=./it.json", "iidfile=/dev/stdout"),
]


@pytest.mark.parametrize("word", SLIPS)
def test_a_slip(word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        get_backend("docker", {}).check(Options.parse([word]))
    assert caught.value.message == SLIPS[word]
    assert caught.value.hint is not None


@pytest.mark.parametrize("word", GOOD)
def test_what_engines_take(word: str) -> None:
    get_backend("docker", {}).check(Options.parse([word]))


def test_networks_of_other_engines_are_their_business() -> None:
    for backend, env in (("buildah", {}), ("podman", {}), ("docker", {"DOCKER_BUILDKIT": "0"})):
        get_backend(backend, env).check(Options.parse(["network=mine"]))


def test_a_stage_is_one_of_the_dockerfile() -> None:
    text = "ARG BASE=a\nFROM $BASE AS Tools\nRUN make\nFROM --platform=linux/amd64 b\nFROM tools as final\n"
    for target in (None, "tools", "Final", "0", "1", "2"):
        check_target(target, text, "Dockerfile")
    for target in ("3", "tool", "b"):
        with pytest.raises(UsageError) as caught:
            check_target(target, text, "Dockerfile")
        assert caught.value.message == f"The Bento's Dockerfile has no stage {target}."
        assert caught.value.hint == "It has Tools, final."
    with pytest.raises(UsageError) as caught:
        check_target("x", "FROM a\n", "Dockerfile")
    assert caught.value.hint == "Its stages have no names: leave --target out."


def test_keys_that_are_lent_are_there(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("")
    check_keys(["default", f"mine={key}", f"both={key},{key}"], {"SSH_AUTH_SOCK": "/a/socket"})
    for value, env, said in (
        ("default", {}, "The option ssh=default lends the ssh agent, and SSH_AUTH_SOCK names none."),
        ("mine=/no/such", {"SSH_AUTH_SOCK": "s"}, "The option ssh=mine names /no/such, which is not there."),
        (f"mine={key},~/.ssh/it", {}, "The option ssh=mine names ~/.ssh/it, which is not there."),
        ("mine=", {}, "The option ssh=mine names no file after its =."),
    ):
        with pytest.raises(UsageError) as caught:
            check_keys([value], env)
        assert caught.value.message == said
        assert caught.value.hint is not None


def test_a_base_is_no_option() -> None:
    check_base("python:3.11-slim")
    with pytest.raises(UsageError) as caught:
        check_base("--help")
    assert caught.value.message == "The Dockerfile starts from --help, which is no image."
