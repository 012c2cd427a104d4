"""The code identity: an edited module of bentomake reruns what it may change; an installed release is its version."""

from __future__ import annotations

import pytest

from bentomake.engine import code
from bentomake.engine.code import CodeIdentity

FILES = {
    "bentomake/engine/rule.py": "",
    "bentomake/service/look.py": "",
    "bentomake/service/probe.py": "# started as a program; nobody imports it\n",
    "bentomake/container/docker.py": "# imported by name\n",
    "bentomake/cli/main.py": "",
    "rules/service.py": "from bentomake.engine.rule import rule\n\nfrom .models import chosen\n",
    "rules/models.py": "from .words import word\n",
    "rules/words.py": "",
    "rules/lock.py": "",
    "rules/lock.j2": "",
}


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    monkeypatch.setattr(code, "_PACKAGE", str(tmp_path / "bentomake"))
    return tmp_path


def identities(directory, version="1"):
    """By rule: (the rule itself, bentomake), as the next process sees them."""
    found = CodeIdentity(version, str(directory / "code.json"))
    files = {name: str(directory / "rules" / f"{name}.py") for name in ("service", "lock")}
    seen = {
        name: (found.rule(file, (f"{name}.j2",) * (name == "lock")), found.reach(file)) for name, file in files.items()
    }
    found.save()
    return seen


@pytest.mark.parametrize(
    ("path", "changed"),
    [
        ("bentomake/engine/rule.py", {"service", "lock"}),
        ("bentomake/service/probe.py", {"service", "lock"}),
        ("bentomake/container/docker.py", {"service", "lock"}),
        ("bentomake/cli/main.py", set()),
        ("rules/service.py", {"service"}),
        ("rules/words.py", {"service"}),
        ("rules/lock.j2", {"lock"}),
    ],
)
def test_an_edited_file_is_another_identity_of_the_rules_that_can_reach_it(checkout, path, changed):
    before = identities(checkout)
    assert identities(checkout) == before
    (checkout / path).write_text(FILES[path] + "# edited\n")
    after = identities(checkout)
    assert {name for name in after if after[name] != before[name]} == changed


def test_of_an_installed_release_the_version_says_it_all(checkout, monkeypatch):
    monkeypatch.setattr(code, "_PACKAGE", str(checkout))  # so that the rules lie in the package
    before = identities(checkout)
    (checkout / "bentomake/service/probe.py").write_text("# edited\n")
    assert identities(checkout) == before
    assert all(shown == "2" for _, (_, shown) in identities(checkout, version="2").values())
    assert identities(checkout, version="2") != before
