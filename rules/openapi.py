"""openapi: the API's description, as the service's own BentoML writes it."""

from __future__ import annotations

from collections.abc import Mapping

from bentomake.engine.rule import Context, Produced, rule


@rule(outputs=["apis/openapi.yaml", "(apis/schema.json)"], inputs="service")
def openapi(ctx: Context) -> Mapping[str, Produced]:
    """Take the OpenAPI document, and the schema of a class service, from what the import found."""
    found = ctx.input("service")
    made: dict[str, Produced] = {"apis/openapi.yaml": found.tree["openapi.yaml"]}
    if "schema.json" in found:
        made["apis/schema.json"] = found.tree["schema.json"]
    return made
