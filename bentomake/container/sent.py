"""An image that was given to a registry: as its engine noted it, and as `buildx imagetools` finds it there."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from .backend import Image
from .engine_command import output_type
from .noted import metadata
from .options import Options
from .request import Request

_NO_IMAGE = "unknown"  # the platform of an attestation


def pushes(options: Options) -> bool:
    """Whether a registry is given the image."""
    outputs = options.values("output")
    return options.on("push") or any(output_type(each) == "registry" or "push=true" in each for each in outputs)


def as_noted(request: Request) -> Image | None:
    """What the engine's metadata say; no platform is \"\", no size 0. None if it made no image."""
    told = metadata(request)
    digest = told.get("containerimage.digest")
    if not digest:
        return None
    found = (told.get("containerimage.descriptor") or {}).get("platform") or {}
    return Image(request.tags[0], told.get("containerimage.config.digest") or digest, digest, _platform(found), 0)


def as_found(image: Image, inspect: Callable[..., str]) -> Image:
    """The same with its platforms, and its size as the registry keeps it; as it is if the registry does not tell.

    `inspect` gives what `buildx imagetools inspect` with these words says, or raises ValueError.
    """
    try:
        name = image.reference.partition("@")[0]
        whole = json.loads(inspect("--raw", f"{name}@{image.digest}"))
        if "manifests" in whole:
            listed = [each for each in whole["manifests"] if each["platform"]["os"] != _NO_IMAGE]
            platforms = [_platform(each["platform"]) for each in listed]
            manifests = [json.loads(inspect("--raw", f"{name}@{each['digest']}")) for each in listed]
        else:
            platforms = [_platform(json.loads(inspect("--format", "{{json .Image}}", f"{name}@{image.digest}")))]
            manifests = [whole]
        size = sum(int(part["size"]) for each in manifests for part in (each["config"], *each["layers"]))
    except (ValueError, LookupError, TypeError):
        return image
    return image._replace(platform=",".join(platforms), size=size)


def _platform(said: Mapping[str, Any]) -> str:
    return "/".join(said[key] for key in ("os", "architecture", "variant") if said.get(key))
