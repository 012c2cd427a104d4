"""Stories of an ML engineer's day: build, edit, build again, and pay only for what changed."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import sys
from pathlib import Path

import pytest
import yaml
from harness import ALL, LIGHT, LIGHT_BENTOFILE, LIGHT_SERVICE, Project, Run, World

pytestmark = pytest.mark.real


@pytest.fixture
def light(bentoml14: str, tmp_path: Path) -> Project:
    return World(tmp_path, bentoml14).project("light", LIGHT)


@pytest.fixture
def built(light: Project) -> Project:
    assert light.make().good().ran == ALL
    return light


# Nothing changed


def test_the_second_build_runs_nothing(light: Project) -> None:
    first = light.make().good()
    assert first.ran == ALL and first.tag.startswith("light:")
    second = light.make().good()
    assert second.ran == set() and second.tag == first.tag
    assert second.json["bentos"][0]["state"] == "there"
    assert second.json["summary"]["cached"] == len(ALL)


def test_fresh_answers_the_second_time_without_importing_the_rest(light: Project) -> None:
    watch = {"PYTHONPROFILEIMPORTTIME": "1"}
    first = light.run(env=watch).good()
    assert "networkx" in first.stderr
    runs = recorded(light)
    second = light.run(env=watch).good()
    assert "bentomake.engine.fresh" in second.stderr
    for heavy in ("click", "yaml", "networkx", "diskcache", "bentomake.cli"):
        assert heavy not in second.stderr, heavy
    said = [line for line in second.stderr.splitlines() if not line.startswith("import time:")]
    assert said[0].startswith(f"{len(ALL)} steps: 0 ran, {len(ALL)} cached · ")
    assert said[1:] == [line for line in first.stderr.splitlines() if line.startswith("Successfully built Bento(")]
    assert recorded(light) == runs, "a run that fresh answered is not recorded"


@pytest.mark.parametrize("output", ["tag", "path"])
def test_fresh_gives_the_answer_of_the_full_path(light: Project, output: str) -> None:
    first = light.run("-q", "--output", output).good()
    second = light.run("-q", "--output", output).good()
    assert fresh_records(light) == 1
    assert first.stdout == second.stdout and first.stdout.count("\n") == 1
    assert first.stderr == second.stderr == ""


def test_fresh_says_the_line_of_the_full_path(light: Project) -> None:
    light.run().good()
    fresh = light.run().good().stderr
    shutil.rmtree(light.world.cache / "state" / "fresh")
    full = light.run().good().stderr
    lines = [re.sub(r" · [\d.]+ s", " · N s", said, count=1) for said in (fresh, full)]
    assert lines[0] == lines[1] and " cached · N s · saved " in lines[0]


def test_fresh_knows_the_directory_that_a_command_was_given_in(light: Project) -> None:
    def inside() -> Run:
        return light.world.run("-C", "light", "-q", "-o", "path")

    first, runs = inside().good(), recorded(light)
    assert inside().good().stdout == first.stdout and recorded(light) == runs, "fresh answers there"
    elsewhere = light.run("-C", "light", "-q", "-o", "path")
    assert elsewhere.code == 2 and elsewhere.stderr.startswith("error: There is no directory light.\n")


def test_everything_is_relative_to_the_directory_of_c(light: Project) -> None:
    light.write("args.yaml", "size: 1\n")
    light.write("other.yaml", LIGHT_BENTOFILE)
    light.world.run("-C", "light", "-f", "other.yaml", "--arg-file", "args.yaml", "-q").good()


def test_fresh_does_not_hide_a_change(light: Project) -> None:
    for text in ("one", "two", "three"):
        light.write("data.txt", text)
        tag = light.run("-q", "-o", "tag").good().stdout.strip()
        name, _, version = tag.partition(":")
        assert (light.world.home / "bentos" / name / version / "src/data.txt").read_text() == text
        assert light.run("-q", "-o", "tag").good().stdout.strip() == tag


def test_fresh_notices_a_bento_that_is_gone(light: Project) -> None:
    first = light.run("-q", "-o", "path").good()
    light.run("-q", "-o", "path").good()
    shutil.rmtree(first.stdout.strip())
    again = light.run("-o", "path").good()
    assert again.stdout == first.stdout and Path(first.stdout.strip(), "bento.yaml").exists()
    assert "restored" in again.stderr


def test_fresh_notices_that_latest_names_another(light: Project) -> None:
    tag = light.run("-q", "-o", "tag").good().stdout.strip()
    light.run("-q", "-o", "tag").good()
    light.make("--version", "other").good()
    assert light.world.latest("light") == "light:other"
    assert light.run("-q", "-o", "tag").good().stdout.strip() == tag
    assert light.world.latest("light") == tag


def recorded(project: Project) -> int:
    return len(list((project.world.cache / "state" / "runs").glob("*/*.json")))


def fresh_records(project: Project) -> int:
    return len(list((project.world.cache / "state" / "fresh").iterdir()))


# Something changed


def test_editing_the_service_runs_only_what_depends_on_it(built: Project) -> None:
    built.edit("service.py", "2 * x", "3 * x")
    run = built.make().good()
    # Same API, so its description is the same: early cut-off spares openapi and models.
    assert run.ran == {"sources", "service", "bento"}


def test_editing_the_api_reaches_its_description(built: Project) -> None:
    before = built.make().good().path
    built.edit("service.py", "double", "twice")
    run = built.make().good()
    assert run.ran == {"sources", "service", "described", "openapi", "models", "bento"}
    assert "/twice" in (run.path / "apis/openapi.yaml").read_text()
    assert "/double" in (before / "apis/openapi.yaml").read_text()


def test_editing_a_packed_file_that_the_service_never_looked_at_imports_nothing(built: Project) -> None:
    built.write("data.txt", "edited\n")
    run = built.make().good()
    assert run.ran == {"sources", "bento"}
    assert (run.path / "src/data.txt").read_text() == "edited\n"


def test_a_file_that_the_service_opens_is_an_input_of_its(light: Project) -> None:
    light.write("service.py", "open('data.txt').close()\n" + LIGHT_SERVICE)
    light.make().good()
    light.write("data.txt", "edited\n")
    assert light.make().good().ran == {"sources", "service", "bento"}


def test_a_variable_that_the_service_reads_is_an_input_of_its(light: Project) -> None:
    light.write("service.py", "import os\nLEVEL = os.environ.get('LEVEL')\n" + LIGHT_SERVICE)
    light.make(env={"LEVEL": "1"}).good()
    assert light.make(env={"LEVEL": "1", "OTHER": "x"}).good().ran == set()
    assert "service" in light.make(env={"LEVEL": "2"}).good().ran


def test_touching_files_runs_nothing(built: Project) -> None:
    first = built.make().good()
    for name in LIGHT:
        built.touch(name)
    run = built.make().good()
    assert run.ran == set() and run.tag == first.tag


def test_undoing_an_edit_is_all_hits_and_the_first_tag(built: Project) -> None:
    first = built.make().good().tag
    built.edit("service.py", "2 * x", "3 * x")
    second = built.make().good()
    assert second.tag != first and built.world.latest("light") == second.tag
    built.edit("service.py", "3 * x", "2 * x")
    undone = built.make().good()
    assert undone.ran == set() and undone.tag == first
    assert built.world.latest("light") == first
    assert built.world.bentos() == sorted([first, second.tag])


def test_editing_the_bentofile_reaches_what_reads_the_key(built: Project) -> None:
    built.edit("bentofile.yaml", "- idna", "- idna>=3")
    assert built.make().good().ran == {"requirements", "commits", "lock", "bento"}
    built.write("bentofile.yaml", "# a comment, and other line numbers\n" + (built / "bentofile.yaml").read_text())
    assert built.make().good().ran == set()


def test_a_file_more_and_a_file_less_are_noticed(built: Project) -> None:
    built.write("more.py", "")
    more = built.make().good()
    assert (more.path / "src/more.py").exists() and "sources" in more.ran
    (built / "more.py").unlink()
    assert built.make().good().tag != more.tag


def test_another_directory_makes_the_same_bento_out_of_the_cache(built: Project) -> None:
    first = built.make().good()
    other = built.world.project("elsewhere/light", LIGHT)
    run = other.make().good()
    assert run.ran == set() and run.tag == first.tag


# What is asked for


def test_dry_run_says_what_would_run_and_runs_nothing(built: Project) -> None:
    built.edit("service.py", "double", "twice")
    before = built.world.bentos()
    dry = built.make("-n").good()
    assert dry.states["service"] == "runs" and dry.states["sources"] == "runs"
    assert dry.states["openapi"] == "may run" and dry.states["bento"] == "may run"
    assert dry.states["lock"] == "may run"  # the service may describe its image, and what that wants
    assert built.world.bentos() == before and not dry.ran
    real = built.make().good()
    runs = {name for name, state in dry.states.items() if state == "runs"}
    may_run = {name for name, state in dry.states.items() if state == "may run"}
    assert runs <= real.ran <= runs | may_run
    shown = built.run("-n").good()
    assert "cached" in shown.stderr and "ran" not in shown.stderr.split()


def test_question_answers_by_its_exit_code(light: Project) -> None:
    assert light.run("--question").code == 1
    assert light.world.bentos() == []
    light.run("-q").good()
    assert light.run("--question").code == 0
    light.write("data.txt", "edited\n")
    assert light.run("--question").code == 1
    assert len(light.world.bentos()) == 1


def test_always_make_runs_every_step_and_gives_the_same_bento(built: Project) -> None:
    first = built.make().good().tag
    run = built.make("-B").good()
    assert run.ran == ALL and run.tag == first


def test_keep_going_after_a_failure(light: Project) -> None:
    light.edit("bentofile.yaml", "lock_packages: false", "lock_packages: true\n  no_index: true")
    run = light.make("-k")
    assert run.code == 1
    assert run.states["lock"] == "failed" and run.states["service"] == "ran" and run.states["openapi"] == "ran"
    assert run.states["bento"] == "skipped"
    assert light.world.bentos() == []


def test_one_step_at_a_time(light: Project) -> None:
    assert light.make("-j1").good().ran == ALL
    assert light.make("-j", "1", "-B").good().ran == ALL


def test_quiet_prints_nothing(light: Project) -> None:
    run = light.run("-q").good()
    assert run.stdout == "" and run.stderr == ""


def test_outputs_for_scripts(built: Project) -> None:
    tag = built.run("-o", "tag").good()
    (version,) = [each.partition(":")[2] for each in built.world.bentos()]
    assert tag.stdout == f"light:{version}\n"
    path = built.run("-o", "path").good()
    assert path.stdout == f"{built.world.home}/bentos/light/{version}\n"
    assert "Successfully" in tag.stderr and "Successfully" in path.stderr
    assert set(built.make().good().json) == {"bentos", "images", "summary", "actions", "warnings", "errors"}


def test_verbose_says_which_python_and_what_the_import_printed(light: Project) -> None:
    light.write("service.py", "print('from the import')\n" + LIGHT_SERVICE)
    run = light.run("-v").good()
    assert f"{light.world.python} (Python 3.11." in run.stderr and "from BENTOMAKE_PYTHON" in run.stderr
    assert "  service | from the import\n" in run.stderr and run.stdout == ""
    light.edit("service.py", "from the import", "from another")
    assert "from another" not in light.run().good().stderr


def test_progress_for_machines_is_one_object_a_line(light: Project) -> None:
    run = light.run("--progress", "json", "-o", "tag").good()
    events = [json.loads(line) for line in run.stderr.splitlines()]
    assert events[0]["event"] in ("said", "planned")
    ended = {event["action"]: event["state"] for event in events if event["event"] == "ended"}
    assert ended == dict.fromkeys(ALL, "ran")


def test_another_directory_by_C(built: Project) -> None:
    tag = built.make().tag
    assert built.world.run("-C", "light", "-q", "-o", "tag").good().stdout.strip() == tag


def test_a_bentofile_of_another_name_and_its_context(built: Project) -> None:
    tag = built.make().tag
    shutil.move(built / "bentofile.yaml", built.world.directory / "small.yaml")
    assert built.world.run("build", "-f", "small.yaml", "light", "-q", "-o", "tag").good().stdout.strip() == tag
    shutil.move(built.world.directory / "small.yaml", built / "small.yaml")
    assert built.run("small.yaml", "-q", "-o", "tag").good().stdout.strip() == tag


def test_two_directories_in_one_call(bentoml14: str, tmp_path: Path) -> None:
    world = World(tmp_path, bentoml14)
    world.project("services/a", LIGHT)
    b = world.project("services/b", LIGHT)
    b.edit("service.py", "class Light", "class Dark")
    b.edit("bentofile.yaml", "service:Light", "service:Dark")
    run = world.run("services/a", "services/b", "-o", "json").good()
    assert [bento["tag"].partition(":")[0] for bento in run.json["bentos"]] == ["light", "dark"]
    assert {"services/a:bento", "services/b:bento"} <= set(run.states)
    tags = world.run("services/a", "services/b", "-o", "tag", "-q").good().stdout.splitlines()
    assert sorted(tags) == world.bentos()


def test_a_rule_as_the_target(light: Project) -> None:
    run = light.make("lock").good()
    assert run.ran == {"service", "described", "requirements", "commits", "sdists", "lock"} and run.json["bentos"] == []
    assert light.run("sources", "-q").good().stdout == ""
    inner = light.world.run("light:openapi", "-o", "json").good()
    assert inner.ran == {"openapi"}
    assert light.world.bentos() == []


def test_a_directory_that_is_called_like_a_rule(light: Project) -> None:
    for name, text in LIGHT.items():
        light.write(f"models/{name}", text)
    rule = light.make("models").good()
    assert rule.json["bentos"] == [] and "models" in rule.states
    directory = light.make("./models").good()
    assert directory.tag.startswith("light:")


# What it is called


def test_a_version_of_ones_own(built: Project) -> None:
    first = built.make("--version", "1.0").good()
    assert first.tag == "light:1.0"
    assert built.make("--version", "1.0").good().tag == "light:1.0"
    before = (first.path / "bento.yaml").read_bytes()
    digest = yaml.safe_load(before)["content_digest"]

    built.edit("service.py", "2 * x", "3 * x")
    other = built.run("build", "--version", "1.0")
    assert other.code == 2
    assert "error: light:1.0 is in the store already, with other content." in other.stderr
    new = yaml.safe_load((built.make("--version", "1.1").good().path / "bento.yaml").read_text())["content_digest"]
    assert f"There: {digest}; this build: {new}." in other.stderr
    assert (first.path / "bento.yaml").read_bytes() == before


def test_a_version_does_not_change_the_content(built: Project) -> None:
    own = yaml.safe_load((built.make().good().path / "bento.yaml").read_text())
    named = yaml.safe_load((built.make("--version", "1.0").good().path / "bento.yaml").read_text())
    assert own["content_digest"] == named["content_digest"]


def test_a_name_and_labels_of_the_command_line(built: Project) -> None:
    run = built.make("--name", "Other", "--label", "team=vision", "--label", "a=b=c").good()
    assert run.tag.startswith("other:") and "service" not in run.ran
    info = yaml.safe_load((run.path / "bento.yaml").read_text())
    assert info["name"] == "other" and info["labels"] == {"team": "vision", "a": "b=c"}


# Locks


def locked(project: Project) -> Project:
    project.edit("bentofile.yaml", "lock_packages: false", "lock_packages: true")
    return project


def test_upgrade_resolves_anew(light: Project) -> None:
    first = locked(light).make().good()
    assert light.make().good().ran == set()
    everything = light.make("--upgrade").good()
    assert everything.ran == {"lock"} or everything.ran == {"lock", "bento"}
    one = light.make("--upgrade", "idna").good()
    assert "lock" in one.ran and "service" not in one.ran
    assert "idna==" in (first.path / "env/python/requirements.txt").read_text()


def test_pip_compile_gives_the_same_pins(light: Project) -> None:
    ours = locked(light).make("lock").good()
    assert "lock" in ours.ran
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    light.edit("bentofile.yaml", "python:", f'docker:\n  python_version: "{own}"\npython:')
    uv = light.make().good()
    other = light.make("--locker", "pip-compile").good()
    assert "lock" in other.ran
    lock = "env/python/requirements.txt"
    assert (uv.path / lock).read_text() == (other.path / lock).read_text() != ""
    assert other.tag == uv.tag


# The Bento and the store


def test_a_deleted_bento_is_restored(built: Project) -> None:
    run = built.make().good()
    shutil.rmtree(run.path)
    dry = built.make("-n").good()
    assert dry.states["bento"] == "restored" and not run.path.exists()
    again = built.make().good()
    assert again.ran == set() and again.states["bento"] == "restored" and again.tag == run.tag
    assert (run.path / "src/service.py").exists()


def test_a_bento_that_real_bentoml_deleted_is_restored(built: Project) -> None:
    run = built.make().good()
    built.world.bentoml("delete", run.tag, "-y").good()
    assert built.world.bentos() == []
    again = built.make().good()
    assert again.ran == set() and again.states["bento"] == "restored"
    assert built.world.bentos() == [run.tag]


def test_a_file_that_a_bento_lost_is_put_back_and_what_is_there_stays(built: Project) -> None:
    run = built.make().good()
    lost, kept = run.path / "src/service.py", run.path / "README.md"
    lost.unlink()
    kept.write_text("written by somebody else")
    again = built.make().good()
    assert again.ran == set() and again.json["bentos"][0]["state"] == "restored"
    assert f"restored 1 of {run.tag}: src/service.py\n" in again.stderr
    assert lost.read_text() == LIGHT_SERVICE and kept.read_text() == "written by somebody else"


def test_what_src_holds_keeps_its_modes_and_links(light: Project) -> None:
    light.write("bentofile.yaml", 'service: "service:Light"\npython:\n  lock_packages: false\n')
    light.write("run.sh", "#!/bin/sh\n").chmod(0o750)
    (light / "inner.txt").symlink_to("data.txt")
    (light.world.directory / "outside.txt").write_text("from outside")
    (light / "outer.txt").symlink_to(light.world.directory / "outside.txt")
    light.write("empty/__pycache__/x.pyc", "")
    src = light.make().good().path / "src"
    assert os.access(src / "run.sh", os.X_OK) and not os.access(src / "service.py", os.X_OK)
    assert stat.S_IMODE((src / "run.sh").stat().st_mode) & 0o111 == 0o111
    assert (src / "inner.txt").is_symlink() and os.readlink(src / "inner.txt") == "data.txt"
    assert not (src / "outer.txt").is_symlink() and (src / "outer.txt").read_text() == "from outside"
    assert not list(src.rglob("__pycache__"))
    assert not (light / "__pycache__").exists(), "the probe leaves no __pycache__ in the project"


def test_the_readme_of_the_project_the_description_or_a_file(light: Project) -> None:
    generated = (light.make().good().path / "README.md").read_text()
    assert "light" in generated
    light.write("README.md", "# Mine\n")
    assert (light.make().good().path / "README.md").read_text() == "# Mine\n"
    light.write("bentofile.yaml", 'description: "In words."\n' + LIGHT["bentofile.yaml"])
    assert (light.make().good().path / "README.md").read_text() == "In words."
    light.write("docs/about.md", "# About\n")
    light.edit("bentofile.yaml", '"In words."', '"file: ./docs/about.md"')
    assert (light.make().good().path / "README.md").read_text() == "# About\n"
    light.write("docs/about.md", "# More about\n")
    run = light.make().good()
    assert run.ran == {"bento"} and (run.path / "README.md").read_text() == "# More about\n"
