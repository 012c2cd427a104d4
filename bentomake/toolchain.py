"""The tools that recipes start: where each one is, and its version."""

from __future__ import annotations

import os
import sys
from functools import cache

from .engine.rule import Tool
from .errors import UsageError


@cache
def find_tool(name: str) -> Tool:
    """A tool by its name; UsageError for one that is not there."""
    if name == "uv":
        import uv

        try:
            return Tool(name, (uv.find_uv_bin(),), _version("uv"))
        except FileNotFoundError:
            raise UsageError("uv is not installed beside bentomake.", hint="pip install uv") from None
    if name == "pip-compile":
        return Tool(name, (sys.executable, "-m", "piptools", "compile"), _version("pip-tools"))
    raise UsageError(f"There is no tool {name}.")


def _version(name: str) -> str:
    """From the name of its metadata directory: importlib.metadata would cost 20 ms."""
    head = name.replace("-", "_") + "-"
    for directory in sys.path:
        try:
            entries = os.listdir(directory)
        except OSError:
            continue
        for entry in entries:
            if entry.startswith(head) and entry.endswith(".dist-info"):
                return entry[len(head) : -len(".dist-info")]
    import importlib.metadata

    return importlib.metadata.version(name)
