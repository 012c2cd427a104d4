"""Names of images: which are valid, and their full form."""

from __future__ import annotations

import re

from ..errors import UsageError

_DOMAIN = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"(?:({_DOMAIN})/)?({_PART}(?:/{_PART})*)(?::([A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}))?")


def checked(tag: object) -> str:
    """The tag itself, `[HOST[:PORT]/]NAME[:TAG]`; UsageError if no engine would take it."""
    if not isinstance(tag, str):
        raise UsageError(f"The name of an image cannot be a {type(tag).__name__}.", hint="Give a str.")
    if _NAME.fullmatch(tag) and len(tag) <= 255:
        return tag
    lower = tag.rpartition(":")[0].lower() + ":" + tag.rpartition(":")[2] if ":" in tag else tag.lower()
    close = f" Did you mean {lower}?" if lower != tag and _NAME.fullmatch(lower) else ""
    raise UsageError(
        f"{tag!r} cannot be the name of an image.",
        hint=f"Write [HOST/]NAME[:TAG] with a lower-case NAME: letters and digits, with . _ - between them.{close}",
    )


def of_bento(tag: str) -> str:
    """A Bento's tag as the name of its image; UsageError if it can be none: `a..b` is a name for a Bento only."""
    try:
        return checked(tag)
    except UsageError as error:
        raise UsageError(error.message, hint=f"Name it otherwise: bentomake containerize {tag} -t NAME.") from None


def registry_of(tag: str) -> str:
    """The host that a name sends its image to."""
    return qualified(tag).partition("/")[0]


def qualified(tag: str) -> str:
    """With its registry, which docker and its kin leave out: `iris:1` is `docker.io/library/iris:1`."""
    first, slash, _ = tag.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return tag
    return f"docker.io/{tag}" if slash else f"docker.io/library/{tag}"
