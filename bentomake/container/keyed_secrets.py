"""Instructions that run again when a secret that they mount has changed: no engine looks at its value for that."""

import os
import re
from collections.abc import Callable, Mapping
from hashlib import sha256

from .dockerfile_text import instructions, mounted
from .index_credentials import ID
from .request import Request

_RUN = re.compile(r"\s*RUN(?=\s)", re.IGNORECASE)
_OURS = re.compile(r" --mount=type=secret,id=bentomake-[0-9a-f]{16}(?=\s)")


def keyed(dockerfile: str, keys: Mapping[str, str]) -> str:
    """The Dockerfile, line by line the same, with a mount more wherever a secret is mounted that has a key.

    The mount is of a secret that nobody gives, so nothing is mounted; its name depends on the keys, and is in the
    engine's own key of the layer. It is left out where netrc is mounted: how packages are fetched makes no difference
    to a lock that is installed.
    """
    lines = dockerfile.splitlines(keepends=True)
    for instruction in instructions(dockerfile):
        wanted = {secret.id for secret in mounted(instruction)}
        values = [f"{name}={keys[name]}" for name in sorted(wanted & keys.keys())]
        if instruction.word == "RUN" and values and ID not in wanted:
            name = sha256("\n".join(values).encode()).hexdigest()[:16]
            first = lines[instruction.first - 1]
            lines[instruction.first - 1] = _RUN.sub(rf"\g<0> --mount=type=secret,id=bentomake-{name}", first, count=1)
    return "".join(lines)


def of(request: Request, dockerfile: str, env: Mapping[str, str], cwd: str, mac: Callable[[str], str]) -> str:
    """The Dockerfile, `keyed` by the secrets of a request; `mac` makes a key of a value."""
    keys = {}
    for source in request.sources():
        if source.kind == "secret":
            keys[source.name] = mac((source.read(env, cwd) or b"").decode("latin-1"))
    return keyed(dockerfile, keys)


def put(request: Request, dockerfile: str) -> Request:
    """The request with this Dockerfile, beside the context, which is what it was."""
    assert request.scratch, "the context's own Dockerfile may be a link to the content store"
    path = os.path.join(request.scratch, os.path.basename(request.dockerfile))
    with open(path, "w", encoding="utf-8") as file:
        file.write(dockerfile)
    return request._replace(dockerfile=path)


def plain(text: str) -> str:
    """What an engine says, without these mounts."""
    return _OURS.sub("", text)
