"""What each engine is told, for every set of options: recorded by a stand-in, kept as plain text in golden/."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
from option_sets import SETS, request_of
from stand_in import ENGINES, StandIns

from bentomake.container.options import Options
from bentomake.container.registry import get_backend
from bentomake.container.request import Request
from bentomake.engine.process import run
from bentomake.errors import UsageError

GOLDEN = Path(__file__).with_name("golden")
BACKENDS = ("docker", "docker-classic", "buildx", "podman", "buildah", "nerdctl", "buildctl")


def backend_of(name: str):
    env = {"DOCKER_BUILDKIT": "0"} if name == "docker-classic" else {}
    return get_backend(name.partition("-")[0], env), env


def told(backend_name: str, set_name: str, stand_ins: StandIns) -> str:
    """The command line and the environment that the engine got, or why it got none."""
    backend, env = backend_of(backend_name)
    lines = [f"== {set_name}: {' '.join(f'--opt {shlex.quote(word)}' for word in SETS[set_name][0])}".rstrip(" :")]
    try:
        argv = backend.argv(request_of(set_name))
    except UsageError as error:
        return "\n".join([*lines, f"error: {error.message}", f"  hint: {error.hint}", ""])
    run(argv, env=backend.env({**env, **stand_ins.env}))
    call = stand_ins.calls[-1]
    words = [shlex.quote(word) for word in call["argv"]]
    return "\n".join([*lines, *(f"{key}={value}" for key, value in sorted(call["env"].items())), *words, ""])


@pytest.mark.parametrize("name", BACKENDS)
def test_each_engine_is_told_in_its_own_words(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_ins = StandIns(tmp_path, *ENGINES)
    (tmp_path / "wheels").mkdir()
    monkeypatch.chdir(tmp_path)
    made = "\n".join(told(name, each, stand_ins) for each in SETS)
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("BENTOMAKE_TEST_GOLDEN"):
        golden.write_text(made)
    assert made == golden.read_text()


@pytest.mark.parametrize("name", BACKENDS)
def test_at_least_fifteen_sets_reach_the_engine(name: str) -> None:
    text = (GOLDEN / f"{name}.txt").read_text()
    assert text.count("== ") - text.count("error: ") >= 15 - 5 * (name == "docker-classic")


def test_the_users_environment_is_over_the_defaults(tmp_path: Path) -> None:
    backend = get_backend("buildah", {})
    assert backend.env({"BUILDAH_FORMAT": "docker"})["BUILDAH_FORMAT"] == "docker"
    assert backend.env({})["BUILDAH_FORMAT"] == "oci"
    assert get_backend("docker", {}).env({"DOCKER_BUILDKIT": "0"})["DOCKER_BUILDKIT"] == "0"


@pytest.mark.parametrize(
    ("name", "env", "buildkit", "contexts"),
    [
        ("docker", {}, True, True),
        ("docker", {"DOCKER_BUILDKIT": "0"}, False, False),
        ("docker", {"DOCKER_BUILDKIT": "false"}, False, False),
        ("docker", {"DOCKER_BUILDKIT": "1"}, True, True),
        ("buildx", {}, True, True),
        ("buildx", {"DOCKER_BUILDKIT": "0"}, False, True),
        ("nerdctl", {}, True, True),
        ("buildctl", {}, True, True),
        ("buildctl", {"DOCKER_BUILDKIT": "0"}, False, True),
        ("podman", {}, True, True),
        ("podman", {"DOCKER_BUILDKIT": "0"}, False, True),
        ("buildah", {}, True, True),
        ("buildah", {"DOCKER_BUILDKIT": "0"}, False, True),
    ],
)
def test_which_dockerfile_and_which_contexts_an_engine_gets(
    name: str, env: dict[str, str], buildkit: bool, contexts: bool
) -> None:
    backend = get_backend(name, env)
    assert (backend.buildkit, backend.named_contexts) == (buildkit, contexts)


@pytest.mark.parametrize(
    ("name", "opts", "stays"),
    [
        ("docker", [], True),
        ("docker", ["push"], False),
        ("docker", ["output=type=local,dest=x"], False),
        ("docker", ["output=type=docker,dest=x"], False),
        ("docker", ["output=type=docker"], True),
        ("docker", ["push", "load"], True),
        ("buildx", [], True),
        ("buildx", ["push"], False),
        ("buildx", ["load=false"], False),
        ("buildx", ["output=type=docker"], True),
        ("buildx", ["output=type=oci,dest=x", "load"], True),
        ("buildah", [], True),
        ("buildah", ["output=type=local,dest=x"], False),
        ("nerdctl", ["push"], True),
        ("nerdctl", ["output=type=oci,dest=x"], False),
        ("buildctl", [], True),
        ("buildctl", ["push"], False),
        ("buildctl", ["push", "load"], True),
    ],
)
def test_whether_an_image_will_be_in_the_engines_own_store(name: str, opts: list[str], stays: bool) -> None:
    from bentomake.container.options import Options

    assert get_backend(name, {}).stores(Options.parse(opts)) is stays


def test_root_needs_no_sudo_and_others_keep_the_variables_that_the_build_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    from bentomake.container.as_root import as_root

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert as_root(["docker", "build"], {}, ["TOKEN"]) == ["docker", "build"]
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    got = as_root(["docker", "build"], {"DOCKER_HOST": "unix:///x", "HOME": "/me", "TOKEN": "hush"}, ["TOKEN", "KEY"])
    assert got == ["sudo", "--preserve-env=DOCKER_HOST,KEY,TOKEN", "docker", "build"]


def test_the_users_own_timestamp_is_the_time_of_the_image() -> None:
    request = request_of("nothing")._replace(build_args={"SOURCE_DATE_EPOCH": "1"})
    argv = get_backend("podman", {}).argv(request._replace(options=Options.parse(["timestamp=2"])))
    assert argv[argv.index("--timestamp") + 1] == "2" and argv.count("--timestamp") == 1 and "--label" not in argv


@pytest.mark.parametrize(("given", "layers"), [({}, "true"), ({"BUILDAH_LAYERS": "False"}, "false")])
def test_buildah_puts_its_container_away_whatever_becomes_of_the_build(given: dict[str, str], layers: str) -> None:
    words = ["buildah", "build", f"--layers={layers}", "--force-rm"]
    assert get_backend("buildah", given).argv(request_of("nothing"))[:4] == words
    asked = request_of("nothing")._replace(options=Options.parse(["force-rm=false"]))
    assert get_backend("buildah", given).argv(asked)[:5] == [*words, "--force-rm=false"]


@pytest.mark.parametrize("name", ["buildah", "podman"])
def test_buildah_and_podman_read_a_list_where_the_dockerfile_is_named(name: str) -> None:
    """A path with a comma was two files to them, one with a quotation mark none."""
    argv = get_backend(name, {}).argv(request_of("nothing")._replace(dockerfile='/my "own", store/Dockerfile'))
    assert argv[argv.index("--file") + 1] == '"/my ""own"", store/Dockerfile"'
    with pytest.raises(UsageError, match="reads no secret from a file with a comma"):
        get_backend(name, {}).check(Options.parse(['secret=id=x,"src=/my, store/key"']))


@pytest.mark.parametrize("name", ["docker", "nerdctl", "buildctl"])
def test_a_progress_that_there_is_not_is_said_when_the_options_are_read(name: str) -> None:
    with pytest.raises(UsageError, match="There is no progress 'fancy'"):
        get_backend(name, {}).check(Options.parse(["progress=fancy"]))


def test_what_several_platforms_need_follows_the_builder_that_is_chosen() -> None:
    platforms = ["platform=linux/amd64,linux/arm64"]
    for env, words, own in (({}, [], True), ({"BUILDX_BUILDER": "x"}, [], False), ({}, ["builder=x"], False)):
        with pytest.raises(UsageError) as raised:
            get_backend("buildx", env).check(Options.parse([*platforms, *words]))
        assert ("docker buildx create" in str(raised.value.hint)) == own


def test_the_engine_prints_lines_whatever_the_terminal_is_to_show() -> None:
    for words, told in ((["progress=tty"], "plain"), (["progress=rawjson"], "rawjson"), (["quiet"], None)):
        argv = get_backend("docker", {}).argv(
            request_of("nothing")._replace(options=Options.parse(words), progress="plain")
        )
        assert (argv[argv.index("--progress") + 1] if "--progress" in argv else None) == told


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("id=aws,src=~/.aws/credentials", "id=aws,src=/home/me/.aws/credentials"),
        ("source=~/x,id=x", "id=x,src=/home/me/x"),
        ("ID=x,SRC=~/x", "id=x,src=/home/me/x"),
        ("type=file,id=x,src=~", "id=x,src=/home/me"),
        ('id=x,"src=~/a,b"', 'id=x,"src=/home/me/a,b"'),
        ('"id=x","src=a""b"', 'id=x,"src=a""b"'),
        ('"id=x","src=a b"', "id=x,src=a b"),
        ("id=x,src=~root/x", f"id=x,src={os.path.expanduser('~root')}/x"),
        ("id=x,src=~nobody-is-called-so/x", "id=x,src=~nobody-is-called-so/x"),
        ("id=y,src=a=~/b", "id=y,src=a=~/b"),
        ("id=x,type=env,src=TOKEN", "id=x,env=TOKEN"),
        ("id=x", "id=x"),
    ],
)
def test_a_secret_is_read_for_the_key_where_the_engine_reads_it(
    given: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    options = Options.parse([f"secret={given}"])
    (source,) = options.secret_sources()
    for backend in ("docker", "buildah"):
        if backend == "buildah" and '"' in told:  # which it cannot read
            continue
        argv = get_backend(backend, {}).argv(Request("/context", "/context/Dockerfile", ("iris:1",), options=options))
        assert [argv[at + 1] for at, word in enumerate(argv) if word == "--secret"] == [told]
        (again,) = Options.parse([f"secret={told}"]).secret_sources()
        assert again == source._replace(file=source.file and os.path.expanduser(source.file))
