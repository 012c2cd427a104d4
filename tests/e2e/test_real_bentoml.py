"""Real bentoml of both generations takes what bentomake built: lists, gets, exports, serves, containerizes it."""

from __future__ import annotations

import json
import shutil
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import ALL, Project, World, command, end, hand_over, start, wait_for, world_of_a_user

pytestmark = pytest.mark.real

# One flower of each kind: sepal length and width, petal length and width in cm.
FLOWERS = [[5.1, 3.5, 1.4, 0.2], [5.9, 3.0, 4.2, 1.5], [5.9, 3.0, 5.1, 1.8]]


@dataclass(frozen=True)
class Example:
    name: str
    python: str
    trained: Path  # a BENTOML_HOME with the example's model
    body: Any  # what is POSTed to /classify

    def place(self, world: World) -> Project:
        """A copy of the example in a world whose model store has its model."""
        shutil.copytree(self.trained, world.home, dirs_exist_ok=True)
        return world.example(self.name)


@pytest.fixture(scope="module", params=["iris-runner", "iris"])
def example(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Example:
    runner = request.param == "iris-runner"
    python = request.getfixturevalue("bentoml11" if runner else "bentoml14")
    world = World(tmp_path_factory.mktemp("training"), python)
    project = world.example(request.param)
    command([python, "train.py"], project.directory, world.env).good()
    return Example(request.param, python, world.home, FLOWERS if runner else {"x": FLOWERS})


@pytest.fixture(scope="module")
def built(example: Example, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The example, built once; for tests that change nothing."""
    project = example.place(World(tmp_path_factory.mktemp("built"), example.python))
    project.make().good()
    return project


@pytest.fixture
def own(example: Example, built: Project, tmp_path: Path) -> Project:
    """The example with its built Bento, for a test that changes things: everything but the directory names is there."""
    world = World(tmp_path, example.python)
    for name in ("cache", "bentoml"):
        shutil.copytree(built.world.directory / name, tmp_path / name, dirs_exist_ok=True, symlinks=True)
    return world.example(example.name)


def test_an_example_is_built_and_the_second_time_nothing_runs(example: Example, tmp_path: Path) -> None:
    project = example.place(World(tmp_path, example.python))
    first = project.make().good()
    assert first.ran == ALL and first.json["bentos"][0]["state"] == "new"
    (model,) = (first.path / "models" / "iris_clf").glob("*/model.yaml")
    kept = project.world.home / "models" / "iris_clf" / model.parent.name / "model.yaml"
    assert model.samefile(kept), "a link: the model is there once"
    second = project.make().good()
    assert second.json["summary"]["ran"] == 0 and second.tag == first.tag
    assert project.world.bentos() == [first.tag]


def test_real_list_and_get_know_it(built: Project) -> None:
    run = built.make().good()
    listed = json.loads(built.world.bentoml("list", "-o", "json").good().stdout)
    assert [row["tag"] for row in listed] == [run.tag]
    wide = {"COLUMNS": "400"}  # the real one breaks the line of a long path
    for tag in (run.tag, "iris_classifier", "iris_classifier:latest", run.tag[:-8]):
        got = built.world.bentoml("get", tag, "-o", "path", env=wide).good()
        assert got.stdout.strip() == str(run.path)


def test_real_get_shows_what_ours_shows(built: Project) -> None:
    tag = built.make().tag
    ours = yaml.safe_load(built.run("get", tag, "-o", "yaml").good().stdout)
    theirs = yaml.safe_load(built.world.bentoml("get", tag, "-o", "yaml", env={"COLUMNS": "4000"}).good().stdout)
    for name in ("service", "name", "version", "creation_time", "labels"):
        assert theirs[name] == ours[name], name


def test_an_exported_bento_is_imported_elsewhere_and_served(example: Example, own: Project, tmp_path: Path) -> None:
    tag = own.make().good().tag
    archive = tmp_path / "iris.tar"
    own.world.bentoml("export", tag, str(archive)).good()

    other = World(tmp_path / "other", example.python)
    other.bentoml("import", str(archive)).good()
    assert other.bentos() == [tag]
    assert post(other, tag, "classify", example.body) == [0, 1, 2]


def test_models_that_a_real_export_removed_are_restored(own: Project, tmp_path: Path) -> None:
    run = own.make().good()
    assert list((run.path / "models" / "iris_clf").glob("*/model.yaml"))
    own.world.bentoml("export", run.tag, str(tmp_path / "iris.tar")).good()
    assert not (run.path / "models").exists(), "this bentoml leaves models/ alone: the test shows nothing"

    again = own.make().good()
    assert again.tag == run.tag and again.ran == set()
    assert again.json["bentos"][0]["state"] == "restored" and again.states["bento"] == "restored"
    assert list((run.path / "models" / "iris_clf").glob("*/model.yaml"))
    assert f"restored 1 of {run.tag}: models/iris_clf/" in again.stderr


def test_a_served_bento_names_the_flowers(example: Example, built: Project) -> None:
    assert post(built.world, built.make().good().tag, "classify", example.body) == [0, 1, 2]


def test_api_descriptions_are_those_of_a_real_build(example: Example, own: Project) -> None:
    run = own.make().good()
    real = real_build(own)
    names = ["apis/openapi.yaml"] + (["apis/schema.json"] if example.name == "iris" else [])
    assert sorted(f"apis/{path.name}" for path in (real / "apis").iterdir()) == names
    for name in names:
        assert (run.path / name).read_bytes() == (real / name).read_bytes(), name


def test_bento_yaml_is_that_of_a_real_build(example: Example, own: Project) -> None:
    run = own.make().good()
    real = real_build(own)
    ours, theirs = ((path / "bento.yaml").read_text() for path in (run.path, real))
    mine, its = yaml.safe_load(ours), yaml.safe_load(theirs)
    assert mine.pop("content_digest").startswith("sha256:")
    assert mine["version"] != its["version"] and mine["creation_time"] != its["creation_time"]
    for name in ("version", "creation_time"):
        del mine[name], its[name]
    if example.name == "iris":
        # Ours lists the models at the top level too, and writes a lock without the indented index of this machine.
        (model,) = mine.pop("models")
        assert its.pop("models") == [] and model["tag"] == mine["services"][0]["models"][0]["tag"]
        lock, its_lock = mine["image"].pop("python_requirements"), its["image"].pop("python_requirements")
        assert lock == (run.path / "env/python/requirements.txt").read_text()
        assert pins(lock) == pins(its_lock)
    assert mine == its
    assert list(mine) == list(its)


def pins(text: str) -> set[str]:
    """The NAME==VERSION of a lock."""
    return {line.strip() for line in text.splitlines() if "==" in line}


def real_build(project: Project) -> Path:
    """The directory of the Bento that real bentoml builds from this project."""
    before = set(project.world.bentos())
    project.world.bentoml("build", cwd=project.directory).good()
    (tag,) = set(project.world.bentos()) - before
    name, _, version = tag.partition(":")
    return project.world.home / "bentos" / name / version


# An engine that says which version it is and writes down what it is asked; no image is made.
ENGINE = """\
#!/bin/sh
case "$1 $2" in
  "version "*) echo '"25.0.0"'; exit 0 ;;
  "buildx --help"*) echo "--builder string"; exit 0 ;;
  "buildx version"*) echo "github.com/docker/buildx v0.12.0"; exit 0 ;;
esac
for last; do :; done
printf '%s\\n' "$@" > "$RECORD/argv"
id -u > "$RECORD/uid"
(cd "$last" && find . -type f | sort) > "$RECORD/context"
"""


@pytest.fixture
def someone(example: Example) -> Iterator[Project]:
    """The example in the hands of a user who is not root."""
    with world_of_a_user(example.python) as world:
        project = example.place(world)
        programs = world.directory / "programs"
        programs.mkdir()
        for name in ("docker", "podman", "buildah", "nerdctl"):
            (programs / name).write_text(ENGINE)
            (programs / name).chmod(0o755)
        (world.directory / "record").mkdir()
        world.env |= {"PATH": f"{programs}:{world.env['PATH']}", "RECORD": str(world.directory / "record")}
        hand_over(world)
        yield project


def test_containerize_gets_as_far_as_the_engine_for_a_user_who_is_not_root(example: Example, someone: Project) -> None:
    run = someone.make().good()
    someone.world.bentoml("containerize", run.tag, "--backend", "docker").good()
    record = someone.world.directory / "record"
    argv = (record / "argv").read_text().splitlines()
    assert argv[0] == "build" and run.tag in argv
    assert (record / "uid").read_text().strip() != "0"
    context = set((record / "context").read_text().splitlines())
    assert {"./bento.yaml", "./src/service.py", "./env/docker/Dockerfile", "./env/docker/entrypoint.sh"} <= context
    lock = "requirements.lock.txt" if example.name == "iris-runner" else "requirements.txt"
    assert f"./env/python/{lock}" in context
    assert any(path.startswith("./models/iris_clf/") and path.endswith("model.yaml") for path in context)


TWO_SERVICES = {
    "service.py": """\
import bentoml


@bentoml.service
class Words:
    def __init__(self) -> None:
        self.known = open(bentoml.models.get("lexicon").path_of("words.txt")).read().split()

    @bentoml.api
    def knows(self, word: str) -> bool:
        return word in self.known


@bentoml.service(name="front")
class Front:
    words = bentoml.depends(Words)

    @bentoml.api
    def ask(self, word: str) -> str:
        return "known" if self.words.knows(word=word) else "unknown"


WORDS = bentoml.models.get("word_list")  # here the model has its own name only, in a real build too
""",
    "bentofile.yaml": """\
service: "service:Front"
include: ["*.py"]
models:
  - tag: "word_list:latest"
    alias: lexicon
python:
  lock_packages: false
""",
}
SAVE_WORDS = """\
import bentoml
with bentoml.models.create("word_list") as model:
    open(model.path_of("words.txt"), "w").write("bento make")
"""


def test_services_that_depend_on_each_other_and_a_model_by_its_alias(bentoml14: str, tmp_path: Path) -> None:
    world = World(tmp_path, bentoml14)
    project = world.project("words", TWO_SERVICES)
    command([bentoml14, "-c", SAVE_WORDS], world.directory, world.env).good()
    run = project.make().good()

    info = yaml.safe_load((run.path / "bento.yaml").read_text())
    assert [service["name"] for service in info["services"]] == ["front", "Words"]
    (model,) = info["models"]
    assert model["tag"].startswith("word_list:") and model["alias"] == "lexicon"

    real = real_build(project)
    theirs = yaml.safe_load((real / "bento.yaml").read_text())
    for name in ("service", "entry_service", "services", "schema"):
        assert info[name] == theirs[name], name
    for name in ("apis/openapi.yaml", "apis/schema.json"):
        assert (run.path / name).read_bytes() == (real / name).read_bytes(), name
    assert post(world, run.tag, "ask", {"word": "bento"}) == "known"
    assert project.make().good().ran == set()


FORMS = {
    "service:svc": "service.py",
    "service.py:svc": "service.py",
    "service": "service.py",
    "pkg.mod:svc": "pkg/mod.py",
    "src/service:svc": "src/service.py",
    "src/service.py:svc": "src/service.py",
    "my-service:svc": "my-service.py",
    "2nd.py:svc": "2nd.py",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_service_named_as_people_name_it(form: str, bentoml11: str, tmp_path: Path) -> None:
    """What a real build takes is taken; a directory in front, which 1.1 refuses, is served by what is written down."""
    world = World(tmp_path, bentoml11)
    api = "from bentoml.io import JSON\n\n\n@svc.api(input=JSON(), output=JSON())\ndef same(x):\n    return x\n"
    files = {
        FORMS[form]: f"import bentoml\n\nsvc = bentoml.Service('forms')\n\n{api}",
        "bentofile.yaml": f'service: "{form}"\npython:\n  lock_packages: false\n',
    }
    if form.startswith("pkg"):
        files["pkg/__init__.py"] = ""
    project = world.project("forms", files)
    run = project.make().good()
    assert run.tag.startswith("forms:")
    if form.startswith("src/"):
        assert post(world, run.tag, "same", {"a": 1}) == {"a": 1}
        return
    real = real_build(project)
    ours, theirs = (yaml.safe_load((path / "bento.yaml").read_text()) for path in (run.path, real))
    assert ours["service"] == theirs["service"]
    assert (run.path / "apis/openapi.yaml").read_bytes() == (real / "apis/openapi.yaml").read_bytes()


def post(world: World, tag: str, endpoint: str, body: Any) -> Any:
    """What the real `bentoml serve TAG` answers to one POST."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert world.python is not None
    argv = [world.python, "-m", "bentoml", "serve", tag, "--host", "127.0.0.1", "--port", str(port)]
    log = world.directory / "serve.log"
    with log.open("w") as output:
        server = start(argv, world.directory, world.env, output=output)
    try:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/readyz"), server, limit=90)
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/{endpoint}", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            text = response.read().decode()
        return json.loads(text) if "json" in response.headers["Content-Type"] else text
    except (AssertionError, urllib.error.URLError) as error:
        raise AssertionError(f"{error}; the server said:\n{log.read_text()}") from error
    finally:
        end(server)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False
