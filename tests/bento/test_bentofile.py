"""Bentofiles: good ones are read as BentoML reads them, wrong ones get a place, a sentence and a hint."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
import yaml

from bentomake.bento import bentofile, groups, schema
from bentomake.bento.bentofile import Bentofile
from bentomake.errors import Several, UsageError

FIXTURES = Path(__file__).parent / "fixtures"
GOOD = sorted(path.stem for path in (FIXTURES / "good").glob("*.yaml"))
WRONG = sorted(path.stem for path in (FIXTURES / "wrong").glob("*.yaml"))


@pytest.fixture(params=["libyaml", "pure"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both of PyYAML's parsers: the wheels have libyaml, a source build may not."""
    if request.param == "pure":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    elif not hasattr(yaml, "CSafeLoader"):
        pytest.skip("this PyYAML has no libyaml")


def load(directory: Path, text: str | bytes, name: str = "bentofile.yaml") -> Bentofile:
    (directory / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return bentofile.load(name, str(directory))


def refused(directory: Path, text: str | bytes) -> UsageError:
    with pytest.raises(UsageError) as caught:
        load(directory, text)
    return caught.value


def rendered(error: UsageError) -> str:
    errors = error.errors if isinstance(error, Several) else [error]
    return "".join(f"{one.place}: {one.message}\n  hint: {one.hint}\n" for one in errors)


# What is wrong


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_bentofile_says_where_what_and_what_to_do(case: str, tmp_path: Path, parser: None) -> None:
    error = refused(tmp_path, (FIXTURES / "wrong" / f"{case}.yaml").read_bytes())
    assert rendered(error) == (FIXTURES / "wrong" / f"{case}.txt").read_text(encoding="utf-8")
    assert error.exit_code == 2


def test_there_are_enough_wrong_bentofiles() -> None:
    assert len(WRONG) > 100


@pytest.mark.parametrize("text", ["args: " + "[" * 200_000, "args: " + "{a: " * 1000 + "}" * 1000, "- " * 5000 + "a"])
def test_deep_nesting_is_refused_before_it_can_exhaust_the_stack(text: str, tmp_path: Path, parser: None) -> None:
    error = refused(tmp_path, "service: service:svc\n" + text if text[0] == "a" else text)
    assert error.message == "Lists and mappings are nested more than 50 levels deep."


def test_nesting_that_aliases_pile_up_is_refused_too(tmp_path: Path) -> None:
    chain = "".join(f"  a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 60))
    error = refused(tmp_path, f"service: service:svc\nargs:\n  a0: &a0 [x]\n{chain}")
    assert error.message == "Lists and mappings are nested more than 50 levels deep."


def test_fifty_levels_are_allowed(tmp_path: Path) -> None:
    assert load(tmp_path, "service: service:svc\nargs:\n  a: " + "[" * 48 + "]" * 48).values["args"]["a"]


@pytest.mark.parametrize("inner", ["[{}]", "{{<<: [{}]}}"])
def test_aliases_cannot_make_a_small_file_big(inner: str, tmp_path: Path) -> None:
    lines = [f"  a{i}: &a{i} " + inner.format(", ".join([f"*a{i - 1}"] * 30)) for i in range(1, 30)]
    error = refused(tmp_path, "service: service:svc\nargs:\n  a0: &a0 {x: y}\n" + "\n".join(lines))
    assert error.message == "The aliases of this file stand for more than 10,000 values."


def test_a_long_list_without_aliases_is_no_bomb(tmp_path: Path) -> None:
    text = "service: service:svc\ninclude:\n" + "".join(f"- file{i}\n" for i in range(20_000))
    assert len(load(tmp_path, text).values["include"]) == 20_000


def test_a_file_over_a_mebibyte_is_refused_unread(tmp_path: Path) -> None:
    error = refused(tmp_path, "service: service:svc\n#" + "x" * (1 << 20))
    assert (error.place, error.message) == (
        "bentofile.yaml",
        "The file has more than 1 MiB: that is no bentofile.",
    )


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "bentofile.yaml").mkdir()
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    for name, message in [
        ("bentofile.yaml", "bentofile.yaml is not a file."),
        ("pipe.yaml", "pipe.yaml is not a file."),
        ("none.yaml", "There is no file none.yaml."),
        ("loop.yaml", f"loop.yaml cannot be read: {os.strerror(errno.ELOOP).lower()}."),
    ]:
        with pytest.raises(UsageError) as caught:
            bentofile.load(name, str(tmp_path))
        assert caught.value.message == message
        assert caught.value.hint


# What is right


@pytest.mark.parametrize("case", GOOD)
def test_a_good_bentofile_gives_these_values_and_remarks(case: str, parser: None) -> None:
    default = load_good("plain", FIXTURES).values
    good = load_good(case)
    expected = json.loads((FIXTURES / "good" / f"{case}.json").read_text(encoding="utf-8"))
    assert {name: value for name, value in good.values.items() if value != default[name]} == expected["values"]
    assert [f"{remark.place}: {remark.message} hint: {remark.hint}" for remark in good.remarks] == expected["remarks"]


def load_good(case: str, directory: Path = FIXTURES / "good") -> Bentofile:
    return bentofile.load(f"{case}.yaml", str(directory))


def test_every_option_has_its_default() -> None:
    values = load_good("plain", FIXTURES).values
    assert set(values) == {field.name for field in schema.FIELDS if "[]" not in field.name}
    assert values["include"] == ["*"]
    assert values["docker.distro"] is None  # debian, unless an image in code says otherwise
    assert values["python.lock_packages"] is True


def test_defaults_are_not_shared_between_two_bentofiles() -> None:
    load_good("plain", FIXTURES).values["include"].append("mine")
    assert load_good("plain", FIXTURES).values["include"] == ["*"]


def test_lines_are_those_of_keys_and_items() -> None:
    good = load_good("quickstart")
    assert good.place("python.packages[1]") == "quickstart.yaml:10"
    assert good.place("python.packages") == "quickstart.yaml:8"
    assert good.place("labels.stage") == "quickstart.yaml:4"
    assert load_good("models").place("models[1].alias") == "models.yaml:5"


def test_what_is_not_written_stands_where_its_nearest_parent_does() -> None:
    good = load_good("quickstart")
    assert good.place("python.index_url") == "quickstart.yaml:7"
    assert good.place("labels.app.kubernetes.io/name") == "quickstart.yaml:2"
    assert good.place("python.packages[9]") == "quickstart.yaml:8"
    assert good.place("docker.env.A") == "quickstart.yaml"


def test_a_bentofile_survives_json() -> None:
    for case in GOOD:
        good = load_good(case)
        assert Bentofile.from_json(json.loads(json.dumps(good.to_json()))) == good


def test_messages_name_the_file_relative_to_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "services/fraud").mkdir(parents=True)
    path = tmp_path / "services/fraud/bentofile.yaml"
    path.write_text("service: service:svc\n")
    assert bentofile.load(str(path), str(tmp_path)).shown == "services/fraud/bentofile.yaml"
    assert bentofile.load("bentofile.yaml", str(path.parent)).shown == "bentofile.yaml"
    assert bentofile.load("services/fraud/bentofile.yaml", str(tmp_path)).path == str(path)


def test_every_kind_has_a_reader_and_every_example_is_accepted(tmp_path: Path) -> None:
    for field in schema.FIELDS:
        assert field.kind in groups.READERS
        if field.name == "service" or "[]" in field.name:
            continue
        line = f"{field.key}: {field.example or field.choices[0]}"
        text = f"{field.section}: {{{line}}}" if field.section else line
        assert load(tmp_path, f"service: service:svc\n{text}\n").values[field.name] is not None


# Finding it


def test_a_directory_has_bentofile_yaml_or_else_yml(tmp_path: Path) -> None:
    (tmp_path / "bentofile.yml").write_text("service: service:svc\n")
    found = bentofile.find(".", str(tmp_path))
    assert found == str(tmp_path / "bentofile.yml")
    (remark,) = bentofile.load(found, str(tmp_path)).remarks
    assert remark.message == "bentofile.yml is read; bentoml itself looks for bentofile.yaml only."
    (tmp_path / "bentofile.yaml").write_text("service: service:svc\n")
    assert bentofile.find(".", str(tmp_path)) == str(tmp_path / "bentofile.yaml")
    assert bentofile.load("bentofile.yaml", str(tmp_path)).remarks == ()


def test_no_bentofile_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        bentofile.find(".", str(tmp_path))
    assert caught.value.message == f"There is no bentofile.yaml in {tmp_path}."
    assert caught.value.hint == 'Write one, at least service: "service:svc", or name another with -f FILE.'
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "mine"\n')
    with pytest.raises(UsageError, match=r"There is no bentofile\.yaml"):
        bentofile.find(".", str(tmp_path))
    with pytest.raises(UsageError, match="does not exist"):
        bentofile.find("nowhere", str(tmp_path))
    with pytest.raises(UsageError, match="is not a directory"):
        bentofile.find("pyproject.toml", str(tmp_path))
