"""Facts about models: what a tag or a query means in the model store now, and the digest of a model."""

from __future__ import annotations

import os
from collections.abc import Callable

from .bento import model_query
from .bento.models import ModelStore
from .bento.tag import Tag
from .engine.digest import Digest, of_value
from .engine.fact import ABSENT, Fact
from .engine.fresh import Watch
from .engine.stat_index import StatIndex
from .errors import StoreError
from .workspace import Settings

KINDS = ("model_tag", "model_query", "model")


def index_of(settings: Settings, home: str, progress: Callable[[str, int, int], None] | None = None) -> StatIndex:
    """The digests of the files of a model store, which all projects and all Bentos have in common."""
    return StatIndex(settings.state("models", of_value(os.path.realpath(home))[:16] + ".json"), progress)


def ask(kind: str, name: str, models: ModelStore, watch: Watch, index: StatIndex) -> Fact:
    """The fact of one of KINDS; what it depends on is told to `watch`."""
    if kind == "model_tag":
        return _tag(name, models, watch)
    if kind == "model_query":
        return _query(name, models, watch)
    return _model(Tag.parse(name), models, watch, index)


def _tag(text: str, models: ModelStore, watch: Watch) -> Fact:
    tag = Tag.parse(text)
    watch.path(os.path.join(models.root, tag.name))
    if tag.version in (None, "latest"):
        watch.path(models.latest_file(tag.name))
    found = models.resolve(tag)
    return ABSENT if found is None else Fact(str(found), str(found))


def _query(text: str, models: ModelStore, watch: Watch) -> Fact:
    """Which model `NAME:VERSION QUERY` means."""
    name, _, query = text.partition(" ")
    tag = Tag.parse(name)
    watch.path(os.path.join(models.root, tag.name))
    for version in models.versions(tag.name):
        watch.path(os.path.join(models.directory(Tag(tag.name, version)), "model.yaml"))
    found = models.select(tag, model_query.parse(query))
    return ABSENT if found is None else Fact(str(found), str(found))


def _model(tag: Tag, models: ModelStore, watch: Watch, index: StatIndex) -> Fact:
    if not os.path.isdir(models.directory(tag)):
        watch.path(models.directory(tag))
        return ABSENT
    for path in models.directories(tag):
        watch.path(path)

    def digest(path: str) -> Digest:
        st = os.stat(path)
        watch.path(path, st)
        return index.digest(path, st)

    try:
        return Fact(models.digest(tag, digest))
    except OSError as error:
        raise StoreError(f"The model {tag} cannot be read: {error.filename}: {error.strerror}.") from error
