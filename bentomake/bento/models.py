"""The model store: BentoML's own, read only; models are hashed where they lie."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from ..engine.digest import Digest, of_bytes
from ..engine.tree import EXECUTABLE, FILE, Entry, dump
from ..errors import StepError
from . import model_query, yaml_text
from .layout import LATEST
from .tag import Tag


class ModelStore:
    """The models below `<home>/models`."""

    def __init__(self, home: str):
        self.root = os.path.join(home, "models")

    def directory(self, tag: Tag) -> str:
        assert tag.version is not None
        return os.path.join(self.root, tag.name, tag.version)

    def latest_file(self, name: str) -> str:
        return os.path.join(self.root, name, LATEST)

    def versions(self, name: str) -> list[str]:
        try:
            with os.scandir(os.path.join(self.root, name)) as entries:
                return sorted(entry.name for entry in entries if entry.is_dir())
        except OSError:
            return []

    def names(self) -> list[str]:
        try:
            with os.scandir(self.root) as entries:
                return sorted(entry.name for entry in entries if entry.is_dir())
        except OSError:
            return []

    def resolve(self, tag: Tag) -> Tag | None:
        """The stored model that a tag means: its version, what `latest` names, or a unique version prefix."""
        versions = self.versions(tag.name)
        if tag.version in (None, LATEST):
            try:
                with open(self.latest_file(tag.name), encoding="utf-8", errors="replace") as file:
                    latest = file.read().strip()
            except OSError:
                latest = ""
            if latest in versions:
                return Tag(tag.name, latest)
            if not versions:
                return None
            return Tag(tag.name, max(versions, key=lambda v: str(self.info(Tag(tag.name, v)).get("creation_time"))))
        assert tag.version is not None
        if tag.version in versions:
            return tag
        matches = [version for version in versions if version.startswith(tag.version)]
        return Tag(tag.name, matches[0]) if len(matches) == 1 else None

    def select(self, tag: Tag, query: model_query.Query) -> Tag | None:
        """The newest model of a tag's name whose labels fit; a tag with a version of its own must fit itself."""
        if tag.version not in (None, LATEST):
            one = self.resolve(tag)
            candidates = [one] if one is not None else []
        else:
            candidates = [Tag(tag.name, version) for version in self.versions(tag.name)]
        fitting = []
        for candidate in candidates:
            info = self.info(candidate)
            if model_query.matches(query, info.get("labels")):
                fitting.append((str(info.get("creation_time")), candidate))
        return max(fitting)[1] if fitting else None

    def files(self, tag: Tag) -> list[str]:
        """The paths of a model's files, relative to its directory, sorted."""
        top = self.directory(tag)
        found: list[str] = []
        for root, directories, names in os.walk(top, followlinks=True):
            directories.sort()
            found.extend(os.path.relpath(os.path.join(root, name), top) for name in names)
        return sorted(found)

    def where(self, tag: Tag) -> dict[str, str]:
        """path → file of a model."""
        return {path: os.path.join(self.directory(tag), path) for path in self.files(tag)}

    def directories(self, tag: Tag) -> list[str]:
        """The directories of a model: while none of them changes, no file came or went."""
        return [root for root, _, _ in os.walk(self.directory(tag), followlinks=True)]

    def digest(self, tag: Tag, digest_of: Callable[[str], Digest]) -> str:
        """The sha256 of the model's tree."""
        top = self.directory(tag)
        tree = {}
        for path in self.files(tag):
            full = os.path.join(top, path)
            mode = EXECUTABLE if os.stat(full).st_mode & 0o100 else FILE
            tree[path] = Entry(digest_of(full), mode)
        return of_bytes(dump(tree)).sha256

    def size(self, tag: Tag) -> int:
        top = self.directory(tag)
        return sum(os.stat(os.path.join(top, path)).st_size for path in self.files(tag))

    def created(self, tag: Tag) -> str:
        """When a model was made; nothing if that is not to be known."""
        try:
            return str(self.info(tag).get("creation_time") or "")
        except StepError:
            return ""

    def info(self, tag: Tag) -> dict[str, Any]:
        """model.yaml; StepError if it is missing or damaged."""
        path = os.path.join(self.directory(tag), "model.yaml")
        try:
            with open(path, "rb") as file:
                data = yaml_text.load(file.read())
        except (OSError, ValueError) as error:
            raise StepError(
                f"The model {tag} is damaged: its model.yaml cannot be read.",
                place=path,
                hint=f"Save it again, or delete it with `bentoml models delete {tag}`.",
                detail=str(error),
            ) from error
        return data if isinstance(data, dict) else {}


def newest(models: Iterable[Tag], created: Callable[[Tag], str]) -> dict[str, Tag]:
    """What `latest` means where only these models are, by name: the one made last, as in a model store."""
    found: dict[str, list[Tag]] = {}
    for tag in models:
        found.setdefault(tag.name, []).append(tag)
    return {
        name: max(tags, key=lambda tag: (created(tag), tag.version or "")) if len(tags) > 1 else tags[0]
        for name, tags in found.items()
    }
