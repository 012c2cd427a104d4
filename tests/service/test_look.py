"""Looking at real services of both generations: the same data as a real build, and a sentence for each failure."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import service_projects as projects
import yaml

from bentomake.errors import StepError, UsageError
from bentomake.service.interpreter import Interpreter, facts
from bentomake.service.look import Looked, look

pytestmark = pytest.mark.real

HUB = "https://huggingface.co"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
BENTOFILE = "service: {}\ninclude: ['*.py']\npython:\n  lock_packages: false\n"

Looker = Callable[..., Looked]


class Generation:
    """A real bentoml, a store with models, and a way to look at projects with it."""

    def __init__(self, python: str, directory: Path) -> None:
        self.python = python
        self.directory = directory
        self.home = projects.store(python, directory / "home")
        self.env = {**os.environ, "BENTOML_DO_NOT_TRACK": "1"}
        self.env.pop("PYTHONDONTWRITEBYTECODE", None)
        self.interpreter: Interpreter = facts(python, "--python", str(directory), self.env, str(directory / "cache"))

    def look(self, context: Path, service: str, *, timeout: float = 120, **more: Any) -> Looked:
        workdir = self.directory / "work" / context.name
        workdir.mkdir(parents=True, exist_ok=True)
        arguments: dict[str, Any] = {"aliases": {}, "hf_revisions": {}, "env": self.env, **more}
        return look(
            self.interpreter, str(context), str(self.home), service, timeout=timeout, workdir=str(workdir), **arguments
        )


@pytest.fixture(scope="module")
def runners(bentoml11: str, tmp_path_factory: pytest.TempPathFactory) -> Generation:
    return Generation(bentoml11, tmp_path_factory.mktemp("runners"))


@pytest.fixture(scope="module")
def classes(bentoml14: str, tmp_path_factory: pytest.TempPathFactory) -> Generation:
    return Generation(bentoml14, tmp_path_factory.mktemp("classes"))


def without_time(models: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A hub model's time is the clock of the real build: the one thing that cannot be equal."""
    return [
        {key: value for key, value in model.items() if key != "creation_time" or model.get("registry") != "huggingface"}
        for model in models
    ]


def test_a_runner_service_is_what_the_real_build_writes(runners: Generation, tmp_path: Path) -> None:
    context = projects.observed(
        tmp_path / "tea",
        {"service.py": "import looks\n" + projects.RUNNER, "bentofile.yaml": BENTOFILE.format("service:svc")},
    )
    looked = runners.look(context, "service:svc", env={**runners.env, "LOOKS_PICKED": "1"})
    found = looked.result

    assert not list(context.rglob("__pycache__"))
    assert looked.stdout == "printed by the import\n"
    assert "and on the other stream\n" in looked.stderr
    assert projects.names(found["looked_at"], "file") >= projects.SEEN_FILES
    assert projects.names(found["looked_at"], "env") >= projects.SEEN_VARIABLES
    assert {"home/models/clf/latest", "home/models/second/latest"} < projects.names(found["looked_at"], "file")
    assert projects.names(found["looked_at"], "listing") == projects.SEEN_LISTINGS
    assert "bentoml/__init__.py" in found["site_files"]
    assert not {"HOME", "BENTOML_HOME", "TMPDIR", "PATH"} & projects.names(found["looked_at"], "env")

    bento = projects.real_build(runners.python, context, runners.home)
    real = yaml.safe_load((bento / "bento.yaml").read_text())
    assert found["openapi_yaml"] == (bento / "apis/openapi.yaml").read_text()
    for key in ("service", "name", "bentoml_version", "runners", "apis"):
        assert found[key] == real[key]
    by_tag = {model["tag"]: (model["module"], model["creation_time"]) for model in found["models"]}
    assert by_tag == {model["tag"]: (model["module"], model["creation_time"]) for model in real["models"]}
    assert found["generation"] == "runner"
    assert [model["asked"] for model in found["models_seen"]] == ["clf:latest", "second"]


def test_a_class_service_is_what_the_real_build_writes(classes: Generation, tmp_path: Path) -> None:
    hub = f"HuggingFaceModel.commit_hash = property(lambda self: {COMMIT!r})\n"  # stands in for the hub, for both
    text = "import bentoml.models\nfrom bentoml.models import HuggingFaceModel\n" + projects.CLASS.replace(
        "import bentoml\n", "import bentoml\n", 1
    )
    future, rest = "from __future__ import annotations\n", text.replace("from __future__ import annotations\n", "")
    real_text = future + rest.replace("HuggingFaceModel\n", "HuggingFaceModel\n" + hub, 1)
    plain = projects.write(tmp_path / "tea", {"service.py": future + rest})
    stubbed = projects.write(
        tmp_path / "real", {"service.py": real_text, "bentofile.yaml": BENTOFILE.format("service.py:TeaTaster")}
    )

    key = f"Some/Model@main@{HUB}"
    found = classes.look(plain, "service", hf_revisions={key: COMMIT}).result
    bento = projects.real_build(classes.python, stubbed, classes.home)
    real = yaml.safe_load((bento / "bento.yaml").read_text())

    assert found["generation"] == "class"
    assert found["openapi_yaml"] == (bento / "apis/openapi.yaml").read_text()
    assert found["schema_json"] == (bento / "apis/schema.json").read_text()
    for name in ("service", "name", "bentoml_version", "entry_service", "schema", "envs", "labels"):
        assert found[name] == real[name]
    ours, theirs = found["services"], real["services"]
    for services in (ours, theirs):
        for service in services:
            service["models"] = without_time(service["models"])
    assert ours == theirs
    assert real["models"] == []  # what the module itself looked up is not recorded by the real build
    assert [model["asked"] for model in found["models_seen"]] == ["second:latest"]
    assert [(model["registry"], model["of"]) for model in found["models"]] == [
        ("huggingface", "TeaTaster"),
        ("bentoml", "TeaTaster"),
    ]
    assert found["hf_revisions"] == {key: COMMIT}
    assert found["description"] == "Tastes tea."
    assert (bento / "README.md").read_text() == "Tastes tea."
    assert found["uses_image"] is False
    assert not list(plain.rglob("__pycache__"))


def test_a_legacy_service_under_the_new_bentoml_and_an_image(classes: Generation, tmp_path: Path) -> None:
    legacy = "import bentoml, bentoml.legacy\nfrom bentoml.io import Text\n" + (
        "svc = bentoml.legacy.Service('old')\n@svc.api(input=Text(), output=Text())\ndef echo(x):\n    return x\n"
    )
    image = (
        "import bentoml\n@bentoml.service(image=bentoml.images.Image(python_version='3.11').python_packages('attrs'))\n"
    )
    context = projects.write(
        tmp_path / "p",
        {
            "service.py": legacy,
            "bentofile.yaml": BENTOFILE.format("service:svc"),
            "with_image.py": image
            + "class One:\n    @bentoml.api\n    def f(self, x: int) -> int:\n        return x\n",
        },
    )
    found = classes.look(context, "service").result
    bento = projects.real_build(classes.python, context, classes.home)
    real = yaml.safe_load((bento / "bento.yaml").read_text())
    assert found["generation"] == "runner"
    assert found["openapi_yaml"] == (bento / "apis/openapi.yaml").read_text()
    for name in ("service", "name", "entry_service", "runners", "apis"):
        assert found[name] == real[name]

    with_image = classes.look(context, "with_image:One").result
    assert with_image["uses_image"] is True
    assert with_image["image"]["python_requirements"] == "attrs\n"


SMALL = """import bentoml
@bentoml.service
class {name}:
    @bentoml.api
    def f(self, x: int) -> int:
        return x
"""


@pytest.mark.parametrize(
    ("written", "file", "recorded"),
    [
        ("my-service.py:Svc", "my-service.py", "my-service:Svc"),
        ("1_service:Svc", "1_service.py", "1_service:Svc"),
        ("src/service:Svc", "src/service.py", "src.service:Svc"),
        ("./src/service.py", "src/service.py", "src.service:Svc"),
        ("pkg.mod:Svc", "pkg/mod.py", "pkg.mod:Svc"),
    ],
)
def test_services_are_found_as_people_write_them(
    classes: Generation, tmp_path: Path, written: str, file: str, recorded: str
) -> None:
    context = projects.write(tmp_path / "p", {file: SMALL.format(name="Svc")})
    assert classes.look(context, written).result["service"] == recorded


def test_a_service_behind_a_dependency_and_model_aliases(classes: Generation, tmp_path: Path) -> None:
    text = SMALL.format(name="Inner") + SMALL.format(name="Outer").replace(
        "class Outer:\n", "class Outer:\n    dep = bentoml.depends(Inner)\n"
    )
    context = projects.write(tmp_path / "p", {"service.py": text + "model = bentoml.models.get('nick')\n"})
    found = classes.look(context, "service:Outer.dep", aliases={"nick": "second:latest"}).result
    assert (found["service"], found["entry_service"]) == ("service:Outer.dep", "Inner")
    assert found["models_seen"][0]["tag"].startswith("second:")


FAILURES: Mapping[str, tuple[dict[str, str], str, str, str | None, str | None]] = {
    "system exit": (
        {"service.py": "import bentoml\n\nraise SystemExit(3)\n"},
        "service:svc",
        "service:svc exits while it is imported (SystemExit, 3).",
        "service.py:3",
        "__main__",
    ),
    "an exception below": (
        {"service.py": "import deep\n", "deep.py": "def f():\n    return 1 / 0\n\nf()\n"},
        "service:svc",
        "Importing service:svc raised ZeroDivisionError: division by zero",
        "deep.py:2",
        None,
    ),
    "a syntax error": (
        {"service.py": "x = 1\ndef (:\n"},
        "service:svc",
        "Importing service:svc raised SyntaxError",
        "service.py:2",
        None,
    ),
    "no module": ({"serving.py": ""}, "servin:svc", "There is no module servin", None, "serving"),
    "no file": ({"serving.py": ""}, "service.py:svc", "There is no module service.py", None, "serving"),
    "a missing package": (
        {"service.py": "import os\nimport not_installed.deeply\n"},
        "service:svc",
        "service:svc imports not_installed, which is not there.",
        "service.py:2",
        "-m pip install not_installed",
    ),
    "no attribute": (
        {"service.py": SMALL.format(name="Classifier")},
        "service:Clasifier",
        "The module service has no Clasifier.",
        None,
        "service:Classifier",
    ),
    "no service": (
        {"service.py": "x = 1\n"},
        "service",
        "The module service defines no service.",
        None,
        "@bentoml.service",
    ),
    "several services": (
        {"service.py": SMALL.format(name="One") + SMALL.format(name="Two")},
        "service.py",
        "The module service defines several services: One, Two.",
        None,
        "service:One",
    ),
    "a wrong kind": (
        {"service.py": "def svc():\n    pass\n"},
        "service:svc",
        "service:svc is the function svc, not a service.",
        None,
        "@bentoml.service",
    ),
    "a store write": (
        {"service.py": "import bentoml\n\nbentoml.picklable_model.save_model('mine', {})\n"},
        "service:svc",
        "Importing service:svc tries to write to the model store",
        "service.py:3",
        "training script",
    ),
    "a swallowed store write": (
        {
            "service.py": SMALL.format(name="Svc")
            + "try:\n    bentoml.picklable_model.save_model('mine', {})\nexcept Exception:\n    pass\n"
        },
        "service:Svc",
        "Importing service:Svc tries to write to the model store",
        None,
        "training script",
    ),
    "a missing model": (
        {"service.py": "import bentoml\nbentoml.models.get('nope:latest')\n"},
        "service:svc",
        "The model nope:latest is not in the model store.",
        "service.py:2",
        "bentoml models pull",
    ),
    "a missing model of a class": (
        {
            "service.py": SMALL.format(name="Svc").replace(
                "Svc:\n", "Svc:\n    m = bentoml.models.BentoModel('nope:v1')\n"
            )
        },
        "service:Svc",
        "The model nope:v1 is not in the model store (used by Svc).",
        None,
        "bentoml models pull",
    ),
    "the end of the process": (
        {"service.py": "import os\nprint('so long')\nimport sys\nsys.stdout.flush()\nos._exit(7)\n"},
        "service:svc",
        "Importing service:svc ended the whole process (exit code 7).",
        None,
        "os._exit",
    ),
    "a crash": (
        {"service.py": "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n"},
        "service:svc",
        "Python crashed while it imported service:svc (SIGSEGV).",
        None,
        "native library",
    ),
    "outside": ({"service.py": ""}, "../other.py:svc", "The service module ../other.py lies outside", None, None),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_each_failure_has_its_sentence(classes: Generation, tmp_path: Path, failure: str) -> None:
    files, service, message, place, hint = FAILURES[failure]
    context = projects.write(tmp_path / "p", files)
    with pytest.raises(StepError) as caught:
        classes.look(context, service)
    error = caught.value
    assert error.message.startswith(message)
    assert error.place == place
    assert hint is None or (error.hint is not None and hint in error.hint)
    assert "Traceback" not in json.dumps(error.to_json())
    assert "probe.py" not in json.dumps(error.to_json())
    assert not list(context.rglob("__pycache__"))
    assert not (classes.home / "models/mine").exists()


def test_an_import_that_hangs_is_ended(classes: Generation, tmp_path: Path) -> None:
    context = projects.write(
        tmp_path / "p", {"service.py": "import time\nprint('working', flush=True)\ntime.sleep(600)\n"}
    )
    with pytest.raises(StepError, match="took longer than 2 s") as caught:
        classes.look(context, "service:svc", timeout=2)
    assert "--import-timeout" in str(caught.value.hint)


def test_threads_that_the_service_leaves_running_do_not_hold_the_build(classes: Generation, tmp_path: Path) -> None:
    text = (
        SMALL.format(name="Svc") + "import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()\n"
    )
    context = projects.write(tmp_path / "p", {"service.py": text})
    assert classes.look(context, "service:Svc", timeout=60).result["service"] == "service:Svc"


def test_the_hub_is_asked_only_when_no_revision_is_kept(classes: Generation, tmp_path: Path) -> None:
    text = SMALL.format(name="Svc").replace("Svc:\n", "Svc:\n    m = bentoml.models.HuggingFaceModel('a/b')\n")
    context = projects.write(tmp_path / "p", {"service.py": text})
    env = {**classes.env, "HF_ENDPOINT": "http://127.0.0.1:9"}
    with pytest.raises(StepError, match="Hugging Face model a/b cannot be resolved"):
        classes.look(context, "service:Svc", env=env)
    kept = {"a/b@main@http://127.0.0.1:9": COMMIT}
    found = classes.look(context, "service:Svc", env=env, hf_revisions=kept).result
    assert found["models"][0]["metadata"]["revision"] == COMMIT
    assert ["env", "HF_ENDPOINT"] in found["looked_at"]


def test_an_interpreter_without_bentoml_is_a_wrong_choice(classes: Generation, tmp_path: Path) -> None:
    other = facts("/usr/bin/python3", "--python", str(tmp_path), {}, str(tmp_path / "cache"))
    if other.bentoml is not None:
        pytest.skip("the system's Python has bentoml")
    context = projects.write(tmp_path / "p", {"service.py": SMALL.format(name="Svc")})
    with pytest.raises(UsageError, match="bentoml is not installed"):
        look(
            other,
            str(context),
            str(classes.home),
            "service:Svc",
            aliases={},
            hf_revisions={},
            timeout=60,
            env=classes.env,
            workdir=str(tmp_path),
        )
