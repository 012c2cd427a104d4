"""Why: every reason with its name and old → new, one vocabulary before, during and after a build."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from harness import ALL, LIGHT, LIGHT_SERVICE, Project, World

pytestmark = pytest.mark.real


@pytest.fixture
def light(bentoml14: str, tmp_path: Path) -> Project:
    return World(tmp_path, bentoml14).project("light", LIGHT)


@pytest.fixture
def built(light: Project) -> Project:
    light.run("-q").good()
    return light


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def why(project: Project, *args: str, env: dict[str, str] | None = None) -> dict[str, list[str]]:
    """What `--explain` says: the lines below each action, stripped, by action."""
    said: dict[str, list[str]] = {}
    action = ""
    for line in project.run("--explain", *args, env=env).good().stderr.splitlines():
        if line.partition(":")[0] in ALL:
            action, _, rest = line.partition(": ")
            said[action] = [rest]
        elif action and line.startswith(" "):
            said[action].append(line.strip())
    return said


def test_the_first_build_was_never_built_before(light: Project) -> None:
    said = why(light)
    assert set(said) == ALL
    for lines in said.values():
        assert len(lines) == 1 and lines[0].startswith("ran in ") and lines[0].endswith(", because it was never built")
    assert all(record["first"] for record in light.run("explain", "-o", "json").json["actions"])


def test_a_hit_says_where_from_and_what_it_saved(built: Project) -> None:
    for lines in why(built).values():
        assert lines[0].startswith("cached (made ") and " ago; saved " in lines[0]
    record = built.make().json["actions"][0]
    assert record["from"]["here"] is True and record["saved"] > 0
    other = built.world.project("elsewhere", LIGHT)
    for lines in why(other).values():
        assert " ago in another project; saved " in lines[0]


def test_a_packed_file_with_its_digests(built: Project) -> None:
    built.write("data.txt", "edited\n")
    old, new = sha256(LIGHT["data.txt"]), sha256("edited\n")
    because = f"because data.txt changed: {old[:12]} → {new[:12]}"
    said = why(built)
    assert said["sources"][1:] == [because]
    assert said["bento"][1:] == ["because sources changed", because]
    assert said["service"][0].startswith("cached")


def test_the_text_that_changed(built: Project) -> None:
    built.edit("service.py", "2 * x", "3 * x")
    built.write("data.txt", "a\0b")
    said = why(built, "--diff")
    for action in ("sources", "service"):  # a discovered input is named like any other
        for line in ("--- service.py (before)", "-        return 2 * x", "+        return 3 * x"):
            assert line in said[action], action
    assert not any("data.txt (" in line for line in said["sources"]), "what is no text has no diff"


def test_new_and_removed_files(built: Project) -> None:
    built.write("more.py", "")
    assert why(built)["sources"][1:] == ["because more.py is new"]
    (built / "more.py").unlink()
    (built / "data.txt").unlink()
    assert "because data.txt is gone" in why(built)["sources"]


def test_a_mode_is_a_reason(built: Project) -> None:
    (built / "data.txt").chmod(0o755)
    assert why(built)["sources"][1:] == ["because data.txt changed: mode 644 → mode 755"]


def test_a_parameter_with_both_values_and_todays_line(built: Project) -> None:
    text = (built / "bentofile.yaml").read_text()
    built.write("bentofile.yaml", "# a line more\n" + text.replace("- idna", "- idna\n    - certifi"))
    because = 'because bentofile.yaml:8 python.packages changed: ["idna"] → ["idna", "certifi"]'
    said = why(built)
    assert said["requirements"][1:] == [because]
    assert said["lock"][1:] == ["because requirements changed", because]


def test_through_the_graph_to_the_root(built: Project) -> None:
    """lock ran because requirements changed because bentofile.yaml:7 python.packages changed."""
    built.edit("bentofile.yaml", "- idna", "- certifi")
    lock = built.make().good().reasons("lock")
    (through,) = lock
    assert (through["kind"], through["name"], through["action"]) == ("input", "requirements", "requirements")
    (root,) = through["because"]
    assert root == {
        "kind": "param",
        "name": "python.packages",
        "change": "changed",
        "old": '["idna"]',
        "new": '["certifi"]',
        "place": "bentofile.yaml:7",
    }


def test_one_line_a_step_names_the_root(built: Project) -> None:
    built.edit("bentofile.yaml", "- idna", "- certifi")
    lines = built.run().good().stderr.splitlines()
    (lock,) = [line for line in lines if line.startswith("  lock ")]
    assert lock.endswith('requirements: bentofile.yaml:7 python.packages changed: ["idna"] → ["certifi"]')


def test_an_oracle_with_both_answers(light: Project) -> None:
    light.run("-q", env={"SOURCE_DATE_EPOCH": "1"}).good()
    assert why(light, env={"SOURCE_DATE_EPOCH": "2"})["bento"][1:] == ["because source_date_epoch changed: 1 → 2"]


def test_a_variable_and_a_secret_are_only_said_to_have_changed(light: Project) -> None:
    light.write("service.py", "import os\nTOKEN = os.environ.get('TOKEN')\n" + LIGHT_SERVICE)
    light.write("bentofile.yaml", LIGHT["bentofile.yaml"] + "envs:\n  - name: KEY\n    value: hush-1\n")
    light.run("-q", env={"TOKEN": "hush-1"}).good()
    light.edit("bentofile.yaml", "hush-1", "hush-2")
    run = light.run("--explain", "--diff", "-v", env={"TOKEN": "hush-2"}).good()
    assert "because the variable TOKEN changed\n" in run.stderr
    assert "because bentofile.yaml:9 envs changed\n" in run.stderr
    shown = light.run("explain", "--diff").stdout + light.run("explain", "-o", "json").stdout
    assert "hush" not in run.stderr + shown
    state = light.world.cache / "state" / "runs"
    assert all(b"hush" not in path.read_bytes() for path in state.rglob("*.json"))


def test_what_the_service_looked_for(light: Project) -> None:
    looks = "import os\nos.path.exists('maybe.json')\nopen('data.txt').close()\nos.listdir('parts')\n"
    light.write("parts/a.json", "{}")
    light.write("service.py", looks + LIGHT_SERVICE)
    light.run("-q").good()
    light.write("maybe.json", "{}")
    light.write("data.txt", "other\n")
    light.write("parts/b.json", "{}")
    said = why(light)["service"]
    assert "because the size or presence of maybe.json is there now: file, 2 bytes" in said
    assert f"because data.txt changed: {sha256(LIGHT['data.txt'])[:12]} → {sha256('other' + chr(10))[:12]}" in said
    assert "because the list of files in parts changed: 1 names → 2 names" in said


def test_a_model_that_latest_names_anew(light: Project) -> None:
    save = "import bentoml\nwith bentoml.models.create('words:{0}') as m:\n    open(m.path_of('w'), 'w').write('{0}')\n"
    python = str(light.world.python)
    light.write("bentofile.yaml", LIGHT["bentofile.yaml"] + 'models:\n  - "words:latest"\n')
    light.world.command([python, "-c", save.format(1)]).good()
    light.run("-q").good()
    light.world.command([python, "-c", save.format(2)]).good()
    said = why(light)
    assert said["service"][0].startswith("cached")
    assert "because the model words:latest changed: words:1 → words:2" in said["models"]


def test_a_failed_step_says_what_had_changed(built: Project) -> None:
    built.write("service.py", "raise ValueError\n")
    run = built.make()
    assert run.code == 1 and run.states["service"] == "failed"
    (reason,) = run.reasons("service")
    assert (reason["name"], reason["change"]) == ("ctx/service.py", "changed")


def test_undoing_says_that_it_had_been_seen_before(built: Project) -> None:
    built.write("data.txt", "edited\n")
    built.run("-q").good()
    built.write("data.txt", LIGHT["data.txt"])
    said = why(built)
    assert said["sources"][0].startswith("cached")
    assert said["sources"][1].startswith("seen before, though data.txt changed: ")


def test_forced_and_lost_are_reasons(built: Project) -> None:
    assert all(lines[0].endswith(", because forced") for lines in why(built, "-B").values())


def test_one_vocabulary_before_during_and_after(built: Project) -> None:
    built.edit("service.py", "2 * x", "3 * x")
    built.write("more.py", "")
    built.edit("bentofile.yaml", "- idna", "- certifi")
    before = built.make("-n").good()
    during = built.make().good()
    after = built.run("explain", "-o", "json").good()
    for action in ("sources", "requirements", "service"):
        assert before.reasons(action) == during.reasons(action) == after.reasons(action) != []
    text = built.run("explain").good().stdout
    assert text.startswith("run 2 of ") and ": bentomake build --output json\n" in text
    for line in why_lines(during.json["actions"]):
        assert line in text


def why_lines(records: list[dict[str, Any]]) -> list[str]:
    names = [reason["name"].removeprefix("ctx/") for record in records for reason in record["reasons"]]
    return [name for name in names if name in ("service.py", "more.py", "python.packages")]


def test_an_older_run_is_explained_by_its_number(built: Project) -> None:
    built.write("data.txt", "edited\n")
    built.run("-q").good()
    assert "because it was never built" in built.run("explain", "1").good().stdout
    assert "because data.txt changed" in built.run("explain", "2").good().stdout
    last, second = (re.sub(r"made \d+ s ago", "", built.run("explain", *run).stdout) for run in ([], ["2"]))
    assert last == second
    none = built.run("explain", "3")
    assert none.code == 2 and none.stderr == (
        "error: No run 3 is recorded for this directory.\n  hint: Build first: bentomake\n"
    )


def test_explain_needs_a_run(light: Project) -> None:
    run = light.run("explain")
    assert run.code == 2 and run.stderr.startswith("error: No run is recorded for this directory.\n")


def test_json_has_what_the_text_has(built: Project) -> None:
    built.write("data.txt", "edited\n")
    run = built.make("--explain", "--diff").good()
    (reason,) = run.reasons("sources")
    assert (reason["old"], reason["new"]) == (sha256(LIGHT["data.txt"]), sha256("edited\n"))
    assert "+edited" in reason["diff"]
    assert json.loads(built.run("explain", "--diff", "-o", "json").stdout)["actions"][0]["reasons"][0] == reason
