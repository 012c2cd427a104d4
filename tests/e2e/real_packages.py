"""Packages of the index that this machine uses: in a toy index, or as programs in environments of their own."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from harness import command
from surroundings import Index


def tool(requirement: str, *words: str) -> list[str]:
    """The command line of a program that a package brings; uv makes and keeps its environment."""
    import uv

    options = ("-q", "--no-python-downloads", "--python", sys.executable)
    return [uv.find_uv_bin(), "tool", "run", *options, "--from", requirement, *words]


def add_real(index: Index, env: Mapping[str, str], directory: Path, *names: str) -> None:
    """Put packages, and what they require, into a toy index, as wheels for Python 3.11, by way of a directory."""
    words = ("--python-version", "3.11", "--only-binary", ":all:", "--dest", str(directory))
    command(tool("pip", "pip", "download", "--quiet", *words, *names), index.directory, env).good()
    for wheel in directory.glob("*.whl"):
        place = index.directory / wheel.name.partition("-")[0].lower().replace("_", "-")
        place.mkdir()
        wheel.rename(place / wheel.name)
        (place / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
