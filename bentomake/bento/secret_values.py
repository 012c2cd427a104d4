"""The values of variables that package URLs name: asked of the environment, and in a key by their keyed digest."""

from __future__ import annotations

from collections.abc import Iterable

from ..engine.rule import Context
from ..errors import BentofileError


def values(ctx: Context, names: Iterable[str], options: Iterable[str] = ()) -> dict[str, str]:
    """Variable → value; BentofileError for one that is not set, placed at the option that names it."""
    found: dict[str, str] = {}
    for name in sorted(set(names)):
        fact = ctx.discover("env", name)
        if fact.digest == "absent" or not fact.value:
            at = next((option for option in options if f"${{{name}}}" in str(ctx.param(option))), None)
            raise BentofileError(
                f"The variable {name} is not set, and {at or 'a requirement'} needs its value.",
                place=ctx.place(at) if at else asked_at(ctx),
                hint=f"Set it in the environment of the build: export {name}=…; it is kept out of the Bento.",
            )
        found[name] = str(fact.value)
    return found


def asked_at(ctx: Context) -> str | None:
    """Where the bentofile says what is required."""
    return ctx.place("python.requirements_txt") or ctx.place("python.packages")
