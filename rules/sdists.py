"""sdists: packages that come from git, as the source distributions that travel in the Bento."""

from __future__ import annotations

import json
from collections.abc import Mapping

from bentomake.bento import secret_values, wheels
from bentomake.bento.package_source import Options, secret_variables, variables
from bentomake.engine.rule import Context, Produced, rule
from bentomake.errors import StepError

SOURCES = tuple(f"python.{name}" for name in ("index_url", "no_index", "trusted_host", "extra_index_url", "find_links"))
PACKED = "packed.json"  # requirement → file; not of the Bento


@rule(
    outputs=[PACKED, f"{wheels.DIRECTORY}/"],
    inputs=["commits"],
    params=SOURCES,
    tools=["uv"],
)
def sdists(ctx: Context) -> Mapping[str, Produced]:
    """One a commit: an image can then be built without git, and without a credential of the repository."""
    from bentomake.bento import git_source, sdist  # only when it runs: every build imports the rulebook

    told = json.loads(ctx.input("commits").text("commits.json"))
    asked: dict[str, str] = told["commits"] if told["packed"] else {}
    made: dict[str, Produced] = {}
    packed: dict[str, str] = {}
    place = secret_values.asked_at(ctx)
    for done, (spec, commit) in enumerate(sorted(asked.items())):
        source = git_source.parse(spec)
        assert source is not None
        ctx.progress(done, len(asked), "packages from git")
        options = Options.of(ctx.param, ctx.place)
        secrets = secret_values.values(ctx, [*secret_variables(options), *variables([source.url])], SOURCES)
        name, data = sdist.build(ctx, source, commit, options, secrets, place)
        path = f"{wheels.DIRECTORY}/{name}"
        if made.setdefault(path, data) != data:
            raise StepError(
                f"Two git repositories are both packed as {name}.", place=place, hint="Ask for one of them."
            )
        packed[spec] = name
        ctx.log(f"packed {source.at(commit)} as {name}")
    return {**made, PACKED: json.dumps(packed, indent=1, sort_keys=True) + "\n"}
