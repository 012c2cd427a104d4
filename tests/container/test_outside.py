"""What a user is told of a build that its Dockerfile did not let fail, in the words of real engines."""

from __future__ import annotations

import pytest

from bentomake.container.outside import ended, no_room

BENTO = "iris:v1"
NAMES = ["127.0.0.1:5000/iris:v1", "other:1"]
OF_BUILDX = """\
#6 pushing {name} with docker
#6 ERROR: {said}
------
 > pushing {name} with docker:
------
ERROR: {said}
"""


@pytest.mark.parametrize(
    ("name", "said", "what", "hint"),
    [
        (NAMES[0], "no basic auth credentials", "127.0.0.1:5000 refused the push of", "`docker login 127.0.0.1:5000`"),
        (NAMES[0], "received unexpected HTTP status: 500 Internal Server Error", "127.0.0.1:5000 failed at", "own log"),
        ("me/iris:v1", "denied: requested access to the resource is denied", "docker.io refused the", "`docker login`"),
        (
            "localhost:1/iris",
            "dial tcp 127.0.0.1:1: connect: connection refused",
            "localhost:1 was not reached",
            "run?",
        ),
        (
            "no.such/iris",
            "dial tcp: lookup no.such on 1.1.1.1:53: no such host",
            "no.such was not reached",
            "-t no.such/",
        ),
        (
            "host/iris",
            "http: server gave HTTP response to HTTPS client",
            "could not be spoken to",
            "insecure-registries",
        ),
    ],
)
def test_a_push_that_failed_is_no_build_that_failed(name: str, said: str, what: str, hint: str) -> None:
    found = ended(1, OF_BUILDX.format(name=name, said=said).splitlines(), BENTO, NAMES)
    assert found is not None and found.what.startswith(f"built the image of {BENTO}, but ")
    assert what in found.what and name in found.what and hint in found.hint and found.said == f"ERROR: {said}"


def test_buildkit_says_it_in_one_line() -> None:
    said = "ERROR: failed to solve: failed to push 127.0.0.1:5000/iris:v1: unexpected status: 403 Forbidden"
    found = ended(1, ["#9 pushing layers", "------", said], BENTO, NAMES)
    assert found is not None and "127.0.0.1:5000 refused the push of 127.0.0.1:5000/iris:v1." in found.what
    said = "ERROR: failed to solve: push access denied, repository does not exist or may require authorization: x"
    found = ended(1, [said], BENTO, ["me/iris"])
    assert found is not None and "docker.io refused the push of me/iris." in found.what
    # An instruction that fails with such words pushed something of its own.
    assert ended(1, [said], BENTO, []) is None


@pytest.mark.parametrize(
    "last",
    [
        "ERROR: failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF",
        "ERROR: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
        "unexpected EOF",
    ],
)
def test_a_daemon_that_died(last: str) -> None:
    found = ended(1, ["Step 2/2 : RUN sleep 30", "waiting", last, ""], BENTO, [])
    assert found is not None and found.what == f"lost its daemon while it built the image of {BENTO}."
    assert found.hint == "Start it again, and see its log: it may say why it ended."
    found = ended(1, [last], BENTO, NAMES, "far")
    assert found is not None and found.what.startswith("lost its builder far while")
    assert "`docker buildx inspect --bootstrap far`" in found.hint
    assert ended(1, [last, "The command '/bin/sh -c tar x' returned a non-zero code: 2"], BENTO, NAMES) is None


@pytest.mark.parametrize("at", ["waiting for connection", "booting buildkit"])
def test_a_builder_that_does_not_answer(at: str) -> None:
    log = ["------", f" > [internal] {at}:", "------", "ERROR: context deadline exceeded"]
    found = ended(1, log, BENTO, NAMES, "far")
    assert found is not None and found.what == f"did not reach its builder far for the image of {BENTO}."
    assert "--bootstrap far" in found.hint and found.said == log[-1]


def test_a_builder_that_nobody_has_made() -> None:
    found = ended(1, ['ERROR: no builder "far" found'], BENTO, NAMES, "far")
    assert found is not None and found.what == "has no builder far." and found.mistaken
    assert "`docker buildx ls`" in found.hint and found.said == 'ERROR: no builder "far" found'


def test_an_engine_that_was_killed() -> None:
    found = ended(-9, ["waiting"], BENTO, NAMES)
    assert found is not None and found.what == f"was killed (signal 9) while it built the image of {BENTO}."


def test_what_dockers_own_builder_cannot() -> None:
    said = "ERROR: {} is not supported for the docker driver.\nSwitch to a different driver, or turn on\nLearn more"
    found = ended(1, said.format("Multi-platform build").splitlines(), BENTO, NAMES)
    assert found is not None and "its own builder cannot" in found.what and "Multi-platform" in (found.said or "")
    assert "docker buildx create" in found.hint and "inline" not in found.hint
    found = ended(1, said.format("Cache export").splitlines(), BENTO, NAMES)
    assert found is not None and "for a cache, type=inline does" in found.hint


def test_other_failures_are_none_of_these() -> None:
    assert ended(1, ["ERROR: failed to solve: no space left on device"], BENTO, NAMES) is None
    assert ended(1, [], BENTO, NAMES) is None


@pytest.mark.parametrize("said", ["write /data/x: no space left on device", "head: error: No space left on device"])
def test_a_full_disk_has_a_hint_in_the_engines_own_words(said: str) -> None:
    for engine in ("docker", "buildx", "podman", "buildah", "nerdctl", "buildctl"):
        hint = no_room(f"copying\n{said}", engine)
        binary = "docker" if engine == "buildx" else engine
        assert hint is not None and hint.count(f"`{binary} ") == 2 and "disk full" in hint
    assert no_room(said, "lima") == "Is the engine's disk full?"
    assert no_room("no room", "docker") is None
