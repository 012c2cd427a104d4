"""Where the docker stories make their images: a world, quick projects of unlike names, and what a containerize said."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from containers import ENGINES, with_engine
from harness import LIGHT_SERVICE, Project, Run, World
from surroundings import Index

QUICK = """\
{% extends bento_base_template %}
{% block SETUP_BENTO_COMPONENTS %}
COPY --chown={{ bento__user }} env/docker/entrypoint.sh model[s] ./models/
COPY --chown={{ bento__user }} env/docker ./env/docker
COPY --from=bento --chown={{ bento__user }} /bento/ ./
# more
{% endblock %}
"""
"""A template with which nothing is installed, so that an image is there in two seconds."""


class Shop:
    """A world with docker and a package index of its own, where each Bento has a name that nobody else uses."""

    def __init__(self, directory: Path, python: str):
        self.world = with_engine(World(directory, python))
        self.index = Index(directory / "index")
        self.world.env |= self.index.for_builds_with(python)
        a_bentoml_that_says_its_words(self.index.directory / "bentoml")
        self.engine = ENGINES["docker"]
        self._names: list[str] = []

    def name(self) -> str:
        """A new name for a Bento; its images are removed after the test."""
        self._names.append(f"story-{os.urandom(5).hex()}")
        return self._names[-1]

    def project(self, template: str | None = QUICK, options: str = "", **files: str) -> Box:
        """A project with this template (none: bentomake's own) and these lines more in its bentofile."""
        name = self.name()
        bentofile = f'service: "service:Light"\nname: {name}\n{options}'
        if "docker:" not in options:
            bentofile += "docker:\n"
        bentofile = bentofile.replace("docker:\n", 'docker:\n  python_version: "3.11"\n')
        given = {"service.py": LIGHT_SERVICE, "bentofile.yaml": bentofile, **files}
        if template is not None:
            given |= {"Dockerfile.template": template}
            given["bentofile.yaml"] = bentofile.replace(
                "docker:", "docker:\n  dockerfile_template: Dockerfile.template"
            )
        return Box(self, name, self.world.project(name, given))

    def containerize(self, *words: str, env: Mapping[str, str] | None = None) -> Made:
        """`bentomake containerize WORDS`, with each line of the engine, and why each step ran."""
        return Made(self.world.run("containerize", *words, "--progress", "plain", "--explain", env=env))

    def clear(self) -> None:
        for name in self._names:
            self.engine.remove(name)
        self._names.clear()


def a_bentoml_that_says_its_words(place: Path) -> None:
    """Fill the empty wheel of bentoml in that directory of an index: its program prints what it is told."""
    (wheel,) = place.glob("*.whl")
    version = wheel.name.split("-")[1]
    info = f"bentoml-{version}.dist-info"
    features = "".join(f"Provides-Extra: {name}\n" for name in ("aws", "grpc", "tracing"))
    files = {
        "bentoml.py": f"import sys\n__version__ = {version!r}\n\n\ndef main():\n    print('bentoml', *sys.argv[1:])\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: bentoml\nVersion: {version}\n{features}"
        'Requires-Dist: other; extra == "grpc"\n',
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nbentoml = bentoml:main\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(wheel, "w") as made:
        for path, text in files.items():
            made.writestr(path, text)


@dataclass
class Box:
    """A project whose Bento becomes an image."""

    shop: Shop
    name: str
    project: Project

    def build(self) -> str:
        """Build the Bento: its tag."""
        return self.project.make().good().tag

    def containerize(self, *words: str, env: Mapping[str, str] | None = None) -> Made:
        """Build, and containerize what was built."""
        return self.shop.containerize(self.build(), *words, env=env)


class Made:
    """What a `containerize` said."""

    def __init__(self, run: Run):
        self.run = run
        self.said = run.stderr
        self.log = "\n".join(re.findall(r"^  image \| (.*)$", self.said, re.MULTILINE))
        self.states = dict(re.findall(r"^(bento|pinned|wheelhouse|image): (\w+)", self.said, re.MULTILINE))

    def good(self) -> Made:
        self.run.good()
        return self

    @property
    def ran(self) -> set[str]:
        return {name for name, state in self.states.items() if state == "ran"}

    @property
    def tag(self) -> str:
        """The first name of the image."""
        (names,) = re.findall(r'with tag\(s\) "([^"]+)"', self.said)
        return str(names).partition(",")[0]

    def sent(self) -> float:
        """The bytes that the engine says it was sent."""
        units = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}
        last = {}
        for step, size, unit in re.findall(r"^(#\d+) transferring \S+ ([\d.]+)([kMG]?B)\b", self.log, re.MULTILINE):
            last[step] = float(size) * units[unit]
        assert last, self.log
        return sum(last.values())

    def cached(self, instruction: str) -> bool:
        """Whether the engine had the layer of the instruction that begins so."""
        (step,) = re.findall(rf"^(#\d+) \[.*\] {re.escape(instruction)}", self.log, re.MULTILINE)
        return f"\n{step} CACHED" in self.log
