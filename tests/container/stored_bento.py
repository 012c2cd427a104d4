"""A Bento of the store that becomes an image by a docker that builds nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from stand_in import StandIns, healthy

from bentomake.container.options import Options
from bentomake.containerize import containerize
from bentomake.engine.progress import Silent
from bentomake.execution import Result
from bentomake.session import Session
from bentomake.workspace import ImageAsk, Settings

FOUND = {"Id": "sha256:new", "Os": "linux", "Architecture": "amd64", "Size": 7}


class Stored:
    """The Bento iris:v1, and a docker that answers without building."""

    def __init__(self, home: Path, here: Path):
        self.here = here
        self.docker: StandIns = healthy(here / "bin", "docker")
        self.docker.answer("docker image inspect", FOUND)
        self.directory = home / "bentos/iris/v1"
        (self.directory / "env/docker").mkdir(parents=True)
        (self.directory / "src").mkdir()
        (self.directory / "bento.yaml").write_text("name: iris\nversion: v1\n")
        (self.directory / "env/docker/Dockerfile").write_text("FROM scratch\n")

    def session(self, *opts: str, backend: str = "docker", force: bool = False, **ask: Any) -> Session:
        asked = ImageAsk(backend, options=Options.parse(opts), **ask)
        return Session(Settings(str(self.here), {**os.environ, **self.docker.env}, image=asked, force=force))

    def containerize(
        self, *opts: str, dry: bool = False, force: bool = False, backend: str = "docker", **ask: Any
    ) -> Result:
        session = self.session(*opts, backend=backend, force=force, **ask)
        try:
            return containerize("iris:v1", session, Silent(), dry=dry)
        finally:
            session.close()
