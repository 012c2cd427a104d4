"""Real bentoml's own `containerize` renders the same Dockerfile from a Bento built here as from one of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import LIGHT_SERVICE, World

pytestmark = pytest.mark.real

RUNNER_SERVICE = """\
import bentoml
from bentoml.io import JSON

light = bentoml.Service("light")


@light.api(input=JSON(), output=JSON())
def double(x):
    return 2 * x
"""
TEMPLATE = """\
{% extends bento_base_template %}
{% block SETUP_BENTO_COMPONENTS %}
{{ super() }}
RUN echo {{ bento__path }}
{% endblock %}
"""
# As `containerize` does up to calling the engine: of each Bento, first without BuildKit, then with it.
RENDER = """
import json, sys, bentoml
from bentoml._internal.container import construct_containerfile
texts = []
for tag in sys.argv[1:]:
    for buildkit in (False, True):
        with construct_containerfile(bentoml.get(tag), enable_buildkit=buildkit) as (_, path):
            texts.append(open(path).read())
print(json.dumps(texts))
"""
FILES = {
    "Dockerfile.template": TEMPLATE,
    "prod.env": "LEVEL=high\nGREETING=hello\n",
    "setup.sh": "#!/bin/sh\ntrue\n",
    "environment.yml": "channels: [conda-forge]\ndependencies: [python=3.9, h5py]\n",
}
CASES: dict[str, dict[str, Any]] = {
    "template": {"docker": {"dockerfile_template": "./Dockerfile.template", "env": "./prod.env"}},
    "cuda": {"docker": {"cuda_version": "11.8", "system_packages": ["git"], "setup_script": "./setup.sh"}},
    "default-cuda": {"docker": {"cuda_version": "default", "distro": "debian"}},
    "conda": {"conda": {"dependencies": ["h5py", {"pip": ["idna"]}]}, "docker": {"env": {"LEVEL": "low"}}},
    "conda-file": {"conda": {"environment_yml": "./environment.yml"}, "docker": {"distro": "alpine"}},
    "cuda-conda-template": {
        "conda": {"pip": ["idna"], "channels": ["bioconda"]},
        "docker": {"dockerfile_template": "./Dockerfile.template", "cuda_version": 12},
    },
    "ubi8-cuda": {"docker": {"distro": "ubi8", "cuda_version": "12.1.1", "python_version": "3.9"}},
}
SECTIONS = ("docker", "conda", "envs")


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("generation", ["bentoml11", "bentoml14"])
def test_the_same_dockerfile_as_from_a_bento_of_its_own(
    generation: str, case: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    world = World(tmp_path, request.getfixturevalue(generation))
    files = {**FILES, "service.py": RUNNER_SERVICE if generation == "bentoml11" else LIGHT_SERVICE}
    service = "service:light" if generation == "bentoml11" else "service:Light"
    bentofile = {"service": service, "include": ["*.py"], "python": {"lock_packages": False}, **CASES[case]}
    project = world.project("light", {**files, "bentofile.yaml": yaml.safe_dump(bentofile)})
    (project / "setup.sh").chmod(0o755)
    ours = project.make().good().tag
    said = world.bentoml("build", "-o", "tag", cwd=project.directory).good().stdout
    theirs = said.strip().splitlines()[-1].removeprefix("__tag__:")
    assert ours != theirs

    argv = [str(world.python), "-c", RENDER, ours, theirs]
    # bentoml 1.4 finds a template only below the working directory, and puts it into the one for temporary files
    plain, buildkit, real_plain, real_buildkit = world.command(argv, Path("/")).good().json
    assert "FROM " in plain and plain != buildkit
    assert (plain, buildkit) == (real_plain, real_buildkit)
    info, real = (yaml.safe_load((bento_of(world, tag) / "bento.yaml").read_text()) for tag in (ours, theirs))
    assert {name: info.get(name) for name in SECTIONS} == {name: real.get(name) for name in SECTIONS}
    assert info.get("spec") == real.get("spec")
    environment = "env/conda/environment.yml"
    if "conda" in CASES[case]:
        made, real_one = (yaml.safe_load((bento_of(world, tag) / environment).read_text()) for tag in (ours, theirs))
        # bentoml leaves it to conda to add pip where pip is used
        made["dependencies"] = [item for item in made["dependencies"] if item != "pip"]
        assert made == real_one


def bento_of(world: World, tag: str) -> Path:
    return world.home / "bentos" / tag.replace(":", "/")
