"""service: one import of the user's service, in the user's interpreter; what it looked at is discovered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bentomake.engine.fact import ABSENT
from bentomake.engine.rule import Context, Produced, rule
from bentomake.errors import BentomakeError

from .models import chosen

_KEPT = (
    "generation",
    "service",
    "name",
    "entry_service",
    "description",
    "labels",
    "envs",
    "services",
    "schema",
    "runners",
    "apis",
)


@rule(
    outputs=["service.json", "openapi.yaml", "(schema.json)", "(image.json)"],
    params=["service", "models.aliases", "args", "python.is_src_layout"],
    oracles=["python.version", "bentoml.version"],
)
def service(ctx: Context) -> Mapping[str, Produced]:
    """Import the service and describe it: name, APIs, schema, runners, models, OpenAPI."""
    name = ctx.param("service")
    aliases = {
        spec["alias"]: chosen(ctx, spec, ctx.place("models")) if spec.get("filter") else spec["tag"]
        for spec in ctx.param("models.aliases")
    }
    ctx.progress(0, 0, f"imports {name}")
    source_layout = bool(ctx.param("python.is_src_layout"))
    try:
        looked = ctx.host("look")(name, aliases, ctx.workdir, ctx.param("args"), ["src"] if source_layout else [])
    except BentomakeError as error:
        error.place = error.place or ctx.place("service")
        raise
    ctx.log("\n".join(text.rstrip() for text in (looked.stdout, looked.stderr) if text.strip()))
    found: dict[str, Any] = looked.result
    for model, commit in (found.get("hf_revisions") or {}).items():
        ctx.discover("hf", model)
        ctx.log(f"{model} is at commit {commit}")
    for owner in sorted({owner for path in found["site_files"] if (owner := ctx.host("owner")(path))}):
        ctx.discover("dist", owner)
    files = []
    for kind, what in found["looked_at"]:
        fact = ctx.discover(kind, what)
        if kind == "file" and what.startswith("ctx/") and "/../" not in what and fact.digest != ABSENT.digest:
            files.append(what[len("ctx/") :])
    changed = ctx.host("changed")(found["seen"])
    if changed is not None:
        ctx.forget(f"{changed} changed while the service was imported")

    result = {key: found[key] for key in _KEPT if key in found}
    result["models"] = _models(found)
    result["context_files"] = files
    result["module_file"] = _module_file(found["service"], files, "src/" if source_layout else "")
    made: dict[str, Produced] = {
        "service.json": json.dumps(result, indent=1, ensure_ascii=False) + "\n",
        "openapi.yaml": found["openapi_yaml"],
    }
    if "schema_json" in found:
        made["schema.json"] = found["schema_json"]
    if found.get("image"):
        made["image.json"] = json.dumps(found["image"], indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    return made


def _models(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Those of the service and its runners, then those that the import took out of the store."""
    listed: dict[str, dict[str, Any]] = {}
    for model in found["models"]:
        hub = model["registry"] != "bentoml"
        kept = {key: model[key] for key in ("tag", "registry", "metadata") if model.get(key) and (hub or key == "tag")}
        listed.setdefault(model["tag"], kept)
    for model in found["models_seen"]:
        listed.setdefault(model["tag"], {"tag": model["tag"]})
    return [listed[tag] for tag in sorted(listed)]


def _module_file(service: str, files: list[str], also: str) -> str:
    """The file of `package.module:attribute`, relative to the context; it may lie in the directory `also`."""
    stem = service.partition(":")[0].replace(".", "/")
    for path in (f"{stem}.py", f"{stem}/__init__.py", f"{also}{stem}.py", f"{also}{stem}/__init__.py"):
        if path in files:
            return path
    return f"{stem}.py"
