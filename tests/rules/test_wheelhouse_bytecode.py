"""The script that puts bytecode into an image: as Python would make it, and each package compiled once."""

from __future__ import annotations

import json
import marshal
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "rules/wheelhouse_bytecode.py"
CODE = "import sys\nTOLD = 'from the source'\n"


class Image:
    """A virtual environment in the place of an image's Python."""

    def __init__(self, top: Path):
        self.top = top
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", top / "venv"], check=True)
        self.python = str(top / "venv/bin/python")
        self.site = next((top / "venv/lib").glob("python*/site-packages"))
        self.cache = top / "cache"
        self.cache.mkdir()

    def install(self, name: str, code: str = CODE, more: dict[str, str] | None = None) -> None:
        info = f"{name}-1.0.dist-info"
        paths = {f"{name}/{path}": text for path, text in {"__init__.py": code, **(more or {})}.items()}
        paths |= {f"{info}/METADATA": f"Name: {name}\nVersion: 1.0\n"}
        record = "".join(f"{path},sha256={hash(text)},{len(text)}\n" for path, text in paths.items())
        for path, text in {**paths, f"{info}/RECORD": f"{record}{info}/RECORD,,\n../../../bin/tool.py,,\n"}.items():
            (self.site / path).parent.mkdir(parents=True, exist_ok=True)
            (self.site / path).write_text(text)

    def compile(self) -> None:
        env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        done = subprocess.run([self.python, SCRIPT, self.cache], env=env, capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    def code(self) -> list[Path]:
        return sorted(self.site.rglob("*.pyc"))

    def told(self, name: str) -> str:
        argv = [self.python, "-v", "-c", f"import {name}; print({name}.TOLD)"]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        used = f"{name}/__init__" in done.stderr and "matches" in done.stderr
        return f"{done.stdout.strip()}, {'compiled' if used else 'not compiled'}"


@pytest.fixture
def image(tmp_path: Path) -> Image:
    return Image(tmp_path)


def test_python_takes_it_for_its_own(image: Image) -> None:
    image.install("one", more={"more.py": "x = 1\n", "broken.py": "def :\n", "data.txt": "no code"})
    assert image.told("one").startswith("from the source")
    for path in image.code():
        path.unlink()
    image.compile()
    assert [path.name.split(".")[0] for path in image.code()] == ["__init__", "more"]
    assert image.told("one") == "from the source, compiled"
    (image.site / "one/__init__.py").write_text(CODE.replace("from the source", "edited in the container"))
    assert image.told("one").startswith("edited in the container")


def test_a_package_is_compiled_once_as_long_as_it_is_the_same(image: Image) -> None:
    for number in range(6):  # more than a few: by several processes
        image.install(f"p{number}")
    image.compile()
    assert len(image.code()) == len(list(image.cache.iterdir())) == 6
    for kept in image.cache.iterdir():  # so that it shows where code comes from
        ((source, _),) = json.loads(kept.read_bytes().partition(b"\n")[0])
        code = marshal.dumps(compile("TOLD = 'from the cache'", source, "exec"))
        kept.write_bytes(json.dumps([[source, len(code)]]).encode() + b"\n" + code)
    for path in image.code():
        path.unlink()
    image.install("p5", CODE + "# another release\n")
    image.compile()
    assert image.told("p0") == "from the cache, compiled"
    assert image.told("p5") == "from the source, compiled"
    assert len(list(image.cache.iterdir())) == 7


def test_without_a_cache_and_with_a_damaged_one(image: Image) -> None:
    image.install("one")
    image.compile()
    (kept,) = image.cache.iterdir()
    for damage in (b"", b"no list", b"[1]", kept.read_bytes()[:-1]):
        kept.write_bytes(damage)
        for path in image.code():
            path.unlink()
        image.compile()
        assert image.told("one") == "from the source, compiled"
    for path in [*image.code(), kept]:
        path.unlink()
    image.cache.rmdir()
    image.compile()
    assert image.told("one") == "from the source, compiled" and not image.cache.exists()


def test_what_is_not_used_any_more_is_dropped(image: Image) -> None:
    image.install("one")
    old = image.cache / "old.bytecode"
    old.write_bytes(b"")
    os.utime(old, (0, 0))
    image.compile()
    assert old not in image.cache.iterdir() and len(list(image.cache.iterdir())) == 1


def test_it_is_a_file_that_old_pythons_can_read() -> None:
    text = SCRIPT.read_text()
    compile(text, "script", "exec", dont_inherit=True)
    import ast

    ast.parse(text, feature_version=(3, 8))
