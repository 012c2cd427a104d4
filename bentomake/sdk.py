"""Images from Python: what `bentomake.container.build` does, without a command line and without printing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from .container.features import build_arg
from .container.image_tag import checked
from .container.options import Options
from .containerize import containerize
from .engine.progress import Silent
from .errors import Several
from .images import Image
from .session import Session
from .workspace import ImageAsk, Settings


class _Lines(Silent):
    def __init__(self, on_line: Callable[[str], None]):
        self._on_line = on_line

    def printed(self, action: str, line: str) -> None:
        self._on_line(line)


def build(
    bento_tag: object,
    backend: str | None = None,
    image_tag: str | Iterable[str] | None = None,
    features: str | Iterable[str] | None = None,
    *,
    run_as_root: bool = False,
    offline: bool = False,
    wheel_cache: bool = True,
    on_line: Callable[[str], None] | None = None,
    **options: object,
) -> Image:
    """Make an image of a stored Bento, as `bentomake containerize` does, and say what was made.

    `options` are those of the engine, with underscores: `platform="linux/amd64"`, `build_arg={"A": "1"}`,
    `secret=["id=aws,src=…"]`. `on_line` is told each line of the engine's log as it comes. Raises BentomakeError.
    """
    names = (
        image_tag if isinstance(image_tag, (list, tuple, set, frozenset)) else () if image_tag is None else (image_tag,)
    )
    wanted = (features,) if isinstance(features, str) else tuple(features or ())
    build_arg(wanted)
    ask = ImageAsk(
        backend=backend,
        tags=tuple(dict.fromkeys(map(checked, names))),
        options=Options.of(**options),
        features=wanted,
        run_as_root=run_as_root,
        offline=offline,
        wheel_cache=wheel_cache,
    )
    session = Session(Settings(cwd=os.getcwd(), env=dict(os.environ), image=ask))
    try:
        tag = str(getattr(bento_tag, "tag", bento_tag))
        result = containerize(tag, session, Silent() if on_line is None else _Lines(on_line))
    finally:
        session.close()
    if result.errors:
        raise result.errors[0] if len(result.errors) == 1 else Several(result.errors)
    return result.images[0]
