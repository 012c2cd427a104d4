"""commits: which commit each git repository is taken at that a requirement names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bentomake.bento import image, pins, secret_values
from bentomake.bento.package_source import variables
from bentomake.engine.rule import Context, Produced, rule

if TYPE_CHECKING:
    from bentomake.bento.git_source import GitSource


@rule(
    outputs="commits.json",
    inputs=["requirements"],
    params=["python.lock_packages", "python.pack_git_packages"],
    oracles=["generation"],
)
def commits(ctx: Context) -> Mapping[str, Produced]:
    """{"packed": …, "commits": {requirement: commit}}, and nothing else, so that each commit is built once.

    A branch stays where it was first found until --upgrade. What is neither locked nor packed is left open.
    """
    from bentomake.bento import git_source  # only when it runs: every build imports the rulebook

    ctx = image.beside(ctx, "requirements")
    locked = ctx.param("python.lock_packages") is not False
    # "runner" has no file of its own for what is not locked: the image then clones, as with bentoml 1.1.
    packed = ctx.param("python.pack_git_packages") is not False and (locked or ctx.oracle("generation") == "class")
    found: dict[str, str] = {}
    for spec in _requirements(ctx) if locked or packed else ():
        source = git_source.parse(spec)
        if source is not None:
            found[spec] = _commit(ctx, source)
    told = {"packed": packed and bool(found), "commits": found}
    return {"commits.json": json.dumps(told, indent=1, sort_keys=True) + "\n"}


def _requirements(ctx: Context) -> list[str]:
    files = ctx.input("requirements")
    names = [name for name in ("env/python/requirements.in", "env/python/requirements.txt") if name in files]
    given = pins.read([(name, None) for name in names], reader=lambda path: files.read(path) if path in files else None)
    return sorted({line.spec for line in given.lines})


def _commit(ctx: Context, source: GitSource) -> str:
    from bentomake.bento import git_source

    if source.exact:
        return source.ref
    name = f"{pins.canonical(source.name) if source.name else '-'} {source.url}@{source.ref}"
    commit: str | None = ctx.host("git_commit")(name)
    if commit is None:
        secrets = secret_values.values(ctx, variables([source.url]))
        commit = git_source.commit_of(ctx, source, secrets, secret_values.asked_at(ctx))
        ctx.host("keep_git_commit")(name, commit)
    ctx.discover("git", name)
    return commit
