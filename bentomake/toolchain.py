"""The tools that recipes start: where each one is, and its version."""

from __future__ import annotations

import os
import sys
from functools import cache

from .engine.rule import Tool
from .errors import UsageError

_DISTRIBUTIONS = {"uv": "uv", "pip-compile": "pip-tools", "pip": "pip"}


@cache
def find_tool(name: str) -> Tool:
    """A tool by its name; UsageError for one that is not there."""
    version = _metadata(name)[1]
    if name == "pip-compile":
        return Tool(name, (sys.executable, "-m", "piptools", "compile"), version)
    if name == "pip":  # pip-tools brings it
        return Tool(name, (sys.executable, "-I", "-m", "pip"), version)
    beside = os.path.join(os.path.dirname(sys.executable), name)
    if os.access(beside, os.X_OK):  # where uv itself looks first; asking it costs 3 ms
        return Tool(name, (beside,), version)
    import uv

    try:
        return Tool(name, (uv.find_uv_bin(),), version)
    except FileNotFoundError:
        raise UsageError("uv is not installed beside bentomake.", hint="pip install uv") from None


def tool_directory(name: str) -> str:
    """The directory that changes when the tool is upgraded."""
    return _metadata(name)[0]


@cache
def _metadata(name: str) -> tuple[str, str]:
    """(site-packages, version), from the name of the metadata directory: importlib.metadata would cost 20 ms."""
    head = _DISTRIBUTIONS[name].replace("-", "_") + "-"
    for directory in sys.path:
        try:
            entries = os.listdir(directory)
        except OSError:
            continue
        for entry in entries:
            if entry.startswith(head) and entry.endswith(".dist-info"):
                return directory, entry[len(head) : -len(".dist-info")]
    raise UsageError(f"{name} is not installed beside bentomake.", hint=f"pip install {_DISTRIBUTIONS[name]}")
