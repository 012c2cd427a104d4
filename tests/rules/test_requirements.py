"""The requirements rule: what the user wrote reaches the Bento, files followed, no secrets, mistakes placed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bentomake.rules.requirements import requirements
from context import FakeContext, follow

from bentomake.errors import BentofileError

PLACES = {
    "python.packages": "bentofile.yaml:5",
    "python.requirements_txt": "bentofile.yaml:9",
    "python.index_url": "bentofile.yaml:11",
    "python.extra_index_url": "bentofile.yaml:12",
    "python.find_links": "bentofile.yaml:13",
}


def a_context(
    tmp_path: Path,
    generation: str = "runner",
    version: str | None = None,
    files: dict[str, Any] | None = None,
    **python: Any,
) -> FakeContext:
    project = tmp_path / "project"
    for name, content in (files or {}).items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    version = version or {"runner": "1.1.11", "class": "1.4.39"}[generation]
    return FakeContext(
        requirements,
        tmp_path / "work",
        params={f"python.{name}": value for name, value in python.items()},
        places=PLACES,
        oracles={"generation": generation, "bentoml.version": version},
        project=project,
    )


def test_a_runner_bento_gets_the_users_lines_as_they_are(tmp_path: Path) -> None:
    ctx = a_context(tmp_path, packages=["scikit-learn", "pandas>=2 ; python_version < '3.12'"])
    assert follow(requirements, ctx) == {
        "env/python/requirements.txt": "scikit-learn\npandas>=2 ; python_version < '3.12'\n"
    }


def test_a_class_bento_gets_the_options_first_and_bentoml_last(tmp_path: Path) -> None:
    ctx = a_context(
        tmp_path,
        "class",
        packages=["scikit-learn"],
        index_url="https://pypi.org/simple",
        extra_index_url=["https://example.org/simple"],
        trusted_host=["example.org"],
    )
    assert follow(requirements, ctx) == {
        "env/python/requirements.in": (
            "--index-url https://pypi.org/simple\n"
            "--trusted-host example.org\n"
            "--extra-index-url https://example.org/simple\n"
            "scikit-learn\n"
            "bentoml==1.4.39\n"
        )
    }


def test_nothing_asked_for_is_nothing_written_but_bentoml(tmp_path: Path) -> None:
    assert follow(requirements, a_context(tmp_path)) == {}
    assert follow(requirements, a_context(tmp_path, "class")) == {"env/python/requirements.in": "bentoml==1.4.39\n"}


@pytest.mark.parametrize(
    ("packages", "last"),
    [
        (["bentoml"], "bentoml==1.4.39"),
        (["BentoML[grpc]"], "bentoml==1.4.39"),
        (["bentoml>=1.4"], "bentoml>=1.4"),
        (["bentoml[grpc]==1.4.30"], "bentoml[grpc]==1.4.30"),
        (
            ["bentoml @ https://example.org/bentoml-1.4.0-py3-none-any.whl"],
            "bentoml @ https://example.org/bentoml-1.4.0-py3-none-any.whl",
        ),
        (
            ["git+https://github.com/bentoml/bentoml@main#egg=bentoml"],
            "git+https://github.com/bentoml/bentoml@main#egg=bentoml",
        ),
    ],
)
def test_bentoml_is_pinned_unless_the_user_does(tmp_path: Path, packages: list[str], last: str) -> None:
    written = follow(requirements, a_context(tmp_path, "class", packages=packages))["env/python/requirements.in"]
    assert written.splitlines()[-1] == last
    assert written.count("bentoml==1.4.39") == (last == "bentoml==1.4.39")


@pytest.mark.parametrize(
    ("version", "line"),
    [("1.4.39+local", "bentoml==1.4.39"), ("1.4.39.post2+g1", "bentoml==1.4.39"), ("1.4.40.dev3+gabc", "bentoml")],
)
def test_a_bentoml_that_is_no_release_is_said(tmp_path: Path, version: str, line: str) -> None:
    ctx = a_context(tmp_path, "class", version=version)
    assert follow(requirements, ctx)["env/python/requirements.in"] == f"{line}\n"
    assert version in ctx.warnings[0][0]


def test_nested_files_are_read_in_and_constraints_stay_constraints(tmp_path: Path) -> None:
    ctx = a_context(
        tmp_path,
        files={
            "reqs/prod.txt": "# what we serve with\n-r base.txt\n-c ../pins/all.txt\npandas  # tables\n",
            "reqs/base.txt": "scikit-learn \\\n  >=1.3\n--extra-index-url=https://example.org/simple\n",
            "pins/all.txt": "numpy<2\n-r more.txt\n",
            "pins/more.txt": "scipy<1.14\n",
        },
        requirements_txt="reqs/prod.txt",
    )
    assert follow(requirements, ctx) == {
        "env/python/requirements.txt": (
            "--extra-index-url https://example.org/simple\n-c constraints.txt\nscikit-learn >=1.3\npandas\n"
        ),
        "env/python/constraints.txt": "numpy<2\nscipy<1.14\n",
    }
    files = {name for kind, name in ctx.discovered if kind == "file"}
    assert files == {"ctx/reqs/prod.txt", "ctx/reqs/base.txt", "ctx/pins/all.txt", "ctx/pins/more.txt"}


def test_a_comment_that_changes_reaches_nothing(tmp_path: Path) -> None:
    before = a_context(tmp_path / "a", files={"r.txt": "# one\nidna\n"}, requirements_txt="r.txt")
    after = a_context(tmp_path / "b", files={"r.txt": "idna # two\n\n"}, requirements_txt="r.txt")
    assert follow(requirements, before) == follow(requirements, after)


def test_a_file_as_powershell_writes_it(tmp_path: Path) -> None:
    ctx = a_context(tmp_path, files={"r.txt": "idna==3.6\r\nsix\r\n".encode("utf-16")}, requirements_txt="r.txt")
    assert follow(requirements, ctx)["env/python/requirements.txt"] == "idna==3.6\nsix\n"


def test_requirements_txt_wins_over_packages(tmp_path: Path) -> None:
    ctx = a_context(tmp_path, files={"r.txt": "idna\n"}, requirements_txt="r.txt", packages=["six"])
    assert follow(requirements, ctx)["env/python/requirements.txt"] == "idna\n"


@pytest.mark.parametrize(
    ("files", "message", "place"),
    [
        ({}, "There is no requirement file r.txt.", "bentofile.yaml:9"),
        ({"r.txt": "idna\n\n-r gone.txt\n"}, "There is no requirement file gone.txt.", "r.txt:3"),
        ({"r.txt": "-r a/b.txt\n", "a/b.txt": "-c ../r.txt\n"}, "r.txt → a/b.txt → r.txt", "a/b.txt:1"),
        ({"r.txt": "six\nidna=3.6\n"}, "Not a requirement: idna=3.6.", "r.txt:2"),
        ({"r.txt": "six\n-e .\n"}, "An editable package cannot travel", "r.txt:2"),
        ({"r.txt": "six @ file:///srv/six.whl\n"}, "a path of this machine", "r.txt:1"),
        ({"r.txt": "/srv/six-1.whl\n"}, "a path of this machine", "r.txt:1"),
        ({"r.txt": "-r https://example.org/r.txt\n"}, "not a file of the project", "r.txt:1"),
        ({"r.txt": "--frobnicate\n"}, "The option --frobnicate", "r.txt:1"),
        ({"r.txt": "-r\n"}, "--requirement needs a value", "r.txt:1"),
        ({"r.txt": b"caf\xe9\n"}, "not text in UTF-8", "r.txt"),
    ],
)
def test_a_mistake_has_its_place(tmp_path: Path, files: dict[str, Any], message: str, place: str) -> None:
    with pytest.raises(BentofileError) as caught:
        follow(requirements, a_context(tmp_path, files=files, requirements_txt="r.txt"))
    assert message in caught.value.message
    assert caught.value.place == place


def test_a_single_equals_sign_gets_a_hint(tmp_path: Path) -> None:
    with pytest.raises(BentofileError) as caught:
        follow(requirements, a_context(tmp_path, packages=["idna=3.6"]))
    assert caught.value.hint == "Did you mean idna==3.6?"
    assert caught.value.place == "bentofile.yaml:5"


@pytest.mark.parametrize(
    "python",
    [
        {"index_url": "https://me:hunter2@example.org/simple"},
        {"extra_index_url": ["https://hunter2@example.org/simple"]},
        {"find_links": ["https://me:hun@ter2@example.org/links"]},
        {"index_url": "https://me:hunter2/3@example.org/simple"},
        {"packages": ["six @ https://me:hunter2@example.org/six-1-py3-none-any.whl"]},
        {"packages": ["git+https://hunter2@github.com/a/b"]},
        {"packages": ["-e git+https://me:hunter2@github.com/a/b#egg=b"]},
        {"packages": ["--index-url https://me:hunter2@example.org/simple"]},
        {"packages": ["-r https://me:hunter2@example.org/r.txt"]},
    ],
)
def test_credentials_in_a_url_are_refused_and_not_repeated(tmp_path: Path, python: dict[str, Any]) -> None:
    with pytest.raises(BentofileError) as caught:
        follow(requirements, a_context(tmp_path, **python))
    told = str(caught.value.to_json())
    assert "hunter2" not in told and "ter2" not in told
    assert caught.value.exit_code == 2
    assert str(caught.value.place).startswith("bentofile.yaml:")


@pytest.mark.parametrize(
    "package", ["git+ssh://git@github.com/a/b.git@v1", "https://example.org:8080/six-1-py3-none-any.whl"]
)
def test_a_user_name_for_ssh_and_a_port_are_no_credentials(tmp_path: Path, package: str) -> None:
    assert package in follow(requirements, a_context(tmp_path, packages=[package]))["env/python/requirements.txt"]


def test_a_local_directory_is_left_as_it_is(tmp_path: Path) -> None:
    ctx = a_context(tmp_path, packages=["./lib"], find_links=["wheels"])
    assert "./lib\n" in follow(requirements, ctx)["env/python/requirements.txt"]
    assert ctx.warnings == []  # the judgement of the bentofile has said so


@pytest.mark.parametrize("generation", ["runner", "class"])
@pytest.mark.parametrize(
    ("line", "written"),
    [
        ("./lib/mine-1.0-py3-none-any.whl", "./wheels/mine-1.0-py3-none-any.whl"),
        ("lib/mine-1.0.tar.gz", "./wheels/mine-1.0.tar.gz"),
        ("file:lib/mine-1.0.tar.gz#egg=mine", "./wheels/mine-1.0.tar.gz"),
        ("mine @ file:./lib/mine-1.0.tar.gz", "./wheels/mine-1.0.tar.gz"),
        ("mine[extra] @ file:lib/mine-1.0.tar.gz ; python_version > '3'", None),
        ("./lib/mine-1.0-py3-none-any.whl[extra] ; python_version > '3'", None),
    ],
)
def test_an_archive_of_the_project_is_copied_and_named_there(
    tmp_path: Path, line: str, written: str | None, generation: str
) -> None:
    files = {"lib/mine-1.0-py3-none-any.whl": "W", "lib/mine-1.0.tar.gz": "S", "r/r.txt": f"{line}\nidna\n"}
    for number, options in enumerate(({"packages": [line]}, {"requirements_txt": "r/r.txt"})):
        ctx = a_context(tmp_path / str(number), generation, files=files, **options)
        made = follow(requirements, ctx)
        name = "mine-1.0.tar.gz" if "tar.gz" in line else "mine-1.0-py3-none-any.whl"
        assert made[f"env/python/wheels/{name}"] == ("S" if "tar.gz" in line else "W")
        lines = made["env/python/requirements." + ("in" if generation == "class" else "txt")].splitlines()
        assert lines[0] == (written or f"./wheels/{name}[extra] ; python_version > '3'")
        assert ("file", f"ctx/lib/{name}") in ctx.discovered


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("../lib/mine-1.0.tar.gz", "../lib/mine-1.0.tar.gz is a path of this machine; it means nothing where"),
        ("mine @ file:../mine-1.0.whl", "mine @ file:../mine-1.0.whl is a path of this machine"),
        ("./gone-1.0.tar.gz", "There is no file gone-1.0.tar.gz, which is required."),
        ("a/mine-1.0.tar.gz\nb/mine-1.0.tar.gz", "Two packages have the name mine-1.0.tar.gz; a Bento has its wheels"),
    ],
)
def test_archives_that_cannot_travel(tmp_path: Path, lines: str, message: str) -> None:
    files = {"a/mine-1.0.tar.gz": "a", "b/mine-1.0.tar.gz": "b", "r.txt": f"{lines}\n"}
    with pytest.raises(BentofileError) as caught:
        follow(requirements, a_context(tmp_path, files=files, requirements_txt="r.txt"))
    assert caught.value.message.startswith(message)
    assert caught.value.place == f"r.txt:{len(lines.splitlines())}"


def test_hashes_of_constraints_stay(tmp_path: Path) -> None:
    files = {"r.txt": "-c pins.txt\nidna\n", "pins.txt": "idna==3.6 --hash=sha256:aa  # as audited\n"}
    made = follow(requirements, a_context(tmp_path, files=files, requirements_txt="r.txt"))
    assert made["env/python/constraints.txt"] == "idna==3.6 --hash=sha256:aa\n"


@pytest.mark.parametrize("generation", ["runner", "class"])
def test_options_on_the_line_of_a_package_get_lines_of_their_own(tmp_path: Path, generation: str) -> None:
    ctx = a_context(
        tmp_path,
        generation,
        packages=[
            "torchvision==0.9.2 --extra-index-url https://example.org/simple",
            "torch==1.9.0+cpu -f https://example.org/torch.html --trusted-host=example.org",
            "bentoml",
        ],
    )
    (text,) = follow(requirements, ctx).values()
    assert text.splitlines()[:5] == [
        "--trusted-host example.org",
        "--extra-index-url https://example.org/simple",
        "--find-links https://example.org/torch.html",
        "torchvision==0.9.2",
        "torch==1.9.0+cpu",
    ]


def test_hashes_and_settings_stay_on_the_line(tmp_path: Path) -> None:
    text = "idna==3.6 \\\n  --hash=sha256:aa \\\n  --hash=sha256:bb -i https://example.org/simple\n"
    ctx = a_context(tmp_path, files={"r.txt": text}, requirements_txt="r.txt")
    assert follow(requirements, ctx)["env/python/requirements.txt"] == (
        "--index-url https://example.org/simple\nidna==3.6 --hash=sha256:aa --hash=sha256:bb\n"
    )


def test_files_of_parent_directories_are_followed(tmp_path: Path) -> None:
    files = {
        "r.txt": "-r ../common/base.txt\n",
        "../common/base.txt": "-c pins.txt\nidna\n",
        "../common/pins.txt": "six<2",
    }
    made = follow(requirements, a_context(tmp_path, files=files, requirements_txt="r.txt"))
    assert made["env/python/requirements.txt"] == "-c constraints.txt\nidna\n"
    assert made["env/python/constraints.txt"] == "six<2\n"
