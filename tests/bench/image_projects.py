"""The project of the image cases, and what happens to it between two runs: an edit, a package, another model.

All images start from one base that has what bentoml 1.4 installs in each image (a compiler, git): only the peers gain.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from measure import Failed
from projects import big_model

BASE = "bentomake-bench-base:1"
_BASE = """\
FROM python:3.11-slim AS plain
FROM python:3.11-slim
RUN apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends \\
    ca-certificates gnupg2 bash build-essential git
COPY --from=plain /etc/ssl/certs /etc/ssl/certs
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
"""
_SETTLED = 1.0  # seconds: what was done just before, by the engine, too, is not to be paid for by what is measured
_CLASS = """\
import bentoml


@bentoml.service(name="bench")
class Bench:
    big = bentoml.models.BentoModel("big:1")

    @bentoml.api
    def count(self, text: str) -> int:
        return len(text)
"""
_RUNNER = """\
import bentoml
from bentoml.io import JSON

svc = bentoml.Service("bench", models=[bentoml.models.get("big:1")])


@svc.api(input=JSON(), output=JSON())
def count(x):
    return x
"""
_BENTOFILE = """\
service: "service:{attribute}"
include: ["*.py"]
models: ["big:1"]
docker:
  base_image: {base}
python:
  packages: [scikit-learn{more}]
"""


class Project:
    """A project and what happens to it between two runs: an edit and a new Bento, or a new model; not measured.

    `builder` is the command that makes a Bento of it, `tag` the image that its runs make, `model` its model's bytes,
    `extras` are the packages that it may be given. `prune_to` is how much the engine may keep of layers and
    contexts that no image has any more, whosever they are: nothing is taken from it without that.
    """

    def __init__(
        self,
        top: Path,
        runner: bool,
        builder: list[str],
        env: dict[str, str],
        tag: str,
        model: int,
        extras: Sequence[str],
        prune_to: str | None = None,
    ):
        self.directory = top / "project"
        self.directory.mkdir(parents=True, exist_ok=True)
        self.env = env | {"BENTOML_HOME": str(top / "home"), "BENTOMAKE_CACHE_DIR": str(top / "cache")}
        self.tag = tag
        self._top, self._runner, self._builder, self._model = top, runner, builder, model
        self._edits, self._extras = count(), iter(extras)
        self._image, self._prune_to = "", prune_to
        self._write()
        self.new_model()

    def new_model(self) -> None:
        shutil.rmtree(self._top / "home" / "models", ignore_errors=True)
        big_model(self._top / "home", self._model)
        self._build()

    def edited(self) -> None:
        self._write()
        self._build()

    def extended(self) -> None:
        """One package more than in the beginning: another each time."""
        extra = next(self._extras, None)
        if extra is None:
            raise Failed("There is no package left to be added: fewer runs, please.")
        self._write(extra)
        self._build()

    def tidied(self) -> None:
        """What this project left in the engine would fill the disk: its image, and what was asked for beside it."""
        image = self._docker("image", "inspect", "--format", "{{.Id}}", self.tag)
        if self._image and self._image != image:
            self._docker("image", "rm", "--force", self._image)
        self._image = image
        if self._prune_to:
            self._docker("builder", "prune", "--force", "--keep-storage", self._prune_to)
        time.sleep(_SETTLED)

    def _write(self, *extras: str) -> None:
        text = (_RUNNER if self._runner else _CLASS) + f"# {next(self._edits)}\n"
        (self.directory / "service.py").write_text(text)
        attribute, more = "svc" if self._runner else "Bench", "".join(f", {name}" for name in extras)
        (self.directory / "bentofile.yaml").write_text(_BENTOFILE.format(attribute=attribute, base=BASE, more=more))

    def _build(self) -> None:
        done = subprocess.run(self._builder, cwd=self.directory, env=self.env, capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"{' '.join(self._builder)}: {done.stdout[-1000:]}{done.stderr[-1000:]}")
        self.tidied()

    @staticmethod
    def _docker(*words: str) -> str:
        return subprocess.run(["docker", *words], capture_output=True, text=True).stdout.strip()


def base_image() -> None:
    """Make the base of all images, if the engine has it not yet."""
    argv = ["docker", "build", "-q", "-t", BASE, "-"]
    done = subprocess.run(argv, input=_BASE, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"{' '.join(argv)}: {done.stderr[-1000:]}")
