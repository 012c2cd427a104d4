"""models: the declared and the discovered ones, resolved through the model store and hashed where they lie."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bentomake.engine.fact import ABSENT
from bentomake.engine.rule import Context, Produced, rule
from bentomake.errors import StepError


@rule(outputs="models.json", inputs="service", params="models")
def models(ctx: Context) -> Mapping[str, Produced]:
    """List every model of the Bento with its exact tag and its digest."""
    found = json.loads(ctx.input("service").text("service.json"))
    wanted: dict[str, dict[str, Any]] = {}
    for index, spec in enumerate(ctx.param("models") or []):
        tag = _resolve(ctx, spec["tag"], ctx.place(f"models[{index}]"))
        model = wanted.setdefault(tag, {"registry": "bentoml"})
        if spec.get("alias"):
            model["alias"] = spec["alias"]
    for spec in found["models"]:
        if spec.get("registry", "bentoml") == "bentoml":
            wanted.setdefault(_resolve(ctx, spec["tag"], None), {"registry": "bentoml"})
        else:
            wanted.setdefault(spec["tag"], {k: v for k, v in spec.items() if k in ("registry", "metadata", "alias")})
    listed = []
    for tag, model in sorted(wanted.items()):
        if model["registry"] == "bentoml":
            ctx.progress(0, 0, f"hashes {tag}")
            fact = ctx.discover("model", tag)
            info = ctx.host("model_info")(tag)
            model |= {"digest": fact.digest, "module": info.get("module") or "", "creation_time": info["creation_time"]}
        listed.append({"tag": tag, **model})
    return {"models.json": json.dumps(listed, indent=1, sort_keys=True) + "\n"}


def _resolve(ctx: Context, tag: str, place: str | None) -> str:
    fact = ctx.discover("model_tag", tag)
    if fact.digest == ABSENT.digest:
        known = ctx.host("model_names")()
        raise StepError(
            f"The model {tag} is not in the model store.",
            place=place,
            hint=f"The store has: {', '.join(known)}." if known else "The store is empty. Run your train script first.",
        )
    return fact.digest
