"""What a user is told to do about the mistakes that templates often have, in the words of each engine."""

from __future__ import annotations

import pytest

from bentomake.container.dockerfile_text import at
from bentomake.container.failure import Failure, advice

DOCKERFILE = """\
FROM python:3.11-slim as buildstage
WORKDIR /tmp
WORKDIR mypackage/
COPY mypackage .
FROM python:3.11-slim AS base-container
COPY --from=buildstage mypackage.tar.gz /tmp/wheels/
RUN WORDS=( $(echo a b) ) && g++ ${WORDS[@]}
WORKDIR /srv
ADD src/tfops/zero_out.cc .
COPY --from=BuildStage /opt/file /opt/
"""
FILES = ["README.md", "src/service.py", "src/mypackage/setup.py", "src/mypackages.txt", "src/one.txt"]
COPY, FROM, RUN, ADD, ROOT = 4, 6, 7, 9, 10

OF_THE_BENTO = "The build context is the Bento, where your sources lie in src/: write src/mypackage."
OF_THE_STAGE = (
    "--from takes paths from the root of the stage, not from its WORKDIR: write /tmp/mypackage/mypackage.tar.gz."
)
NOT_THERE = (
    "The build context is the Bento, which has no src/tfops/zero_out.cc: "
    "`include` says what of your project is in its src/."
)
OF_BASH = 'That is for bash, which /bin/sh is not in this image: write SHELL ["bash", "-c"] above it.'
NO_PROGRAM = (
    "The image has no g++: install it by docker.system_packages, in the template, or in a base image of your own."
)
CLASSIC = "COPY failed: file not found in build context or excluded by .dockerignore: stat {}: file does not exist"
BUILDAH = (
    'Error: building at STEP "COPY": checking on sources under "/ctx": copier: stat: "/{}": no such file or directory'
)
BUILDKIT = (
    'ERROR: failed to solve: failed to compute cache key: failed to calculate checksum of ref ab::c: "/{}": not found'
)


def told(line: int, *said: str, files: list[str] = FILES) -> str | None:
    return advice(Failure(at(DOCKERFILE, line), list(said)), DOCKERFILE, files)


@pytest.mark.parametrize("engine", [BUILDKIT, CLASSIC, BUILDAH], ids=["buildkit", "classic", "buildah"])
def test_a_copy_of_what_is_not_there(engine: str) -> None:
    assert told(COPY, engine.format("mypackage")) == OF_THE_BENTO
    assert told(COPY, engine.format("one.txt")) == OF_THE_BENTO.replace("mypackage", "one.txt")
    assert told(FROM, engine.format("mypackage.tar.gz")) == OF_THE_STAGE
    assert told(ADD, engine.format("src/tfops/zero_out.cc")) == NOT_THERE
    # What only begins as a file of src/ does is none of them.
    assert told(COPY, engine.format("my")) == NOT_THERE.replace("src/tfops/zero_out.cc", "my")


def test_a_classic_builder_says_less_of_a_stage() -> None:
    assert told(FROM, "COPY failed: stat mypackage.tar.gz: file does not exist") == OF_THE_STAGE
    # A file that is not where the stage has it, by a path from its root, is the user's own affair.
    said = CLASSIC.format("opt/file")
    assert advice(Failure(at(DOCKERFILE, ROOT), [said]), "FROM scratch AS buildstage\n", FILES) is None


@pytest.mark.parametrize(
    "said",
    [
        '/bin/sh: 1: Syntax error: "(" unexpected',
        "/bin/sh: 1: Syntax error: redirection unexpected (expecting word)",
        "/bin/sh: 1: Bad substitution",
        '/bin/sh: syntax error: unexpected "("',
    ],
)
def test_words_of_bash_for_another_shell(said: str) -> None:
    assert told(RUN, "+ echo", said) == OF_BASH


def test_a_shell_that_the_engine_does_not_take() -> None:
    """buildah's images are OCI's, which have no SHELL: it warns, and goes on without."""
    text = 'FROM debian\nSHELL ["bash", "-c"]\nRUN A=( b )\n'
    failed = Failure(at(text, 3), ['/bin/sh: 1: Syntax error: "(" unexpected'])
    assert (advice(failed, text, FILES) or "").endswith("buildah and podman go without: add --opt format=docker.")
    after = 'FROM debian\nRUN A=( b )\nSHELL ["bash", "-c"]\n'
    assert advice(Failure(at(after, 2), failed.said), after, FILES) == OF_BASH


@pytest.mark.parametrize(
    "said",
    [
        "/bin/sh: 1: g++: not found",
        "bash: line 1: g++: command not found",
        "./setup_script: line 12: g++: command not found",
    ],
)
def test_a_program_that_the_image_lacks(said: str) -> None:
    # The engine without BuildKit has a line of its own below.
    assert told(RUN, "+ g++", said, "The command '/bin/sh -c g++' returned a non-zero code: 127") == NO_PROGRAM


def test_of_other_failures_nothing_is_said() -> None:
    assert told(RUN, "error: not found", "fatal error: An error occurred (404): Not Found") is None
    assert told(RUN, '/bin/sh: 1: Syntax error: end of file unexpected (expecting "then")') is None
    assert told(COPY, "ERROR: failed to solve: no space left on device") is None
    assert told(RUN, BUILDKIT.format("mypackage")) is None
    assert advice(Failure(None, ["/bin/sh: 1: g++: not found"]), DOCKERFILE, FILES) is None
