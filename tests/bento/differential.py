"""Generated bentofiles, and what each BentoML and bentomake make of them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bentomake.bento import bentofile, schema, variables
from bentomake.bento.package_source import Options
from bentomake.errors import BentofileError, Several, UsageError
from bentomake.surroundings import judge_files

FILES = {
    **{"setup.sh": "#!/bin/sh\n", "r.txt": "idna\n", "README.md": "x\n", "e.yml": "name: x\n"},
    **{"Dockerfile.template": "\n", "lib/a.whl": "", "../r.txt": "idna\n"},
    "prod.env": """# all that both read alike
A=1
export B="x y"  # a comment
C = 'single # quoted'
D: a colon
E=a #b
F=
G="a \\"word\\""
H=\\$LITERAL
I='C:\\temp\\'
J="unfinished
A=2
K=a b=c
""",
    **{"skipped.env": "A=1\nJUSTNAME\nno assignment\n", "hash.env": "A=a#b\n", "home.env": "A=${HOME}/x\n"},
    **{"escapes.env": 'A="a\\tb"\n', "indented.env": " A=1\n", "break.env": 'A="a\\nb"\n'},
}
ENV_FILES = [name for name in FILES if name.endswith(".env")]
REAL = """
import io, json, logging, sys, warnings
logging.disable(logging.CRITICAL)
warnings.simplefilter("ignore")
from bentoml._internal.bento.build_config import BentoBuildConfig, bentoml_cattr
try:
    from bentoml._internal.utils.args import set_arguments
except ImportError:
    set_arguments = None
answers = []
for text in json.load(open("cases.json")):
    if set_arguments is not None:
        set_arguments({})
    try:
        filled = BentoBuildConfig.from_yaml(io.StringIO(text)).with_defaults()
        answers.append({"config": json.loads(json.dumps(bentoml_cattr.unstructure(filled), default=str))})
    except Exception as error:
        answers.append({"error": f"{type(error).__name__}: {error}"})
json.dump(answers, open(sys.argv[1], "w"))
"""

# option → (good values, values that are wrong or surprising)
TOP: dict[str, tuple[list[Any], list[Any]]] = {
    "service": (["service:svc", "service.py:svc", "a.b.service"], [None, 3, ["service:svc"]]),
    "name": (["iris", "Iris_Classifier", None, "a-b.c"], [5, True]),
    "description": (["Some text.", "file:README.md", "## A\n\nb\n", "", None], [3, ["a"]]),
    "labels": ([{"owner": "me"}, {"a.b/c": "d", "e": ""}, {}], [{"a": 1}, {"a": True}, {"a": None}, ["a"], "a=b"]),
    "include": ([["*.py"], ["*.py", "data/", "!x.py"], None, []], ["*.py", ["../x.py"], [1], {"a": "b"}]),
    "exclude": ([["tests/"], [".git/", "*.pyc"], None], ["tests/", [1]]),
    "models": (
        [
            ["iris:latest"],
            ["Iris:V1", {"tag": "b:v2", "alias": "b"}],
            [{"tag": "a:latest", "filter": "label:staging"}],
            [],
        ],
        ["iris", [{"alias": "x"}], [{"tag": "a", "extra": 1}], [3], {"tag": "a"}],
    ),
    "envs": (
        [[{"name": "A", "value": "b"}], [{"name": "A"}, {"name": "B", "stage": "build", "value": "x y"}], []],
        [
            [{"name": "A", "stage": "never"}],
            [{"value": "x"}],
            {"A": "b"},
            [{"name": "A", "value": 1}],
            [{"name": "A", "x": 1}],
        ],
    ),
    "args": ([{"size": 3}, {"a": {"b": ["c"]}}, {}], [["size=3"], "size"]),
}
DOCKER: dict[str, tuple[list[Any], list[Any]]] = {
    "distro": (["debian", "alpine", "ubi8", "amazonlinux", None], ["ubuntu", "Debian", 3, ""]),
    "python_version": (
        ["3.8", "3.9", "3.10", "3.11", "3.12", 3.11, 3.9, None],
        ["3.10.4", "3", "abc", "2.7", "3.15", 3.1],
    ),
    "cuda_version": (["11.6.2", "11.8", "12", "default", 12, None, ""], ["10.2", "abc", 11.6, "12.8.1", [12]]),
    "env": (
        [{"A": "b"}, ["A=b", "C=d-e/f"], *ENV_FILES, {"A": "b c", "D": 1}, None],
        [["A=b c"], ["U=https://x.y/z"], ["A"], "none.env", {"A": None}, {"a b": "c"}, 3],
    ),
    "system_packages": ([["git"], ["git", "libgomp1"], None], ["git", [3]]),
    "setup_script": (["./setup.sh", "setup.sh", None], ["../setup.sh", "/etc/passwd", 3, "missing.sh"]),
    "base_image": (["python:3.11-slim", None], [3]),
    "dockerfile_template": (["./Dockerfile.template", None], ["~/x", 3]),
}
PYTHON: dict[str, tuple[list[Any], list[Any]]] = {
    "requirements_txt": (["r.txt", "./r.txt", "../r.txt", None], [3, ["r.txt"], "/etc/shadow"]),
    "packages": ([["idna"], ["scikit-learn", "pandas>=1.5"], []], ["idna", [3], ["-e ."], ["./lib"], [{"a": "b"}]]),
    "lock_packages": ([True, False, None], ["true", 1]),
    "pack_git_packages": ([True, False], ["yes"]),
    "index_url": (["https://example.org/simple", "https://aws@example.org/simple", "", None], [3, "https://u:p@a.b/c"]),
    "no_index": ([True, False, None], ["true"]),
    "trusted_host": (["a.b", ["a.b", "c.d"], None], [3, [3]]),
    "find_links": (["https://example.org/links", ["./wheels"], ""], [3]),
    "extra_index_url": (["https://example.org/simple", ["https://a.b/c", "https://d.e/f"]], [{"a": "b"}]),
    "pip_args": (["--pre", "--pre --no-cache-dir", ""], [["--pre"]]),
    "wheels": ([["./lib/a.whl"], ["lib/*.whl"]], ["a.whl", ["../a.whl"]]),
}
CONDA: dict[str, tuple[list[Any], list[Any]]] = {
    "environment_yml": (["./e.yml", "e.yml", ""], [3]),
    "channels": ([["conda-forge"], ["a", "b"]], ["conda-forge"]),
    "dependencies": ([["numpy"], ["numpy=1.26", {"pip": ["idna"]}]], ["numpy", [{"npm": ["x"]}], [{"pip": [3]}]]),
    "pip": ([["idna"]], ["idna", ["-e ."], ["-r r.txt"]]),
}
UNKNOWN = {"": "servce", "docker": "distr", "python": "package", "conda": "channel"}


@st.composite
def _section(
    draw: st.DrawFn, options: dict[str, tuple[list[Any], list[Any]]], most: int, unknown: str
) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from(sorted(options)), unique=True, max_size=most))
    found = {}
    for name in names:
        good, odd = options[name]
        found[name] = draw(st.sampled_from(odd if draw(st.integers(0, 6)) == 3 else good))
    if draw(st.integers(0, 40)) == 17:
        found[unknown] = "x"
    return found


@st.composite
def bentofiles(draw: st.DrawFn) -> dict[str, Any]:
    """A bentofile as data: some options of some sections, most of them right."""
    found: dict[str, Any] = {"service": "service:svc"}
    found |= draw(_section(TOP, 3, UNKNOWN[""]))
    for name, options in (("docker", DOCKER), ("python", PYTHON), ("conda", CONDA)):
        if draw(st.integers(0, 4 if name == "conda" else 1)) == 0:
            found[name] = draw(_section(options, 3, UNKNOWN[name]))
    return found


def each_value() -> list[dict[str, Any]]:
    """Every value of every option once, alone."""
    found: list[dict[str, Any]] = [{}]
    for section, options in (("", TOP), ("docker", DOCKER), ("python", PYTHON), ("conda", CONDA)):
        for name, (good, odd) in options.items():
            for value in [*good, *odd]:
                own = {name: value}
                found.append({"service": "service:svc", **(own if not section else {section: own})})
    return found


def cases(count: int) -> list[dict[str, Any]]:
    """Every value once, and `count` generated ones; always the same."""
    found: list[dict[str, Any]] = []

    @settings(
        derandomize=True,
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(bentofiles())
    def collect(value: dict[str, Any]) -> None:
        found.append(value)

    collect()
    known = {json.dumps(value): value for value in [*each_value(), *found]}
    return list(known.values())


def text_of(case: dict[str, Any]) -> str:
    return str(yaml.safe_dump(case, sort_keys=False))


def surroundings(directory: Path) -> Path:
    """A build context with every file that a good value names."""
    context = directory / "project"
    for name, text in FILES.items():
        path = (context / name).resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (context / "setup.sh").chmod(0o755)
    return context


def real(python: str, directory: Path, texts: list[str]) -> list[dict[str, Any]]:
    """What a real bentoml says of each: {"config": flat} or {"error": text}; all in one process."""
    context = surroundings(directory)
    (context / "cases.json").write_text(json.dumps(texts))
    done = subprocess.run([python, "-c", REAL, "answers.json"], cwd=context, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    answers: list[dict[str, Any]] = json.loads((context / "answers.json").read_text())
    for answer in answers:
        if config := answer.get("config"):
            sections = {f"{name}.{key}": value for name in schema.SECTIONS for key, value in config.pop(name).items()}
            answer["config"] = config | sections
    return answers


def ours(context: Path, text: str) -> tuple[dict[str, Any] | None, list[str]]:
    """The values, or None and the messages: of the text, and of the files that it names."""
    path = context / "bentofile.yaml"
    path.write_text(text)
    try:
        loaded = bentofile.load(str(path), str(context))
    except UsageError as error:
        return None, [one.message for one in (error.errors if isinstance(error, Several) else [error])]
    errors, _ = judge_files(loaded, str(context), lambda path: None)
    if errors:
        return None, [error.message for error in errors]
    try:
        Options.of(loaded.values.__getitem__, lambda name: None)
    except BentofileError as error:
        return None, [error.message]
    env = loaded.values["docker.env"]
    if not isinstance(env, str):
        return loaded.values, []
    found = list(variables.dotenv((context / env).read_bytes(), env))
    try:
        for variable in found:
            variables.check(variable)
    except BentofileError as error:
        return None, [error.message]
    return {**loaded.values, "docker.env": {name: value for name, value, _ in found}}, []
