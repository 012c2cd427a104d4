"""Image engines, the Dockerfiles that they are given, and what Python code can ask of them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .python_interface import get_backend, get_containerfile, health, register_backend

__all__ = ["build", "get_backend", "get_containerfile", "health", "register_backend"]


def __getattr__(name: str) -> Any:
    if name == "build":
        return import_module("bentomake.sdk").build  # documented to be here; it stands on the floor of the composition
    if name in __all__:
        from . import python_interface  # importing the room stays cheap

        return getattr(python_interface, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
