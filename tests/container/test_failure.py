"""A failed build: what docker, with and without BuildKit, and buildah say of one, and what a user is told."""

from __future__ import annotations

from bentomake.container.dockerfile_text import at
from bentomake.container.failure import origin, read

DOCKERFILE = """\
FROM python:3.11-slim
# Setup script
RUN echo hi && echo oops >&2 \\
 && ls /nope
# Sources
COPY nothere /x
"""
BUILDKIT = """\
#4 [1/2] FROM docker.io/library/python:3.11-slim
#4 CACHED
#5 [2/2] RUN echo hi && echo oops >&2  && ls /nope
#5 0.179 hi
#5 0.180 oops
#4 DONE 0.2s
#5 0.185 ls: cannot access '/nope': No such file or directory
#5 ERROR: process "/bin/sh -c …" did not complete successfully: exit code: 2
------
 > [2/2] RUN echo hi && echo oops >&2  && ls /nope:
0.179 hi
0.180 oops
0.185 ls: cannot access '/nope': No such file or directory
------
Dockerfile:3
--------------------
   2 |     # Setup script
   3 | >>> RUN echo hi && echo oops >&2 \\
   4 | >>>  && ls /nope
--------------------
ERROR: failed to solve: process "/bin/sh -c …" did not complete successfully: exit code: 2
"""
CLASSIC = """\
Step 1/2 : FROM python:3.11-slim
 ---> 944032ed866e
Step 2/2 : RUN echo hi && echo oops >&2  && ls /nope
 ---> Running in b3f24ebd20a7
hi
\x1b[91moops
\x1b[0m\x1b[91mls: cannot access '/nope': No such file or directory
\x1b[0m
DEPRECATED: The legacy builder is deprecated and will be removed in a future release.
            BuildKit is currently disabled; enable it by removing the DOCKER_BUILDKIT=0
            environment-variable.
The command '/bin/sh -c …' returned a non-zero code: 2
"""
BUILDAH = """\
STEP 1/2: FROM python:3.11-slim
STEP 2/2: RUN echo hi && echo oops >&2  && ls /nope
hi
oops
ls: cannot access '/nope': No such file or directory
Error: building at STEP "RUN echo hi && echo oops >&2  && ls /nope": while running runtime: exit status 2
"""


def test_each_engine_says_which_instruction_and_its_last_words():
    for log in (BUILDKIT, CLASSIC, BUILDAH):
        failed = read(log.splitlines(), DOCKERFILE)
        assert failed.instruction is not None and failed.instruction.first == 3
        assert failed.said[:3] == ["hi", "oops", "ls: cannot access '/nope': No such file or directory"]


def test_a_line_that_buildkit_has_in_parts_is_told_whole():
    """Where a shell writes it in two, only the second is in the summary."""
    log = BUILDKIT.replace("0.185 ls: cannot access '/nope': No such", "No such").replace(
        "#5 No such", "#5 0.185 ls: No such"
    )
    assert "\nNo such file" in log
    assert read(log.splitlines(), DOCKERFILE).said == ["hi", "oops", "ls: No such file or directory"]
    # A log that has lost what went before the summary.
    rest = log[log.index("------") :]
    assert read(rest.splitlines(), DOCKERFILE).said == ["hi", "oops", "No such file or directory"]


def test_a_copy_that_fails_has_no_output_but_the_engines_own_error():
    log = """\
------
 > [2/2] COPY nothere /x:
------
Dockerfile.buildkit:6
--------------------
   6 | >>> COPY nothere /x
--------------------
ERROR: failed to solve: "/nothere": not found
"""
    failed = read(log.splitlines(), DOCKERFILE)
    assert failed.instruction.text == "COPY nothere /x"
    assert failed.said == ['ERROR: failed to solve: "/nothere": not found']


def test_a_build_that_never_began_has_no_instruction():
    failed = read(["Cannot connect to the Docker daemon. Is it running?"], DOCKERFILE)
    assert failed.instruction is None and failed.said == ["Cannot connect to the Docker daemon. Is it running?"]


def test_an_instruction_comes_from_an_option_or_from_a_line_of_the_users_template():
    places = {"docker.setup_script": "bentofile.yaml:9", "docker.dockerfile_template": "bentofile.yaml:12"}
    assert origin(at(DOCKERFILE, 4), DOCKERFILE, None, places.get) == "bentofile.yaml:9"
    assert origin(at(DOCKERFILE, 6), DOCKERFILE, None, places.get) is None
    template = "{% block X %}\n\nCOPY {{ name }} /x\n{% endblock %}\n"
    assert origin(at(DOCKERFILE, 6), DOCKERFILE, template, places.get) == "bentofile.yaml:12 (line 3 of the template)"
    assert origin(at(DOCKERFILE, 6), DOCKERFILE, template, {}.get) == "Dockerfile.template (line 3 of the template)"
