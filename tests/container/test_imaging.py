"""What an image asks of the machine, as far as no engine is needed: parameters, and values that no key or log has."""

from __future__ import annotations

import os
import time

import pytest
from stand_in import StandIns, healthy

from bentomake.container.options import Options
from bentomake.container.request import Request
from bentomake.engine.content_store import ContentStore
from bentomake.engine.digest import of_bytes
from bentomake.engine.fact import ABSENT
from bentomake.engine.fresh import SETTLE
from bentomake.engine.stat_index import StatIndex
from bentomake.errors import UsageError
from bentomake.imaging import Imaging
from bentomake.workspace import ImageAsk, Settings


def imaging(tmp_path, *opts, env=None, index=None, **ask):
    settings = Settings(cwd=str(tmp_path), env=env or {}, image=ImageAsk(options=Options.parse(opts), **ask))
    store, index = ContentStore(str(tmp_path / "cache")), index or StatIndex(str(tmp_path / "index"))
    return Imaging(settings, b"k" * 32, store, str(tmp_path / "home"), index)


def test_without_a_cache_nothing_fetched_before_is_used_unless_nothing_can_be_fetched(tmp_path):
    assert not imaging(tmp_path).fresh
    assert imaging(tmp_path, "no-cache").fresh
    assert not imaging(tmp_path, "no-cache", offline=True).fresh
    assert imaging(tmp_path, wheel_cache=False).param("image.wheel_cache") is False


def test_wheels_go_where_there_is_buildkit_or_at_least_another_context(tmp_path):
    plain, cached = "env/docker/Dockerfile", "env/docker/Dockerfile.buildkit"
    for backend, value, by in (
        ("docker", "1", [cached, plain]),
        ("nerdctl", "1", [cached, plain]),
        ("docker", "0", []),
        ("podman", "1", [cached, plain]),
        ("podman", "0", [plain]),
    ):
        asked = imaging(tmp_path, env={"DOCKER_BUILDKIT": value}, backend=backend)
        assert asked.param("image.wheels_by") == by, (backend, value)


def test_a_secret_is_keyed_by_its_content_and_not_in_clear(tmp_path):
    secret = tmp_path / "aws"
    secret.write_text("key = hunter2-hunter2")
    first = imaging(tmp_path, "secret=id=aws,src=aws").param("image.secrets")
    secret.write_text("key = hunter3-hunter3")
    second = imaging(tmp_path, "secret=id=aws,src=aws").param("image.secrets")
    (tmp_path / "elsewhere").write_text("key = hunter3-hunter3")
    third = imaging(tmp_path, "secret=id=aws,src=elsewhere").param("image.secrets")
    assert first.keys() == second.keys() == {"aws"}
    assert first != second and second == third
    assert "hunter" not in repr([first, second, third])


def test_credentials_inside_of_an_option_are_keyed_and_not_in_clear(tmp_path):
    def asked(word):
        opts = (f"cache-to=type=s3,region=x,secret_access_key={word}", f"build-context=a=https://me:{word}@host/x.git")
        return imaging(tmp_path, *opts, f"env=PASSWORD={word}", "label=a=b").param("image.options")

    assert asked("hush-hush") != asked("other") and asked("other") == asked("other")
    assert (
        "hush" not in repr(asked("hush-hush")) and "region=x" in repr(asked("x")) and "@host/x.git" in repr(asked("x"))
    )


def test_a_build_argument_in_buildctls_own_words_is_keyed_and_not_in_clear(tmp_path):
    def asked(word):
        made = imaging(tmp_path, f"opt=build-arg:TOKEN={word}", "opt=filename=Dockerfile", backend="buildctl")
        hidden = made.lending.hidden(Request(str(tmp_path), "Dockerfile", ("x:1",), options=made.options))
        assert word in hidden
        return made.param("image.options"), made.param("image.build_args")

    assert asked("hunter2-hunter2") != asked("hunter3-hunter3") and asked("hunter3-hunter3") == asked("hunter3-hunter3")
    assert "hunter" not in repr(asked("hunter2-hunter2")) and "filename=Dockerfile" in repr(asked("hunter2-hunter2"))


def test_what_a_log_must_not_have(tmp_path):
    (tmp_path / "aws").write_text("[default]\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG\n")
    asked = imaging(tmp_path, "secret=id=aws,src=aws", "build-arg=TOKEN=s3cr3t-value", env={"PIP": "pip-password"})
    request = Request(str(tmp_path), "Dockerfile", ("x:1",), secrets=("id=PIP,env=PIP",), options=asked.options)
    hidden = asked.lending.hidden(request)
    assert {"wJalrXUtnFEMI/K7MDENG", "s3cr3t-value", "pip-password"} <= set(hidden)
    assert hidden == sorted(hidden, key=len, reverse=True), "a value that holds another goes first"


def test_a_build_argument_or_a_secret_may_be_a_variable_of_any_bytes(tmp_path):
    env = {"TOKEN": "token-of-the-env", "ODD": os.fsdecode(b"odd-\xff-secret")}
    asked = imaging(tmp_path, "build-arg=TOKEN", "build-arg=ODD", "build-arg=NOT_SET", "secret=id=ODD", env=env)
    assert asked.param("image.build_args").keys() == {"TOKEN", "ODD", "NOT_SET"}
    request = Request(str(tmp_path), "Dockerfile", ("x:1",), options=asked.options)
    assert {"token-of-the-env", "odd-\ufffd-secret"} == set(asked.lending.hidden(request))


def test_offline_means_no_network_for_the_build_unless_the_user_says_which(tmp_path):
    request = Request(str(tmp_path), "Dockerfile", ("x:1",))
    env = {"DOCKER_BUILDKIT": "1"}
    asked = imaging(tmp_path, env=env, offline=True).request(request, {"a": "b"}).options
    assert asked.given == (("label", "a=b"), ("network", "none"))
    asked = imaging(tmp_path, "network=host", env=env, offline=True).request(request, {}).options
    assert asked.values("network") == ("host",)
    assert imaging(tmp_path, env=env).request(request, {}).options.values("network") == ()


def test_a_bento_whose_tag_can_name_no_image_wants_another_name(tmp_path):
    request = Request("/context", "/context/Dockerfile", ("a..b:1",))
    with pytest.raises(UsageError, match=r"'a\.\.b:1' cannot be the name of an image") as caught:
        imaging(tmp_path).request(request, {})
    assert caught.value.hint == "Name it otherwise: bentomake containerize a..b:1 -t NAME."
    assert imaging(tmp_path, tags=("iris:1",)).request(request._replace(tags=("iris:1",)), {}).tags == ("iris:1",)


def test_what_a_bento_lends_sets_no_variable_of_the_engine(tmp_path):
    asked = imaging(tmp_path, env={"DOCKER_HOST": "mine"})
    assert asked.lending.lend_value("DOCKER_HOST", "theirs") == "id=DOCKER_HOST,env=BENTOMAKE_BUILD_DOCKER_HOST"
    assert asked.lending.env == {"DOCKER_HOST": "mine", "BENTOMAKE_BUILD_DOCKER_HOST": "theirs"}


def test_a_model_that_is_edited_while_its_image_is_built_is_hashed_again(tmp_path):
    """The context's links give it another ctime, and an edit that keeps the time (rsync, cp -p) shows in no other."""
    (model,) = settled_files(tmp_path, "weights")
    index = StatIndex(str(tmp_path / "index"))
    assert index.digest(str(model)) == of_bytes(b"weights")
    asked = imaging(tmp_path, index=index)
    with asked.staged("iris", {}, {"models/m/1/weights": str(model)}) as context:
        assert os.path.samefile(model, os.path.join(context, "models/m/1/weights"))
    assert (index.digest(str(model)), index.hashed) == (of_bytes(b"weights"), 1), "nobody edited it"
    with asked.staged("iris", {}, {"models/m/1/weights": str(model)}):
        before = os.stat(model)
        time.sleep(SETTLE)
        model.write_bytes(b"changed")
        os.utime(model, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert index.digest(str(model)) == of_bytes(b"changed")


def settled_files(directory, *names):
    """Files that hold their names, as old as they have to be for a stat signature to be believed."""
    for name in names:
        (directory / name).write_text(name)
        os.utime(directory / name, ns=(10**18, 10**18 + 1))
    time.sleep(2 * SETTLE)
    return [directory / name for name in names]


@pytest.mark.parametrize("backend", ["podman", "buildah", "docker", "nerdctl"])
def test_a_name_that_is_an_option_is_no_image_and_no_engine_is_told_of_it(tmp_path, backend):
    """Names come from a Bento of elsewhere, and from traces, which may be planted."""
    engine = healthy(tmp_path / "bin", backend)
    asked = imaging(tmp_path, backend=backend, env=engine.env)
    asked.ahead("FROM --storage-opt=overlay.mount_program=/tmp/x\nFROM --root=/tmp/x AS y\n", ["--url=x"])
    asked.backend.forget() if hasattr(asked.backend, "forget") else None
    for kind in ("base_image", "own_image"):
        with pytest.raises(ValueError, match="no name of an image"):
            asked.ask(kind, "--storage-opt=overlay.mount_program=/tmp/x")
    assert not [call for call in engine.calls if any("/tmp/x" in word or "url" in word for word in call["argv"])]


def test_a_keyring_is_asked_for_addresses_only(tmp_path):
    keyring = StandIns(tmp_path / "bin", "keyring")
    keyring.answer("keyring", "me\nhush\n")
    asked = imaging(tmp_path, env={**keyring.env, "UV_KEYRING_PROVIDER": "subprocess"})
    assert asked.ask("credential", "--keyring-path=/tmp/x") == ABSENT and keyring.calls == []
    assert asked.ask("credential", "https://index.example/simple") != ABSENT and len(keyring.calls) == 1


def test_wheels_are_for_the_platform_that_the_engine_builds_for(tmp_path):
    arm = {"DOCKER_DEFAULT_PLATFORM": "linux/arm64"}
    assert imaging(tmp_path).platform is None
    assert imaging(tmp_path, env=arm).platform == imaging(tmp_path, env=arm, backend="buildx").platform == "linux/arm64"
    assert imaging(tmp_path, env=arm, backend="podman").platform is None
    assert imaging(tmp_path, "platform=linux/amd64", env=arm).platform == "linux/amd64"


def test_an_image_is_for_the_platform_that_the_lock_was_asked_for(tmp_path):
    settings = Settings(cwd=str(tmp_path), env={}, platform="linux/arm64")
    asked = Imaging(settings, b"k" * 32, ContentStore(str(tmp_path / "cache")), str(tmp_path / "home"))
    assert asked.platform == "linux/arm64" and asked.param("image.options") == [["platform", "linux/arm64"]]
