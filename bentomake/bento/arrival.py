"""bento.json: what else is to be done with a Bento that was made, told in a form that is read at once."""

from __future__ import annotations

import json
from typing import Any

from ..errors import StoreError, UsageError
from .tag import Tag


def arrival(info: dict[str, Any], digest: str) -> str:
    """The text of bento.json, from what bento.yaml says: name, version, content digest, labels, time, models."""
    told = {
        "name": str(info["name"]),
        "version": str(info["version"]),
        "digest": digest,
        "labels": {str(key): str(value) for key, value in (info.get("labels") or {}).items()},
        "created": str(info.get("creation_time") or ""),
        "models": named_models(info),
    }
    return json.dumps(told, indent=1) + "\n"


def named_models(info: dict[str, Any]) -> list[dict[str, Any]]:
    """The models that bento.yaml names, at its top or of a service: tag and registry; created, or a hub's metadata."""
    models: dict[str, dict[str, Any]] = {}
    for part in (info, *(info.get("services") or [])):
        for model in part.get("models") or []:
            if isinstance(model, dict) and model.get("tag"):
                registry = str(model.get("registry") or "bentoml")
                named = {"tag": str(model["tag"]), "registry": registry}
                if registry == "bentoml":
                    named["created"] = str(model.get("creation_time") or "")
                elif model.get("metadata"):
                    named["metadata"] = model["metadata"]
                models.setdefault(named["tag"], named)
    return list(models.values())


def arriving(text: bytes) -> tuple[Tag, str, list[Tag]]:
    """What a bento.json of the cache says: the Bento's tag, its content digest, the models of the model store.

    StoreError for what `arrival` does not write: the names become directories.
    """
    try:
        told = json.loads(text)
        models = [model["tag"] for model in told["models"] if model["registry"] == "bentoml"]
        tag, digest = Tag.parse(f"{told['name']}:{told['version']}"), str(told["digest"])
        return tag, digest, [Tag.parse(model) for model in models]
    except (ValueError, KeyError, TypeError, AttributeError, UsageError) as error:
        raise StoreError(
            f"What the cache says of the Bento cannot be read: {error}.", hint="Build it anew: bentomake -B."
        ) from error
