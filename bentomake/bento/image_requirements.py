"""What an image described in code asks pip for: its packages, requirement files, a pyproject.toml and uv.lock."""

from __future__ import annotations

import os
import posixpath
import re

from ..engine.rule import Context
from ..errors import BentofileError, StepError
from . import context_file
from .image import Image
from .pins import Read, Requirements
from .pins import read as read_requirements

LOCK = "uv.lock"
_MEMBER = re.compile(r'source = \{ (?:editable|directory|virtual) = "([^"]+)" \}')


def before(ctx: Context, image: Image, given: Requirements) -> Requirements:
    """The image's requirements, then those of the bentofile, whose word on where packages come from is the last."""

    def reader(path: str) -> bytes | None:
        return context_file.read_if_there(ctx, "The image in code", path, ctx.place("service"), parents=True)

    place = ctx.place("service")
    found = Requirements()
    if image.uv_lock:
        found = read_requirements(lines=_exported(ctx, place, reader), place=LOCK, reader=reader)
    for part in image.requirements:
        if "file" in part:
            more = read_requirements([(part["file"], place)], reader=reader)
        else:
            lines = part["text"].split("\n") if "text" in part else _dependencies(part["pyproject"], place, reader)
            more = read_requirements(lines=lines, place=place, reader=reader)
        _add(found, more)
    _add(found, given)
    return found


def _add(found: Requirements, more: Requirements) -> None:
    found.lines += more.lines
    found.constraints += more.constraints
    found.options = more.options.over(found.options)


def _dependencies(path: str, place: str | None, reader: Read) -> list[str]:
    """The dependencies that a pyproject.toml has under [project]; BentofileError if it has none."""
    from . import kinds, pyproject

    data = reader(path)
    if data is None:
        raise BentofileError(f"The image in code names {path}, which does not exist.", place=place)
    pair = pyproject.read(data, path).dependencies
    items = pair.node.value if pair is not None else None
    if not items or not isinstance(items, list) or not all(isinstance(item.value, str) for item in items):
        raise BentofileError(
            f"{path} has no dependencies under [project], so the image in code gets none.",
            place=place,
            hint="Write them there, or remove pyproject_toml() from the image.",
        )
    return [kinds.text_of(item) for item in items]


def _exported(ctx: Context, place: str | None, reader: Read) -> list[str]:
    """The lines that `uv export` makes of uv.lock, as bentoml does; StepError with uv's words if it cannot."""
    directory = os.path.join(ctx.workdir, "uv")
    locked = _copied(LOCK, directory, place, reader)
    members = {posixpath.normpath(path) for path in _MEMBER.findall(locked.decode("utf-8", "replace"))}
    for member in sorted({".", *members}):
        _copied(posixpath.normpath(f"{member}/pyproject.toml"), directory, place, reader)
    words = ["export", "--no-header", "--frozen", "--no-annotate", "--no-hashes", "--no-emit-project"]
    words += ["--no-config", "--no-python-downloads", "--offline", "--python", ctx.host("python")]
    keep = ("PATH", "HOME", "LANG", "TMPDIR", "UV_CACHE_DIR")
    env = {name: os.environ[name] for name in keep if name in os.environ}
    done = ctx.run([*ctx.tool("uv").argv, *words], env=env, cwd=directory)
    if done.returncode != 0:
        raise StepError(
            f"{LOCK} cannot be used for the image in code.",
            place=place,
            hint="Is it that of the pyproject.toml beside it? `uv lock` writes it anew.",
            detail=done.stderr.replace(directory + os.sep, "").strip(),
        )
    return done.stdout.split("\n")


def _copied(path: str, directory: str, place: str | None, reader: Read) -> bytes:
    data = None if path.startswith("..") else reader(path)
    if data is None:
        raise BentofileError(
            f"uv_lock() of the image in code needs {path}, which does not exist.",
            place=place,
            hint="It is looked for in the build context.",
        )
    target = os.path.join(directory, path)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "wb") as file:
        file.write(data)
    return data
