"""The layout of a Bento: which file lies where, and the content digest that names it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ..engine.digest import Digest, of_value
from ..engine.tree import LINK, Tree

BENTO_YAML = "bento.yaml"
README = "README.md"
DIGESTS = "bentomake.sha256"  # beside bento.yaml; `sha256sum -c bentomake.sha256` reads it
SOURCES = "src"
MODELS = "models"
LATEST = "latest"
DOCKERFILE = "env/docker/Dockerfile"
BUILDKIT = "env/docker/Dockerfile.buildkit"  # the same for engines with BuildKit: caches are kept between builds
TEMPLATE = "env/docker/Dockerfile.template"


def content_digest(
    name: str, sources: Digest, tree: Tree, models: Iterable[tuple[str, str]], info: dict[str, Any]
) -> str:
    """sha256 (hex) over the canonical form of what a Bento is.

    `sources` is the digest of the tree of src/, `tree` holds env/ and apis/; `models` are (tag, digest); `info` is
    bento.yaml without its version and creation_time. Neither README.md nor anything of time, place or user is in it.
    """
    files = [[path, entry.digest.sha256, f"{entry.mode:o}"] for path, entry in sorted(tree.items())]
    whole = {"name": name, "sources": sources.sha256, "files": files, "models": sorted(models), "info": info}
    return of_value(whole)


def version_of(digest: str) -> str:
    """The first 16 base32 characters of a digest, in lower case."""
    import base64  # not for every command

    return base64.b32encode(bytes.fromhex(digest)).decode("ascii")[:16].lower()


def digests_file(tree: Tree) -> str:
    """One line a file, as sha256sum writes and checks it; links are left out, since they have no bytes."""
    lines = [
        f"{digest[0]}  {path}\n" if "\\" not in path and "\n" not in path else f"\\{digest[0]}  {_escaped(path)}\n"
        for path, (digest, mode) in sorted(tree.items())
        if mode != LINK
    ]
    return "".join(lines)


def listed(text: str) -> set[str]:
    """The paths in such a list."""
    lines = (line.partition("  ") for line in text.split("\n") if line)
    return {_plain(path) if digest.startswith("\\") else path for digest, _, path in lines}


def _escaped(path: str) -> str:
    return path.replace("\\", "\\\\").replace("\n", "\\n")


def _plain(path: str) -> str:
    return re.sub(r"\\([\\n])", lambda found: "\n" if found[1] == "n" else "\\", path)
