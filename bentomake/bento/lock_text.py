"""The text of a lock: a locker's output as one spelling, with the user's variables, commits and hashes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

from ..engine.rule import Context
from ..errors import StepError
from . import git_source, pins, secret_values, targets
from .package_source import variables
from .targets import Target


def write(ctx: Context, name: str, lines: Iterable[str]) -> None:
    """A file in the step's directory."""
    with open(os.path.join(ctx.workdir, name), "w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)


def read(ctx: Context, name: str) -> dict[str, pins.Line]:
    """Name → line of a locker's output."""
    with open(os.path.join(ctx.workdir, name), encoding="utf-8") as file:
        text = file.read()
    text = re.sub(rf"(?<!\+)file:(//)?{re.escape(ctx.workdir)}/", "./", text)
    data = re.sub(
        r"git\+file:/(?!/)", "git+file:///", text
    ).encode()  # as pip-compile writes a repository of this machine
    found = pins.read([(name, None)], reader=lambda path: data, locked=True)
    return {line.name or bare(line): line for line in found.lines}


def bare(line: pins.Line) -> str:
    """A line in both lockers' one spelling, without extras and markers; a local file goes by its path alone."""
    spec = re.sub(r"^\S+ @ (?=\./)", "", re.split(r"\s;\s", line.spec, maxsplit=1)[0].strip())
    return re.sub(r"\[[^\]]*\]$", "", spec) if spec.startswith("./") else spec


def requirement(line: pins.Line, given: pins.Requirements) -> str:
    """As `bare`; in a URL, variables are what the user wrote, not their values; of a repository, the commit."""
    spec = bare(line)
    if "git+" in spec:
        return _of_git(line, given)
    for asked in given.lines:
        if "://" in spec and asked.name == line.name and variables([asked.spec]):
            return bare(asked)
    return spec


def _of_git(line: pins.Line, given: pins.Requirements) -> str:
    found = git_source.parse(line.spec)
    if found is None:
        return bare(line)
    for asked in given.lines:
        source = git_source.parse(asked.spec)
        if source is None or source.ref != found.ref or source.subdirectory != found.subdirectory:
            continue
        if asked.name == line.name or asked.name is None:
            url = re.sub(r"//[^/]*@", "//", source.url)
            if asked.name or _path(url) == _path(found.url):
                plain = git_source.GitSource(source.url, name=line.name or "", subdirectory=source.subdirectory)
                return plain.at(source.ref)
    plain = git_source.GitSource(found.url, name=found.name, subdirectory=found.subdirectory)
    return plain.at(found.ref) if found.ref else bare(line)


def _path(url: str) -> str:
    """What follows the host, which may be a variable."""
    return url.partition("://")[2].partition("/")[2].removesuffix(".git")


def refuse_secrets(ctx: Context, locked: Mapping[str, str], secrets: Mapping[str, str]) -> None:
    """Raise StepError where a variable's value, and not its name, is in a URL of the lock."""
    for variable, value in secrets.items():
        if len(value) > 3 and any(value in spec for spec in locked.values() if "://" in spec):
            raise StepError(
                f"The value of {variable} would be readable in the lock, in the URL of a package.",
                place=secret_values.asked_at(ctx),
                hint="Use the variable in place of user or password: https://${" + variable + "}@host/…",
            )


def with_hashes(ctx: Context, spec: str, line: pins.Line, given: pins.Requirements, target: Target) -> str:
    """The requirement with its hashes: the user's, where there are some for the target, else all that the index has."""
    hashes, theirs = line.hashes, False
    for asked in [*given.lines, *given.constraints]:
        hashed = asked.name == line.name is not None and asked.hashes
        if hashed and targets.wanted(asked.spec, target.python, target.arch):
            if not set(asked.hashes) & set(hashes):
                raise StepError(
                    f"None of the hashes that are asked for {spec} is one of the package index.",
                    place=secret_values.asked_at(ctx),
                    hint=f"Without them, the lock would have: {', '.join(line.hashes) or 'none'}.",
                )
            hashes = [value for value in asked.hashes if not theirs or value in hashes]
            theirs = True
    return " \\\n    ".join([spec, *(f"--hash={value}" for value in sorted(hashes))])
