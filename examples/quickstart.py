"""The main job on a machine that has only Python and pip: `python3 examples/quickstart.py [iris | iris-runner]`.

Makes the example's environment (`examples/NAME/.venv`), trains its small model, and builds its Bento twice: the second
time there is nothing to do.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
_FOREIGN = ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "VIRTUAL_ENV")


def main(name: str = "iris") -> None:
    project = HERE / name
    venv = project / ".venv"
    env = {key: value for key, value in os.environ.items() if key not in _FOREIGN}
    env["BENTOML_DO_NOT_TRACK"] = "True"

    def run(*argv: str | Path) -> None:
        print("$", *(Path(argv[0]).name, *argv[1:]), flush=True)
        subprocess.run([str(word) for word in argv], check=True, env=env, cwd=project)

    if not (venv / "bin" / "bentomake").exists():
        run(sys.executable, "-m", "venv", venv)
        run(venv / "bin" / "python", "-m", "pip", "install", "-q", "-r", "requirements-dev.txt", HERE.parent)
    env["PATH"] = f"{venv / 'bin'}{os.pathsep}{env['PATH']}"
    run(venv / "bin" / "python", "train.py")
    run(venv / "bin" / "bentomake")
    run(venv / "bin" / "bentomake")
    run(venv / "bin" / "bentoml", "list")


if __name__ == "__main__":
    main(*sys.argv[1:])
