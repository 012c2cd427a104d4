"""The guide's two ways to AWS during a build, as they are written there: the real awscli, and a server that checks it.

But for the address of the server (`docker.env`) and the network in which it is, nothing is added.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from containers import ENGINES
from harness import SCRIPT, clean_environment
from real_packages import add_real
from s3_server import CONTENT, S3, Keys, s3_server
from shop import Box, Made, Shop
from test_containerize_secrets import holding, in_image

sys.path.insert(0, str(Path(__file__).parents[1] / "rules"))
from template_examples import EXAMPLES

pytestmark = [
    pytest.mark.real,
    pytest.mark.engine,
    pytest.mark.skipif("docker" not in ENGINES, reason="BENTOMAKE_TEST_ENGINES does not name docker"),
]
FILE = "/home/bentoml/bento/file"
BY_ARGUMENTS = """\
bentomake containerize --build-arg AWS_SECRET_ACCESS_KEY=$AWS_SECRET_ACCESS_KEY \\
                       --build-arg AWS_ACCESS_KEY_ID=$AWS_ACCESS_KEY_ID \\
                       $BENTO"""
BY_SECRET = "bentomake containerize --secret id=aws,src=$HOME/.aws/credentials $BENTO"
REFUSED = "  | fatal error: An error occurred (403) when calling the HeadObject operation: Forbidden\n"


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables with which this machine's own package index is asked."""
    return clean_environment(tmp_path_factory.mktemp("tools"))


@pytest.fixture(scope="module")
def fetching(bentoml14: str, tools: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A shop whose index has the real awscli, too."""
    made = Shop(tmp_path_factory.mktemp("aws"), bentoml14)
    add_real(made.index, tools, made.world.directory / "wheels", "awscli")
    return made


@pytest.fixture(scope="module")
def s3(tools: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with s3_server(tmp_path_factory.mktemp("s3"), tools) as server:
        yield server


@pytest.fixture
def aws(fetching: Shop) -> Iterator[Shop]:
    yield fetching
    fetching.clear()


def a_box(shop: Shop, example: str, s3: S3) -> Box:
    """A project with the guide's template and its lines of the bentofile."""
    template, _ = EXAMPLES[example]
    options = f"python:\n  packages:\n  - awscli\ndocker:\n  env:\n    AWS_ENDPOINT_URL: {s3.url}\n"
    return shop.project(template, options)


def containerize(shop: Shop, tag: str, line: str, env: dict[str, str] | None = None) -> Made:
    """The guide's line, by a shell, with the network of the machine."""
    words = ["sh", "-c", f"{line} --network host --progress plain --explain"]
    path = f"{Path(SCRIPT).parent}:{shop.world.env['PATH']}"
    return Made(shop.world.command(words, env={**(env or {}), "BENTO": tag, "PATH": path}))


def test_keys_that_are_build_arguments(aws: Shop, s3: S3) -> None:
    keys = s3.a_user("arguments")
    tag = a_box(aws, "aws-variables", s3).build()
    env = {"AWS_SECRET_ACCESS_KEY": keys.secret, "AWS_ACCESS_KEY_ID": keys.id}
    asked = len(s3.answers())
    made = containerize(aws, tag, BY_ARGUMENTS, env).good()
    assert s3.answers()[asked:] == ["200"]
    assert aws.engine.read(tag, FILE) == CONTENT.strip()
    assert aws.engine.run(tag, "stat", "-c", "%U", FILE) == "root"
    assert {f"{name}={value}" for name, value in env.items()} <= set(aws.engine.config(tag)["Env"])
    assert keys.secret not in made.said + made.run.stdout


def test_a_slip_of_the_guide_is_found(aws: Shop, s3: S3) -> None:
    """An edition of it has one word too many in an ENV."""
    box = a_box(aws, "aws-variables", s3)
    box.project.edit("Dockerfile.template", "KEY=$AWS_SECRET", "KEY=$ARG AWS_SECRET")
    made = containerize(aws, box.build(), BY_ARGUMENTS)
    assert made.run.code == 1
    assert "error: Dockerfile.template (line 10 of the template): docker could not build the image of " in made.said
    assert "this failed: ENV AWS_SECRET_ACCESS_KEY=$ARG AWS_SECRET_ACCESS_KEY\n" in made.said
    assert """can't find = in "AWS_SECRET_ACCESS_KEY". Must be of the form: name=value\n""" in made.said


def test_keys_that_are_a_mounted_secret(aws: Shop, s3: S3) -> None:
    keys = s3.a_user("secret")
    credentials = Path(aws.world.env["HOME"]) / ".aws/credentials"
    tag = a_box(aws, "aws-secret", s3).build()

    # What nobody gives is not there, and of what is wrong the server can tell.
    without = containerize(aws, tag, "bentomake containerize $BENTO")
    assert without.run.code == 1 and "  | fatal error: Unable to locate credentials\n" in without.said
    Keys(keys.id, f"{keys.secret[:-4]}oops").file(credentials)
    wrong = containerize(aws, tag, BY_SECRET)
    assert wrong.run.code == 1 and REFUSED in wrong.said
    assert "error: Dockerfile.template (line 5 of the template): docker could not build the image of " in wrong.said
    assert aws.engine.id(tag) is None

    keys.file(credentials)
    asked = len(s3.answers())
    made = containerize(aws, tag, BY_SECRET).good()
    assert s3.answers()[asked:] == ["200"] and made.ran == {"image"}
    assert aws.engine.read(tag, FILE) == CONTENT.strip()
    assert in_image(aws, tag, CONTENT.strip()), "what is in it is found"
    for value in keys:
        assert not in_image(aws, tag, value)
        assert value not in made.said + made.run.stdout + wrong.said
        assert holding(aws.world.cache, value) == [] == holding(aws.world.home, value)
    assert aws.engine.run(tag, "sh", "-c", "cat /root/.aws/credentials 2>/dev/null || echo none") == "none"
    assert containerize(aws, tag, BY_SECRET).good().ran == set()
