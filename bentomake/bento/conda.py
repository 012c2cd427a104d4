"""conda: the environment file that the options name or describe, its Python and its channels."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from ..engine.rule import Context
from ..errors import BentofileError, BentomakeError, Several
from . import context_file, requirement_judgement, yaml_place
from .yaml_place import Node, Pair

OPTIONS = ("conda.environment_yml", "conda.channels", "conda.dependencies", "conda.pip")
FILE = "env/conda/environment.yml"
DEFAULT_CHANNELS = ["conda-forge"]
DEPENDENCY = 'Write - "numpy", or - pip: ["numpy"]'

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
    dependencies = _listed(content, "dependencies", "numpy", path)
    _judge(ctx, dependencies, path)
    if not dependencies:
        ctx.warn(
            f"{path} has no `dependencies`: conda installs nothing.", place=path, hint="Write dependencies: [numpy]"
        )
    python = _python([item.value for item in dependencies])
    found = Environment(data, python, [str(item.value) for item in _listed(content, "channels", "conda-forge", path)])
    _remark_anaconda(ctx, found, path)
    return found


def _described(ctx: Context) -> Environment:
    """Of what the bentofile says; its text has been judged."""
    import yaml

    channels = [str(channel) for channel in ctx.param("conda.channels") or DEFAULT_CHANNELS]
    dependencies = list(ctx.param("conda.dependencies") or [])
    if pip := ctx.param("conda.pip"):
        dependencies.append({"pip": list(pip)})
    if any(isinstance(item, dict) for item in dependencies) and not any(
        re.match(r"(\S+::)?pip\b", item) for item in dependencies if isinstance(item, str)
    ):
        dependencies.insert(-1, "pip")  # else conda warns, and adds it anyway
    text = yaml.safe_dump({"channels": channels, "dependencies": dependencies}, sort_keys=False, allow_unicode=True)
    found = Environment(text.encode(), _python(dependencies), channels)
    _remark_anaconda(ctx, found, None)
    return found


def pip_entries(item: Any) -> list[Any] | None:
    """The entries of a dependency that is the mapping `pip`, none of one that is a string; None for anything else."""
    if isinstance(item, str):
        return []
    entries = item.get("pip") if isinstance(item, dict) and len(item) == 1 else None
    return entries if isinstance(entries, list) and all(isinstance(one, str) for one in entries) else None


def _judge(ctx: Context, dependencies: list[Node], path: str) -> None:
    """Warnings for what will surprise; one error, or several, for what conda cannot install."""
    errors: list[BentomakeError] = []
    for item in dependencies:
        plain = yaml_place.plain(item)
        entries = pip_entries(plain)
        if entries is None:
            message = "A dependency of conda must be a string, or the one mapping `pip` with a list of strings."
            errors.append(BentofileError(message, place=f"{path}:{item.line}", hint=DEPENDENCY))
        elif entries:
            for node in item.value["pip"].node.value:
                for said in requirement_judgement.of_conda(node.value):
                    place = f"{path}:{node.line}"
                    if said.wrong:
                        errors.append(BentofileError(said.message, place=place, hint=said.hint))
                    else:
                        ctx.warn(said.message, place=place, hint=said.hint)
    if errors:
        raise errors[0] if len(errors) == 1 else Several(errors)


def _content(data: bytes, shown: str) -> dict[str, Pair]:
    root, problems = yaml_place.read(data, shown, "conda environment")
    if problems:
        raise problems[0][1]
    if root is None or not isinstance(root.value, dict):
        raise BentofileError(
            f"{shown} is not a conda environment: it has no `dependencies`.",
            place=shown,
            hint="Write at least: dependencies: [numpy]",
        )
    return root.value


def _listed(content: dict[str, Pair], name: str, example: str, path: str) -> list[Node]:
    pair = content.get(name)
    if pair is None or pair.node.value is None:
        return []
    if not isinstance(pair.node.value, list):
        hint = f"Write it as a list: {name}: [{example}]"
        raise BentofileError(f"`{name}` must be a list.", place=f"{path}:{pair.line}", hint=hint)
    return pair.node.value


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
