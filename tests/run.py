"""Run the tests on a machine that has only Python and pip: `python3 tests/run.py [PYTEST ARGUMENT…]`.

Makes an environment, builds the wheel, installs it there and tests it: what is tested is what is shipped.
`--editable` tests the checkout instead.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_FOREIGN = ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "VIRTUAL_ENV")


def main(arguments: list[str]) -> int:
    env = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    place = Path(env.get("BENTOMAKE_TEST_VENV") or ROOT / ".venv-tests")
    editable = "--editable" in arguments
    arguments = [argument for argument in arguments if argument != "--editable"]

    def run(*argv: str | Path) -> None:
        subprocess.run([str(word) for word in argv], check=True, env=env, cwd=ROOT)

    python = place / "bin" / "python"
    if not python.exists():
        run(sys.executable, "-m", "venv", place)
        run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "uv")
    uv = place / "bin" / "uv"
    if editable:
        _install(run, [uv, "pip", "install", "-q", "--python", python, "-e", f"{ROOT}[dev]"])
    else:
        wheels = place / "wheel"
        shutil.rmtree(wheels, ignore_errors=True)
        shutil.rmtree(ROOT / "build", ignore_errors=True)
        run(uv, "build", "-q", "--wheel", "--python", python, "--out-dir", wheels, ROOT)
        (wheel,) = wheels.glob("*.whl")
        run(uv, "pip", "uninstall", "-q", "--python", python, "bentomake")
        install = [uv, "pip", "install", "-q", "--python", python, "--compile-bytecode"]
        _install(run, [*install, f"bentomake[dev] @ {wheel.as_uri()}"])
    given = arguments or ["-n", str(os.cpu_count() or 1)]
    if "-n" in given:
        given = ["--dist", "loadgroup", *given]  # see tests/conftest.py
    env["PATH"] = f"{place / 'bin'}{os.pathsep}{env['PATH']}"
    return subprocess.run([str(place / "bin" / "pytest"), *given], env=env, cwd=ROOT, check=False).returncode


def _install(run: Callable[..., None], argv: list[str | Path]) -> None:
    """With the versions that the tests were last seen to pass with; the newest, where an index lacks these."""
    try:
        run(*argv, "-c", ROOT / "tests" / "pinned" / "tools.txt")
    except subprocess.CalledProcessError:
        print("tests/run.py: not with the versions of tests/pinned/tools.txt, so with the newest", file=sys.stderr)
        run(*argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
