"""wheelhouse: what the lock names as wheels for the image, each fetched once for all Bentos and builds."""

from __future__ import annotations

import json
from collections.abc import Mapping

from bentomake.engine.rule import Context, Produced, rule
from bentomake.errors import BentofileError, Several, UsageError

SCRIPT = "wheelhouse.sh"
BYTECODE = "wheelhouse_bytecode.py"
_LOCK = "requirements.txt"


@rule(
    outputs=["wheelhouse/"],
    inputs=["pinned"],
    params=["image.features", "image.offline", "image.wheel_cache", "image.wheels_by"],
    tools=["pip", "uv"],
    templates=[SCRIPT, BYTECODE],
)
def wheelhouse(ctx: Context) -> Mapping[str, Produced]:
    """A directory for `pip install --no-index --find-links`, its requirements.txt, and the script that an image runs.

    `complete` is in it if the image needs nothing else. What has no wheel, or is a URL, the image fetches itself; so
    it does with all that cannot be fetched here, unless --offline. A wheel is kept under its pin, its target and where
    packages come from, so that another lock fetches only what is new in it. For an image, nothing is fetched that its
    engine or its Dockerfile would not take.
    """
    from bentomake.bento import artifacts, lockers, pins  # only when it runs: every build imports the rulebook
    from bentomake.bento.wheel_cache import WheelCache, not_here

    if ctx.param("image.wheel_cache") is False:
        return {}
    files = ctx.input("pinned")
    facts = json.loads(files.text("target.json"))
    if _LOCK not in files or not facts["python"]:
        ctx.log("The Bento says no Python or no requirements: the image installs by itself.")
        return {}
    if not _taken(ctx, facts["dockerfiles"]):
        return {}
    target = artifacts.Target(facts["python"], facts["arch"], facts["libc"])
    data = files.read(_LOCK)
    try:
        asked = pins.read([(_LOCK, None)], reader=lambda path: data if path == _LOCK else b"", locked=True)
    except (BentofileError, Several) as error:  # another tool's Bento may have what ours never has
        if ctx.param("image.offline"):
            raise
        ctx.log(f"The image installs by itself: {error.message}")
        return {}
    wanted, other = artifacts.pinned(asked.lines, target)
    env = lockers.environment(ctx, asked.options, {})
    house = WheelCache(ctx, target, asked.options, env)
    if ctx.param("image.features"):
        wanted += house.of_features(ctx.param("image.features"), facts["bentoml"], wanted)
    missing = house.fill(wanted)
    for line in other:
        ctx.log(f"{line.spec} is no version of an index: the image fetches it by itself.")
    foreign = [line.spec for line in other if not (line.path or "").endswith(".whl")]  # an sdist wants its build tools
    if ctx.param("image.offline") and (missing or foreign):
        raise not_here([*(pin.text.split()[0] for pin in missing), *foreign])
    if not house.wheels:
        return {}
    made: dict[str, Produced] = {f"wheelhouse/{name}": entry for name, entry in house.wheels.values()}
    made["wheelhouse/requirements.txt"] = "".join(f"{pin.text}\n" for pin in sorted(house.wheels, key=lambda p: p.name))
    made["wheelhouse/install.sh"] = ctx.template(SCRIPT)
    made["wheelhouse/bytecode.py"] = ctx.template(BYTECODE)
    if facts["locked"] and not missing and not other:
        made["wheelhouse/complete"] = "yes\n"
    installer = house.installer()
    if installer is not None:
        made["wheelhouse/bin/uv"] = installer
    return made


def _taken(ctx: Context, dockerfiles: Mapping[str, bool]) -> bool:
    """Whether the wheels will be used. Where no image is asked for, they are what is wanted.

    An engine that cannot build is an error here, before anything is fetched for it.
    """
    by = ctx.param("image.wheels_by")
    if by is None:
        return True
    if ctx.host("image").fresh:
        ctx.log("--no-cache: the image installs by itself.")
        ctx.forget("--no-cache fetches no wheels")  # another build may want them
        return False
    if next((dockerfiles[name] for name in by if name in dockerfiles), False):
        _ = ctx.host("image").engine  # raises BackendUnhealthy
        return True
    if not any(dockerfiles.values()):
        ctx.log("The Bento's Dockerfile takes no wheels: the image installs by itself.")
        return False
    name = ctx.host("image").backend.name
    if ctx.param("image.offline"):
        raise UsageError(
            f"--offline, and {name} cannot give the cache's wheels to the build of an image here.",
            hint="Choose an engine with BuildKit (--backend docker, without DOCKER_BUILDKIT=0); or, if all layers are "
            "there already, add --no-wheel-cache.",
        )
    ctx.log(f"{name} cannot give wheels to the build of an image here: the image installs by itself.")
    return False
