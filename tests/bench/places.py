"""Places: environments of their own for bentomake (installed, not the checkout), its peers and the service."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FOREIGN = ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "VIRTUAL_ENV", "SOURCE_DATE_EPOCH")
SERVICE = ["bentoml>=1.4,<2", "scikit-learn", "uv"]  # its locked builds want uv beside it
RUNNER = ["bentoml==1.1.11", "setuptools<81", "click<8.3", "scikit-learn"]
PEERS = ["doit", "ninja"]


def clean_environment() -> dict[str, str]:
    """The environment of every command: nothing that steers Python, bentoml or bentomake, and no tracking."""
    env = {
        name: value
        for name, value in os.environ.items()
        if name not in _FOREIGN and not name.startswith(("PYTHON", "BENTO"))
    }
    return env | {"BENTOML_DO_NOT_TRACK": "True"}


class Places:
    """The environments below `top`, made when they are first asked for; those of an earlier run are used again."""

    def __init__(self, top: Path):
        self.top = top
        self.env = clean_environment()
        top.mkdir(parents=True, exist_ok=True)

    def _run(self, *argv: str | Path) -> None:
        subprocess.run([str(word) for word in argv], check=True, env=self.env, stdout=sys.stderr)

    def _uv(self) -> str:
        found = shutil.which("uv") or str(self.top / "uv" / "bin" / "uv")
        if not os.path.exists(found):
            self._run(sys.executable, "-m", "venv", self.top / "uv")
            self._run(self.top / "uv" / "bin" / "python", "-m", "pip", "install", "-q", "uv")
        return found

    def _environment(self, name: str, packages: list[str], python: str = sys.executable) -> Path:
        directory, done = self.top / name, self.top / name / "complete"
        if not done.exists() or done.read_text() != repr(packages):
            shutil.rmtree(directory, ignore_errors=True)
            self._run(self._uv(), "venv", "-q", "--no-python-downloads", "--python", python, directory)
            self._install(directory, packages)
            done.write_text(repr(packages))
        return directory / "bin"

    def _install(self, directory: Path, packages: list[str]) -> None:
        python = directory / "bin" / "python"
        self._run(self._uv(), "pip", "install", "-q", "--compile-bytecode", "--python", python, *packages)

    def bentomake(self) -> str:
        """The console script of a wheel of this checkout, in an environment that holds nothing else."""
        sources, wheels = self.top / "sources", self.top / "wheel"
        for directory in (sources, wheels):
            shutil.rmtree(directory, ignore_errors=True)
        sources.mkdir()
        for name in ("pyproject.toml", "README.md", "LICENSE", "bentomake", "rules"):
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, sources / name, ignore=shutil.ignore_patterns("__pycache__"))
            elif (ROOT / name).exists():
                shutil.copy(ROOT / name, sources / name)
        self._run(self._uv(), "build", "-q", "--wheel", "--python", sys.executable, "--out-dir", wheels, sources)
        (wheel,) = wheels.glob("*.whl")
        shutil.rmtree(self.top / "tool", ignore_errors=True)
        return str(self._environment("tool", [f"bentomake @ {wheel.as_uri()}"]) / "bentomake")

    def peer(self, name: str) -> str:
        """The console script of doit, or ninja's own program (pip's script in front of it would be measured too)."""
        scripts = self._environment("peers", PEERS)
        if name != "ninja":
            return str(scripts / name)
        found = sorted((scripts.parent / "lib").glob("python*/site-packages/ninja/data/bin/ninja"))
        return str(found[0] if found else scripts / name)

    def runner_python(self) -> str:
        """A Python with bentoml 1.1 and scikit-learn: BENTOMAKE_TEST_PY11, or one made here."""
        given = os.environ.get("BENTOMAKE_TEST_PY11")
        return given or str(self._environment("runner", RUNNER, "3.11") / "python")

    def service_python(self) -> str:
        """A Python with bentoml 1.4 and scikit-learn: BENTOMAKE_TEST_PY14, or one made here."""
        given = os.environ.get("BENTOMAKE_TEST_PY14")
        return given or str(self._environment("service", SERVICE) / "python")
