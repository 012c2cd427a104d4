"""stored: a Bento of the store, whoever built it, as what the rule `bento` makes, so that its image is made alike."""

from __future__ import annotations

import os
from collections.abc import Mapping

from bentomake.bento.arrival import arrival
from bentomake.bento.layout import BENTO_YAML, SOURCES
from bentomake.bento.library import parsed
from bentomake.engine.content_store import Changed
from bentomake.engine.digest import of_value
from bentomake.engine.rule import Context, Produced, Sources, rule
from bentomake.engine.tree import LINK, TREE, Entry, dump, under
from bentomake.errors import StepError, StoreError

_INNER = f"{SOURCES}/"


@rule(outputs=["bento/", "bento.json"], sources="stored")
def bento(ctx: Context) -> Mapping[str, Produced]:
    """The Bento's own files, without its models and without what a server left among them."""
    files = ctx.source("stored")
    known = ctx.part(["bento.json", files.tree[BENTO_YAML].digest.sha256])  # what wrote bento.yaml, read it, too
    described = known["bento.json"] if known is not None else _described(ctx, files)
    for path in ctx.lacking(files.tree):
        entry = files.tree[path]
        try:
            if entry.mode == LINK:
                ctx.keep_bytes(os.fsencode(os.readlink(files.path(path))))
            else:
                ctx.keep_file(files.path(path), entry)
        except Changed:
            raise StepError(f"{path} changed while it was read.", hint="Containerize again.") from None
        except OSError as error:
            raise StoreError(f"{files.path(path)} cannot be read: {error.strerror}.") from error
    inner = {path.removeprefix(_INNER): entry for path, entry in files.tree.items() if path.startswith(_INNER)}
    made = {path: entry for path, entry in files.tree.items() if not path.startswith(_INNER)}
    if inner:  # a tree of its own, as the rule `sources` makes it: an image by either rule has one key
        made[SOURCES] = Entry(ctx.keep_bytes(dump(inner)).digest, TREE)
    return {"bento.json": described, **under("bento", made)}


def _described(ctx: Context, files: Sources) -> Entry:
    info = parsed(files.read(BENTO_YAML), files.path(BENTO_YAML))
    if not info.get("name") or not info.get("version"):
        raise StoreError(f"{files.path(BENTO_YAML)} does not say the name and the version of a Bento.")
    digest = info.get("content_digest") or of_value([[p, str(e.digest), e.mode] for p, e in files.tree.items()])
    return ctx.keep_bytes(arrival(info, str(digest).removeprefix("sha256:")).encode())
