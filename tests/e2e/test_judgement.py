"""What is judged, option by option: the exact words, the same for `check` and for `build`, and before anything runs."""

from __future__ import annotations

import codecs
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bentomake.cli import main

FIXTURES = Path(__file__).parent.parent / "bento" / "fixtures"
SERVICE = "import bentoml\n"
START = 'service: "service:svc"\n'
BIG = 101 << 20


@dataclass(frozen=True)
class Case:
    """A project, and what is said of it; `code` is that of both commands."""

    id: str
    said: str
    text: str = ""  # of the bentofile, after the service
    files: Mapping[str, str | bytes | int] = field(default_factory=dict)  # path → content, or the size of an empty file
    code: int = 0
    start: str = START


CASES = [
    Case("nothing", ""),
    # patterns
    Case(
        "a pattern that matches nothing",
        "warning: bentofile.yaml:2: The include pattern 'data/*.csv' matches no file.\n"
        "  hint: Patterns are gitignore patterns, relative to the build context.\n",
        'include: ["data/*.csv", "*.py"]\n',
    ),
    Case(
        "an exclude pattern that matches nothing",
        "warning: bentofile.yaml:3: The exclude pattern 'tests/' matches no file.\n"
        "  hint: Patterns are gitignore patterns, relative to the build context.\n",
        "exclude:\n- tests/\n",
    ),
    Case(
        "a pattern with a dot in front",
        "warning: bentofile.yaml:2: The pattern `./service.py` never matches anything: as in .gitignore, no path has "
        'a part `.` or `..`.\n  hint: Write "service.py".\n',
        'include: ["*.py", "./service.py"]\n',
    ),
    Case("an anchored pattern", "", 'include: ["/service.py"]\n'),
    Case(
        "the same in both",
        "warning: bentofile.yaml:2: The pattern `*.csv` is in include and in exclude: what it matches is not packed.\n"
        "  hint: Remove one of them.\n",
        'include: ["*.csv", "*.py"]\nexclude: ["*.csv"]\n',
        {"a.csv": ""},
    ),
    Case(
        "exclude covers an include",
        "warning: bentofile.yaml:2: The pattern `data/a.csv` has no effect: exclude leaves out what it matches.\n"
        "  hint: Remove it, or the pattern of exclude.\n",
        'include: ["data/a.csv", "*.py"]\nexclude: ["data/"]\n',
        {"data/a.csv": ""},
    ),
    Case(
        "nothing is packed",
        "error: bentofile.yaml:2: The service's own module service.py is not packed: `include` or `exclude` leaves it "
        'out.\n  hint: Add "/service.py" to `include`, and see that no `exclude` pattern or .bentoignore removes it.\n',
        "include: []\n",
        code=2,
    ),
    Case(
        "the service is not packed",
        "error: bentofile.yaml:2: The service's own module service.py is not packed: `include` or `exclude` leaves it "
        'out.\n  hint: Add "/service.py" to `include`, and see that no `exclude` pattern or .bentoignore removes it.\n',
        'include: ["*.csv"]\n',
        {"a.csv": ""},
        code=2,
    ),
    Case(
        "the service is not packed: a package",
        "error: bentofile.yaml: The service's own module pkg/__init__.py is not packed: `include` or `exclude` leaves "
        'it out.\n  hint: Add "/pkg/__init__.py" to `include`, and see that no `exclude` pattern or .bentoignore '
        "removes it.\n",
        'exclude: ["pkg/"]\n',
        {"pkg/__init__.py": ""},
        code=2,
        start='service: "pkg:svc"\n',
    ),
    # what is swept up
    Case(
        "a big file",
        "warning: bentofile.yaml: weights.bin is packed and has 101 MiB.\n"
        "  hint: Leave it out with `exclude`, save it as a model, or name it in `include` to say it is meant.\n",
        files={"weights.bin": BIG},
    ),
    Case("a big file that is named", "", 'include: ["*.py", "/weights.bin"]\n', {"weights.bin": BIG}),
    Case(
        "secrets",
        "warning: bentofile.yaml: .env, .env.local, deploy/id_rsa, server.pem, x.key may hold secrets, "
        "and are packed.\n"
        "  hint: Leave it out with `exclude`; or name it in `include` to say it is meant.\n",
        files=dict.fromkeys(
            (".env", ".env.local", "deploy/id_rsa", "server.pem", "x.key", ".env.example", "credentials"), ""
        ),
    ),
    Case(
        "secrets of clouds",
        "warning: bentofile.yaml: a/.aws/credentials, client_secret.json, client_secret_1.json, secrets.yaml, "
        "service_account.json may hold secrets, and are packed.\n"
        "  hint: Leave it out with `exclude`; or name it in `include` to say it is meant.\n",
        files=dict.fromkeys(
            (
                *("a/.aws/credentials", "client_secret.json", "client_secret_1.json", "secrets.yaml"),
                *("service_account.json", "secrets.yaml.example"),
            ),
            "",
        ),
    ),
    Case(
        "many secrets",
        f"warning: bentofile.yaml: {', '.join(f'{n:02}.key' for n in range(20))} and 3 more may hold secrets, and are "
        "packed.\n  hint: Leave it out with `exclude`; or name it in `include` to say it is meant.\n",
        files={f"{n:02}.key": "" for n in range(23)},
    ),
    Case("a secret that is left out", "", 'exclude: [".env"]\n', {".env": ""}),
    # docker
    Case(
        "all that is missing is named at once",
        "error: bentofile.yaml:4: docker.setup_script names setup.sh, which does not exist.\n"
        "  hint: Did you mean setup2.sh?\n"
        "error: bentofile.yaml:5: docker.dockerfile_template names deploy/Dockerfile, which does not exist.\n"
        "  hint: There is no directory deploy; paths are relative to the build context.\n"
        "error: bentofile.yaml:8: python.requirements_txt names requirement.txt, which does not exist.\n"
        "  hint: Did you mean requirements.txt?\n"
        "error: bentofile.yaml:10: conda.environment_yml names environment.yml, which does not exist.\n"
        "  hint: Paths are relative to the build context.\n"
        "error: bentofile.yaml:6: docker.env names production.env, which does not exist.\n"
        "  hint: Paths are relative to the build context.\n"
        "error: bentofile.yaml:2: description names READ.md, which does not exist.\n"
        "  hint: Did you mean README.md?\n"
        "error: bentofile.yaml:7: python.wheels[0] names a-1-py3-none-any.whl, which does not exist.\n"
        "  hint: Paths are relative to the build context.\n"
        "error: bentofile.yaml:7: python.wheels[1] names lib/*.whl, which does not exist.\n"
        "  hint: There is no directory lib; paths are relative to the build context.\n",
        "description: file:READ.md\ndocker:\n  setup_script: setup.sh\n  dockerfile_template: deploy/Dockerfile\n"
        "  env: production.env\npython: {wheels: [a-1-py3-none-any.whl, lib/*.whl],\n"
        "  requirements_txt: requirement.txt}\nconda:\n  environment_yml: environment.yml\n",
        {"setup2.sh": "#!/bin/sh\n", "requirements.txt": "", "README.md": ""},
        code=2,
    ),
    Case(
        "a directory where a file is meant",
        "error: bentofile.yaml:3: docker.setup_script names scripts, which is not a file.\n  hint: Name a file.\n",
        "docker:\n  setup_script: scripts\n",
        {"scripts/a.sh": ""},
        code=2,
    ),
    Case(
        "a setup script without shebang",
        "warning: bentofile.yaml:2: The setup script setup.sh has no shebang, so sh runs it.\n"
        "  hint: Begin it with #!/bin/bash or #!/usr/bin/env python.\n",
        "docker: {setup_script: setup.sh}\n",
        {"setup.sh": "echo hi\n"},
    ),
    Case("a script that is not executable", "", "docker: {setup_script: ./setup.sh}\n", {"setup.sh": "#!/bin/sh\n"}),
    Case(
        "base_image and what it makes void",
        "warning: bentofile.yaml:4: docker.python_version has no effect: docker.base_image is set.\n"
        "  hint: Remove one of them.\n"
        "warning: bentofile.yaml:5: docker.system_packages has no effect: docker.base_image is set.\n"
        "  hint: Remove one of them.\n",
        'docker:\n  base_image: "python:3.11"\n  python_version: "3.11"\n  system_packages: [git]\n',
    ),
    Case("env values with spaces, URLs and quotes", "", 'docker: {env: ["A=b c", "U=https://x.y/?z=1", "Q=a\\"b"]}\n'),
    Case(
        "env values that are no strings",
        "warning: bentofile.yaml:2: docker.env.A is the word yes, not a string: it becomes \"True\".\n"
        '  hint: Quote it: "yes"\n',
        "docker: {env: {A: yes, B: 1}}\n",
    ),
    Case(
        "a label that is no string",
        'warning: bentofile.yaml:2: labels.stage is a number, not a string: it becomes "1.1".\n'
        '  hint: Quote it: "1.10"\n',
        "labels: {stage: 1.10}\n",
    ),
    Case(
        "a label without a value",
        'error: bentofile.yaml:2: labels.stage has no value.\n  hint: Write stage: "", or remove the line.\n',
        "labels: {stage: null}\n",
        code=2,
    ),
    # python
    Case(
        "both packages and requirements_txt",
        "warning: bentofile.yaml:2: python.packages has no effect: python.requirements_txt is set.\n"
        "  hint: Remove one of them.\n",
        "python: {packages: [idna], requirements_txt: r.txt, lock_packages: false}\n",
        {"r.txt": "idna\n"},
    ),
    Case(
        "names of imports",
        "warning: bentofile.yaml:4: sklearn is the name of an import; the package that has it is scikit-learn.\n"
        "  hint: Write scikit-learn.\n"
        "warning: bentofile.yaml:5: PIL is the name of an import; the package that has it is pillow.\n"
        "  hint: Write pillow>=9.\n",
        "python:\n  packages:\n  - sklearn\n  - PIL>=9\n  - scikit-learn\n  - bs4lib\n",
    ),
    Case(
        "names of imports in a requirements file",
        "warning: r.txt:2: cv2 is the name of an import; the package that has it is opencv-python-headless.\n"
        "  hint: Write opencv-python-headless==4.\n",
        "python: {requirements_txt: r.txt}\n",
        {"r.txt": "# cv2\ncv2==4\n"},
    ),
    Case(
        "an editable project",
        "error: bentofile.yaml:2: `-e .` is an editable package, which cannot travel in a Bento.\n"
        "  hint: Its modules are packed as sources; or build a wheel of it.\n",
        'python: {packages: ["-e ."]}\n',
        code=2,
    ),
    Case(
        "an editable project in a requirements file",
        "error: r.txt:1: `--editable=../mine` is an editable package, which cannot travel in a Bento.\n"
        "  hint: Its modules are packed as sources; or build a wheel of it.\n",
        "python: {requirements_txt: r.txt}\n",
        {"r.txt": "--editable=../mine\n-e git+https://example.org/a.git#egg=a\n"},
        code=2,
    ),
    Case(
        "paths that will not travel",
        "warning: bentofile.yaml:2: ./wheels is a local directory, which will not be where the image is built.\n"
        "  hint: Use the URL of a page with links.\n"
        "warning: bentofile.yaml:2: file:///wheels is a local directory, which will not be where the image is built.\n"
        "  hint: Use the URL of a page with links.\n",
        'python: {find_links: [./wheels, "file:///wheels"]}\n',
    ),
    Case(
        "a directory of wheels, named in a line",
        "warning: bentofile.yaml:4: ./wheels is a local directory, which will not be where the image is built.\n"
        "  hint: Use the URL of a page with links.\n"
        "warning: bentofile.yaml:5: wh is a local directory, which will not be where the image is built.\n"
        "  hint: Use the URL of a page with links.\n",
        "python:\n  packages:\n  - --find-links ./wheels\n  - -fwh\n  - --find-links=https://example.org/\n",
    ),
    Case(
        "files that requirements name are judged like the first one",
        "warning: reqs/base.txt:2: cv2 is the name of an import; the package that has it is opencv-python-headless.\n"
        "  hint: Write opencv-python-headless.\n"
        "warning: pins.txt:1: sklearn is the name of an import; the package that has it is scikit-learn.\n"
        "  hint: Write scikit-learn<2.\n"
        "warning: reqs/base.txt:3: bentoml==1.1.0 is asked for, but the service is imported with bentoml @INSTALLED@.\n"
        "  hint: Install that version beside the service, or write bentoml==@INSTALLED@.\n",
        "python: {requirements_txt: reqs/prod.txt}\n",
        {
            "reqs/prod.txt": "# ours\n-r base.txt\n--constraint ../pins.txt  # audited\n",
            "reqs/base.txt": "idna\ncv2\nbentoml==1.1.0\n",
            "pins.txt": "sklearn<2\n",
        },
    ),
    Case(
        "files are read as pip reads them: a mark at the start, UTF-16, lines that go on",
        "warning: a.txt:1: sklearn is the name of an import; the package that has it is scikit-learn.\n"
        "  hint: Write scikit-learn.\n"
        "warning: b.txt:1: cv2 is the name of an import; the package that has it is opencv-python-headless.\n"
        "  hint: Write opencv-python-headless >=4.\n",
        "python: {requirements_txt: a.txt}\n",
        {
            "a.txt": "\ufeffsklearn\n-r b.txt\n",
            "b.txt": codecs.BOM_UTF16_LE + "cv2 \\\n  >=4 # new\n".encode("utf-16-le"),
        },
    ),
    Case(
        "what cannot travel, in a file that requirements name",
        "error: reqs/base.txt:4: There is no requirement file reqs/gone.txt.\n"
        "  hint: Paths are relative to the file that names them.\n"
        "error: reqs/base.txt:1: `-e .` is an editable package, which cannot travel in a Bento.\n"
        "  hint: Its modules are packed as sources; or build a wheel of it.\n"
        "error: reqs/base.txt:2: ../mine-1.0.tar.gz is a path of this machine; it means nothing where the image is "
        "built.\n  hint: Name a package of the index, or a URL; or put the file into the build context.\n"
        "error: reqs/base.txt:3: There is no file lib/mine-1.0.tar.gz, which is required.\n"
        "  hint: Paths of packages are relative to the build context.\n",
        "python: {requirements_txt: reqs/prod.txt}\n",
        {
            "reqs/prod.txt": "# ours\n-r base.txt\n",
            "reqs/base.txt": "-e .\n../mine-1.0.tar.gz\n./lib/mine-1.0.tar.gz\n-r gone.txt\n",
        },
        code=2,
    ),
    Case(
        "requirement files in a circle",
        "error: b.txt:1: Requirement files include each other: a.txt → b.txt → a.txt.\n"
        "  hint: Take one of these lines out.\n",
        "python: {requirements_txt: a.txt}\n",
        {"a.txt": "-r b.txt\n", "b.txt": "-ca.txt\n"},
        code=2,
    ),
    Case(
        "a package from git that is not packed",
        "warning: bentofile.yaml:2: The image installs this package from git, which it does not have.\n"
        "  hint: Write `system_packages: [git]` under docker, or leave pack_git_packages on.\n",
        'python: {pack_git_packages: false, packages: ["git+https://example.org/a"]}\n',
    ),
    Case(
        "a package from git, and git",
        "",
        'python: {pack_git_packages: false, packages: ["git+https://example.org/a"]}\n'
        "docker: {system_packages: [git]}\n",
    ),
    Case(
        "an archive of the project",
        "",
        "python: {packages: [./a-1-py3-none-any.whl]}\n",
        {"a-1-py3-none-any.whl": ""},
    ),
    Case(
        "wheels that the image cannot install",
        "warning: bentofile.yaml:4: a-1-cp311-cp311-manylinux_2_17_x86_64.whl is not a wheel for Python 3.11 on Linux "
        "@ARCH@ with musl (alpine), which the Bento is for.\n"
        "  hint: Build it for that, or set docker.python_version, docker.distro or --platform to what it is for.\n"
        "warning: bentofile.yaml:5: b-1-cp310-cp310-linux_@ARCH@.whl is not a wheel for Python 3.11 on Linux @ARCH@ "
        "with musl (alpine), which the Bento is for.\n"
        "  hint: Build it for that, or set docker.python_version, docker.distro or --platform to what it is for.\n",
        'docker: {distro: alpine, python_version: "3.11"}\n'
        "python:\n  packages: [./a-1-cp311-cp311-manylinux_2_17_x86_64.whl, "
        "./c-1-cp311-cp311-musllinux_1_1_@ARCH@.whl]\n"
        '  wheels: ["b*.whl"]\n',
        {
            "a-1-cp311-cp311-manylinux_2_17_x86_64.whl": "",
            "b-1-cp310-cp310-linux_@ARCH@.whl": "",
            "c-1-cp311-cp311-musllinux_1_1_@ARCH@.whl": "",
        },
    ),
    Case(
        "requirements that cannot be together, and one that is there twice",
        "warning: r.txt:3: idna>=3.7 cannot be together with idna==3.6 of r.txt:1.\n  hint: Keep one of them.\n"
        "warning: r.txt:4: Six is asked for twice, here and in r.txt:2.\n  hint: Keep one.\n",
        "python: {requirements_txt: r.txt}\n",
        {"r.txt": "idna==3.6\nsix\nidna>=3.7\nSix  # again\nidna==3.5 ; python_version < '3'\nsix>1\n"},
    ),
    Case(
        "a pin of another bentoml",
        "warning: bentofile.yaml:2: bentoml==1.1.0 is asked for, but the service is imported with bentoml @INSTALLED@."
        "\n  hint: Install that version beside the service, or write bentoml==@INSTALLED@.\n",
        'python: {packages: ["bentoml==1.1.0"]}\n',
    ),
    Case("a pin that allows the installed bentoml", "", 'python: {packages: ["bentoml[aws]>=1.4,<2"]}\n'),
    Case(
        "a pin in a requirements file",
        "warning: r.txt:1: bentoml<1.4 is asked for, but the service is imported with bentoml @INSTALLED@.\n"
        "  hint: Install that version beside the service, or write bentoml==@INSTALLED@.\n",
        "python: {requirements_txt: r.txt}\n",
        {"r.txt": "bentoml <1.4 ; python_version > '3'\n"},
    ),
    Case(
        "a Python that this bentoml does not run on",
        "error: bentofile.yaml:2: bentoml @INSTALLED@ does not run on Python 3.8.\n"
        '  hint: It needs 3.9 or newer: write "3.9", or an older bentoml under python.packages.\n',
        'docker: {python_version: "3.8"}\n',
        code=2,
    ),
    Case(
        "no index, and an index",
        "warning: bentofile.yaml:2: python.index_url is not used where packages are installed: python.no_index is set."
        "\n  hint: Remove one of them.\n",
        'python: {no_index: true, index_url: "https://example.org/simple"}\n',
    ),
    # conda
    Case(
        "an environment file and channels",
        "warning: bentofile.yaml:2: conda.channels has no effect: conda.environment_yml is set.\n"
        "  hint: Remove one of them.\n",
        "conda: {environment_yml: e.yml, channels: [x]}\n",
        {"e.yml": "channels: [conda-forge]\ndependencies: [numpy]\n"},
    ),
]  # fmt: skip


@pytest.fixture(scope="session")
def installed(bentoml14: str) -> str:
    """The version of that bentoml."""
    asked = "import importlib.metadata as m; print(m.version('bentoml'))"
    return subprocess.run([bentoml14, "-c", asked], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def real(bentoml14: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENTOMAKE_PYTHON", bentoml14)


def project(directory: Path, text: str, files: Mapping[str, str | bytes | int]) -> None:
    for path, content in {"service.py": SERVICE, "bentofile.yaml": text, **files}.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, int):
            (directory / path).touch()
            os.truncate(directory / path, content)
        else:
            (directory / path).write_bytes(content.encode() if isinstance(content, str) else content)


def said(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str]:
    """Exit code, and the errors and warnings with their hints."""
    capsys.readouterr()
    code = main.run(argv)
    lines = capsys.readouterr().err.splitlines(keepends=True)
    return code, "".join(line for line in lines if line.startswith(("error: ", "warning: ", "  hint: ")))


@pytest.mark.real
@pytest.mark.usefixtures("real")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_check_and_build_say_the_same(
    case: Case, installed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arch = os.uname().machine
    text = case.said.replace("@INSTALLED@", installed).replace("@ARCH@", arch)
    there = tmp_path / "project"
    there.mkdir()
    files = {path.replace("@ARCH@", arch): content for path, content in case.files.items()}
    project(there, (case.start + case.text).replace("@ARCH@", arch), files)
    monkeypatch.chdir(there)
    assert said(capsys, "check") == (case.code, text)
    assert said(capsys, "build", "-n") == (case.code, text)
    strict = text.replace("warning: ", "error: ")
    code, told = said(capsys, "check", "--strict")
    assert code == (2 if case.said else 0)
    assert sorted(told.splitlines()) == sorted(strict.splitlines())
    if case.said:
        assert said(capsys, "build", "--strict")[0] == 2
        assert not (tmp_path / "home-of-bentoml" / "bentos").exists()


WORKING = """import bentoml

@bentoml.service
class Hi:
    @bentoml.api
    def hi(self, name: str) -> str:
        return name
"""
SECRET = (
    "error: bentofile.yaml:4: A package URL must not carry credentials, they would be readable in the Bento: "
    "https://****@h/x.\n"
    "  hint: Write ${VARIABLE} in their place, and set that variable where you build; or leave them to ~/.netrc.\n"
)
EXPECTED = "  hint: Expected semicolon (after name with no version specifier) or end.\n"
HI = 'service: "service:Hi"\n'
DOCKER, PYTHON = HI + "docker:\n\n", HI + "python:\n  lock_packages: false\n"
# What only a step of a build judges, and `check` by rehearsing that step.
STEPS = [
    Case("a credential in the index", SECRET, "  index_url: https://u:p@h/x\n", code=2, start=PYTHON),
    Case("a credential in another index", SECRET, "  extra_index_url: [https://u:p@h/x]\n", code=2, start=PYTHON),
    Case(
        "a credential in a line", SECRET, '  packages: ["--extra-index-url https://u:p@h/x"]\n', code=2, start=PYTHON
    ),
    Case(
        "all lines that are no requirements",
        "error: bentofile.yaml:5: Not a requirement: numpy=1.2.\n  hint: Did you mean numpy==1.2?\n"
        f"error: bentofile.yaml:6: Not a requirement: foo bar.\n{EXPECTED}"
        f"error: bentofile.yaml:8: Not a requirement: numpy>>1.\n{EXPECTED}"
        "error: bentofile.yaml:9: Not a requirement: numpy==.\n  hint: Write a version after ==.\n"
        "error: bentofile.yaml:10: The option --bogus is not supported in a requirement file.\n"
        "  hint: There are --constraint, --editable, --extra-index-url, --find-links, --index-url, --no-binary, "
        "--no-index, --only-binary, --pre, --prefer-binary, --require-hashes, --requirement, --trusted-host.\n",
        "  packages:\n  - numpy=1.2\n  - foo bar\n  - six\n  - numpy>>1\n  - numpy==\n  - --bogus x\n",
        code=2,
        start=PYTHON,
    ),
    Case(
        "all lines of a file that are no requirements",
        "error: r.txt:1: Not a requirement: numpy=1.2.\n  hint: Did you mean numpy==1.2?\n"
        f"error: s.txt:1: Not a requirement: foo bar.\n{EXPECTED}"
        "error: r.txt:3: Not a requirement: a=1.\n  hint: Did you mean a==1?\n"
        "error: r.txt:4: --index-url needs a value.\n  hint: Write --index-url VALUE, or remove the line.\n",
        "  requirements_txt: r.txt\n",
        {"r.txt": "numpy=1.2\n-r s.txt\na=1\n-i\n", "s.txt": "foo bar\n"},
        code=2,
        start=PYTHON,
    ),
    Case(
        "an open quote",
        "error: bentofile.yaml:4: python.pip_args cannot be split into words: No closing quotation.\n"
        "  hint: Its words are split as a shell does: close the quote, or write a backslash before it.\n",
        "  pip_args: \"--pre 'x\"\n",
        code=2,
        start=PYTHON,
    ),
    Case(
        "conda's dependencies that are no list",
        "error: e.yml:2: `dependencies` must be a list.\n  hint: Write it as a list: dependencies: [numpy]\n",
        "conda: {environment_yml: e.yml}\n",
        {"e.yml": "channels: [conda-forge]\ndependencies: numpy\n"},
        code=2,
        start=HI,
    ),
    Case(
        "a base image of two words",
        "error: bentofile.yaml:4: docker.base_image is not one word: a b.\n"
        "  hint: Write one image, for example python:3.11-slim.\n",
        "  base_image: a b\n",
        code=2,
        start=DOCKER,
    ),
    Case(
        "a line break in a variable of envs",
        "error: bentofile.yaml:2: A value of envs.A has a line break, which a Dockerfile cannot hold.\n"
        "  hint: Encode it, for example in base64, or give it when the image is run.\n",
        'envs: [{name: A, value: "x\\ny"}]\n',
        code=2,
        start=HI,
    ),
    Case(
        "a template that includes what is not there",
        "error: t.j2:2: ",
        "  dockerfile_template: t.j2\n",
        {"t.j2": "{% extends bento_base_template %}\n{% include 'gone.j2' %}\n"},
        code=2,
        start=DOCKER,
    ),
    Case("a template that cannot be read", "error: t.j2:1: ", "  dockerfile_template: t.j2\n",
        {"t.j2": "{% endblok %}{% extends bento_base_template %}\n"}, code=2, start=DOCKER),
    Case("a line break in a variable", "error: bentofile.yaml:4: ", '  env: {A: "x\\ny"}\n', code=2, start=DOCKER),
    Case(
        "a model that is not there",
        "error: bentofile.yaml:3: The model nope:latest is not in the model store.\n"
        "  hint: The store is empty. Run your train script first.\n",
        "models:\n- nope:latest\n",
        code=2,
        start=HI,
    ),
    Case(
        "a module that is not there",
        "error: bentofile.yaml:1: There is no module srvice for the service srvice:Hi.\n"
        "  hint: Did you mean service?\n",
        code=2,
        start='service: "srvice:Hi"\n',
    ),
    Case(
        "a file that is not there",
        "error: bentofile.yaml:1: There is no module srvice.py for the service srvice.py:Hi.\n"
        "  hint: Did you mean service?\n",
        code=2,
        start='service: "srvice.py:Hi"\n',
    ),
    Case(
        "a variable in a variable",
        "warning: bentofile.yaml:4: A $NAME in the value of A is taken literally: only $A itself would mean something, "
        "its value in the base image.\n"
        "  hint: Write the value itself; what only the running image knows, the service reads or a script sets.\n",
        "  env: {A: $HOME/x}\n",
        start=DOCKER,
    ),
    Case(
        "a variable in a variable of envs, and of a dotenv file",
        "".join(
            f"warning: {place}: A $NAME in the value of {name} is taken literally: only ${name} itself would mean "
            "something, its value in the base image.\n"
            "  hint: Write the value itself; what only the running image knows, the service reads or a script sets.\n"
            for name, place in (("A", "prod.env:2"), ("B", "bentofile.yaml:5"))
        ),
        "docker: {env: prod.env}\nenvs:\n- name: B\n  value: $HOME/x\n",
        {"prod.env": "# ours\nA=$HOME/x\n"},
        start=HI,
    ),
    Case(
        "a dotenv file that is not UTF-8",
        "error: prod.env:2: prod.env is not text in UTF-8.\n  hint: Save it as UTF-8.\n",
        "  env: prod.env\n",
        {"prod.env": "A=1\nB=Jürgen\n".encode("latin-1")},
        code=2,
        start=DOCKER,
    ),
    Case("a script that names src", "warning: bentofile.yaml:4: ", "  setup_script: s.sh\n",
        {"s.sh": "#!/bin/sh\nls src\n"}, start=DOCKER),
    Case(
        "conda's Python, and Anaconda's channel",
        "warning: bentofile.yaml:5: conda.channels names the channel defaults: conda takes packages from Anaconda's "
        "own, whose terms of service it wants to be accepted, so the image build may stop.\n"
        "  hint: Use the channel conda-forge.\n"
        "warning: bentofile.yaml:4: conda's environment has Python 3.9, the requirements are for Python 3.10.\n"
        '  hint: Write docker.python_version: "3.9"\n',
        "conda:\n  channels: [defaults]\n  dependencies: [python=3.9]\n",
        start=HI + 'docker: {python_version: "3.10"}\npython: {lock_packages: false}\n',
    ),
]  # fmt: skip


@pytest.mark.real
@pytest.mark.usefixtures("real")
@pytest.mark.parametrize("case", STEPS, ids=lambda case: case.id)
def test_check_says_what_the_steps_of_a_build_say(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    there = tmp_path / "project"
    there.mkdir()
    project(there, case.start + case.text, {"service.py": WORKING, **case.files})
    monkeypatch.chdir(there)
    code, told = said(capsys, "check")
    assert code == case.code
    assert told.startswith(case.said) and told.count("  hint: ") == len(told.splitlines()) / 2
    assert case.said.endswith(": ") or told == case.said
    built, words = said(capsys, "build")
    assert (built != 0) == (code != 0)
    assert sorted(words.splitlines()) == sorted(told.splitlines())
    assert said(capsys, "check", "--strict")[0] == 2
    assert said(capsys, "build", "--strict")[0] != 0


@pytest.mark.real
@pytest.mark.usefixtures("real")
def test_one_mistake_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    project(
        tmp_path,
        "exlude: [x]\n" + HI + "labels: {a: 1}\ndocker:\n  setup_script: nope.sh\n  base_image: a b\n"
        '  env: {A: "x\\ny"}\npython:\n  packages:\n  - sklearn\n  - -e .\n  pip_args: "\'"\nmodels: ["a:b"]\n',
        {"service.py": WORKING},
    )
    assert main.run(["check"]) == 2
    told = capsys.readouterr().err.splitlines()
    assert [line.partition("bentofile.yaml:")[2][:40].rstrip() for line in told if "bentofile.yaml:" in line] == [
        "3: labels.a is a number, not a string: i",
        "10: sklearn is the name of an import; th",
        "1: exlude is not an option of a bentofil",
        "11: `-e .` is an editable package, which",
        "5: docker.setup_script names nope.sh, wh",
        "6: docker.base_image is not one word: a",
        "7: A value of docker.env.A has a line br",
        "12: python.pip_args cannot be split into",
        "13: The model a:b is not in the model st",
    ]
    assert told[-1] == "7 errors, 2 warnings"


@pytest.mark.real
@pytest.mark.usefixtures("real")
@pytest.mark.parametrize(
    "packages", ['["-e .", --foo, numpy==, sklearn]', "\n  - -e .\n  - --foo\n  - numpy==\n  - sklearn"]
)
def test_one_wrong_package_hides_no_other(
    packages: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    project(tmp_path, f"{HI}python:\n  packages: {packages}\n", {"service.py": WORKING})
    code, told = said(capsys, "check")
    assert code == 2
    messages = [line.split(": ", 2)[2] for line in told.splitlines() if not line.startswith("  hint")]
    assert messages == [
        "sklearn is the name of an import; the package that has it is scikit-learn.",
        "`-e .` is an editable package, which cannot travel in a Bento.",
        "The option --foo is not supported in a requirement file.",
        "Not a requirement: numpy==.",
    ]


@pytest.mark.real
@pytest.mark.usefixtures("real")
def test_a_rehearsal_leaves_no_trace_and_does_not_guess(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What an image in code makes void is no mistake, and a module may come from where nobody looks."""
    monkeypatch.chdir(tmp_path)
    image = WORKING.replace("service\n", "service(image=bentoml.images.Image())\n", 1)
    text = HI + "docker: {dockerfile_template: t.j2}\n"
    project(tmp_path, text, {"service.py": image, "t.j2": "{% endblok %}"})
    assert said(capsys, "check") == (0, "")
    for name in ("json", "pkg.inner", "sys", "yaml"):
        project(tmp_path, f'service: "{name}:Hi"\n', {"pkg/inner.py": ""})
        assert said(capsys, "check")[0] == 0, name
    cache = Path(os.environ["BENTOMAKE_CACHE_DIR"])
    assert not list(cache.glob("blobs/*/*"))


WRONG = sorted(path.stem for path in (FIXTURES / "wrong").glob("*.yaml"))


@pytest.mark.real
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_text_is_told_alike_by_every_command(
    name: str, bentoml14: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    there = tmp_path / "project"
    there.mkdir()
    monkeypatch.setenv("BENTOMAKE_PYTHON", bentoml14)
    monkeypatch.chdir(there)
    (there / "service.py").write_text(SERVICE)
    (there / "bentofile.yaml").write_bytes((FIXTURES / "wrong" / f"{name}.yaml").read_bytes())
    text = (FIXTURES / "wrong" / f"{name}.txt").read_text(encoding="utf-8")
    expected = "".join(f"{'' if line.startswith(' ') else 'error: '}{line}" for line in text.splitlines(keepends=True))
    for command in (["check", "--syntax"], ["build"]):
        assert said(capsys, *command) == (2, expected)
    code, told = said(capsys, "check")  # which looks further, at what the rest of the text names
    assert code == 2 and expected in told


@pytest.mark.real
@pytest.mark.usefixtures("real")
def test_syntax_looks_at_the_text_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bentofile.yaml").write_text(START + "docker: {setup_script: nowhere.sh}\nlabels: {a: 1}\n")
    warning = 'warning: bentofile.yaml:3: labels.a is a number, not a string: it becomes "1".\n  hint: Quote it: "1"\n'
    assert said(capsys, "check", "--syntax") == (0, warning)
    assert said(capsys, "check", "--syntax", "--strict")[0] == 2
    assert said(capsys, "check")[0] == 2
    assert not (tmp_path / "home-of-bentoml").exists()


@pytest.mark.real
@pytest.mark.usefixtures("real")
def test_json_for_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, text in {"a": "docker: {setup_script: s.sh}\n", "b": "labels: {x: 1}\n", "c": "nmae: c\n"}.items():
        (tmp_path / name).mkdir()
        project(tmp_path / name, START + text, {})
    monkeypatch.chdir(tmp_path)
    assert main.run(["check", "a", "b", "c", "-o", "json"]) == 2
    answer = json.loads(capsys.readouterr().out)
    assert [(error["place"], error["error"]) for error in answer["errors"]] == [
        ("a/bentofile.yaml:2", "docker.setup_script names s.sh, which does not exist."),
        ("c/bentofile.yaml:2", "nmae is not an option of a bentofile."),
    ]
    assert [(odd["place"], odd["warning"]) for odd in answer["warnings"]] == [
        ("b/bentofile.yaml:2", 'labels.x is a number, not a string: it becomes "1".')
    ]


@pytest.mark.real
def test_check_needs_no_bentoml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("BENTOMAKE_PYTHON", raising=False)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    project(tmp_path, START + "include: ['*.py', 'a/']\n", {})
    code, told = said(capsys, "check")
    assert code == 0
    assert "The include pattern 'a/' matches no file." in told


@pytest.mark.real
@pytest.mark.parametrize("version", ["1.5rc1", "1.10.0", "0+unknown"])
def test_any_version_of_bentoml_is_judged(
    version: str, bentoml14: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    python = tmp_path / "python"
    python.write_text(f"""#!/bin/sh\n{bentoml14} "$@" | sed 's/"bentoml": "[^"]*"/"bentoml": "{version}"/'\n""")
    python.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    project(tmp_path, START + "args: {size: 1}\n", {})  # which a class service can have
    code, told = said(capsys, "check", "--python", str(python))
    assert code == 0 and ("asks for the newest bentoml." in told if "unknown" in version else told == "")


@pytest.mark.real
def test_an_image_that_1_1_does_not_know(
    bentoml11: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BENTOMAKE_PYTHON", bentoml11)
    monkeypatch.chdir(tmp_path)
    project(tmp_path, START + 'docker: {cuda_version: "12.8.1"}\nargs: {size: 1}\n', {})
    code, told = said(capsys, "check")
    assert code == 2
    assert told.startswith(
        "error: bentofile.yaml:2: bentoml 1.1 does not know CUDA 12.8.1, and could not read the Bento.\n"
    )
    assert "error: bentofile.yaml:3: bentoml 1.1.11 does not know template arguments (args).\n" in told
