"""A real git repository with a Python package in it."""

from __future__ import annotations

import subprocess
from pathlib import Path

PROJECT = """\
[project]
name = "{name}"
version = "0.1"
dependencies = {requires}
[project.optional-dependencies]
extra = ["six==1.16.0"]
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[tool.setuptools]
py-modules = ["{name}"]
"""


class Repository:
    """A directory under git, with one commit; `url` is what stands behind `git+`."""

    def __init__(self, directory: Path, name: str = "fromgit", requires: tuple[str, ...] = (), inside: str = ""):
        self.directory, self.name = directory, name
        self.url = f"file://{directory}"
        package = directory / inside
        package.mkdir(parents=True)
        (package / "pyproject.toml").write_text(PROJECT.format(name=name, requires=[*requires]))
        self.module = package / f"{name}.py"
        self.git("init", "-q", "-b", "main")
        self.first = self.commit("answer = 1\n")

    def git(self, *words: str) -> str:
        base = ["git", "-C", str(self.directory), "-c", "user.name=me", "-c", "user.email=me@example.org"]
        return subprocess.run([*base, *words], check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, code: str) -> str:
        """Another commit on the branch; its name."""
        self.module.write_text(code)
        self.git("add", "-A")
        self.git("commit", "-qm", "more")
        return self.git("rev-parse", "HEAD")
