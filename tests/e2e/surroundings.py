"""What surrounds a project: a package index, an environment whose packages change, a model store, trees of files."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path


class Index:
    """A package index of a few empty wheels in a directory: small, always the same, asked without a network."""

    def __init__(self, directory: Path):
        self.directory = directory

    def add(self, name: str, *versions: str) -> None:
        place = self.directory / name
        place.mkdir(parents=True, exist_ok=True)
        for version in versions:
            with zipfile.ZipFile(place / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
                info = f"{name}-{version}.dist-info"
                wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
                wheel.writestr(
                    f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
                )
                wheel.writestr(f"{info}/RECORD", "")
        links = [f'<a href="{path.name}">{path.name}</a>' for path in sorted(place.glob("*.whl"))]
        (place / "index.html").write_text("\n".join(links))

    def for_builds_with(self, python: str) -> dict[str, str]:
        """Fill it with what locks of toy projects need; the variables that make the lockers use it."""
        self.add("toy", "1.0", "1.1", "2.0")
        self.add("other", "1.0", "3.0")
        self.add("setuptools", "80.0")
        self.add("click", "8.2.0")
        asked = [python, "-I", "-c", "from importlib.metadata import version; print(version('bentoml'))"]
        self.add("bentoml", subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip())
        return {"UV_DEFAULT_INDEX": self.directory.as_uri(), "UV_CACHE_DIR": str(self.directory.parent / "uv")}


class Environment:
    """A virtual environment of its own that sees a real one's packages through a .pth file."""

    def __init__(self, directory: Path, real: str):
        root = Path(real).parent.parent
        (site,) = root.glob("lib/python3.*/site-packages")
        self.site = directory / site.relative_to(root)
        self.site.mkdir(parents=True)
        (directory / "bin").mkdir()
        (directory / "bin" / "python").symlink_to(os.path.realpath(real))
        shutil.copy(root / "pyvenv.cfg", directory / "pyvenv.cfg")
        (self.site / "real.pth").write_text(f"{site}\n")
        self.python = str(directory / "bin" / "python")

    def install(self, name: str, version: str | None) -> None:
        for old in self.site.glob(f"{name}-*.dist-info"):
            shutil.rmtree(old)
        if version is not None:
            info = self.site / f"{name}-{version}.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
            (info / "RECORD").write_text("")


def copy_into(source: Path, target: Path) -> None:
    """Make `target` what `source` is, writing only what differs, as `git checkout` does."""
    wanted = {path.relative_to(source) for path in source.rglob("*")}
    for path in sorted(target.rglob("*"), reverse=True):
        relative = path.relative_to(target)
        if relative not in wanted or kind(path) != kind(source / relative):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    for relative in sorted(wanted):
        path, there = source / relative, target / relative
        if path.is_symlink():
            if not there.is_symlink():
                there.symlink_to(os.readlink(path))
        elif path.is_dir():
            there.mkdir(exist_ok=True)
        elif not there.exists() or there.read_bytes() != path.read_bytes():
            shutil.copyfile(path, there)
        if not path.is_symlink():
            there.chmod(path.stat().st_mode & 0o777)


def kind(path: Path) -> str:
    if path.is_symlink():
        return f"link {os.readlink(path)}"
    return "directory" if path.is_dir() else "file"


def save_model(home: Path, version: str, data: bytes, latest: bool = True, name: str = "toy_model") -> None:
    """A version of a model in the model store, as bentoml would save it."""
    top = home / "models" / name / version
    top.mkdir(parents=True, exist_ok=True)
    (top / "weights.bin").write_bytes(data)
    (top / "model.yaml").write_text(
        f"name: {name}\nversion: {version}\nmodule: bentoml.picklable_model\nlabels: {{}}\noptions: {{}}\n"
        "metadata: {}\ncontext:\n  framework_name: toy\n  framework_versions: {}\n  bentoml_version: 1.1.11\n"
        "  python_version: '3.11'\nsignatures: {}\napi_version: v1\ncreation_time: '2024-01-01T00:00:00+00:00'\n"
    )
    if latest:
        (top.parent / "latest").write_text(version)


def content_digest(bento: Path) -> str:
    (digest,) = re.findall(r"^content_digest: (\S+)$", (bento / "bento.yaml").read_text(), re.MULTILINE)
    return str(digest)


def check_whole(bento: Path) -> None:
    """Every file is listed with its digest and has it, and no listed file is missing: as `sha256sum -c` and `find`."""
    listed = {}
    lines = (bento / "bentomake.sha256").read_text().splitlines()
    for line in (line for line in lines if not line.startswith("#")):  # links are comments
        sha256, _, path = line.partition("  ")
        listed[path] = sha256
    there = {str(path.relative_to(bento)) for path in bento.rglob("*") if path.is_file() and not path.is_symlink()}
    there = {path for path in there if not path.startswith("models/")} - {"bentomake.sha256"}
    assert there == listed.keys(), there ^ listed.keys()
    for path, sha256 in listed.items():
        assert hashlib.sha256((bento / path).read_bytes()).hexdigest() == sha256, f"{path} is damaged"
    assert {"bento.yaml", "README.md", "apis/openapi.yaml"} <= listed.keys()


def check_store(home: Path) -> list[Path]:
    """Every Bento of the store is whole, nothing else lies there, and `latest` names one; the Bentos."""
    found = []
    for name in (home / "bentos").iterdir() if (home / "bentos").exists() else []:
        versions = [path for path in name.iterdir() if path.name != "latest"]
        for version in versions:
            check_whole(version)
        if (name / "latest").exists():
            assert (name / (name / "latest").read_text()) in versions
        found.extend(versions)
    return found
