"""described: the image that a service describes in code, and its variables; the rest of its text stops here."""

from __future__ import annotations

import json
from collections.abc import Mapping

from bentomake.engine.rule import Context, Produced, rule


@rule(outputs=["(image.json)", "(envs.json)"], inputs=["service"])
def described(ctx: Context) -> Mapping[str, Produced]:
    """What the Dockerfile and the requirements want of the service; nothing, for most services."""
    files = ctx.input("service")
    made: dict[str, Produced] = {}
    if "image.json" in files:
        made["image.json"] = files.text("image.json")
    envs = json.loads(files.text("service.json")).get("envs")
    if envs:
        made["envs.json"] = json.dumps(envs, indent=1, ensure_ascii=False) + "\n"
    return made
