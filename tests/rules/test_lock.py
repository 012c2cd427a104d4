"""The lock rule, with the real uv, the real pip-compile and the real index."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bentomake.rules.lock import lock
from bentomake.rules.requirements import requirements
from context import FakeContext, a_venv, follow, installed_in, with_git

from bentomake.engine.fact import Fact
from bentomake.errors import BentofileError, StepError, UsageError

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
LOCKERS = [
    "uv",
    pytest.param(
        "pip-compile",
        marks=pytest.mark.skipif(sys.platform != "linux", reason="pip-compile locks for its own platform"),
    ),
]
LOCK = "env/python/requirements.lock.txt"


@pytest.fixture(autouse=True)
def a_bare_host(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in (
        "PIP_FIND_LINKS",
        "PIP_INDEX_URL",
        "PIP_EXTRA_INDEX_URL",
        "UV_INDEX_URL",
        "UV_DEFAULT_INDEX",
        "UV_INDEX",
    ):
        monkeypatch.delenv(name, raising=False)
    yield


def a_lock(
    tmp_path: Path,
    packages: list[str],
    *,
    generation: str = "class",
    locker: str = "uv",
    installed: dict[str, str] | None = None,
    upgrade: list[str] | None = None,
    bentoml: str = "1.4.39",
    python: str = sys.executable,
    version: str = HERE,
    facts: dict[tuple[str, str], Fact] | None = None,
    constraints: list[str] | None = None,
    add_bentoml: bool = False,
    platform: str | None = None,
    hashes: bool = False,
    **params: Any,
) -> tuple[FakeContext, dict[str, str]]:
    """Lock packages; without bentoml in a "class" Bento, to keep the sets small."""
    asked = "\n".join(packages) + "\n"
    if add_bentoml and generation == "class":
        asked += f"bentoml=={bentoml}\n"
    files = {f"env/python/requirements.{'in' if generation == 'class' else 'txt'}": asked}
    if constraints:
        files = {name: f"-c constraints.txt\n{text}" for name, text in files.items()}
        files["env/python/constraints.txt"] = "\n".join(constraints) + "\n"
    project = tmp_path / "project"
    project.mkdir(exist_ok=True)
    given: dict[str, Any] = {
        "params": {
            "lock.locker": locker,
            "lock.upgrade": upgrade or [],
            "lock.platform": platform,
            "lock.hashes": hashes,
            **{f"python.{name}": value for name, value in params.items() if not name.startswith("docker_")},
            "docker.python_version": params.get("docker_python"),
            "docker.libc": params.get("docker_libc", "gnu"),
        },
        "places": {
            "python.packages": "bentofile.yaml:4",
            "docker.python_version": "bentofile.yaml:9",
            "python.pip_args": "bentofile.yaml:7",
        },
        "oracles": {
            "bentoml.version": bentoml,
            "generation": generation,
            "python.version": version,
            "arch": os.uname().machine,
        },
        "project": project,
        "installed": installed or {},
        "python": python,
        "facts": facts,
    }
    work = tmp_path / f"work-{len(list(tmp_path.iterdir()))}"
    ctx = FakeContext(lock, work, inputs=with_git(tmp_path / f"{work.name}-git", files, **given), **given)
    return ctx, follow(lock, ctx)


def pins_of(made: dict[str, str]) -> dict[str, str]:
    (text,) = made.values()
    return dict(line.split("==") for line in text.splitlines() if "==" in line)


@pytest.mark.parametrize("locker", LOCKERS)
def test_what_is_installed_stays(tmp_path: Path, locker: str) -> None:
    python = a_venv(tmp_path / "venv", "idna==3.6", "six==1.15.0")
    ctx, made = a_lock(tmp_path, ["idna", "six"], locker=locker, installed=installed_in(python), python=python)
    assert made == {"env/python/requirements.txt": "idna==3.6\nsix==1.15.0\n"}
    assert ctx.warnings == []
    assert {name for kind, name in ctx.discovered if kind == "installed"} == {"idna", "six"}
    assert any("locked 2 packages in" in line for line in ctx.logged)


@pytest.mark.parametrize("locker", LOCKERS)
def test_what_is_not_installed_is_keyed_as_absent(tmp_path: Path, locker: str) -> None:
    ctx, made = a_lock(tmp_path, ["idna"], locker=locker)
    assert ctx.discovered["installed", "idna"] == "absent"
    assert pins_of(made)["idna"] != "3.6"


@pytest.mark.parametrize("locker", LOCKERS)
def test_an_installed_version_yields_to_a_requirement_without_a_warning(tmp_path: Path, locker: str) -> None:
    ctx, made = a_lock(tmp_path, ["idna>=3.7,<3.8", "six"], locker=locker, installed={"idna": "3.6", "six": "1.15.0"})
    assert pins_of(made) == {"idna": "3.7", "six": "1.15.0"}
    assert ctx.warnings == []


@pytest.mark.parametrize("locker", LOCKERS)
def test_a_local_version_seeds_its_public_one(tmp_path: Path, locker: str) -> None:
    ctx, made = a_lock(tmp_path, ["idna"], locker=locker, installed={"idna": "3.6+cu121"})
    assert pins_of(made) == {"idna": "3.6"}
    assert ctx.warnings == []


@pytest.mark.parametrize("locker", LOCKERS)
def test_an_installed_version_that_the_index_lacks_is_a_warning(tmp_path: Path, locker: str) -> None:
    python = a_venv(tmp_path / "venv", "six==1.15.0")
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], capture_output=True, text=True
    )
    made_up = Path(site.stdout.strip()) / "idna-3.6.77.dist-info"
    made_up.mkdir()
    (made_up / "METADATA").write_text("Metadata-Version: 2.1\nName: idna\nVersion: 3.6.77\n")

    installed = installed_in(python)
    ctx, made = a_lock(tmp_path, ["idna", "six>=1.16"], locker=locker, installed=installed, python=python)
    assert installed["idna"] == "3.6.77"
    assert pins_of(made)["idna"] != "3.6.77"
    assert len(ctx.warnings) == 1
    assert ctx.warnings[0][0].startswith("idna 3.6.77 is installed, but the package index has no such version")


@pytest.mark.parametrize("locker", LOCKERS)
def test_the_text_is_sorted_pins_and_nothing_else(tmp_path: Path, locker: str) -> None:
    packages = [
        "Typing_Extensions==4.8.0",
        "setuptools==70.0.0",
        "idna==3.6 ; python_version > '3'",
        "uvicorn[standard]==0.30.0",
    ]
    _, made = a_lock(tmp_path, packages, locker=locker)
    text = made["env/python/requirements.txt"]
    lines = text.splitlines()
    assert lines == sorted(lines)
    assert {"typing-extensions==4.8.0", "setuptools==70.0.0", "idna==3.6", "uvicorn==0.30.0"} <= set(lines)
    assert any(line.startswith("httptools==") for line in lines)
    assert text.endswith("\n") and "#" not in text and " " not in text


@pytest.mark.parametrize("locker", LOCKERS)
def test_the_users_options_come_first(tmp_path: Path, locker: str) -> None:
    _, made = a_lock(
        tmp_path,
        ["idna==3.6"],
        locker=locker,
        index_url="https://pypi.org/simple",
        trusted_host=["pypi.org"],
        extra_index_url=["https://pypi.org/simple"],
    )
    assert made["env/python/requirements.txt"].splitlines() == [
        "--index-url https://pypi.org/simple",
        "--trusted-host pypi.org",
        "--extra-index-url https://pypi.org/simple",
        "idna==3.6",
    ]


@pytest.mark.parametrize("locker", LOCKERS)
def test_constraints_hold_and_ask_for_nothing(tmp_path: Path, locker: str) -> None:
    _, made = a_lock(tmp_path, ["idna"], locker=locker, constraints=["idna<3.7", "six==1.15.0"])
    assert pins_of(made) == {"idna": "3.6"}


@pytest.mark.parametrize("locker", LOCKERS)
def test_a_conflict_fails_with_the_resolvers_words(tmp_path: Path, locker: str) -> None:
    with pytest.raises(StepError) as caught:
        a_lock(tmp_path, ["idna==3.6"], locker=locker, constraints=["idna>3.7"])
    assert caught.value.exit_code == 1
    assert caught.value.place == "bentofile.yaml:4"
    detail = caught.value.detail or ""
    assert "idna==3.6" in detail
    assert "Traceback" not in detail and 'File "' not in detail and "\x1b" not in detail and str(tmp_path) not in detail


def a_wheel(directory: Path, name: str, version: str) -> Path:
    """A wheel that only this machine has."""
    import zipfile

    directory.mkdir(exist_ok=True)
    path = directory / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}.py", "")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return path


@pytest.mark.parametrize("locker", LOCKERS)
def test_the_hosts_own_packages_and_settings_never_reach_a_lock(
    tmp_path: Path, locker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    links = tmp_path / "links"
    a_wheel(links, "idna", "99.0")
    config = tmp_path / "config"
    (config / "pip").mkdir(parents=True)
    (config / "uv").mkdir()
    (config / "pip" / "pip.conf").write_text(f"[global]\nfind-links = {links}\n")
    (config / "uv" / "uv.toml").write_text(f'find-links = ["{links}"]\n')
    monkeypatch.setenv("XDG_CONFIG_HOME", str(config))
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    monkeypatch.setenv("UV_FIND_LINKS", str(links))
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://me:hunter2@localhost:9/simple")
    monkeypatch.setenv("UV_EXCLUDE_NEWER", "2015-01-01")
    monkeypatch.setenv("PIP_TOOLS_PRE", "1")
    _, made = a_lock(tmp_path, ["idna"], locker=locker)
    assert list(pins_of(made)) == ["idna"]
    assert pins_of(made)["idna"] not in ("99.0", "2.0")
    assert "links" not in str(made) and "hunter2" not in str(made)


@pytest.mark.parametrize("locker", LOCKERS)
@pytest.mark.parametrize("variable", ["UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"])
def test_a_mirror_is_used_by_both_lockers_and_never_written(
    tmp_path: Path, locker: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "https://me:hunter2@localhost:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("UV_NO_CACHE", "1")
    with pytest.raises(StepError) as caught:
        a_lock(tmp_path, ["idna"], locker=locker)
    assert "hunter2" not in str(caught.value.to_json())

    ctx, made = a_lock(tmp_path, ["idna==3.6"], locker=locker, index_url="https://pypi.org/simple")
    assert "idna==3.6\n" in made["env/python/requirements.txt"], "the user's own index comes first"
    assert ("env", variable) not in ctx.discovered

    monkeypatch.setenv(variable, "https://pypi.org/simple/")
    ctx, made = a_lock(tmp_path, ["idna==3.6"], locker=locker)
    assert made == {"env/python/requirements.txt": "idna==3.6\n"}
    assert ctx.discovered["env", variable] != "absent"
    assert not any("pypi.org" in word for argv, _ in ctx.ran for word in argv)


def test_upgrade_forgets_what_is_installed(tmp_path: Path) -> None:
    installed = {"idna": "3.6", "six": "1.15.0"}
    some, made = a_lock(tmp_path, ["idna", "six"], installed=installed, upgrade=["Six"])
    assert pins_of(made)["idna"] == "3.6" and pins_of(made)["six"] != "1.15.0"
    assert ("installed", "six") not in some.discovered and some.forgotten
    every, made = a_lock(tmp_path, ["idna", "six"], installed=installed, upgrade=["*"])
    assert pins_of(made)["idna"] != "3.6" and pins_of(made)["six"] != "1.15.0"
    assert every.warnings == []


def test_uv_locks_for_the_bentos_python(tmp_path: Path) -> None:
    packages = ["tomli ; python_version < '3.11'", "idna==3.6", "pywin32 ; sys_platform == 'win32'"]
    _, old = a_lock(tmp_path, packages, docker_python="3.10")
    _, new = a_lock(tmp_path, packages, docker_python="3.12")
    assert list(pins_of(old)) == ["idna", "tomli"]
    assert list(pins_of(new)) == ["idna"]


def test_uv_takes_packages_that_need_a_patch_release(tmp_path: Path) -> None:
    _, made = a_lock(tmp_path, ["flake8==7.0.0"], docker_python="3.8")  # Requires-Python: >=3.8.1
    assert pins_of(made)["flake8"] == "7.0.0"


def test_pip_compile_refuses_another_python(tmp_path: Path) -> None:
    other = "3.9" if HERE != "3.9" else "3.10"
    with pytest.raises(UsageError) as caught:
        a_lock(tmp_path, ["idna"], locker="pip-compile", docker_python=other)
    assert f"Python {other}" in caught.value.message
    assert "--locker uv" in (caught.value.hint or "")
    assert caught.value.place == "bentofile.yaml:9"


def test_without_lock_a_class_bento_installs_what_was_asked_for(tmp_path: Path) -> None:
    ctx, made = a_lock(tmp_path, ["idna"], lock_packages=False, add_bentoml=True)
    assert made == {"env/python/requirements.txt": "idna\nbentoml==1.4.39\n"}
    assert ctx.ran == []


def test_without_lock_a_runner_bento_has_only_its_requirements(tmp_path: Path) -> None:
    assert a_lock(tmp_path, ["idna"], generation="runner", lock_packages=False)[1] == {}


def test_a_requirements_txt_is_locked_unless_the_user_says_not_to(tmp_path: Path) -> None:
    for generation, name in (("runner", "requirements.lock.txt"), ("class", "requirements.txt")):
        made = a_lock(tmp_path, ["idna"], generation=generation, requirements_txt="r.txt")[1]
        assert "idna==" in made[f"env/python/{name}"]


def test_the_user_may_pin_what_the_runner_generation_needs(tmp_path: Path) -> None:
    _, made = a_lock(
        tmp_path,
        ["setuptools==70.0.0", "bentoml==1.1.10"],
        generation="runner",
        bentoml="1.1.11",
        constraints=["click==8.1.7"],
        docker_python="3.11",
    )
    locked = pins_of(made)
    assert (locked["setuptools"], locked["bentoml"], locked["click"]) == ("70.0.0", "1.1.10", "8.1.7")


@pytest.mark.real
def test_a_runner_lock_installs_and_bentoml_imports(tmp_path: Path, bentoml11: str) -> None:
    options: dict[str, Any] = {"generation": "runner", "bentoml": "1.1.11", "python": bentoml11, "version": "3.11"}
    _, made = a_lock(tmp_path, ["idna"], **options)
    locked = pins_of(made)
    assert int(locked["setuptools"].split(".")[0]) < 81
    assert tuple(map(int, locked["click"].split(".")[:2])) < (8, 3)
    assert locked["bentoml"] == "1.1.11"

    (tmp_path / "lock.txt").write_text(made[LOCK])
    python = a_venv(tmp_path / "venv", "-r", str(tmp_path / "lock.txt"), python=bentoml11)
    assert installed_in(python) == locked, "the lock names all that is installed"
    done = subprocess.run(
        [python, "-I", "-c", "import bentoml; print(bentoml.__version__)"], capture_output=True, text=True
    )
    assert done.stdout.strip() == "1.1.11", done.stderr


@pytest.mark.real
@pytest.mark.skipif(HERE != "3.11" or sys.platform != "linux", reason="pip-compile locks for its own Python")
@pytest.mark.parametrize(("generation", "seeded"), [("runner", True), ("runner", False), ("class", True)])
def test_both_lockers_give_the_same_lock_on_the_examples(
    tmp_path: Path, generation: str, seeded: bool, request: pytest.FixtureRequest
) -> None:
    python: str = request.getfixturevalue("bentoml11" if generation == "runner" else "bentoml14")
    installed = installed_in(python)
    version = installed["bentoml"]
    asked = FakeContext(
        requirements,
        tmp_path / "requirements",
        params={"python.packages": ["scikit-learn", "pandas"]},
        oracles={"generation": generation, "bentoml.version": version},
    )
    (text,) = follow(requirements, asked).values()
    locks = [
        a_lock(
            tmp_path,
            text.splitlines(),
            generation=generation,
            locker=locker,
            installed=installed if seeded else {},
            bentoml=version,
            python=python,
        )
        for locker in ("uv", "pip-compile")
    ]
    (by_uv, one), (by_pip, other) = locks
    assert one == other
    assert by_uv.warnings == by_pip.warnings
    if seeded:
        kept = {name: version for name, version in pins_of(one).items() if name in installed}
        assert kept == {name: installed[name] for name in kept} and "scikit-learn" in kept


IDNA = [  # of 3.6, as the index has them
    "sha256:9ecdbbd083b06798ae1e86adcbfe8ab1479cf864e4ee30fe4e46a003d12491ca",
    "sha256:c05567e9c24a6b9faaa835c4821bad0590fbb9d5779e7caa6e1cc4978e7eb24f",
]


def hashes_of(made: dict[str, str]) -> dict[str, list[str]]:
    (text,) = made.values()
    lines = text.replace(" \\\n", "").splitlines()
    return {line.split("==")[0]: re.findall(r"--hash=(\S+)", line) for line in lines}


@pytest.mark.parametrize("locker", LOCKERS)
def test_hashes_are_in_the_lock_on_request(tmp_path: Path, locker: str) -> None:
    _, made = a_lock(tmp_path, ["idna==3.6"], locker=locker, hashes=True)
    assert made["env/python/requirements.txt"] == f"idna==3.6 \\\n    --hash={IDNA[0]} \\\n    --hash={IDNA[1]}\n"


@pytest.mark.parametrize("locker", LOCKERS)
def test_hashed_requirements_make_a_hashed_lock(tmp_path: Path, locker: str) -> None:
    _, made = a_lock(tmp_path, [f"idna==3.6 --hash={IDNA[1]}", "six==1.16.0"], locker=locker)
    found = hashes_of(made)
    assert found["idna"] == [IDNA[1]], "the user's own say which file"
    assert len(found["six"]) == 2


@pytest.mark.parametrize("locker", LOCKERS)
def test_a_hash_counts_where_its_marker_is_true(tmp_path: Path, locker: str) -> None:
    """As poetry exports a package that has one version for older Pythons and another for newer ones."""
    other = f"idna==3.4 ; python_version < '3.8' --hash=sha256:{64 * '0'}"
    _, made = a_lock(tmp_path, [other, f"idna==3.6 ; python_version >= '3.8' --hash={IDNA[1]}"], locker=locker)
    assert hashes_of(made) == {"idna": [IDNA[1]]}


def test_a_hash_that_the_index_does_not_know_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StepError) as caught:
        a_lock(tmp_path, ["idna==3.6 --hash=sha256:" + 64 * "0"])
    assert caught.value.message == "None of the hashes that are asked for idna==3.6 is one of the package index."
    assert IDNA[0] in (caught.value.hint or "")


def test_hashes_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BentofileError) as caught:
        a_lock(tmp_path, [f"a @ git+https://example.org/a@{40 * '0'}", "--require-hashes"], pack_git_packages=False)
    assert caught.value.message.startswith("a comes from a git repository, which has no hash")
    with pytest.raises(BentofileError) as caught:
        a_lock(tmp_path, [f"idna==3.6 --hash={IDNA[1]}"], lock_packages=False, add_bentoml=True)
    assert caught.value.message.startswith("Hashed requirements cannot be installed without a lock")


@pytest.mark.parametrize("locker", LOCKERS)
def test_hashes_of_constraints_count(tmp_path: Path, locker: str) -> None:
    _, made = a_lock(tmp_path, ["idna", "six==1.16.0"], locker=locker, constraints=[f"idna==3.6 --hash={IDNA[1]}"])
    found = hashes_of(made)
    assert found["idna"] == [IDNA[1]] and len(found["six"]) == 2
    with pytest.raises(StepError) as caught:
        a_lock(tmp_path, ["idna"], locker=locker, constraints=["idna==3.6 --hash=sha256:" + 64 * "0"])
    assert caught.value.message == "None of the hashes that are asked for idna==3.6 is one of the package index."


@pytest.mark.parametrize("locker", LOCKERS)
def test_pip_args_that_say_what_is_locked_reach_the_lock(tmp_path: Path, locker: str) -> None:
    for version in ("1.0", "2.0rc1"):
        a_wheel(tmp_path / "links", "onlyhere", version)
    links = f"--no-index --find-links={tmp_path / 'links'}"
    _, made = a_lock(tmp_path, ["onlyhere"], locker=locker, pip_args=links)
    assert pins_of(made)["onlyhere"] == "1.0"
    words = "--pre --no-deps --no-cache-dir --trusted-host pypi.org --only-binary=:all: --prefer-binary"
    _, made = a_lock(tmp_path, ["onlyhere"], locker=locker, pip_args=f"{words} {links}")
    assert made["env/python/requirements.txt"] == (
        f"--no-index\n--trusted-host pypi.org\n--find-links {tmp_path / 'links'}\n--pre\n--only-binary :all:\n"
        "--prefer-binary\nonlyhere==2.0rc1\n"
    )


@pytest.mark.parametrize("locker", LOCKERS)
def test_only_binary_and_links_of_pip_args_decide(tmp_path: Path, locker: str) -> None:
    a_wheel(tmp_path / "links", "onlyhere", "7.0")
    args = f"--no-index -f {tmp_path / 'links'} --no-build-isolation --timeout=3"
    ctx, made = a_lock(tmp_path, ["onlyhere"], locker=locker, pip_args=args)
    assert pins_of(made)["onlyhere"] == "7.0"
    assert "--no-index\n" in made["env/python/requirements.txt"]
    assert "--no-build-isolation" in ctx.ran[0][0] and "isolation" not in made["env/python/requirements.txt"]
    with pytest.raises(StepError):  # there is only an sdist
        a_lock(tmp_path, ["docopt==0.6.2"], locker=locker, pip_args="--only-binary docopt")


def test_pip_args_that_are_no_words_or_hold_a_password(tmp_path: Path) -> None:
    with pytest.raises(BentofileError) as caught:
        a_lock(tmp_path, ["idna"], pip_args="--pre '")
    assert caught.value.message == "python.pip_args cannot be split into words: No closing quotation."
    assert caught.value.place == "bentofile.yaml:7"
    with pytest.raises(BentofileError) as caught:
        a_lock(tmp_path, ["idna"], pip_args="--extra-index-url https://me:hunter2@example.org/")
    assert "hunter2" not in caught.value.message


def test_alpine_gets_a_lock_for_musl(tmp_path: Path) -> None:
    """Of this version there are manylinux wheels alone, and its sdist is left out."""
    args = {"docker_python": "3.11", "platform": "linux/amd64", "pip_args": "--only-binary :all:"}
    assert (
        "tensorflow-io-gcs-filesystem==" in a_lock(tmp_path, ["tensorflow-io-gcs-filesystem"], **args)[1].popitem()[1]
    )
    with pytest.raises(StepError) as caught:
        a_lock(tmp_path, ["tensorflow-io-gcs-filesystem"], docker_libc="musl", **args)
    assert "musl" in (caught.value.detail or "")
    ctx, made = a_lock(tmp_path, ["idna==3.6"], docker_libc="musl", platform="linux/arm64")
    assert "aarch64-unknown-linux-musl" in ctx.ran[0][0] and pins_of(made) == {"idna": "3.6"}


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="this machine has musl itself")
def test_pip_compile_refuses_alpine(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        a_lock(tmp_path, ["idna"], locker="pip-compile", docker_libc="musl")
    assert " with musl (alpine), bentomake runs in Python " in caught.value.message


def test_uv_locks_for_another_machine(tmp_path: Path) -> None:
    packages = ["idna==3.6 ; platform_machine == 'x86_64'", "six==1.16.0 ; platform_machine == 'aarch64'"]
    assert list(pins_of(a_lock(tmp_path, packages, platform="linux/amd64")[1])) == ["idna"]
    assert list(pins_of(a_lock(tmp_path, packages, platform="linux/arm64")[1])) == ["six"]


def test_pip_compile_refuses_another_machine(tmp_path: Path) -> None:
    other = "linux/arm64" if platform.machine() == "x86_64" else "linux/amd64"
    with pytest.raises(UsageError) as caught:
        a_lock(tmp_path, ["idna"], locker="pip-compile", platform=other)
    assert "--locker uv" in (caught.value.hint or "")
