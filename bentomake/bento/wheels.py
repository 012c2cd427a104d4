"""Wheels of the project: found by path or pattern, held against the Bento's Python and machine."""

from __future__ import annotations

import fnmatch
import posixpath
import re

from ..engine.fact import ABSENT
from ..engine.rule import Context
from ..errors import BentofileError
from . import context_file
from .local_archives import DIRECTORY, NAMED
from .targets import Target

__all__ = ["DIRECTORY", "NAMED", "OPTION", "pack", "unfit"]

OPTION = "python.wheels"


def pack(ctx: Context, patterns: list[str]) -> dict[str, bytes]:
    """Path in the Bento → bytes of every wheel that is named; sorted. BentofileError for one that is not there."""
    found: dict[str, str] = {}
    for pattern in patterns:
        matches = _matches(ctx, context_file.inside(ctx, OPTION, pattern))
        if not matches:
            raise BentofileError(
                f"{OPTION} names {pattern}, which no file matches.",
                place=ctx.place(OPTION),
                hint="Paths are relative to the build context.",
            )
        for path in matches:
            name = posixpath.basename(path)
            if found.setdefault(name, path) != path:
                raise BentofileError(
                    f"{found[name]} and {path} have one name; a Bento has its wheels in one directory.",
                    place=ctx.place(OPTION),
                )
    return {f"{DIRECTORY}/{name}": context_file.read(ctx, OPTION, path) for name, path in sorted(found.items())}


def _matches(ctx: Context, path: str) -> list[str]:
    """The paths that match, of which each part may be a pattern; one without a pattern is its own match."""
    found = [""]
    for part in path.split("/"):
        if not re.search(r"[*?[]", part):
            found = [posixpath.join(base, part) for base in found]
            continue
        matches = []
        for base in found:
            directory = f"ctx/{base}".rstrip("/")
            if ctx.discover("listing", directory).digest != ABSENT.digest:
                names = [name for name in ctx.host("names")(directory) if not name.startswith(".")]
                matches += [posixpath.join(base, name) for name in sorted(fnmatch.filter(names, part))]
        found = matches
    return found


def unfit(path: str, target: Target, place: str | None) -> BentofileError | None:
    """Why the image cannot install that wheel; None if it can, and for sdists, which always can be."""
    from packaging.tags import Tag, compatible_tags, cpython_tags
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    name = posixpath.basename(path)
    if not name.endswith(".whl"):
        return None
    try:
        tags = parse_wheel_filename(name)[3]
    except InvalidWheelFilename:
        return BentofileError(
            f"{name} is not the name of a wheel: pip needs NAME-VERSION-PYTHON-ABI-PLATFORM.whl.",
            place=place,
            hint="Keep the name that the wheel was built with.",
        )
    major, minor = (int(part) for part in target.python.split("."))
    cpython = f"cp{major}{minor}"
    known = {
        *cpython_tags((major, minor), [cpython], ["linux"]),
        *compatible_tags((major, minor), cpython, ["linux"]),
    }
    kinds = {"gnu": "(many)?", "musl": "(musl)?", None: "(many|musl)?"}[target.libc]
    ours = re.compile(rf"{kinds}linux.*_{re.escape(target.arch)}")
    here = {Tag(t.interpreter, t.abi, "linux" if ours.fullmatch(t.platform) else t.platform) for t in tags}
    if here & known:
        return None
    return BentofileError(
        f"{name} is not a wheel for {target}, which the Bento is for.",
        place=place,
        hint="Build it for that, or set docker.python_version, docker.distro or --platform to what it is for.",
    )
