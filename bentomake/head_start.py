"""A head start: docker's builder is started for a Bento that is new, and asks its daemon while bentomake looks on.

It takes buildx as long to ask its daemon what it must know as bentomake to find out what is to be built. So it is
started with what a glance at the Bento tells, and waits for its Dockerfile; when all is known, it is given that, or
ended if it was started with anything else than what is to be built. What it is started with comes from the Bento and
the command line, never from the cache.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .bento import yaml_text
from .bento.layout import BENTO_YAML, DIGESTS, listed
from .bento.library import Library, home
from .container.begun import HeadStart, free
from .container.engine_command import EngineCommand
from .container.staging import Slot, slot
from .engine.content_store import ContentStore
from .engine.fresh import read_key
from .engine.process import Begun
from .errors import BentomakeError
from .imaging import Imaging
from .origins import looked_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .engine.fact import Fact
    from .workspace import Settings

_ASKS_SLOWLY = ("UV_KEYRING_PROVIDER", "PIP_KEYRING_PROVIDER")  # what a keyring says is asked for once

_AT_ONCE = 1 << 13  # bytes that any pipe takes whole: whoever is killed while he feeds more leaves half a Dockerfile


def head_start(text: str, settings: Settings) -> HeadStart | None:
    """The engine, started for the Bento that `text` names; None where that is no use, or not to be foreseen.

    What is wrong is not said here: whoever asks in earnest finds it again.
    """
    image = settings.image
    if image.run_as_root or any(settings.env.get(name) for name in _ASKS_SLOWLY):
        return None
    try:
        return _started(text, settings)
    except (BentomakeError, OSError, ValueError, LookupError, AttributeError, TypeError):  # a Bento of any origin
        return None


class _Glance:
    """A recipe's context for a stored Bento, as far as its files tell; nothing is recorded."""

    workdir = ""

    def __init__(self, imaging: Imaging, directory: str):
        self._imaging, self._directory = imaging, directory
        with open(os.path.join(directory, DIGESTS), "rb") as file:
            files, links = listed(os.fsdecode(file.read()))
        self.paths = {*files, *(links or ()), DIGESTS}

    @property
    def tree(self) -> Mapping[str, None]:
        return dict.fromkeys(f"bento/{path}" for path in self.paths)

    def read(self, path: str) -> bytes:
        with open(os.path.join(self._directory, path.removeprefix("bento/")), "rb") as file:
            return file.read()

    def text(self, path: str) -> str:
        return self.read(path).decode()

    def input(self, name: str) -> _Glance:
        return self

    def host(self, name: str) -> Imaging:
        return self._imaging

    def param(self, name: str) -> Any:
        return self._imaging.param(name)

    def oracle(self, name: str) -> str | None:
        return self._imaging.settings.env.get("SOURCE_DATE_EPOCH")

    def discover(self, kind: str, name: str) -> Fact:
        return self._imaging.ask(kind, name)

    def warn(self, message: str, **more: str) -> None:
        pass


def _started(text: str, settings: Settings) -> HeadStart | None:
    where = home(settings.env)
    library = Library(where)
    tag = library.resolve(text)
    if not settings.force and os.path.exists(looked_at(settings, where, tag)):
        return None  # its image was asked for before: most likely it is there
    imaging = Imaging(settings, read_key(settings.cache), ContentStore(settings.cache), where)
    if not isinstance(imaging.backend, EngineCommand) or not imaging.backend.waits or imaging.must_note:
        return None
    if imaging.builder is not None:  # of the user's own, it may be down: it would be booted for what may be a mistake
        return None
    glance = _Glance(imaging, library.directory(tag))
    info = yaml_text.glance(glance.text(f"bento/{BENTO_YAML}"))
    digest = info["content_digest"].removeprefix("sha256:")
    bento = {**info, "digest": digest, "created": info["creation_time"], "labels": info["labels"]}
    rule = import_module("bentomake.rules.image")
    name = rule.dockerfile_in(glance.paths, imaging)
    dockerfile = glance.text(f"bento/{name}")
    if len(dockerfile.encode()) > _AT_ONCE:
        return None
    beside = rule.foreseen(bento["name"], glance.paths, dockerfile, imaging)
    slots: dict[str, Slot] = {}
    try:
        for each in dict.fromkeys((bento["name"], *beside.values())):  # a Bento may be called wheelhouse
            slots[each] = slot(where, each, wait=False)  # who waits with a slot in hand might wait for ever
        contexts = {context: slots[each].directory for context, each in beside.items()}
        context = slots[bento["name"]].directory
        argv, env = imaging.command(rule.asked(glance, bento, name, dockerfile, context, contexts))
        waiting = imaging.backend.waiting(argv)
        if waiting is not None:
            locks, scratch = [each.lock for each in slots.values()], slots[bento["name"]].scratch
            os.mkdir(scratch, 0o700)
            begun = Begun(waiting, env={**env, "TMPDIR": scratch}, cwd=settings.cwd, fed=True, keeps=locks)
            return HeadStart(argv, env, slots, begun)
    except BaseException:
        free(slots)
        raise
    free(slots)
    return None
