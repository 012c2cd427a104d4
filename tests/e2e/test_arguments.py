"""Template arguments, a src/ layout, and a context that is not the bentofile's folder, each built and looked into."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from harness import LIGHT_SERVICE, Project, World

pytestmark = pytest.mark.real
SIZED = """\
import bentoml

args = bentoml.use_arguments()


@bentoml.service(name=f"light_{args.size}")
class Light:
    @bentoml.api
    def double(self, x: int) -> int:
        return 2 * x
"""
BENTOFILE = 'service: "service:Light"\npython: {lock_packages: false}\n'
LOADED = """
import json, sys
from bentoml._internal.service.loader import load
print(json.dumps(load(sys.argv[1]).name))
"""


@pytest.fixture
def world(tmp_path: Path, bentoml14: str) -> Iterator[World]:
    yield World(tmp_path, bentoml14)


def loaded(world: World, tag: str) -> str:
    """The name of the service as the real one loads it out of the store, as `bentoml serve` does."""
    assert world.python is not None
    return str(json.loads(world.command([world.python, "-c", LOADED, tag]).good().stdout.splitlines()[-1]))


def sized(world: World, bentofile: str) -> Project:
    return world.project("sized", {"service.py": SIZED, "bentofile.yaml": bentofile})


def test_arguments_reach_the_import_and_the_served_bento(world: World) -> None:
    project = sized(world, BENTOFILE + "args: {size: 3}\n")
    first = project.make().good()
    assert first.tag.startswith("light_3:")
    assert yaml.safe_load((first.path / "bento.yaml").read_text())["args"] == {"size": 3}
    second = project.make("--arg", "size=5").good()
    assert second.tag.startswith("light_5:")
    assert "service" in second.ran
    assert loaded(world, first.tag) == "light_3"
    assert loaded(world, second.tag) == "light_5"
    assert project.make().good().tag == first.tag


def test_a_file_of_arguments_is_read_and_arg_wins(world: World) -> None:
    project = sized(world, BENTOFILE)
    project.write("args.yaml", "size: 7\n")
    assert project.make("--arg-file", "args.yaml").good().tag.startswith("light_7:")
    assert project.make("--arg-file", "args.yaml", "--arg", "size=8").good().tag.startswith("light_8:")
    assert project.run("build", "--arg-file", "args.yaml").good()
    assert project.run("build", "--arg-file", "args.yaml", "-o", "tag").good().stdout.startswith("light_7:")
    project.write("args.yaml", "size: 9\n")
    assert project.run("build", "--arg-file", "args.yaml", "-o", "tag").good().stdout.startswith("light_9:")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--arg", "size"), "error: The argument 'size' has no value.\n  hint: Write --arg KEY=VALUE.\n"),
        (
            ("--arg-file", "list.yaml"),
            "error: list.yaml:1: A file of arguments must be a mapping of names to values.\n"
            "  hint: Write `name: value`.\n",
        ),
        (
            ("--arg-file", "bomb.yaml"),
            "error: bomb.yaml:1: The YAML tag `!!python/object:os.system` is not allowed in a file of arguments.\n"
            "  hint: Write the plain value.\n",
        ),
    ],
)
def test_wrong_arguments_are_said(given: tuple[str, str], said: str, world: World) -> None:
    project = sized(world, BENTOFILE)
    project.write("list.yaml", "- size\n")
    project.write("bomb.yaml", "size: !!python/object:os.system {}\n")
    run = project.run("build", *given)
    assert (run.code, run.stderr) == (2, said)


def test_an_older_bentoml_does_not_know_arguments(tmp_path: Path, bentoml11: str) -> None:
    world = World(tmp_path, bentoml11)
    service = "import bentoml\n\nsvc = bentoml.Service('old')\n"
    project = world.project("old", {"service.py": service, "bentofile.yaml": 'service: "service:svc"\n'})
    run = project.run("build", "service", "--arg", "size=1")
    assert run.code == 2
    assert "does not know template arguments (args, --arg)." in run.stderr
    assert "They came with bentoml 1.4.8" in run.stderr


PYPROJECT = '[project]\nname = "laid_out"\n[tool.bentoml.build]\nservice = "mine.service:Light"\n'
NO_LOCK = "[tool.bentoml.build.python]\nlock_packages = false\n"


def test_what_lies_in_src_is_packed_at_the_root(world: World) -> None:
    files = {"src/mine/service.py": LIGHT_SERVICE, "data/x.txt": "x", "pyproject.toml": PYPROJECT + NO_LOCK}
    project = world.project("laid_out", files)
    (project / "src" / "x.txt").symlink_to("../data/x.txt")
    built = project.make().good()
    packed = sorted(str(path.relative_to(built.path / "src")) for path in (built.path / "src").rglob("*.*"))
    assert packed == ["data/x.txt", "mine/service.py", "pyproject.toml", "x.txt"]
    assert (built.path / "src" / "x.txt").read_text() == "x"
    assert loaded(world, built.tag) == "Light"
    again = project.make().good()
    assert again.ran == set()
    project.write("pyproject.toml", PYPROJECT + NO_LOCK + "is_src_layout = false\n")
    run = project.make("sources", "--explain")
    assert run.ran == {"sources"}


def test_two_files_for_one_place_are_an_error(world: World) -> None:
    files = {"src/a.py": "", "a.py": "", "pyproject.toml": PYPROJECT + NO_LOCK}
    run = world.project("twice", files).run("build", "sources")
    assert run.code == 2
    assert run.stderr.endswith(
        "error: pyproject.toml:5: a.py and src/a.py would both be packed as a.py.\n"
        "  hint: Rename one, leave it out with `exclude`, or set python.is_src_layout: false.\n"
    )


def test_a_service_named_by_src_is_told_its_name_in_the_bento(world: World) -> None:
    text = PYPROJECT.replace("mine.service", "src.mine.service") + NO_LOCK
    run = world.project("named", {"src/mine/service.py": LIGHT_SERVICE, "pyproject.toml": text}).run()
    assert run.code == 2
    assert 'hint: Write service: "mine.service:Light", or python.is_src_layout: false.' in run.stderr


def test_the_context_may_differ_from_the_bentofiles_folder(world: World) -> None:
    files = {"service.py": LIGHT_SERVICE, "deploy/prod/bentofile.yaml": BENTOFILE, "deploy/prod/notes.md": "n"}
    project = world.project("apart", files)
    built = project.make("-f", "deploy/prod/bentofile.yaml", ".").good()
    assert (built.path / "src" / "service.py").exists()
    assert (built.path / "src" / "deploy" / "prod" / "notes.md").exists()
    elsewhere = world.run("build", "-f", "apart/deploy/prod/bentofile.yaml", "apart", "-o", "tag").good()
    assert elsewhere.stdout.strip() == built.tag


def test_links_arrive_as_links_or_as_what_they_lead_to(world: World) -> None:
    project = world.project("linked", {"service.py": LIGHT_SERVICE, "a.txt": "a", "bentofile.yaml": BENTOFILE})
    (project / "inside.txt").symlink_to("a.txt")
    world.project("other", {"b.txt": "b"})
    (project / "outside.txt").symlink_to("../other/b.txt")
    built = project.make().good()
    assert (built.path / "src" / "inside.txt").readlink() == Path("a.txt")
    assert (built.path / "src" / "inside.txt").read_text() == "a"
    assert not (built.path / "src" / "outside.txt").is_symlink()
    assert (built.path / "src" / "outside.txt").read_text() == "b"
