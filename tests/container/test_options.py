"""Options: however they are given they mean the same, and the key has nothing secret of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bentomake.container.image_tag import checked, qualified
from bentomake.container.options import Options
from bentomake.errors import UsageError


@pytest.mark.parametrize(
    ("word", "name", "value"),
    [
        ("platform=linux/arm64", "platform", "linux/arm64"),
        ("platform:linux/arm64", "platform", "linux/arm64"),
        ("build-arg=FOO=a=b", "build-arg", "FOO=a=b"),
        ("build-arg:FOO=a:b", "build-arg", "FOO=a:b"),
        ("build_arg:FOO=a b", "build-arg", "FOO=a b"),
        ("--no-cache", "no-cache", True),
        ("no-cache", "no-cache", True),
        ("no_cache=true", "no-cache", True),
        ("load=False", "load", False),
        ("pull=always", "pull", "always"),
        ("label=", "label", ""),
        ("iidfile:/path/to/file", "iidfile", "/path/to/file"),
    ],
)
def test_a_word_of_opt_is_split_at_its_first_separator(word: str, name: str, value: object) -> None:
    assert Options.parse([word]).given == ((name, value),)


@pytest.mark.parametrize("word", ["", "=x", ":x", "--=x"])
def test_a_word_without_a_name_is_refused(word: str) -> None:
    with pytest.raises(UsageError) as caught:
        Options.parse([word])
    assert caught.value.message == f"--opt {word!r} names no option."
    assert "NAME=VALUE" in (caught.value.hint or "")


def test_repeated_options_keep_their_order_and_the_last_one_holds() -> None:
    options = Options.parse(["build-arg=A=1", "target=x", "build-arg=B=2", "target=y", "load", "load=false"])
    assert options.values("build-arg") == ("A=1", "B=2")
    assert options.value("target") == "y" and options.value("network") is None
    assert options.on("load") is False and options.on("push") is False


def test_flags_mean_what_opt_means_and_say_that_they_are_the_older_way() -> None:
    flags = {
        "platform": ("linux/arm64",),
        "no-cache": True,
        "push": False,
        "target": None,
        "build-arg": ("TOKEN=hush",),
    }
    options = Options.parse(["load"], flags)
    assert options.given == (
        ("load", True),
        ("platform", "linux/arm64"),
        ("no-cache", True),
        ("build-arg", "TOKEN=hush"),
    )
    assert options.deprecated == (
        "'--platform=linux/arm64' is deprecated: write '--opt platform=linux/arm64'.",
        "'--no-cache' is deprecated: write '--opt no-cache'.",
        "'--build-arg=TOKEN=…' is deprecated: write '--opt build-arg=TOKEN=…'.",
    )


def test_python_keywords_mean_the_same() -> None:
    options = Options.of(
        build_arg={"A": "1", "B": "two words"},
        add_host={"me": "10.0.0.1"},
        label=("a=b", "c=d"),
        cache_from={"type": "registry", "ref": "x"},
        output={"type": "local", "dest": "out"},
        secret="id=aws,src=x",
        ulimit={"nofile": (1024, 2048), "cpu": (1, 1)},
        volume=("/a", "/b", "ro"),
        no_cache=True,
        load=False,
        shm_size=64,
        iidfile=Path("/tmp/id"),
        target=None,
        progress="plain",
        creds={"me": "hush"},
    )
    assert options.given == (
        ("build-arg", "A=1"),
        ("build-arg", "B=two words"),
        ("add-host", "me:10.0.0.1"),
        ("label", "a=b"),
        ("label", "c=d"),
        ("cache-from", "type=registry,ref=x"),
        ("output", "type=local,dest=out"),
        ("secret", "id=aws,src=x"),
        ("ulimit", "nofile=1024:2048"),
        ("ulimit", "cpu=1:1"),
        ("volume", "/a:/b:ro"),
        ("no-cache", True),
        ("load", False),
        ("shm-size", "64"),
        ("iidfile", "/tmp/id"),
        ("creds", "me:hush"),
    )
    with pytest.raises(UsageError, match="The option target cannot be a object"):
        Options.of(target=object())


def test_the_key_has_the_names_of_secrets_and_nothing_of_how_a_build_is_shown(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("of the file")
    words = ["secret=id=aws,src=file", "secret=id=env,env=TOKEN", "build-arg=KEY=hush", "build-arg=FROM_ENV"]
    words += ["creds=me:hush", "ssh=default=/run/agent", "progress=plain", "iidfile=x", "cache-from=y", "label=a=b"]
    options = Options.parse([*words, "platform=linux/amd64", "no-cache"])
    assert options.keyed() == [
        ["secret", "aws"],
        ["secret", "env"],
        ["build-arg", "KEY"],
        ["build-arg", "FROM_ENV"],
        ["creds", "given"],
        ["ssh", "default"],
        ["label", "a=b"],
        ["platform", "linux/amd64"],
    ]
    assert "hush" not in json.dumps(options.keyed()) + repr(options.secret_sources())
    env = {"TOKEN": "of the environment", "FROM_ENV": "also"}
    read = {(each.kind, each.name): each.read(env, str(tmp_path)) for each in options.secret_sources()}
    assert read == {
        ("secret", "aws"): b"of the file",
        ("secret", "env"): b"of the environment",
        ("build-arg", "KEY"): b"hush",
        ("build-arg", "FROM_ENV"): b"also",
    }
    assert options.forcing() == ("no-cache",)
    inside = Options.parse(["build-context=theirs=../dir", "from=mine:1"])
    assert inside.forcing() == ("build-context", "from"), "only the engine knows what is in them"


@pytest.mark.parametrize(
    ("secret", "message"),
    [
        ("src=x", "A secret has no id."),
        ("id=a,source=b,hush", "The secret a has a field that is none of src, env and type."),
        ("hush", "A secret has no id."),
        ("id=a\rhush", "A secret has no id."),
    ],
)
def test_a_secret_that_no_engine_would_understand(secret: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Options.parse([f"secret={secret}"]).secret_sources()
    assert caught.value.message == message


def test_a_secret_that_is_not_there(tmp_path: Path) -> None:
    by_file, by_variable, either = Options.parse(
        ["secret=id=aws,src=nowhere", "secret=id=token,env=TOKEN", "secret=id=name"]
    ).secret_sources()
    with pytest.raises(UsageError) as caught:
        by_file.read({}, str(tmp_path))
    assert caught.value.message == "The secret aws cannot be read from nowhere: No such file or directory."
    with pytest.raises(UsageError) as caught:
        by_variable.read({}, str(tmp_path))
    assert caught.value.message == "The secret token is to come from the variable TOKEN, which is not set."
    (tmp_path / "name").write_text("of the file")
    assert either.read({"name": "of the variable"}, str(tmp_path)) == b"of the variable"
    assert either.read({}, str(tmp_path)) == b"of the file"


@pytest.mark.parametrize(
    "tag", ["iris", "iris:1", "me/iris:A.b_c-1", "localhost:5000/x/y:2", "registry.example.com/iris", "a__b:1", "a--b"]
)
def test_names_that_an_image_may_have(tag: str) -> None:
    assert checked(tag) == tag


@pytest.mark.parametrize(
    "tag", ["", "Iris", "iris:", "iris:.x", "-iris", "a..b", "iris:" + "x" * 129, "x y", "http://x/y"]
)
def test_names_that_no_engine_takes(tag: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of an image"):
        checked(tag)


def test_a_name_in_capitals_gets_a_suggestion() -> None:
    with pytest.raises(UsageError) as caught:
        checked("Iris:V1")
    assert "Did you mean iris:V1?" in (caught.value.hint or "")


def test_the_full_name_of_an_image() -> None:
    assert qualified("iris:1") == "docker.io/library/iris:1"
    assert qualified("me/iris") == "docker.io/me/iris"
    assert qualified("localhost:5000/iris") == "localhost:5000/iris"
    assert qualified("r.example.com/me/iris:1") == "r.example.com/me/iris:1"
