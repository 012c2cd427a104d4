"""requirements: what the user asks pip for, with nested files read in, as the Bento's generation wants it written."""

from __future__ import annotations

from collections.abc import Mapping

from bentomake.bento import context_file, grpc_bounds, image, image_requirements, local_archives, pins, wheels
from bentomake.bento.package_source import Options
from bentomake.engine.rule import Context, Produced, rule
from bentomake.errors import BentofileError

SOURCES = ("index_url", "no_index", "trusted_host", "extra_index_url", "find_links")


@rule(
    outputs=[
        "(env/python/requirements.txt)",
        "(env/python/requirements.in)",
        "(env/python/constraints.txt)",
        f"{wheels.DIRECTORY}/",
        f"({image.FILE})",  # for the lock
    ],
    inputs=[image.RULE],
    tools=["uv"],  # reads a uv.lock that an image in code names
    params=[
        *("python.packages", "python.requirements_txt", "python.wheels", "python.lock_packages"),
        *(f"python.{name}" for name in SOURCES),
    ],
    oracles=["bentoml.version", "generation"],
)
def requirements(ctx: Context) -> Mapping[str, Produced]:
    """One requirement a line, comments dropped: a comment that changes reaches nothing behind this rule.

    Generation "class" gets requirements.in with the bentofile's options and bentoml itself; "runner" gets
    requirements.txt with the user's own lines only, as install.sh adds the rest. Constraints stay constraints, and
    gRPC without a lock has some more; wheels of the project are copied, and named by their paths in the Bento, where
    both generations install.
    """
    in_code = image.of(ctx)
    ctx = image.beside(ctx)
    given = _given(ctx)
    if in_code is not None:
        given = image_requirements.before(ctx, in_code, given)
    options = Options.of(ctx.param, ctx.place)
    local = _local(given)
    places = {found.path: place for _, found, place in local}
    head, tail = given.options.lines(), []
    if ctx.oracle("generation") == "class":
        head = options.over(given.options).lines()
        tail = given.bentoml(_released(ctx))
    packed = wheels.pack(ctx, ctx.param("python.wheels") or [])
    archives = local_archives.pack(
        [(found, place) for _, found, place in local],
        lambda path: context_file.read_if_there(ctx, "A requirement", path, places[path]),
        packed,
    )
    named = {text: found.packed() for text, found, _ in local}
    constraints = [line.text for line in given.constraints]
    if ctx.oracle("generation") == "runner" and ctx.param("python.lock_packages") is False:
        constraints += _of_grpc(ctx, given)
    lines = [
        *head,
        *(["-c constraints.txt"] if constraints else []),
        *(named.get(line.text, line.text) for line in given.lines),
        *(path.replace(f"{wheels.DIRECTORY}/", wheels.NAMED, 1) for path in packed),
        *tail,
    ]
    made: dict[str, Produced] = {**packed, **archives}
    if in_code is not None:
        made[image.FILE] = image.for_lock(in_code)
    if lines:
        name = "requirements.in" if ctx.oracle("generation") == "class" else "requirements.txt"
        made[f"env/python/{name}"] = "\n".join(lines) + "\n"
    if constraints:
        made["env/python/constraints.txt"] = "\n".join(constraints) + "\n"
    return made


def _given(ctx: Context) -> pins.Requirements:
    file, packages = ctx.param("python.requirements_txt"), ctx.param("python.packages") or []
    option = "python.requirements_txt" if file else "python.packages"

    def reader(path: str) -> bytes | None:
        return context_file.read_if_there(ctx, option, path, parents=True)

    if not file:

        def place(index: int) -> str | None:
            return ctx.place(f"{option}[{index}]") or ctx.place(option)

        return pins.read(lines=packages, place=place, reader=reader)
    return pins.read([(file, ctx.place("python.requirements_txt"))], reader=reader)


def _of_grpc(ctx: Context, given: pins.Requirements) -> list[str]:
    """What gRPC wants where no lock says it: also this bentoml, as pip would take the newest for `bentoml[grpc]`."""
    bounds = grpc_bounds.constraints(given)
    version = _released(ctx) if bounds else None
    return [*bounds, *(given.bentoml(version) if version is not None else [])]


def _released(ctx: Context) -> str | None:
    version: str = ctx.oracle("bentoml.version")
    released = pins.released(version)
    if released != version:
        asked = f"bentoml {released}" if released else "the newest bentoml"
        ctx.warn(
            f"bentoml {version} is not a release; the Bento asks for {asked}.",
            hint="Pin bentoml under python.packages for another.",
        )
    return released


def _local(given: pins.Requirements) -> list[tuple[str, local_archives.Local, str]]:
    """(line, archive, place) of those that the project has; BentofileError for paths that mean nothing elsewhere."""
    found = []
    for line in given.lines:
        local = local_archives.parse(line.spec)
        if local is not None and not local.outside:
            found.append((line.text, local, line.place))
        elif local is not None or (line.path or "").startswith(("/", "~")) or "file:" in (line.path or "").lower():
            raise BentofileError(
                f"{line.path or line.spec} is a path of this machine; it means nothing where the image is built.",
                place=line.place,
                hint=local_archives.ELSEWHERE,
            )
    return found
