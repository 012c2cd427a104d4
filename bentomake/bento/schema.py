"""The options of a bentofile as data: name, kind, default, meaning."""

from __future__ import annotations

from typing import Any, NamedTuple

DISTROS = ("debian", "alpine", "ubi8", "amazonlinux")
FILE = "file:"  # begins a text that stands in a file
MAX_BYTES = 1 << 20  # of a bentofile
STAGES = ("all", "build", "runtime")
VARIABLE = "[A-Za-z_][A-Za-z0-9_.-]*"  # the name of one
VARIABLE_HINT = "Names are letters, digits, `_`, `.` and `-`, and begin with a letter or `_`."
SHELL_VARIABLE = "[A-Za-z_][A-Za-z0-9_]*"  # what a shell can export, as the build of an image does
NO_SHELL_VARIABLE = "{} cannot be a variable of the stage build: a shell has no names with `.` or `-`."
NAME_IT = "Give it a name of letters, digits and `_`."
OLDEST_PYTHON = (3, 8)  # what any bentoml of generation 1.1 or newer installs on


class Field(NamedTuple):
    """One option. `kind` names its reader in kinds.py; `[]` in a name stands for each item of a list."""

    name: str
    kind: str
    meaning: str
    default: Any = None
    choices: tuple[str, ...] = ()
    example: str = ""  # as YAML, for hints
    required: bool = False

    @property
    def key(self) -> str:
        return self.name.rpartition(".")[2]

    @property
    def section(self) -> str:
        return self.name.rpartition(".")[0]


FIELDS: tuple[Field, ...] = (
    Field("service", "service", "the service to pack: `module:attribute`", example='"service:svc"'),
    Field("name", "name", "the Bento's name; the service's own if unset", example='"iris_classifier"'),
    Field("description", "description", "Markdown for the Bento's README, or `file: PATH`", example='"What it does."'),
    Field("labels", "labels", "names and values that go with the Bento", {}, example="{owner: me}"),
    Field("include", "patterns", "what to pack, in the patterns of .gitignore", ["*"], example='["*.py"]'),
    Field("exclude", "patterns", "what not to pack, after `include`", [], example='["tests/"]'),
    Field("models", "models", "models to pack; the service's own if unset", [], example='["iris_clf:latest"]'),
    Field("models[].tag", "tag", "the model: `name:version`", required=True, example='"iris_clf:latest"'),
    Field("models[].filter", "query", "labels that the model must have", example='"label:staging"'),
    Field("models[].alias", "string", "another name for bentoml.models.get", example='"iris"'),
    Field("envs", "envs", "environment variables of the service", [], example='[{name: LEVEL, value: "1"}]'),
    Field("envs[].name", "variable", "the variable's name", required=True, example='"LEVEL"'),
    Field("envs[].value", "text", "the variable's value; empty: given when it is run", "", example='"1"'),
    Field("envs[].stage", "string", "when the variable is there", "all", choices=STAGES, example='"all"'),
    Field("args", "mapping", "values for the service's template arguments", {}, example="{size: 3}"),
    Field("docker.distro", "string", "the image's system; debian unless base_image is set", choices=DISTROS),
    Field("docker.python_version", "python", "the image's Python; the service's own if unset", example='"3.11"'),
    Field("docker.cuda_version", "cuda", "the image's CUDA", example='"11.6.2"'),
    Field("docker.env", "env", "the image's variables: mapping, list, or a dotenv file", {}, example='{LEVEL: "1"}'),
    Field("docker.system_packages", "strings", "packages of the distro to install", [], example='["libgomp1"]'),
    Field("docker.setup_script", "path", "a script run while the image is built", example='"./setup.sh"'),
    Field("docker.base_image", "string", "an image to build on", example='"python:3.11-slim"'),
    Field("docker.dockerfile_template", "path", "a template of the Dockerfile", example='"./Dockerfile.template"'),
    Field("python.requirements_txt", "parent path", "a requirements file, used alone", example='"requirements.txt"'),
    Field("python.packages", "strings", "requirements, as in a requirements file", [], example='["scikit-learn"]'),
    # None: the user did not say, and the generations differ (1.1 does not lock a requirements_txt, 1.4 does).
    Field("python.lock_packages", "boolean", "lock all versions; true unless requirements_txt is set", example="true"),
    Field("python.pack_git_packages", "boolean", "pack packages from git as sdists", True, example="true"),
    Field("python.index_url", "string", "the package index", example='"https://pypi.org/simple"'),
    Field("python.no_index", "boolean", "use no index, only find_links", False, example="true"),
    Field("python.trusted_host", "strings or one", "hosts to trust without TLS", [], example='["pypi.local"]'),
    Field("python.find_links", "strings or one", "where else to look for packages", [], example='["./wheels"]'),
    Field("python.extra_index_url", "strings or one", "more indexes", [], example='["https://pypi.local/simple"]'),
    Field("python.pip_args", "string", "more arguments for pip install", example='"--pre"'),
    Field("python.wheels", "paths", "wheels to pack", [], example='["./lib/mine-1.0-py3-none-any.whl"]'),
    Field("python.is_src_layout", "boolean", "the project's packages lie in src/", False, example="true"),
    Field("conda.environment_yml", "path", "a conda environment file", example='"./environment.yml"'),
    Field("conda.channels", "strings", "conda channels", [], example='["conda-forge"]'),
    Field("conda.dependencies", "list", "conda packages", [], example='["numpy"]'),
    Field("conda.pip", "strings", "pip packages inside of conda", [], example='["numpy"]'),
)  # fmt: skip

BY_NAME = {field.name: field for field in FIELDS}
SECTIONS = ("docker", "python", "conda")

# What other tools, or other parts of BentoML, call an option: key → what to do.
ELSEWHERE = {
    "image": "An image is described in code, as @bentoml.service(image=…); in a bentofile, docker and python say it.",
    "runners": "Runners belong to the service; a bentofile does not name them.",
    "version": "A version is given as `bentomake build --version V`.",
    "build": "Put its options at the top level.",
}


def keys(section: str) -> list[str]:
    """The names allowed in a section (`""` is the top level, `models[]` an item)."""
    return [field.key for field in FIELDS if field.section == section] + (list(SECTIONS) if not section else [])
