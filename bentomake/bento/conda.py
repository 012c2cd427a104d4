"""conda: the environment file that the options name or describe, its Python and its channels."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from ..engine.rule import Context
from ..errors import BentofileError
from . import context_file

OPTIONS = ("conda.environment_yml", "conda.channels", "conda.dependencies", "conda.pip")
FILE = "env/conda/environment.yml"
DEFAULT_CHANNELS = ["conda-forge"]

# What ends in Anaconda's own channels, whose terms nobody can accept while an image is built.
_ANACONDA = re.compile(r"(https?://repo\.anaconda\.com/)?(pkgs/(main|r|msys2)|defaults|main)/?")
_PYTHON = re.compile(r"(?:\S+::)?python\s*={1,2}\s*(\d+\.\d+)(\.|\*|\s|=|$)")


class Environment(NamedTuple):
    """The bytes of environment.yml, the X.Y that it wants of Python, and where its packages come from."""

    data: bytes
    python: str | None
    channels: list[str]


def used(param: Any) -> bool:
    """Whether any option of conda says something; `param` gives one by its name."""
    return any(param(name) for name in OPTIONS)


def environment(ctx: Context) -> Environment | None:
    """What the options ask for; None if they say nothing. BentofileError with the place of a mistake."""
    if not used(ctx.param):
        return None
    path = ctx.param("conda.environment_yml")
    if not path:
        return _described(ctx)
    data = context_file.read(ctx, OPTIONS[0], path)
    content = _content(data, path)
    channels, dependencies = content.get("channels") or [], content.get("dependencies") or []
    for name, value in (("channels", channels), ("dependencies", dependencies)):
        if not isinstance(value, list):
            raise BentofileError(
                f"`{name}` must be a list.",
                place=path,
                hint=f"Write it as a list: {name}: [{'numpy' if name[0] == 'd' else 'conda-forge'}]",
            )
    found = Environment(data, _python(dependencies), [str(channel) for channel in channels])
    _remark_anaconda(ctx, found, path)
    return found


def _described(ctx: Context) -> Environment:
    import yaml

    channels = [str(channel) for channel in ctx.param("conda.channels") or DEFAULT_CHANNELS]
    dependencies = list(ctx.param("conda.dependencies") or [])
    mappings = [item for item in dependencies if not isinstance(item, str)]
    if mappings and not (len(mappings) == 1 and isinstance(mappings[0], dict) and list(mappings[0]) == ["pip"]):
        raise BentofileError(
            "conda.dependencies holds strings, and at most one mapping `pip: [...]`.",
            place=ctx.place("conda.dependencies"),
            hint='Write it as dependencies: ["numpy=1.26", {pip: ["idna"]}]',
        )
    if mappings and not _strings(mappings[0]["pip"]):
        raise BentofileError(
            "conda.dependencies: `pip` must be a list of strings.",
            place=ctx.place("conda.dependencies"),
            hint='Write {pip: ["idna"]}',
        )
    if pip := ctx.param("conda.pip"):
        if mappings:
            raise BentofileError(
                "There are both conda.pip and a `pip` in conda.dependencies.",
                place=ctx.place("conda.pip"),
                hint="Put all of them into one of the two.",
            )
        dependencies.append({"pip": list(pip)})
    if any(isinstance(item, dict) for item in dependencies) and not any(
        re.match(r"(\S+::)?pip\b", item) for item in dependencies if isinstance(item, str)
    ):
        dependencies.insert(-1, "pip")  # else conda warns, and adds it anyway
    text = yaml.safe_dump({"channels": channels, "dependencies": dependencies}, sort_keys=False, allow_unicode=True)
    found = Environment(text.encode(), _python(dependencies), channels)
    _remark_anaconda(ctx, found, None)
    return found


def _strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _content(data: bytes, shown: str) -> dict[str, Any]:
    from . import yaml_place

    root, problems = yaml_place.read(data, shown)
    if problems:
        raise problems[0][1]
    content = yaml_place.plain(root) if root is not None else None
    if not isinstance(content, dict):
        raise BentofileError(
            f"{shown} is not a conda environment: it has no `dependencies`.",
            place=shown,
            hint="Write at least: dependencies: [numpy]",
        )
    return content


def _python(dependencies: list[Any]) -> str | None:
    for item in dependencies:
        if isinstance(item, str) and (match := _PYTHON.match(item.strip())):
            return match[1]
    return None


def _remark_anaconda(ctx: Context, found: Environment, path: str | None) -> None:
    named = next((channel for channel in found.channels if _ANACONDA.fullmatch(channel)), None)
    if found.channels and named is None:
        return
    ctx.warn(
        f"{path or 'conda.channels'} {f'names the channel {named}' if named else 'names no channel'}: conda takes "
        "packages from Anaconda's own, whose terms of service it wants to be accepted, so the image build may stop.",
        place=path or ctx.place("conda.channels"),
        hint="Use the channel conda-forge.",
    )
