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
    for spec in declared(ctx):
        model = wanted.setdefault(spec["tag"], {"registry": "bentoml"})
        if spec.get("alias") and model.setdefault("alias", spec["alias"]) != spec["alias"]:
            raise StepError(
                f"The model {spec['tag']} has two aliases, {model['alias']} and {spec['alias']}.",
                place=ctx.place("models"),
                hint="A Bento holds one alias of each model: remove one.",
            )
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
            model |= {"digest": fact.digest, "module": info.get("module") or ""}
            model["creation_time"] = info.get("creation_time")
        listed.append({"tag": tag, **model})
    return {"models.json": json.dumps(listed, indent=1, sort_keys=True) + "\n"}


def declared(ctx: Context) -> list[dict[str, Any]]:
    """The models of the bentofile, each with the exact tag that it means now."""
    listed = []
    for index, spec in enumerate(ctx.param("models") or []):
        place = ctx.place(f"models[{index}]")
        tag = chosen(ctx, spec, place) if spec.get("filter") else _resolve(ctx, spec["tag"], place)
        listed.append({**spec, "tag": tag})
    return listed


def chosen(ctx: Context, spec: Mapping[str, Any], place: str | None) -> str:
    """The tag of the newest model that a declared one's filter leaves."""
    fact = ctx.discover("model_query", f"{spec['tag']} {spec['filter']}")
    if fact.digest != ABSENT.digest:
        return fact.digest
    _resolve(ctx, spec["tag"], place)  # is there any?
    name = spec["tag"].partition(":")[0]
    there = [f"{name}:{version} has {_said(labels)}" for version, labels in ctx.host("model_labels")(name).items()]
    raise StepError(
        f"No model {spec['tag']} of the model store fits the filter `{spec['filter']}`.",
        place=place,
        hint="; ".join(there) + ".",
    )


def _said(labels: Mapping[str, Any]) -> str:
    return ", ".join(f"label:{key}={value}" for key, value in sorted(labels.items())) or "no labels"


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
