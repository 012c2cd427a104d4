"""Runs in the user's interpreter: a service of `@bentoml.service` (1.2 to 1.4) as plain data."""

from __future__ import annotations

import io
import json
from typing import Any

HUB = "https://huggingface.co"
NO_TIME = "1970-01-01T00:00:00+00:00"  # a hub model has no time of its own; the real build writes the clock's


def describe(service: Any, request: dict[str, Any], fail: Any) -> dict[str, Any]:
    """`name`, `services`, `envs`, `labels`, `schema`, `models` as in bento.yaml, and the text of both API files."""
    import yaml
    from bentoml._internal.bento.bento import BentoServiceInfo
    from bentoml._internal.tag import to_snake_case

    try:
        from bentoml._internal.utils.cattr import (
            bentoml_cattr,
        )
    except ImportError:  # before 1.4
        from bentoml._internal.utils import bentoml_cattr

    service.inject_config()
    everything = list(service.all_services().values())
    revisions: dict[str, str] = {}
    for one in everything:
        for model in one.models:
            if hasattr(model, "model_id"):
                pin(model, one.name, request["hf_revisions"], revisions, fail)
            elif getattr(model, "stored", model) is None:
                fail("no_model", tag=str(model.tag), service=one.name, frames=[])
    services, models = [], []
    for one in everything:
        data = bentoml_cattr.unstructure(BentoServiceInfo.from_service(one))
        for info in data.get("models") or []:
            if info.get("registry") == "huggingface":
                info["creation_time"] = NO_TIME
            models.append(
                {
                    "tag": info["tag"],
                    "module": info.get("module"),
                    "creation_time": info.get("creation_time"),
                    "registry": info.get("registry", "bentoml"),
                    "metadata": info.get("metadata"),
                    "of": one.name,
                }
            )
        services.append(data)
    openapi = io.StringIO()
    yaml.dump(service.openapi_spec, openapi)
    schema = service.schema()
    schema_json = json.dumps(schema, indent=2)
    labels = dict(getattr(service, "labels", None) or {})
    chat = [path for path in schema.get("paths", ()) if isinstance(path, str) and path.endswith("/chat/completions")]
    if chat:
        labels["openai_endpoint"] = chat[0][: -len("/chat/completions")]
    return {
        "name": to_snake_case(service.name),
        "entry_service": service.name,
        "description": getattr(service, "description", None),
        "labels": labels,
        "envs": bentoml_cattr.unstructure(list(getattr(service, "envs", ()))),
        "services": plain(services),
        "schema": json.loads(schema_json),
        "models": models,
        "hf_revisions": revisions,
        "openapi_yaml": openapi.getvalue(),
        "schema_json": schema_json,
    }


def pin(model: Any, of: str, pinned: dict[str, str], revisions: dict[str, str], fail: Any) -> None:
    """Give a hub model its commit: the kept one if there is one, else what the hub says now."""
    key = f"{model.model_id}@{model.revision}@{model.endpoint or HUB}"
    if key in pinned:
        # As its own `from_info` does; the attribute is a cached property, or a slot where attrs made one.
        object.__setattr__(model, "commit_hash", pinned[key])
    else:
        try:
            import huggingface_hub  # noqa: F401 -- only whether it is there
        except ImportError as error:
            fail("huggingface", model_id=model.model_id, service=of, installed=False, message=str(error))
        try:
            model.commit_hash  # noqa: B018 -- asks the hub, once
        except Exception as error:
            fail(
                "huggingface",
                model_id=model.model_id,
                service=of,
                installed=True,
                message=type(error).__name__ + ": " + str(error).partition("\n")[0],
            )
    revisions[key] = model.commit_hash


def plain(value: Any) -> Any:
    """JSON data out of nested mappings and sequences; what is neither becomes its text."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)
