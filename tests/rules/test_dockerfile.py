"""The dockerfile rule: what it writes, what it refuses, what it warns of."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from dockerfile_made import BUILDKIT, CASES, DOCKERFILE, ENTRYPOINT, INSTALL, SETUP, VERSION, make

from bentomake.bento.variables import dotenv
from bentomake.engine.tree import EXECUTABLE
from bentomake.errors import BentofileError

GOLDEN = Path(__file__).with_name("golden")


@pytest.mark.parametrize("generation", ["runner", "class"])
@pytest.mark.parametrize("case", CASES)
def test_the_dockerfile_is_the_golden_one(case: str, generation: str, tmp_path: Path) -> None:
    golden = GOLDEN / f"{case}.{generation}.Dockerfile"
    made = make(tmp_path, generation, **CASES[case])[DOCKERFILE]
    if os.environ.get("BENTOMAKE_TEST_WRITE_GOLDEN"):
        golden.write_text(made)
    assert made == golden.read_text()


def test_what_is_in_no_key_changes_nothing(tmp_path: Path) -> None:
    """Two mappings with the same names and values have one digest, whatever their order."""
    one, other = ({name: name for name in names} for names in ("AB", "BA"))
    assert make(tmp_path, docker__env=one) == make(tmp_path, docker__env=other)


def test_what_each_generation_gets(tmp_path: Path) -> None:
    script = {"docker__setup_script": "s", "files": {"s": b"#!/bin/sh\n"}}
    assert set(make(tmp_path, "class")) == {DOCKERFILE, BUILDKIT, ENTRYPOINT}
    assert set(make(tmp_path, "class", **script)) == {DOCKERFILE, BUILDKIT, ENTRYPOINT, SETUP}
    runner = make(tmp_path, "runner", **script)
    assert set(runner) == {DOCKERFILE, BUILDKIT, ENTRYPOINT, SETUP, INSTALL, VERSION}
    older = make(tmp_path, "class", docker__cuda_version="12")
    assert {INSTALL, VERSION} <= set(older), "bento.yaml is of the older form, which installs by install.sh"
    assert runner.modes == dict.fromkeys((ENTRYPOINT, SETUP, INSTALL), EXECUTABLE)
    assert runner.discovered == [("file", "ctx/s")], "another version of the script is another key"


def test_version_txt_is_the_python_of_the_lock(tmp_path: Path) -> None:
    assert make(tmp_path, "runner")[VERSION] == "3.11"
    assert make(tmp_path, "runner", docker__python_version="3.9.7")[VERSION] == "3.9"


def test_no_comment_stands_before_a_syntax_line_and_no_buildkit_is_needed(tmp_path: Path) -> None:
    for name, case in CASES.items():
        text = make(tmp_path, **case)[DOCKERFILE]
        assert "syntax" not in text.lower()
        assert ("--mount" in text) == (name == "private-index"), "only a secret has no other way"
        assert "<<" not in text


@pytest.mark.parametrize("generation", ["runner", "class"])
def test_layers_stand_in_the_order_in_which_things_change(generation: str, tmp_path: Path) -> None:
    text = make(tmp_path, generation, **CASES["packages-env-script"])[DOCKERFILE]
    final = text[text.index("FROM python") :]
    order = ["apt-get install", "useradd", "ENV COST", "COPY --chown=bentoml:bentoml env/python"]
    order += ["setup_script &&", "model[s]", "COPY --from=bento", "USER bentoml", "ENTRYPOINT"]
    places = [final.index(word) for word in order]
    assert places == sorted(places)
    copied = [line.split()[-2] for line in final.splitlines() if line.startswith("COPY")]
    assert copied[-1] == "/bento/" and "src" not in " ".join(copied[:-1]), "sources are one layer, the last"


def test_env_is_a_mapping_a_list_or_a_file(tmp_path: Path) -> None:
    def env(**given: Any) -> list[str]:
        text = make(tmp_path, **given)[DOCKERFILE]
        return [line for line in text.splitlines() if line.startswith("ENV ") and "BENTO" not in line][1:]

    assert env(docker__env={"A": 1, "B": True, "C": None}) == ['ENV A="1"', 'ENV B="True"', 'ENV C=""']
    given = {"A": "x=y", "B": "https://x.org:80/a b"}
    assert env(docker__env=given) == ['ENV A="x=y"', 'ENV B="https://x.org:80/a b"']
    dotenv = b'# note\nexport A = one # not this\n\nB=\'it is # $5\'\nC="say \\"hi\\"" # end\nD=\nE=a#b\n'
    expected = ['ENV A="one"', 'ENV B="it is # \\$5"', 'ENV C="say \\"hi\\""', 'ENV D=""', 'ENV E="a#b"']
    assert env(docker__env="./.env.docker", files={".env.docker": dotenv}) == expected
    envs = [{"name": "A", "value": "x"}, {"name": "TOKEN"}, {"name": "KEY", "value": "k", "stage": "build"}]
    assert env(envs=envs) == ['ENV A="x"'], "no value: given at run time; stage build: a secret of the build"


@pytest.mark.parametrize(
    ("given", "message", "place"),
    [
        ({"docker__setup_script": "no.sh"}, "docker.setup_script names no.sh, which does not exist.", "setup_script"),
        ({"docker__setup_script": "../s.sh"}, "names ../s.sh, which is not a file inside the build", "setup_script"),
        ({"docker__setup_script": "/etc/passwd"}, "not a file inside the build context", "setup_script"),
        ({"docker__env": ".env"}, "docker.env names .env, which does not exist.", "env"),
        ({"docker__env": {"A": "one\ntwo"}}, "A value of docker.env.A has a line break", "env.A"),
        ({"docker__env": {"A B": "x"}}, "'A B' cannot be the name of an environment variable.", "env.A B"),
        ({"docker__base_image": "x AS y"}, "docker.base_image is not one word: x AS y.", "base_image"),
    ],
)
def test_a_mistake_is_named_with_its_place(given: dict[str, Any], message: str, place: str, tmp_path: Path) -> None:
    with pytest.raises(BentofileError) as caught:
        make(tmp_path, **given)
    assert message in caught.value.message
    assert caught.value.place == f"bentofile.yaml:docker.{place}"


def test_a_line_of_an_env_file_that_is_no_variable_is_skipped_with_one_warning(tmp_path: Path) -> None:
    made = make(tmp_path, docker__env="prod.env", files={"prod.env": b"A=b\nJUSTNAME\nC=d\n"})
    assert [line for line in made[DOCKERFILE].split("\n") if line.startswith(("ENV A", "ENV C", "ENV JUST"))] == [
        'ENV A="b"',
        'ENV C="d"',
    ]
    hint = "Write NAME=VALUE; a name alone does not take the value that this machine has."
    assert made.said == [("The line is not NAME=VALUE and is skipped.", "prod.env:2", hint)]


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        (
            'A="x\\ny"',
            "A value of docker.env.A has a line break, which a Dockerfile cannot hold.",
            "Encode it, for example in base64, or give it when the image is run.",
        ),
        (
            "1A=x",
            "'1A' cannot be the name of an environment variable.",
            "Names are letters, digits, `_`, `.` and `-`, and begin with a letter or `_`.",
        ),
    ],
)
def test_a_mistake_in_an_env_file_has_its_line(line: str, message: str, hint: str, tmp_path: Path) -> None:
    with pytest.raises(BentofileError) as caught:
        make(tmp_path, docker__env="prod.env", files={"prod.env": f"B=b\n{line}\n".encode()})
    error = caught.value
    assert (error.message, error.place, error.hint) == (message, "prod.env:2", hint)


def test_a_line_of_an_env_file_ends_where_python_dotenv_ends_it() -> None:
    read = [(name, value) for name, value, _ in dotenv("A=a\u2028b\r\nB=c\x0bd\rC=e".encode(), "prod.env")]
    assert read == [("A", "a\u2028b"), ("B", "c\x0bd"), ("C", "e")]


SPACES = " " * 1_000_000
ESCAPED = "\\'" * 1_000_000


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (f"A=x{SPACES}y", f"x{SPACES}y"),
        (f"A='x'{SPACES}y", f"'x'{SPACES}y"),
        (f"A='{ESCAPED}", f"'{ESCAPED}"),
        (f"export{SPACES}A{SPACES}={SPACES}x{SPACES}#", "x"),
        (f"A=x{' #' * 1_000_000}", "x"),
    ],
    ids=["spaces", "after a quote", "escapes", "around", "hashes"],
)
def test_a_long_line_of_an_env_file_is_read_once(line: str, value: str) -> None:
    ((name, read, _),) = dotenv(line.encode(), "prod.env")  # with a pattern that tries twice: hours
    assert (name, read) == ("A", value)


def test_a_setup_script_with_windows_line_ends_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BentofileError) as caught:
        make(tmp_path, docker__setup_script="s", files={"s": b"#!/bin/sh\r\necho hi\r\n"})
    message = "The setup script s has Windows line ends, with which Linux does not find its interpreter."
    assert (caught.value.message, caught.value.place) == (message, "bentofile.yaml:docker.setup_script")
    assert caught.value.hint == "Run dos2unix s, or save it with the line ends of Linux."


@pytest.mark.parametrize(
    ("line", "late"),
    [
        ("ls src", True),
        ("ls src/", True),
        ("cat './src/a.txt'", True),
        ("runpy.run_path('src/warm_up.py')", True),
        ('cd "${BENTO_PATH}/x"', True),
        ("cp -r $PWD/src /x", True),
        ("cp /home/bentoml/bento/src/a b", True),
        ("# src is not used", False),
        ("    # nor BENTO_PATH", False),
        ("curl -o src.tgz https://example.org/src/x", False),
        ("cp a /usr/src/b", False),
        ("cp a $HOME/src/b ~/src/c", False),
        ("tar x src-1.0 deb-src my_src ../src", False),
    ],
)
def test_a_setup_script_that_mentions_the_sources_runs_after_them(line: str, late: bool, tmp_path: Path) -> None:
    made = make(tmp_path, docker__setup_script="s", files={"s": f"#!/bin/sh\n{line}\n".encode()})
    text = made[DOCKERFILE]
    assert (text.index("# Setup script") > text.index("# Sources")) == late
    assert [hint for _, _, hint in made.said] == late * [
        "If it does not read them, give what it calls src another name; then it runs before, and seldom."
    ]


def test_what_will_surprise_is_a_warning(tmp_path: Path) -> None:
    def warned(**given: Any) -> str:
        return "\n".join(make(tmp_path, **given).warnings)

    def script(text: bytes) -> dict[str, Any]:
        return {"docker__setup_script": "s", "files": {"s": text}}

    assert warned(**CASES["packages-env-script"]) == ""
    assert "no shebang" in warned(**script(b"echo hi\n"))
    assert "runs after the sources" in warned(**script(b'#!/bin/sh\ncd "$BENTO_PATH"\n'))
    assert warned(**script(b"#!/bin/sh\ncp a /usr/src/b\ntar x src-1.0\n")) == ""
    assert "A $NAME in the value of A" in warned(docker__env={"A": "${HOME}/x"})
    assert warned(docker__env={"A": "pa$word", "PATH": "/x:${PATH}"}) == ""


@pytest.mark.parametrize("option", ["index_url", "extra_index_url", "find_links", "pip_args"])
def test_a_credential_of_an_index_is_refused_and_not_repeated(option: str, tmp_path: Path) -> None:
    url = "https://me:hunter2@pypi.example.com/simple"
    value = {"pip_args": f"--proxy={url}", "index_url": url}.get(option, [url])
    with pytest.raises(BentofileError) as caught:
        make(tmp_path, "runner", **{f"python__{option}": value})
    assert "hunter2" not in f"{caught.value.message}{caught.value.hint}{caught.value.detail}"
    assert caught.value.place == f"bentofile.yaml:python.{option}"


def test_the_setup_script_of_a_base_image_runs_first_only_where_it_has_to_bring_python(tmp_path: Path) -> None:
    script = {"docker__setup_script": "s", "files": {"s": b"#!/bin/sh\napt-get install -y python3-pip\n"}}
    text = make(tmp_path, docker__base_image="debian:12", **script)[DOCKERFILE]
    order = [
        "python3 -m pip --version",
        "setup_script.ran; }",
        "COPY --chown=bentoml:bentoml env/python",
        "pip install",
    ]
    order += ["{ rm ./env/docker/setup_script.ran 2>/dev/null || ./env/docker/setup_script; }", "COPY --from=bento"]
    places = [text.index(words) for words in order]
    assert places == sorted(places)
    for options in ({}, {"docker__base_image": "debian:12", "files": {"s": b"#!/bin/sh\nls src\n"}}):
        made = make(tmp_path, **{**script, **options})  # it wants the sources, which come last
        assert "setup_script.ran" not in made[DOCKERFILE] and made[DOCKERFILE].count("setup_script &&") == 1


IN_CODE = {"docker__base_image": "ubuntu:24.04", "in_code": {"python_version": "3.11"}}


@pytest.mark.parametrize("options", [{"docker__cuda_version": "12"}, IN_CODE], ids=["cuda", "base-image"])
def test_uv_and_its_seeds_are_from_the_index_of_the_bento(options: dict[str, Any], tmp_path: Path) -> None:
    plain = make(tmp_path, **options)[BUILDKIT]
    assert "pip install uv" in plain and "uv venv --no-cache --seed --python 3.11 /opt/venv" in plain
    index = {"python__index_url": "https://me:${TOKEN}@x.org/simple", "python__trusted_host": ["x.org"]}
    made = make(tmp_path, **options, **index)
    words = "--index-url 'https://me:'\"${TOKEN}\"'@x.org/simple' --trusted-host x.org"
    for path in (DOCKERFILE, BUILDKIT):
        end = made[path].index(f"uv venv --no-cache --seed {words} --python 3.11 /opt/venv")
        run = made[path][made[path].rindex("\nRUN ", 0, end) : end]
        assert f"python3 -m pip install {words} uv" in run
        assert "--mount=type=secret,id=TOKEN,required=true" in run and "TOKEN=$(cat /run/secrets/TOKEN)" in run
        assert ("target=/root/.netrc" in run) == (path == BUILDKIT)
