"""pinned: what the wheels of an image depend on, so that an edited source does not reach them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from bentomake.bento.layout import BUILDKIT, DOCKERFILE
from bentomake.bento.targets import machine, on_linux
from bentomake.engine.rule import Context, Files, Produced, rule

# The C library of images by a word of their names: wheels say the oldest one that they run with.
LIBC = {
    "miniconda": "glibc-2.28",  # its alpine, too
    "alpine": "musl",
    "ubi8": "glibc-2.28",
    "amazonlinux:2023": "glibc-2.34",
    "amazonlinux:": "glibc-2.26",
    "ubuntu20.04": "glibc-2.31",
    "ubuntu22.04": "glibc-2.35",
    "ubuntu24.04": "glibc-2.39",
    "buster": "glibc-2.28",
    "bullseye": "glibc-2.31",
    "slim": "glibc-2.36",
}
UNKNOWN = "glibc-2.28"
_DOCKERFILES = (BUILDKIT, DOCKERFILE)
_MOUNT = "from=wheelhouse"
_STAGE = "base-container"  # in base.j2


@rule(
    outputs=["(requirements.txt)", "target.json"],
    inputs=["bento"],
    params=["lock.platform"],
    oracles=["arch"],
)
def pinned(ctx: Context) -> Mapping[str, Produced]:
    """The Bento's lock, and the image's Python, machine and C library; it needs no more than a Bento's own files.

    target.json: python (X.Y or None: not known), arch, libc (`musl`, `glibc-2.N`), bentoml (the Bento's version),
    locked (whether the requirements are all that will be installed), dockerfiles (each with whether it takes wheels).
    """
    bento = ctx.input("bento")
    platform = ctx.param("lock.platform")
    image = _image(bento)
    requirements, locked = _requirements(bento)
    target: dict[str, Any] = {
        "arch": machine(platform) if platform else on_linux(ctx.oracle("arch")),
        "bentoml": _said(bento, "bentoml_version"),
        "dockerfiles": {
            name: _MOUNT in bento.text(f"bento/{name}") for name in _DOCKERFILES if f"bento/{name}" in bento
        },
        "libc": next((libc for word, libc in LIBC.items() if word in image), UNKNOWN),
        "locked": locked,
        "python": _python(bento),
    }
    made: dict[str, Produced] = {"target.json": json.dumps(target, indent=1, sort_keys=True) + "\n"}
    if requirements is not None:
        made["requirements.txt"] = requirements
    return made


def _requirements(bento: Files) -> tuple[bytes | None, bool]:
    """What the image installs; generation "class" without a lock has the same in requirements.in."""
    lock, asked, plain = (f"bento/env/python/requirements.{end}" for end in ("lock.txt", "in", "txt"))
    if lock in bento:
        return bento.read(lock), True
    if plain not in bento:
        return None, False
    data = bento.read(plain)
    return data, asked in bento and bento.read(asked) != data


def _image(bento: Files) -> str:
    """The image of the Bento's own stage, before which a user's template may have others; else the first image."""
    path = f"bento/{DOCKERFILE}"
    text = bento.text(path) if path in bento else ""
    found = re.findall(r"(?im)^FROM\s+(?:--\S+\s+)?(\S+)(?:\s+AS\s+(\S+))?", text)
    named = [image for image, stage in found if stage == _STAGE]
    return next((image for image in [*named, *(image for image, _ in found)] if image != "scratch"), "")


def _python(bento: Files) -> str | None:
    path = "bento/env/python/version.txt"
    said = bento.text(path) if path in bento else _said(bento, "python_version")
    found = re.match(r"\d+\.\d+", said or "")
    return found[0] if found else None


def _said(bento: Files, name: str) -> str | None:
    """A value of bento.yaml, at the top or one level below; the first, as strings of several lines come later."""
    found = re.search(rf"(?m)^(?:  )?{name}: *['\"]?([^'\"\s]+)", bento.text("bento/bento.yaml"))
    return found[1] if found and found[1] != "null" else None
