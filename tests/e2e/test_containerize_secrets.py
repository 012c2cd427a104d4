"""Secrets and build arguments reach the instruction that wants them, rerun it when changed, and are nowhere else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from containers import ENGINES
from shop import QUICK, Made, Shop

pytestmark = [
    pytest.mark.real,
    pytest.mark.engine,
    pytest.mark.skipif("docker" not in ENGINES, reason="BENTOMAKE_TEST_ENGINES does not name docker"),
]
VALUE = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
CREDENTIALS = f"[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = {VALUE}\n"
# As in the documents, but that nothing is fetched: the file is looked at and, as careless scripts do, printed.
SECRET = QUICK.replace(
    "# more\n",
    "RUN --mount=type=secret,id=aws,target=/root/.aws/credentials \\\n"
    "    sha256sum < /root/.aws/credentials > {{ bento__path }}/digest && cat /root/.aws/credentials\n",
)
ARGUMENTS = """\
{% extends bento_base_template %}
{% block SETUP_BENTO_BASE_IMAGE %}
ARG AWS_SECRET_ACCESS_KEY
ARG AWS_ACCESS_KEY_ID
{{ super() }}

ARG AWS_SECRET_ACCESS_KEY
ARG AWS_ACCESS_KEY_ID

ENV AWS_SECRET_ACCESS_KEY=$AWS_SECRET_ACCESS_KEY
ENV AWS_ACCESS_KEY_ID=$AWS_ACCESS_KEY_ID
{% endblock %}
""" + QUICK.partition("\n")[2].replace("# more", 'RUN echo "$AWS_ACCESS_KEY_ID"')


def holding(directory: Path, value: str) -> list[Path]:
    """The files below a directory in which the value stands, or whose names have it."""
    found = [path for path in directory.rglob("*") if value in path.name]
    return found + [path for path in directory.rglob("*") if path.is_file() and value.encode() in path.read_bytes()]


def in_image(shop: Shop, tag: str, value: str) -> bool:
    """Whether the value stands in any layer, in the configuration or in the history."""
    history = shop.engine.call("history", "--no-trunc", tag) + shop.engine.call("image", "inspect", tag)
    with subprocess.Popen(["docker", "save", tag], stdout=subprocess.PIPE) as saved:
        found = subprocess.run(["grep", "-c", "-a", "-F", value], stdin=saved.stdout, capture_output=True, text=True)
    return value in history or found.stdout.strip() != "0"


def test_a_secret_file_is_mounted_where_the_documents_say(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text(CREDENTIALS)
    (tmp_path / "elsewhere").write_text(CREDENTIALS)
    box = shop.project(SECRET)
    tag = box.build()

    def made(path: str, *words: str) -> Made:
        return shop.containerize(tag, "--secret", f"id=aws,src={path}", *words).good()

    first = made(f"{tmp_path}/credentials", "-v")
    digest = subprocess.run(["sha256sum"], input=CREDENTIALS, capture_output=True, text=True).stdout
    assert shop.engine.read(tag, "/home/bentoml/bento/digest") == digest.strip()
    assert "aws_access_key_id" not in first.said and "****" in first.log  # it was printed, and is not shown
    assert made(f"{tmp_path}/credentials").ran == set()
    assert made(f"{tmp_path}/elsewhere").ran == set()
    assert shop.containerize(tag, "--opt", f"secret=id=aws,src={tmp_path}/credentials").good().ran == set()

    another = CREDENTIALS.replace("EXAMPLEKEY", "ANOTHERKEY")
    (tmp_path / "credentials").write_text(another)
    changed = made(f"{tmp_path}/credentials", "-v")
    digest = subprocess.run(["sha256sum"], input=another, capture_output=True, text=True).stdout
    assert shop.engine.read(tag, "/home/bentoml/bento/digest") == digest.strip()  # the engine has not kept its layer
    assert "bentomake-" not in changed.log
    assert changed.ran == {"image"} and "image.secrets changed" in changed.said
    for value in (VALUE, VALUE.replace("EXAMPLEKEY", "ANOTHERKEY")):
        assert value not in first.run.stdout + first.said + changed.run.stdout + changed.said
        assert holding(shop.world.cache, value) == []
        assert holding(shop.world.home, value) == []
    assert not in_image(shop, tag, VALUE.replace("EXAMPLEKEY", "ANOTHERKEY"))
    # Where it is, it is found.
    assert holding(tmp_path, VALUE) == [tmp_path / "elsewhere"]
    assert holding(shop.world.cache, "sha256sum < /root/.aws/credentials") != []
    assert in_image(shop, tag, shop.engine.read(tag, "/home/bentoml/bento/digest").split()[0])


def test_a_secret_that_is_a_variable(shop: Shop) -> None:
    box = shop.project(SECRET)
    tag = box.build()
    made = shop.containerize(tag, "--secret", "id=aws,env=CREDENTIALS", env={"CREDENTIALS": CREDENTIALS}).good()
    digest = subprocess.run(["sha256sum"], input=CREDENTIALS, capture_output=True, text=True).stdout
    assert shop.engine.read(tag, "/home/bentoml/bento/digest") == digest.strip()
    assert VALUE not in made.said and holding(shop.world.cache, VALUE) == []
    run = shop.world.run("containerize", tag, "--secret", "id=aws,env=NOT_SET")
    assert run.code == 2
    assert run.stderr.startswith(
        "warning: '--secret=id=aws,env=NOT_SET' is deprecated: write '--opt secret=id=aws,env=NOT_SET'.\n"
    )
    assert run.stderr.endswith(
        "error: The secret aws is to come from the variable NOT_SET, which is not set.\n"
        "  hint: export NOT_SET=…, or --secret id=aws,src=FILE.\n"
    )
    run = shop.world.run("containerize", tag, "--opt", "secret=id=aws,src=/no/such/file")
    assert run.code == 2
    assert run.stderr.endswith(
        "error: The secret aws cannot be read from /no/such/file: No such file or directory.\n"
        "  hint: --secret id=aws,src=FILE or id=aws,env=NAME.\n"
    )


def test_a_secret_that_the_dockerfile_requires_is_asked_for(shop: Shop) -> None:
    template = QUICK.replace("# more", "RUN --mount=type=secret,id=TOKEN,required=true sha256sum /run/secrets/TOKEN")
    tag = shop.project(template).build()
    run = shop.world.run("containerize", tag)
    assert run.code == 2
    assert run.stderr.endswith(
        "error: The image needs the secret TOKEN.\n"
        "  hint: Set the variable TOKEN, or give --secret id=TOKEN,src=FILE.\n"
    )
    made = shop.containerize(tag, env={"TOKEN": "hush-hush-hush"}).good()
    assert "hush-hush-hush" not in made.said and holding(shop.world.cache, "hush-hush-hush") == []
    assert shop.containerize(tag, env={"TOKEN": "hush-hush-hush"}).good().ran == set()
    assert shop.containerize(tag, env={"TOKEN": "another-value"}).good().ran == {"image"}


def test_build_arguments_as_variables_of_the_image(shop: Shop) -> None:
    box = shop.project(ARGUMENTS)
    tag = box.build()
    given = ("--build-arg", f"AWS_SECRET_ACCESS_KEY={VALUE}", "--build-arg", "AWS_ACCESS_KEY_ID=AKIA-ONE-TWO")
    made = shop.containerize(tag, *given, "-v").good()
    env = shop.engine.config(tag)["Env"]
    assert {f"AWS_SECRET_ACCESS_KEY={VALUE}", "AWS_ACCESS_KEY_ID=AKIA-ONE-TWO"} <= set(env)
    assert VALUE not in made.said and "AKIA-ONE-TWO" not in made.said
    assert "warning: '--build-arg=AWS_ACCESS_KEY_ID=…' is deprecated" in made.said
    assert holding(shop.world.cache, VALUE) == [] and holding(shop.world.cache, "AKIA-ONE-TWO") == []

    same = ("--opt", f"build-arg=AWS_SECRET_ACCESS_KEY={VALUE}", "--opt", "build-arg:AWS_ACCESS_KEY_ID")
    env_of_user = {"AWS_ACCESS_KEY_ID": "AKIA-ONE-TWO"}
    assert shop.containerize(tag, *same, env=env_of_user).good().ran == set()
    other = shop.containerize(tag, *same, env={"AWS_ACCESS_KEY_ID": "AKIA-TWO-THREE"}).good()
    assert other.ran == {"image"} and "image.build_args changed" in other.said
    assert "AWS_ACCESS_KEY_ID=AKIA-TWO-THREE" in shop.engine.config(tag)["Env"]
