"""The layout of a Bento: which file lies where, and the content digest that names it."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from json import JSONEncoder
from typing import Any

from ..engine.digest import canonical, of_bytes
from ..engine.tree import Tree

BENTO_YAML = "bento.yaml"
README = "README.md"
DIGESTS = "bentomake.sha256"  # beside bento.yaml; `sha256sum -c bentomake.sha256` reads it
SOURCES = "src"
MODELS = "models"
LATEST = "latest"


def content_digest(name: str, tree: Tree, models: Iterable[tuple[str, str]], info: dict[str, Any]) -> str:
    """sha256 (hex) over the canonical form of what a Bento is.

    `tree` holds src/, env/ and apis/; `models` are (tag, digest); `info` is bento.yaml without its version and
    creation_time. Neither README.md nor anything of time, place or user is in it.
    """
    quoted = JSONEncoder(ensure_ascii=False).encode
    files = ",".join(
        f'[{quoted(path)},"{entry.digest.sha256}","{entry.mode:o}"]' for path, entry in sorted(tree.items())
    )
    # The canonical form of all this with "files", which is the first of the names.
    rest = canonical({"name": name, "models": sorted(models), "info": info})
    return of_bytes(b'{"files":[' + files.encode("utf-8", "surrogatepass") + b"]," + rest[1:]).sha256


def version_of(digest: str) -> str:
    """The first 16 base32 characters of a digest, in lower case."""
    return base64.b32encode(bytes.fromhex(digest)).decode("ascii")[:16].lower()


def digests_file(tree: Tree) -> str:
    """One line a file, as sha256sum writes and checks it; links are left out, since they have no bytes."""
    lines = []
    for path, entry in sorted(tree.items()):
        if entry.mode in (0o644, 0o755):
            escaped = path.replace("\\", "\\\\").replace("\n", "\\n")
            mark = "\\" if escaped != path else ""
            lines.append(f"{mark}{entry.digest.sha256}  {escaped}\n")
    return "".join(lines)
