"""Models of the store: filters, aliases, several versions; each as the real one then finds it in the Bento."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import LIGHT_SERVICE, Project, World
from surroundings import save_model

pytestmark = pytest.mark.real
SAVE = """
import json, sys, pathlib
import bentoml
from bentoml._internal.models.model import ModelContext
context = ModelContext(framework_name="none", framework_versions={})
for name, labels in json.loads(sys.argv[1]):
    with bentoml.models.create(name, labels=labels, signatures={}, context=context, module="none") as model:
        pathlib.Path(model.path, "weights.txt").write_text(name)
"""
# What `bentoml serve` does first: it loads the Bento, with its own models and aliases.
GET = """
import json, sys
import bentoml
from bentoml._internal.service.loader import load
load(sys.argv[1], standalone_load=True)
print(json.dumps([str(bentoml.models.get(asked).tag) for asked in sys.argv[2:]]))
"""
BENTOFILE = 'service: "service:{name}"\npython: {{lock_packages: false}}\nmodels:\n{models}'
ALIASED_CLASS = LIGHT_SERVICE.replace("import bentoml\n", 'import bentoml\n\nmodel = bentoml.models.get("flower")\n')
ALIASED_RUNNER = "import bentoml\n\nmodel = bentoml.models.get('flower')\nsvc = bentoml.Service('light')\n"


def save(world: World, *models: tuple[str, dict[str, str]]) -> None:
    """Real models in the store, the last one the newest."""
    assert world.python is not None
    world.command([world.python, "-c", SAVE, json.dumps(models)]).good()


def got(world: World, tag: str, *asked: str) -> list[str]:
    """The models that the served Bento gets for these names, once the model store itself is out of reach."""
    assert world.python is not None
    (world.home / "models").rename(world.home / "elsewhere")
    try:
        found: list[str] = json.loads(
            world.command([world.python, "-c", GET, tag, *asked]).good().stdout.splitlines()[-1]
        )
    finally:
        for leftover in (world.home / "models",):
            if leftover.is_dir():
                leftover.rmdir()
        (world.home / "elsewhere").rename(world.home / "models")
    return found


def project(world: World, models: str, service: str = LIGHT_SERVICE, name: str = "Light") -> Project:
    return world.project("light", {"service.py": service, "bentofile.yaml": BENTOFILE.format(name=name, models=models)})


def listed(run: Any) -> list[str]:
    return [model["tag"] for model in yaml.safe_load((run.path / "bento.yaml").read_text())["models"]]


@pytest.fixture
def world(tmp_path: Path, bentoml14: str) -> Iterator[World]:
    yield World(tmp_path, bentoml14)


def test_a_model_that_does_not_say_when_it_was_made(world: World) -> None:
    save(world, ("iris:v1", {}))
    path = world.home / "models/iris/v1/model.yaml"
    path.write_text("".join(line for line in path.read_text().splitlines(True) if "creation_time" not in line))
    run = project(world, "- iris:v1\n").make().good()
    (model,) = yaml.safe_load((run.path / "bento.yaml").read_text())["models"]
    assert model["tag"] == "iris:v1" and model["creation_time"]


THREE = [("iris:v1", {"staging": "yes"}), ("iris:v2", {"stage": "production"}), ("iris:v3", {})]


@pytest.mark.parametrize(
    ("query", "tag", "chosen"),
    [
        ("label:staging", "iris:latest", "iris:v1"),
        ("label:staging", "iris", "iris:v1"),
        ("label:stage=production", "iris:latest", "iris:v2"),
        ("label:staging,label:staging=yes", "iris:latest", "iris:v1"),
        ("label:staging", "iris:v1", "iris:v1"),
    ],
)
def test_a_filter_chooses_the_newest_that_fits(query: str, tag: str, chosen: str, world: World) -> None:
    save(world, *THREE)
    made = project(world, f"- {{tag: {tag}, filter: {json.dumps(query)}}}\n").make().good()
    assert listed(made) == [chosen]
    assert (made.path / "models" / "iris" / chosen[5:] / "weights.txt").read_text() == chosen


def test_a_newer_model_that_fits_is_noticed_and_one_that_does_not_is_not(world: World) -> None:
    save(world, *THREE)
    light = project(world, '- {tag: iris:latest, filter: "label:staging"}\n')
    first = light.make().good()
    save(world, ("iris:v4", {"stage": "test"}))
    assert light.make().good().ran == set()
    save(world, ("iris:v5", {"staging": "again"}))
    second = light.make().good()
    assert (listed(first), listed(second)) == (["iris:v1"], ["iris:v5"])
    assert second.ran == {"models", "bento"}


def test_a_filter_that_nothing_fits_says_what_there_is(world: World) -> None:
    save(world, ("iris:v1", {"stage": "test"}), ("iris:v2", {}))
    run = project(world, '- tag: iris:latest\n  filter: "label:staging"\n').run()
    assert run.code == 1
    assert run.stderr.endswith(
        "error: bentofile.yaml:4: No model iris:latest of the model store fits the filter `label:staging`.\n"
        "  hint: iris:v1 has label:stage=test; iris:v2 has no labels.\n"
    )


def test_the_served_bento_knows_the_alias_of_a_filtered_model(world: World) -> None:
    save(world, *THREE)
    made = project(world, '- {tag: iris:latest, filter: "label:staging", alias: flower}\n', ALIASED_CLASS).make().good()
    assert listed(made) == ["iris:v1"]
    assert got(world, made.tag, "flower", "iris:latest") == ["iris:v1", "iris:v1"]


def test_several_versions_of_one_model_lie_side_by_side(world: World) -> None:
    save(world, *THREE)
    models = "- {tag: iris:v1, alias: flower}\n- {tag: iris:v3, alias: newest}\n- iris:v2\n"
    made = project(world, models, ALIASED_CLASS).make().good()
    assert listed(made) == ["iris:v1", "iris:v2", "iris:v3"]
    assert got(world, made.tag, "flower", "newest", "iris:v2", "iris:latest") == [
        *("iris:v1", "iris:v3", "iris:v2", "iris:v3")
    ]


def test_generation_1_1_knows_the_alias_too(tmp_path: Path, bentoml11: str) -> None:
    world = World(tmp_path, bentoml11)
    save(world, *THREE)
    made = project(world, "- {tag: iris:v2, alias: flower}\n- iris:v1\n", ALIASED_RUNNER, "svc").make().good()
    assert listed(made) == ["iris:v1", "iris:v2"]
    assert got(world, made.tag, "flower", "iris:v1") == ["iris:v2", "iris:v1"]


def test_two_aliases_of_one_model_are_an_error(world: World) -> None:
    save(world, *THREE)
    run = project(world, "- {tag: iris:v3, alias: a}\n- {tag: iris:latest, alias: b}\n").run()
    assert run.code == 1
    assert "The model iris:v3 has two aliases, a and b." in run.stderr


def test_a_big_model_is_hashed_once_for_all_projects(world: World) -> None:
    save_model(world.home, "one", b"0123456789abcdef" * (5 << 20))
    first = project(world, '  - "toy_model:one"\n')
    bentofile = BENTOFILE.format(name="Other", models='  - "toy_model:one"\n')
    second = world.project(
        "other", {"service.py": LIGHT_SERVICE.replace("Light", "Other"), "bentofile.yaml": bentofile}
    )
    assert "hashes weights.bin" in first.run("--progress", "json").good().stderr
    assert "hashes weights.bin" not in second.run("--progress", "json").good().stderr
    first.write("service.py", LIGHT_SERVICE + "# edited\n")
    assert "hashes weights.bin" not in first.run("--progress", "json").good().stderr
