"""Options: however they are given they mean the same, and the key has nothing secret of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given as given_some
from hypothesis import strategies as st

from bentomake.container.image_tag import checked, qualified
from bentomake.container.options import Options
from bentomake.errors import UsageError

_MANY = ("--opt", "--build-arg", "--cache-to")


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
        "cache-to": ("type=s3,secret_access_key=hush,mode=max",),
    }
    options = Options.parse(["load"], flags)
    assert options.given == (
        ("load", True),
        ("platform", "linux/arm64"),
        ("no-cache", True),
        ("build-arg", "TOKEN=hush"),
        ("cache-to", "type=s3,secret_access_key=hush,mode=max"),
    )
    assert options.deprecated == (
        "'--platform=linux/arm64' is deprecated: write '--opt platform=linux/arm64'.",
        "'--no-cache' is deprecated: write '--opt no-cache'.",
        "'--build-arg=TOKEN=…' is deprecated: write '--opt build-arg=TOKEN=…'.",
        "'--cache-to=type=s3,secret_access_key=…,mode=max' is deprecated: "
        "write '--opt cache-to=type=s3,secret_access_key=…,mode=max'.",
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
    for word in (
        "build-context=theirs=../dir",
        "from=mine:1",
        "local=theirs=dir",
        "volume=/dir:/there",
        "opt=context:x=y",
    ):
        assert Options.parse([word]).forcing() == (word.partition("=")[0],), "only the engine knows what is in it"
    assert Options.parse(["opt=target=x"]).forcing() == ()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["--build-arg", "A=hush"], ["--build-arg", "A=…"]),
        (["--build-arg=A=hush=x"], ["--build-arg=A=…"]),
        (["--opt", "build-arg=A=hush\nhush"], ["--opt", "build-arg=A=…"]),
        (["--opt=build_arg:A=hush"], ["--opt=build_arg:A=…"]),
        (["--opt", "creds=me:hush"], ["--opt", "creds=…"]),
        (["--opt", " -build-arg =A=hush hush"], ["--opt", " -build-arg =A=…"]),
        (["--opt", "---creds:me:hush"], ["--opt", "---creds:…"]),
        (["--opt", "opt=build-arg:A=hush,hush"], ["--opt", "opt=build-arg:A=…"]),
        (["--cache-to", "type=s3,secret_access_key=hush,a=b"], ["--cache-to", "type=s3,secret_access_key=…,a=b"]),
        (["--opt", "build-context=x=https://me:hush@host/x"], ["--opt", "build-context=x=https://…@host/x"]),
        (["--opt", "opt:build_arg=A=hush"], ["--opt", "opt:build_arg=A=…"]),
        (["--opt", "decryption_key=hush"], ["--opt", "decryption_key=…"]),
        (["--opt", "creds="], ["--opt", "creds="]),
        (["--opt", "creds=hush", "--opt", "target=hush"], ["--opt", "creds=…", "--opt", "target=…"]),
        (["--build-arg", "BA=A=hush", "--opt", "build-arg=A=hush"], ["--build-arg", "BA=…", "--opt", "build-arg=A=…"]),
        (["iris", "--opt", "label=a=b", "--build-arg", "A"], ["iris", "--opt", "label=a=b", "--build-arg", "A"]),
    ],
)
def test_the_record_of_a_run_has_no_value_of_a_build_argument(given: list[str], kept: list[str]) -> None:
    flags, opts = [], []
    for before, word in zip(["", *given], given, strict=False):
        option, equals, value = word.partition("=")
        option, value = (option, value) if option in _MANY and equals else (before, word)
        if option in _MANY:
            (opts if option == "--opt" else flags).append((option[2:], value))
    options = Options.parse([value for _, value in opts], {name: (value,) for name, value in flags})
    assert options.discreet(given) == kept


_SECRET = st.text(min_size=8).filter(lambda text: text.isprintable()).map(lambda text: f"hush{text}hush")


@given_some(
    st.sampled_from(["build-arg", "build_arg", "--build-arg", " build-arg ", "opt:build-arg", "opt=build_arg", "flag"]),
    st.sampled_from("=:"),
    st.sampled_from(["", "TOKEN", "a.b-c", "Ä", "TOKEN ", " TOKEN", "to ken"]),
    st.sampled_from(["=", ":", " ", "==", ":=", "\n", "/", "=:", "\t="]),
    _SECRET,
)
def test_no_spelling_of_a_build_argument_has_its_value_in_clear(
    option: str, first: str, name: str, second: str, secret: str
) -> None:
    text = f"{name}{second}{secret}"
    word = text if option == "flag" else f"{option}{first}{text}"
    argv = ["--build-arg", word] if option == "flag" else [f"--opt={word}"]
    try:
        options = Options.parse(*(((), {"build-arg": (word,)}) if option == "flag" else ((word,),)))
    except UsageError as refused:
        assert secret not in f"{refused.message} {refused.hint}"
        return
    assert [each.value for each in options.secret_sources()] != [None], "a value, not the name of a variable"
    told = [options.keyed(), options.secret_sources(), options.deprecated, options.discreet(argv)]
    assert secret not in repr(told)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("A:B", "The build argument A… has no = after its name.", "--build-arg A=VALUE"),
        ("A:B=C", "The build argument A… has no = after its name.", "--build-arg A=VALUE"),
        ("A B", "The build argument A… has no = after its name.", "--build-arg A=VALUE"),
        ("=B", "A build argument has no name.", "--build-arg NAME=VALUE"),
        ("", "A build argument has no name.", "--build-arg NAME=VALUE"),
    ],
)
def test_a_build_argument_that_engines_would_take_for_a_variable(text: str, message: str, hint: str) -> None:
    ways = (
        lambda: Options.parse([f"build-arg={text}"]),
        lambda: Options.parse([f"build-arg:{text}"]),
        lambda: Options.parse((), {"build-arg": (text,)}),
        lambda: Options.of(build_arg=text),
        lambda: Options.of(build_arg=(text,)),
    )
    for way in ways:
        with pytest.raises(UsageError) as caught:
            way()
        assert caught.value.message == message and hint in (caught.value.hint or "")


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
        Options.parse([f"secret={secret}"])
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
