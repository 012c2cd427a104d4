"""service: one import of the user's service, in the user's interpreter; what it looked at is discovered."""

from __future__ import annotations

import json
from collections.abc import Mapping

from bentomake.engine.rule import Context, Produced, rule


@rule(
    outputs=["service.json", "openapi.yaml", "(schema.json)"],
    params=["service", "models"],
    oracles=["python.version", "bentoml.version"],
)
def service(ctx: Context) -> Mapping[str, Produced]:
    """Import the service and describe it: name, APIs, schema, runners, models, OpenAPI."""
    aliases = {m["alias"]: m["tag"] for m in ctx.param("models") or [] if m.get("alias")}
    ctx.log(f"imports {ctx.param('service')}")
    ctx.progress(0, 0, f"imports {ctx.param('service')}")
    looked = ctx.host("look")(ctx.param("service"), aliases, ctx.workdir)
    if looked.output.strip():
        ctx.log(looked.output.rstrip())
    for kind, name in looked.looked_at:
        ctx.discover(kind, name)
    if looked.unstable:
        ctx.forget(f"{looked.unstable[0]} changed while the service was imported")
    result = dict(looked.result)
    openapi = result.pop("openapi_yaml")
    schema = result.pop("schema_json", None)
    made: dict[str, Produced] = {
        "service.json": json.dumps(result, indent=1, sort_keys=True, ensure_ascii=False) + "\n",
        "openapi.yaml": openapi,
    }
    if schema is not None:
        made["schema.json"] = schema
    return made
