"""sources: the packed files of the context, into the content store."""

from __future__ import annotations

import os
from collections.abc import Mapping

from bentomake.bento.layout import SOURCES
from bentomake.engine.content_store import Changed
from bentomake.engine.rule import Context, Produced, rule
from bentomake.engine.tree import LINK, TREE, Entry
from bentomake.errors import StepError


@rule(outputs="src/", sources="packed")
def sources(ctx: Context) -> Mapping[str, Produced]:
    """Pack what `include`, `exclude` and the `.bentoignore` files leave."""
    files = ctx.source("packed")
    lacking = ctx.lacking(files.tree)
    for count, path in enumerate(lacking):
        if count % 500 == 0:
            ctx.progress(count, len(lacking), "files")
        entry = files.tree[path]
        try:
            if entry.mode != LINK:
                ctx.keep_file(files.path(path), entry)
            elif ctx.keep_bytes(os.fsencode(ctx.host("link")(path))).digest != entry.digest:
                raise Changed(path)
        except Changed:
            raise StepError(f"{path} changed while it was packed.", hint="Build again.") from None
        except OSError as error:
            raise StepError(f"{path} cannot be read: {error.strerror}.", hint="Exclude it?") from error
    return {SOURCES: Entry(files.digest, TREE)}
