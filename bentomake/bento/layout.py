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
_LINKS, _LINK = "# symbolic links: ", "# link  "  # sha256sum leaves out lines that begin so


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
    """One line a file, as sha256sum writes and checks it.

    Links have no bytes: they are comments, `# link  PATH`, below a first line that says how many there are.
    """
    files, links = [], []
    for path, (digest, mode) in sorted(tree.items()):
        escaped = _escaped(path)
        if mode == LINK:
            links.append(f"{_LINK}{escaped}\n")
        else:
            files.append(f"{digest[0]}  {path}\n" if escaped == path else f"\\{digest[0]}  {escaped}\n")
    return "".join([f"{_LINKS}{len(links)}\n", *links, *files])


def listed(text: str) -> tuple[set[str], set[str] | None]:
    """The files and the links in such a list; None if it was made when lists named no links."""
    files, links = set(), set()
    for line in text.split("\n"):
        digest, _, path = line.partition("  ")
        if line.startswith(_LINK):
            links.add(_plain(line[len(_LINK) :]))
        elif line and not line.startswith("#"):
            files.add(_plain(path) if digest.startswith("\\") else path)
    return files, links if text.startswith(_LINKS) else None


def _escaped(path: str) -> str:
    return path.replace("\\", "\\\\").replace("\n", "\\n")


def _plain(path: str) -> str:
    return re.sub(r"\\([\\n])", lambda found: "\n" if found[1] == "n" else "\\", path)
