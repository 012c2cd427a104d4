"""stored: a Bento of the store, whoever built it, as what the rule `bento` makes, so that its image is made alike."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from bentomake.bento import info as bento_info
from bentomake.bento.layout import BENTO_YAML
from bentomake.bento.library import parsed
from bentomake.engine.content_store import Changed
from bentomake.engine.digest import of_value
from bentomake.engine.rule import Context, Produced, rule
from bentomake.engine.tree import LINK, TREE, Entry
from bentomake.errors import StepError, StoreError


@rule(outputs=["bento/", "bento.json"], sources="stored")
def bento(ctx: Context) -> Mapping[str, Produced]:
    """The Bento's own files, without its models and without what a server left among them."""
    files = ctx.source("stored")
    info = parsed(files.read(BENTO_YAML), files.path(BENTO_YAML))
    if not info.get("name") or not info.get("version"):
        raise StoreError(f"{files.path(BENTO_YAML)} does not say the name and the version of a Bento.")
    for path, entry in files.tree.items():
        try:
            if entry.mode == LINK:
                ctx.keep_bytes(os.fsencode(os.readlink(files.path(path))))
            else:
                ctx.keep_file(files.path(path), entry)
        except Changed:
            raise StepError(f"{path} changed while it was read.", hint="Containerize again.") from None
        except OSError as error:
            raise StoreError(f"{files.path(path)} cannot be read: {error.strerror}.") from error
    digest = info.get("content_digest") or of_value([[p, str(e.digest), e.mode] for p, e in files.tree.items()])
    arrival = bento_info.arrival(info, str(digest).removeprefix("sha256:"))
    return {"bento.json": json.dumps(arrival, indent=1) + "\n", "bento": Entry(files.digest, TREE)}
