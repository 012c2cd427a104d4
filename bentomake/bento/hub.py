"""The cache of HuggingFace's hub: where the files of a model lie."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

_COMMIT = re.compile(r"[0-9A-Za-z._-]+")


def hub_files(env: Mapping[str, str], model: Mapping[str, Any]) -> dict[str, str | bytes]:
    """Where a HuggingFace model's files lie in the hub's own cache: path in the context → file; none if not there.

    The layout is that of huggingface_hub: models--ORG--NAME/snapshots/COMMIT/….
    """
    metadata = model.get("metadata") or {}
    name, commit = str(metadata.get("model_id") or ""), str(metadata.get("revision") or "")
    base = env.get("HF_HOME") or os.path.join(
        env.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "huggingface"
    )
    cache = env.get("BENTOML_HF_CACHE_DIR") or env.get("HF_HUB_CACHE") or os.path.join(base, "hub")
    folder = "models--" + name.replace("/", "--")
    top = os.path.join(cache, folder, "snapshots", commit)
    found: dict[str, str | bytes] = {}
    plain = _COMMIT.fullmatch(commit) and commit not in (".", "..")  # a Bento from elsewhere may say anything
    for root, _, files in os.walk(top) if name and plain else ():
        for each in files:
            path = os.path.join(root, each)
            found[f"hf-models/{folder}/snapshots/{commit}/{os.path.relpath(path, top)}"] = path
    return found
