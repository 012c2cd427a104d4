"""Runs in the user's interpreter: what an image in code was told, with its files by name instead of their text."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Told:
    """What one image was told: arguments by name, what was read into its requirements, packages, scripts."""

    def __init__(self, given: list[str]) -> None:
        self.given = given
        self.read: list[tuple[str, str, int, str]] = []  # kind, file, where its text begins, its text
        self.packages: dict[str, list[str]] = {}  # command → names
        self.scripts: dict[str, str] = {}  # where it will lie → file


class Calls:
    """The methods of `bentoml.images.Image`, watched; `observer` does not count what they read, unless that is lost."""

    def __init__(self, observer: Any, context: str) -> None:
        self._observer = observer
        self._context = context
        self._images: dict[int, tuple[Any, Told]] = {}  # the image too, so that its id stays its own

    def install(self) -> None:
        """Begin; a bentoml without images (before 1.3.10) has nothing to watch."""
        try:
            from _bentoml_sdk.images import Image
        except ImportError:
            return
        kind: Any = Image
        names = [field.name for field in kind.__attrs_attrs__ if field.init]
        made = kind.__init__

        @functools.wraps(made)
        def init(image: Any, *args: Any, **kwargs: Any) -> None:
            made(image, *args, **kwargs)
            self._images[id(image)] = image, Told([*names[: len(args)], *kwargs])

        kind.__init__ = init
        for name, watch in (
            ("requirements_file", self._requirements),
            ("pyproject_toml", self._requirements),
            ("run_script", self._script),
            ("system_packages", self._packages),
        ):
            if hasattr(kind, name):
                setattr(kind, name, self._watched(getattr(kind, name), name, watch))

    def _watched(self, method: Any, name: str, watch: Any) -> Any:
        @functools.wraps(method)
        def call(image: Any, *args: Any, **kwargs: Any) -> Any:
            told = self._images[id(image)][1] if id(image) in self._images else Told([])
            words = [*args, *kwargs.values()] or ["pyproject.toml"]
            return watch(told, image, name, words, lambda: method(image, *args, **kwargs))

        return call

    def _requirements(self, told: Told, image: Any, name: str, words: list[Any], call: Any) -> Any:
        before = image.python_requirements
        with self._unseen():
            result = call()
        text = image.python_requirements[len(before) :]
        kind = "file" if name == "requirements_file" else "pyproject"
        told.read.append((kind, self._file(words[0]), len(before), text))
        return result

    def _script(self, told: Told, image: Any, name: str, words: list[Any], call: Any) -> Any:
        before = set(image.scripts.values())
        with self._unseen():
            result = call()
        for target in image.scripts.values():
            if target not in before:
                told.scripts[target] = self._file(words[0])
        return result

    def _packages(self, told: Told, image: Any, name: str, words: list[Any], call: Any) -> Any:
        before = len(image.commands)
        result = call()
        for command in image.commands[before:]:
            told.packages[command] = [word for package in words for word in str(package).split()]
        return result

    @contextmanager
    def _unseen(self) -> Iterator[None]:
        self._observer.paused += 1
        try:
            yield
        finally:
            self._observer.paused -= 1

    def _file(self, path: Any) -> str:
        """A file as the image was told it, relative to the context; bentoml puts variables into paths."""
        text = os.fspath(path)
        self._observer.variables.update(re.findall(r"\$\{?(\w+)", text))
        full = os.path.join(os.getcwd(), os.path.expanduser(os.path.expandvars(text)))
        return os.path.relpath(full, self._context)

    def describe(self, image: Any) -> dict[str, Any] | None:
        """The image as JSON data; None for none. A file that it does not account for counts as looked at."""
        if image is None:
            self._count(set())
            return None
        from bentoml._internal.container.frontend.dockerfile import (
            CONTAINER_METADATA,
        )

        told = self._images[id(image)][1] if id(image) in self._images else Told([])
        parts, used = self._parts(image.python_requirements, told)
        self._count(used)
        known = CONTAINER_METADATA.get(image.distro)
        first = known["default_install_command"] if known else None
        usual = None
        if known:
            version = str(image.python_version).replace(".", "") if image.distro == "ubi8" else image.python_version
            usual = known["python"]["image"].format(spec_version=version)
        commands = list(image.commands)
        while commands and commands[0] == first:  # bentomake has its own, and installs it where it is needed
            del commands[0]
        scripts = {
            f"chmod +x {target} && {target}": told.scripts.get(target) or os.path.relpath(path, self._context)
            for path, target in image.scripts.items()
        }

        def told_as(command: str) -> dict[str, Any]:
            if command in scripts:
                return {"script": scripts[command]}
            if command in told.packages:
                return {"packages": told.packages[command]}
            return {"run": command}

        return {
            "base_image": None if image.base_image == usual else image.base_image,
            "distro": image.distro,
            "python_version": str(image.python_version) if "python_version" in told.given else None,
            "lock": bool(image.lock_python_packages),
            "pack_git": bool(getattr(image, "pack_git_packages", True)),
            "uv_lock": bool(getattr(image, "_uv_lock", False)),
            "requirements": parts,
            "commands": [told_as(command) for command in commands],
            "post_commands": [told_as(command) for command in image.post_commands],
            "build_include": [os.fspath(path) for path in getattr(image, "build_include_paths", ())],
            "given": sorted({*told.given} & {"base_image", "distro", "python_version"}),
        }

    def _parts(self, text: str, told: Told) -> tuple[list[dict[str, str]], set[str]]:
        """The requirements as text and files, in order; and those files. Changed text is text, whatever it was."""
        if any(text[begin : begin + len(was)] != was for _, _, begin, was in told.read):
            return [{"text": text}], set()
        parts: list[dict[str, str]] = []
        at = 0
        for kind, file, begin, was in told.read:
            parts += [{"text": text[at:begin]}] if begin > at else []
            parts.append({kind: file})
            at = begin + len(was)
        parts += [{"text": text[at:]}] if text[at:] else []
        return parts, {file for _, file, _, _ in told.read}

    def _count(self, used: set[str]) -> None:
        for _, told in self._images.values():
            for _, file, _, _ in told.read:
                if file not in used:
                    self._observer.saw(os.path.join(self._context, file))
