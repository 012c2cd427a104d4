"""The dockerfile rule: what it writes, what it refuses, and that shells and image engines read it as it was meant."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bentomake.engine.digest import of_bytes
from bentomake.engine.fact import ABSENT, Fact
from bentomake.engine.rule import check_outputs
from bentomake.engine.tree import EXECUTABLE, Entry
from bentomake.errors import BentofileError
from bentomake.rules.dockerfile import dockerfile, env_value, shell_word

GOLDEN = Path(__file__).with_name("golden")
DOCKERFILE, ENTRYPOINT = "env/docker/Dockerfile", "env/docker/entrypoint.sh"
SETUP, INSTALL, VERSION = "env/docker/setup_script", "env/python/install.sh", "env/python/version.txt"


class Made(dict[str, str]):
    """The texts that a recipe made, by path; `modes` of those that are not plain; `warnings` as (message, place)."""

    modes: dict[str, int]
    warnings: list[str]
    asked: list[tuple[str, str]]


def make(tmp_path: Path, generation: str = "class", files: dict[str, bytes] | None = None, **params: Any) -> Made:
    """Run the recipe with a context that holds to the declaration."""
    files = files or {}
    made = Made()
    made.modes, made.warnings, made.asked = {}, [], []
    oracles = {"generation": generation, "python.version": "3.11", "bentoml.version": "1.1.11"}
    values = {name.replace("__", "."): value for name, value in params.items()}
    assert set(values) <= set(dockerfile.params)

    def param(name: str) -> Any:
        assert name in dockerfile.params
        return values.get(name)

    def discover(kind: str, name: str) -> Fact:
        made.asked.append((kind, name))
        data = files.get(name.removeprefix("ctx/"))
        return ABSENT if data is None else Fact(str(of_bytes(data)))

    def put_file(path: str, mode: int = 0o644) -> Entry:
        data = Path(path).read_bytes()
        entry = Entry(of_bytes(data), mode)
        texts[entry] = data.decode()
        return entry

    def template(name: str) -> str:
        assert name in dockerfile.templates
        return (Path(dockerfile.file).parent / name).read_text()

    texts: dict[Entry, str] = {}
    workdir = tmp_path / "workdir"
    workdir.mkdir(exist_ok=True)
    context = SimpleNamespace(
        workdir=str(workdir),
        param=param,
        place=lambda name: f"bentofile.yaml:{sorted(dockerfile.params).index(name) + 1}",
        oracle=lambda name: oracles[name],
        template=template,
        discover=discover,
        host=lambda name: {"read": lambda path: files[path.removeprefix("ctx/")]}[name],
        put_file=put_file,
        warn=lambda message, *, place=None, hint=None: made.warnings.append(message),
    )
    tree = dockerfile.recipe(context)  # type: ignore[arg-type]
    check_outputs(dockerfile, tree)  # type: ignore[arg-type]
    for path, value in tree.items():
        if isinstance(value, Entry):
            made[path], made.modes[path] = texts[value], value.mode
        else:
            assert isinstance(value, str)
            made[path] = value
    return made


ENV = {"GREETING": 'two words, a "quote"', "COST": r"$5 \ C:\temp", "URL": "https://x.org/?a=b&c#d", "PATH": "/x:$PATH"}
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "packages-env-script": {
        "docker__system_packages": ["git", "libgomp1=12.*"],
        "docker__env": ENV,
        "docker__setup_script": "./scripts/setup.sh",
        "docker__python_version": "3.10",
        "files": {"scripts/setup.sh": b"#!/bin/bash\nset -euxo pipefail\npython -m nltk.downloader all\n"},
    },
    "base-image": {"docker__base_image": "registry.example.com/team/python:3.11", "docker__env": ["A=b c"]},
    "index": {
        "python__index_url": "https://reader:${INDEX_TOKEN}@pypi.example.com/simple",
        "python__extra_index_url": ["https://one.example.com/simple", "https://two.example.com/simple"],
        "python__find_links": "https://example.com/wheels/",
        "python__trusted_host": ["pypi.example.com"],
        "python__pip_args": "--pre --timeout '100'",
    },
    "late-script": {
        "docker__setup_script": "setup.py",
        "files": {"setup.py": b"#!/usr/bin/env python\nimport runpy\nrunpy.run_path('src/warm_up.py')\n"},
    },
}


@pytest.mark.parametrize("generation", ["runner", "class"])
@pytest.mark.parametrize("case", CASES)
def test_the_dockerfile_is_the_golden_one(case: str, generation: str, tmp_path: Path) -> None:
    golden = GOLDEN / f"{case}.{generation}.Dockerfile"
    made = make(tmp_path, generation, **CASES[case])[DOCKERFILE]
    if os.environ.get("BENTOMAKE_TEST_WRITE_GOLDEN"):
        golden.write_text(made)
    assert made == golden.read_text()


def test_what_each_generation_gets(tmp_path: Path) -> None:
    script = {"docker__setup_script": "s", "files": {"s": b"#!/bin/sh\n"}}
    assert set(make(tmp_path, "class")) == {DOCKERFILE, ENTRYPOINT}
    assert set(make(tmp_path, "class", **script)) == {DOCKERFILE, ENTRYPOINT, SETUP}
    runner = make(tmp_path, "runner", **script)
    assert set(runner) == {DOCKERFILE, ENTRYPOINT, SETUP, INSTALL, VERSION}
    assert runner.modes == dict.fromkeys((ENTRYPOINT, SETUP, INSTALL), EXECUTABLE)
    assert runner.asked == [("file", "ctx/s")], "another version of the script is another key"


def test_version_txt_is_the_python_of_the_lock(tmp_path: Path) -> None:
    assert make(tmp_path, "runner")[VERSION] == "3.11"
    assert make(tmp_path, "runner", docker__python_version="3.9.7")[VERSION] == "3.9"


def test_no_comment_stands_before_a_syntax_line_and_no_buildkit_is_needed(tmp_path: Path) -> None:
    for case in CASES.values():
        text = make(tmp_path, **case)[DOCKERFILE]
        assert "syntax" not in text.lower()
        assert "--mount" not in text and "<<" not in text


@pytest.mark.parametrize("generation", ["runner", "class"])
def test_layers_stand_in_the_order_in_which_things_change(generation: str, tmp_path: Path) -> None:
    text = make(tmp_path, generation, **CASES["packages-env-script"])[DOCKERFILE]
    final = text[text.index("FROM python") :]
    order = ["apt-get install", "useradd", "ENV GREETING", "COPY --chown=bentoml:bentoml env/python"]
    order += ["setup_script &&", "model[s]", "COPY --from=bento", "USER bentoml", "ENTRYPOINT"]
    places = [final.index(word) for word in order]
    assert places == sorted(places)
    copied = [line.split()[-2] for line in final.splitlines() if line.startswith("COPY")]
    assert copied[-1] == "/bento/" and "src" not in " ".join(copied[:-1]), "sources are one layer, the last"


def test_a_user_template_extends_the_blocks_and_sets_the_user(tmp_path: Path) -> None:
    """The room for docker.dockerfile_template: the blocks and variables that BentoML's documents promise."""
    from jinja2 import ChoiceLoader, DictLoader, Environment, FileSystemLoader, StrictUndefined

    blocks = ["BASE_IMAGE", "USER", "ENVARS", "COMPONENTS", "ENTRYPOINT"]
    mine = '{% extends "base.j2" %}{% set bento__user = "kim" %}{% set bento__uid_gid = 1500 %}'
    for name in blocks:
        mine += f"{{% block SETUP_BENTO_{name} %}}\n{{{{ super() }}}}\n# after {name} of {{{{ bento__path }}}}\n{{% endblock %}}\n"
    loader = ChoiceLoader([DictLoader({"mine": mine}), FileSystemLoader(str(Path(dockerfile.file).parent))])
    jinja = Environment(loader=loader, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    jinja.filters.update(env_value=env_value, shell_word=shell_word)
    options = {"python_version": "3.11", "system_packages": [], "env": {}, "setup_script": None, "pip_words": []}
    text = jinja.get_template("mine").render(options=options, generation="class", bento__distro="debian")
    after = [line for line in text.splitlines() if line.startswith("# after")]
    assert after == [f"# after {name} of /home/kim/bento" for name in blocks]
    assert "\nUSER kim\n" in text and "--uid 1500" in text and "bentoml:" not in text
    assert 'ENTRYPOINT ["/home/kim/bento/env/docker/entrypoint.sh"]' in text


def test_env_is_a_mapping_a_list_or_a_file(tmp_path: Path) -> None:
    def env(**given: Any) -> list[str]:
        text = make(tmp_path, **given)[DOCKERFILE]
        return [line for line in text.splitlines() if line.startswith("ENV ") and "BENTO" not in line][1:]

    assert env(docker__env={"A": 1, "B": True, "C": None}) == ['ENV A="1"', 'ENV B="True"', 'ENV C=""']
    assert env(docker__env=["A=x=y", "B=https://x.org:80/a b"]) == ['ENV A="x=y"', 'ENV B="https://x.org:80/a b"']
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
        ({"docker__env": ["A"]}, "docker.env has 'A', which is not NAME=VALUE.", "env"),
        ({"docker__env": {"A": "one\ntwo"}}, "A value of docker.env has a line break", "env"),
        ({"docker__env": {"A B": "x"}}, "'A B' cannot name an environment variable.", "env"),
        ({"docker__base_image": "x AS y"}, "docker.base_image is not one word: x AS y.", "base_image"),
    ],
)
def test_a_mistake_is_named_with_its_place(given: dict[str, Any], message: str, place: str, tmp_path: Path) -> None:
    with pytest.raises(BentofileError) as caught:
        make(tmp_path, **given)
    assert message in caught.value.message
    assert caught.value.place == f"bentofile.yaml:{sorted(dockerfile.params).index(f'docker.{place}') + 1}"


def test_the_place_of_a_bad_line_in_an_env_file_is_that_line(tmp_path: Path) -> None:
    with pytest.raises(BentofileError) as caught:
        make(tmp_path, docker__env="prod.env", files={"prod.env": b"A=b\noops\n"})
    assert caught.value.place == "prod.env:2"


def test_what_will_surprise_is_a_warning(tmp_path: Path) -> None:
    def warned(**given: Any) -> str:
        return "\n".join(make(tmp_path, **given).warnings)

    def script(text: bytes) -> dict[str, Any]:
        return {"docker__setup_script": "s", "files": {"s": text}}

    assert warned(**CASES["packages-env-script"]) == ""
    assert "no shebang" in warned(**script(b"echo hi\n"))
    assert "Windows line ends" in warned(**script(b"#!/bin/sh\r\necho hi\r\n"))
    assert "runs after the sources" in warned(**script(b'#!/bin/sh\ncd "$BENTO_PATH"\n'))
    assert warned(**script(b"#!/bin/sh\ncp a /usr/src/b\ntar x src-1.0\n")) == ""
    assert "A $NAME in the value of A" in warned(docker__env={"A": "${HOME}/x"})
    assert warned(docker__env={"A": "pa$word", "PATH": "/x:${PATH}"}) == ""
    assert "are not installed" in warned(docker__base_image="x", docker__system_packages=["git"])
    assert "docker.distro is recorded" in warned(docker__distro="alpine")
    assert "docker.cuda_version is recorded" in warned(docker__cuda_version="12.1.1")


@pytest.mark.parametrize("generation", ["runner", "class"])
def test_no_credential_of_an_index_is_written(generation: str, tmp_path: Path) -> None:
    made = make(
        tmp_path,
        generation,
        python__index_url="https://me:hunter2@pypi.example.com/simple",
        python__extra_index_url=["https://ghp_secret@two.example.com/simple", "https://${A}:${B}@three.example.com/s"],
        python__pip_args="--proxy=http://u:hunter3@proxy.example.com:80",
    )
    everything = "\n".join([*made.values(), *made.warnings])
    assert not any(secret in everything for secret in ("hunter", "ghp_secret"))
    assert len(made.warnings) == 3
    assert "https://pypi.example.com/simple" in everything and "--proxy=http://proxy.example.com:80" in everything
    assert '"https://${A}:${B}@three.example.com/s"' in everything, "a shell, not a file, knows what these are"


# Shells


def programs(tmp_path: Path, **scripts: str) -> dict[str, str]:
    """An environment whose PATH holds these scripts, and the shells."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for name, text in scripts.items():
        path = directory / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
    return {"PATH": f"{directory}:/usr/bin:/bin"}


def written(tmp_path: Path, made: Made, path: str) -> Path:
    file = tmp_path / "bento" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(made[path])
    file.chmod(made.modes.get(path, 0o644))
    return file


SHELLS = ["sh", "bash"]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_scripts_have_no_syntax_error(shell: str, tmp_path: Path) -> None:
    for case in CASES.values():
        made = make(tmp_path, "runner", **case)
        for path in (ENTRYPOINT, INSTALL):
            done = subprocess.run([shell, "-n", str(written(tmp_path, made, path))], capture_output=True, text=True)
            assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("arguments", "env", "runs"),
    [
        ([], {}, "bentoml serve {bento}"),
        (["--port", "80"], {}, "bentoml serve --port 80 {bento}"),
        (["serve", "--reload"], {}, "bentoml serve --reload {bento}"),
        (["serve-http"], {}, "bentoml serve-http {bento}"),
        (["serve-grpc", "-p", "1"], {}, "bentoml serve-grpc -p 1 {bento}"),
        ([], {"BENTO_PATH": "/else where"}, "bentoml serve /else where"),
        ([], {"PORT": "8080"}, "bentoml serve {bento} port=8080"),
        ([], {"PORT": "8080", "BENTOML_PORT": "1"}, "bentoml serve {bento} port=8080"),
        ([], {"PORT": ""}, "bentoml serve {bento}"),
        (["start-http-server", "-p", "1"], {}, "bentoml start-http-server -p 1 {bento}"),
        (["start-runner-server"], {"NEW": "1"}, "python3 -m bentoml_cli._internal.start start-runner-server {bento}"),
        ([], {"BENTOML_SERVE_COMPONENT": "http_server"}, "bentoml start-http-server {bento}"),
        (["--a", "b"], {"BENTOML_SERVE_COMPONENT": "grpc_server"}, "bentoml start-grpc-server --a b {bento}"),
        ([], {"BENTOML_SERVE_COMPONENT": "runner"}, "bentoml start-runner-server {bento}"),
        (["serve"], {"BENTOML_SERVE_COMPONENT": "runner"}, "bentoml serve {bento}"),
        (["echo", "two  words", "$HOME"], {}, "two  words $HOME"),
        (["sh", "-c", "echo $BENTO_PATH"], {}, "{bento}"),
    ],
)
def test_the_entrypoint_starts(
    shell: str, arguments: list[str], env: dict[str, str], runs: str, tmp_path: Path
) -> None:
    entrypoint = written(tmp_path, make(tmp_path), ENTRYPOINT)
    python3 = '[ "$1" != -c ] || exit ${NEW:+0} ${NEW:-1}; echo "python3 $*"'
    stubs = programs(tmp_path, bentoml='echo "bentoml $*${BENTOML_PORT:+ port=$BENTOML_PORT}"', python3=python3)
    done = subprocess.run([shell, str(entrypoint), *arguments], env={**stubs, **env}, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == (runs.format(bento=tmp_path / "bento"), "")


def test_the_entrypoint_refuses_an_unknown_component(tmp_path: Path) -> None:
    entrypoint = written(tmp_path, make(tmp_path), ENTRYPOINT)
    env = {**programs(tmp_path, bentoml="exit 0"), "BENTOML_SERVE_COMPONENT": "web"}
    done = subprocess.run([str(entrypoint)], env=env, capture_output=True, text=True)
    assert done.returncode == 2 and "'web'; it can be http_server, grpc_server or runner" in done.stderr


PIP = "-m pip install --no-warn-script-location"


@pytest.mark.parametrize(
    ("files", "env", "runs"),
    [
        (["requirements.lock.txt", "requirements.txt"], {"HAS": "1.1.11"}, [f"{PIP} -r {{}}/requirements.lock.txt"]),
        (["requirements.txt"], {"HAS": "1.1.11"}, [f"{PIP} -r {{}}/requirements.txt"]),
        (["wheels/a b.whl"], {"HAS": "1.1.11"}, [f"{PIP} {{}}/wheels/a b.whl"]),
        ([], {}, [f"{PIP} bentoml==1.1.11 setuptools<81 click<8.3"]),
        ([], {"BENTOML_VERSION": "1.0.25"}, [f"{PIP} bentoml==1.0.25 setuptools<81 click<8.3"]),
        ([], {"HAS": "1.0.0"}, []),
    ],
)
def test_install_sh_installs_as_bentoml_containerize_calls_it(
    files: list[str], env: dict[str, str], runs: list[str], tmp_path: Path
) -> None:
    install = written(tmp_path, make(tmp_path, "runner"), INSTALL)
    for name in files:
        (install.parent / name).parent.mkdir(exist_ok=True)
        (install.parent / name).touch()
    python3 = f'[ "$1" = -c ] || {{ echo "$*" >>{tmp_path}/ran; exit 0; }}; [ -n "$HAS" ] && echo "$HAS"'
    call = ["bash", "-euxo", "pipefail", str(install)]
    done = subprocess.run(call, env={**programs(tmp_path, python3=python3), **env}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    ran = (tmp_path / "ran").read_text().splitlines() if (tmp_path / "ran").exists() else []
    assert ran == [line.format(install.parent) for line in runs]
    assert ("bentoml 1.0.0 is installed, not 1.1.11" in done.stderr) == (env.get("HAS") == "1.0.0")


def test_install_sh_takes_credentials_from_the_environment_and_does_not_show_them(tmp_path: Path) -> None:
    install = written(tmp_path, make(tmp_path, "runner", **CASES["index"]), INSTALL)
    (install.parent / "requirements.txt").touch()
    python3 = f'[ "$1" = -c ] && echo 1.1.11 || for word; do echo "$word"; done >>{tmp_path}/words'
    env = {**programs(tmp_path, python3=python3), "INDEX_TOKEN": "s3cr3t"}
    done = subprocess.run(["bash", "-euxo", "pipefail", str(install)], env=env, capture_output=True, text=True)
    words = (tmp_path / "words").read_text().splitlines()
    assert words[4:6] == ["--index-url", "https://reader:s3cr3t@pypi.example.com/simple"]
    assert words[-5:-2] == ["--pre", "--timeout", "100"]
    assert "s3cr3t" not in done.stdout + done.stderr
    del env["INDEX_TOKEN"]
    done = subprocess.run([str(install)], env=env, capture_output=True, text=True)
    assert done.returncode != 0 and "INDEX_TOKEN" in done.stderr


@pytest.mark.parametrize("word", ["plain", "two words", "it's", 'a"b', "$HOME", "a\\b", "`x`", "1.*", "<81", ""])
def test_a_shell_reads_a_word_as_it_was(word: str) -> None:
    for prefix in ("", "${V}"):
        call = ["sh", "-c", f"printf %s {shell_word(prefix + word)}"]
        assert (
            subprocess.run(call, env={"V": "v w"}, capture_output=True, text=True).stdout
            == ("v w" * bool(prefix)) + word
        )


# Real engines

ENGINE = os.environ.get("BENTOMAKE_TEST_ENGINE", "")
AWKWARD = {
    **ENV,
    "SINGLE": "it's",
    "TRAIL": "ends with \\",
    "BRACE": "${NOT_SET}x",
    "HASH": "# no comment",
    "EMPTY": "",
}


class Docker:
    def __init__(self, buildkit: bool):
        self.env = {**os.environ, "DOCKER_BUILDKIT": str(int(buildkit))}

    def call(self, *words: str) -> str:
        done = subprocess.run(["docker", *words], env=self.env, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def build(self, bento: Path, tag: str) -> tuple[list[str], dict[str, Any]]:
        """Build; the digests of the layers, and the image's configuration."""
        self.call("build", "-t", tag, "-f", str(bento / DOCKERFILE), str(bento))
        image = json.loads(self.call("image", "inspect", tag))[0]
        return image["RootFS"]["Layers"], image["Config"]

    def run(self, tag: str, *words: str) -> str:
        return self.call("run", "--rm", tag, *words)

    def remove(self, tag: str) -> None:
        self.call("image", "rm", "-f", tag)


class Buildah(Docker):
    def call(self, *words: str) -> str:
        done = subprocess.run(["buildah", *words], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def build(self, bento: Path, tag: str) -> tuple[list[str], dict[str, Any]]:
        self.call("build", "--layers", "-t", tag, "-f", str(bento / DOCKERFILE), str(bento))
        image = json.loads(self.call("inspect", "--type", "image", tag))["OCIv1"]
        return image["rootfs"]["diff_ids"], image["config"]

    def run(self, tag: str, *words: str) -> str:
        container = self.call("from", tag).strip()
        entrypoint = "/home/bentoml/bento/env/docker/entrypoint.sh"
        try:
            return self.call("run", container, "--", entrypoint, *words)
        finally:
            self.call("rm", container)

    def remove(self, tag: str) -> None:
        self.call("rmi", "-f", tag)


ENGINES = {"docker": [Docker(True), Docker(False)], "buildah": [Buildah(False)]}.get(ENGINE, [])


def wheel_of_a_stub_bentoml(directory: Path) -> None:
    """A wheel whose console script `bentoml` prints its arguments."""
    directory.mkdir(parents=True)
    info = "bentoml-1.1.11.dist-info"
    with zipfile.ZipFile(directory / "bentoml-1.1.11-py3-none-any.whl", "w") as wheel:
        wheel.writestr(
            "bentoml.py", "import sys\n__version__ = '1.1.11'\ndef main(): print('bentoml', *sys.argv[1:])\n"
        )
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: bentoml\nVersion: 1.1.11\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/entry_points.txt", "[console_scripts]\nbentoml = bentoml:main\n")
        wheel.writestr(f"{info}/RECORD", "")


def bento_of(tmp_path: Path, generation: str, models: bool) -> Path:
    """A tiny Bento: one requirement, a setup script, awkward values in env."""
    script = (
        b"#!/usr/bin/env python3\nimport idna, os\nopen('/opt/setup', 'w').write(f'{idna.__name__} {os.getuid()}')\n"
    )
    made = make(
        tmp_path,
        generation,
        docker__env=AWKWARD,
        docker__setup_script="s",
        docker__python_version="3.11",
        files={"s": script},
    )
    for path in made:
        written(tmp_path, made, path)
    bento = tmp_path / "bento"
    (bento / "env/python").mkdir(exist_ok=True)
    lock = "requirements.lock.txt" if generation == "runner" else "requirements.txt"
    (bento / "env/python" / lock).write_text("idna==3.6\n")
    if generation == "runner":
        wheel_of_a_stub_bentoml(bento / "env/python/wheels")
    tree = {"bento.yaml": "version: one\n", "README.md": "# x\n", "apis/openapi.yaml": "{}\n", "src/x.py": "1\n"}
    if models:
        tree |= {"models/clf/latest": "v1", "models/clf/v1/model.yaml": "name: clf\n"}
    for path, text in {**tree, "src/pkg/y.py": "2\n"}.items():
        (bento / path).parent.mkdir(parents=True, exist_ok=True)
        (bento / path).write_text(text)
    return bento


@pytest.mark.engine
@pytest.mark.skipif(not ENGINES, reason="BENTOMAKE_TEST_ENGINE is neither docker nor buildah")
@pytest.mark.parametrize("models", [True, False], ids=["models", "no-models"])
@pytest.mark.parametrize("generation", ["runner", "class"])
def test_a_real_engine_builds_it_and_an_edit_costs_one_layer(generation: str, models: bool, tmp_path: Path) -> None:
    bento = bento_of(tmp_path, generation, models)
    for number, engine in enumerate(ENGINES):
        tag = f"bentomake-test-{os.getpid()}-{generation}-{number}"
        try:
            layers, config = engine.build(bento, tag)
            assert (config["User"], config["WorkingDir"]) == ("bentoml", "/home/bentoml/bento")
            assert engine.run(tag, "id", "-un").strip() == "bentoml"
            assert engine.run(tag, "cat", "/opt/setup") == "idna 0", "with the requirements, as root"
            look = "import os, json; print(json.dumps(dict(os.environ)))"
            env = json.loads(engine.run(tag, "python3", "-c", look))
            path = env.pop("PATH")
            assert path.startswith("/x:/") and "$" not in path
            literal = {name: value for name, value in AWKWARD.items() if name != "PATH"}
            assert {name: env.get(name) for name in literal} == literal
            files = engine.run(tag, "sh", "-c", "find . -type f ! -path './env/python/*' ! -user root | sort").split()
            expected = ["./README.md", "./apis/openapi.yaml", "./bento.yaml", "./env/docker/entrypoint.sh"]
            expected += ["./env/docker/setup_script", "./src/pkg/y.py", "./src/x.py"]
            expected += ["./models/clf/latest", "./models/clf/v1/model.yaml"] * models
            assert files == sorted(expected)
            if generation == "runner":
                assert engine.run(tag).strip() == "bentoml serve /home/bentoml/bento"
                assert engine.run(tag, "--port", "1").strip() == "bentoml serve --port 1 /home/bentoml/bento"

            (bento / "src/x.py").write_text(f"3 + {number}\n")
            (bento / "bento.yaml").write_text(f"version: two{number}\n")
            again, _ = engine.build(bento, tag)
            assert again[:-1] == layers[:-1] and again[-1] != layers[-1] and len(again) == len(layers)
            assert engine.run(tag, "cat", "src/x.py").strip() == f"3 + {number}"
        finally:
            engine.remove(tag)
