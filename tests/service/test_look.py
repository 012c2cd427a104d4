"""Looking at real services of both generations gives the same data as a real build."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import service_projects as projects
import yaml
from service_projects import SMALL, Generation

from bentomake.errors import StepError

pytestmark = pytest.mark.real

HUB = "https://huggingface.co"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
BENTOFILE = "service: {}\ninclude: ['*.py']\npython:\n  lock_packages: false\n"


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
    assert found["image"] is None
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
    assert with_image["image"]["requirements"] == [{"text": "attrs\n"}]
    assert with_image["image"]["python_version"] == "3.11"


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
