"""lock: every requirement at one version, resolved for the Bento's Linux and Python, kept at what is installed here."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from bentomake.bento import git_source, grpc_bounds, image, lock_text, lockers, pins, pip_words, secret_values, wheels
from bentomake.bento.lockers import CONSTRAINTS, IN, OUT, Task
from bentomake.bento.package_source import Options, secret_variables, variables
from bentomake.bento.targets import ARCHES, Target
from bentomake.engine.rule import Context, Files, Produced, rule
from bentomake.errors import BentofileError, StepError

if TYPE_CHECKING:
    from bentomake.engine.process import Completed

# What bentoml 1.0 and 1.1 need to be imported and used, but do not say: fs imports pkg_resources, and
# `bentoml containerize` fails with click 8.3.
RUNNER_BOUNDS = ("setuptools<81", "click<8.3")

INDEXES = ("python.index_url", "python.extra_index_url", "python.find_links", "python.pip_args")
CHECK = "installed.in"


@rule(
    outputs=["(env/python/requirements.lock.txt)", "(env/python/requirements.txt)"],
    inputs=["requirements", "commits", "sdists"],
    params=[
        "python.requirements_txt",
        "python.lock_packages",
        "python.index_url",
        "python.no_index",
        "python.trusted_host",
        "python.extra_index_url",
        "python.find_links",
        "python.pip_args",
        "docker.python_version",
        "docker.libc",
        "docker.said",
        "lock.locker",
        "lock.upgrade",
        "lock.platform",
        "lock.hashes",
    ],
    tools=["uv", "pip-compile"],
    oracles=["bentoml.version", "generation", "python.version", "arch"],
)
def lock(ctx: Context) -> Mapping[str, Produced]:
    """requirements.lock.txt of a "runner" Bento, requirements.txt of a "class" one; sorted, the user's options first.

    It has hashes if the user's requirements have some, or --hashes asks for them. Raises StepError with the
    resolver's words when there is no solution.
    """
    ctx = image.beside(ctx, "requirements")
    classes = ctx.oracle("generation") == "class"
    files = ctx.input("requirements")
    target = _target(ctx)
    for path in files.tree:
        unfit = wheels.unfit(path, target, ctx.place(wheels.OPTION)) if path.startswith(wheels.DIRECTORY) else None
        if unfit is not None:
            raise unfit
    if ctx.param("python.lock_packages") is False:
        return _unlocked(ctx, files) if classes else {}

    given = _given(ctx, classes)
    hashes = _hashed(ctx, given)
    upgrade: list[str] = [pins.canonical(name) for name in ctx.param("lock.upgrade") or []]
    seeds = _seeds(ctx, upgrade)
    _place_archives(ctx, given, (files, ctx.input("sdists")))
    lock_text.write(ctx, IN, [_for_locker(ctx, line.spec) for line in given.lines] + _sources(given.options))
    lock_text.write(ctx, OUT, [f"{name}=={version}" for name, version in sorted(seeds.items())])
    asked = [line.spec for line in [*given.lines, *given.constraints]]
    secrets = secret_values.values(ctx, [*secret_variables(given.options), *variables(asked)], INDEXES)
    env = lockers.environment(ctx, given.options, secrets)
    task = Task(
        given,
        target.python,
        target.arch,
        ctx.oracle("generation"),
        hashes,
        tuple(upgrade),
        env,
        secrets,
        target.libc,
    )
    done = _resolve(ctx, task)
    found = lock_text.read(ctx, OUT)
    _pin_commits(ctx, found, secrets)
    locked = {name: lock_text.requirement(line, given) for name, line in found.items()}
    lock_text.refuse_secrets(ctx, locked, secrets)
    ctx.log(f"{ctx.param('lock.locker') or 'uv'} locked {len(locked)} packages in {done.seconds:.2f} s")
    for name in locked:
        if name not in upgrade and "*" not in upgrade and not name.startswith("./"):
            ctx.discover("installed", name)
    _remark_missing(ctx, task, seeds, locked)
    _remark_grpc(ctx, task, found)
    if upgrade:
        ctx.forget("--upgrade asks the package index anew each time")
    if hashes:
        locked = {name: lock_text.with_hashes(ctx, spec, found[name], given, target) for name, spec in locked.items()}
    options = replace(
        given.options, other=[word for word in given.options.other if word != pip_words.NO_BUILD_ISOLATION]
    )
    text = "\n".join([*options.lines(), *sorted(locked.values())]) + "\n"
    return {f"env/python/requirements{'' if classes else '.lock'}.txt": text}


def _resolve(ctx: Context, task: Task) -> Completed:
    """Have the locker write OUT. Bounds that the user did not write never are the reason why there is no lock."""
    locker = lockers.pip_compile if ctx.param("lock.locker") == "pip-compile" else lockers.uv
    bounds = grpc_bounds.constraints(task.given) if task.generation == "runner" else []
    more = pins.read(lines=bounds, reader=lambda path: None).lines
    for ours in [more, []] if more else [[]]:
        constraints = [*task.given.constraints, *ours]
        lock_text.write(ctx, CONSTRAINTS, [line.spec for line in constraints])
        done = locker(ctx, replace(task, given=replace(task.given, constraints=constraints)))
        if done.returncode == 0:
            return done
        if not any(line.name and line.name in f"{done.stderr}{done.stdout}" for line in ours):
            break  # what failed has nothing to do with them
    raise _failure(ctx, done)


def _target(ctx: Context) -> Target:
    python = ".".join(str(ctx.param("docker.python_version") or ctx.oracle("python.version")).split(".")[:2])
    arch = ARCHES[ctx.param("lock.platform")] if ctx.param("lock.platform") else ctx.oracle("arch")
    return Target(python, arch, ctx.param("docker.libc"))


def _unlocked(ctx: Context, files: Files) -> dict[str, Produced]:
    asked = "env/python/requirements.in"
    if asked not in files:
        return {}
    given = _given(ctx, True)
    if any(line.hashes for line in [*given.lines, *given.constraints]):
        raise BentofileError(
            "Hashed requirements cannot be installed without a lock: pip then wants hashes of bentoml, too.",
            place=ctx.place("python.lock_packages"),
            hint="Remove `lock_packages: false`; the lock keeps your hashes and has those of all others.",
        )
    ours = _from_git(ctx)
    return {"env/python/requirements.txt": "".join(f"{ours.get(s, s)}\n" for s in files.text(asked).splitlines())}


def _given(ctx: Context, classes: bool) -> pins.Requirements:
    """What is to be locked: the user's requirements, and for "runner" what those do not say themselves."""
    files = ctx.input("requirements")
    name = f"env/python/requirements.{'in' if classes else 'txt'}"
    given = pins.Requirements()
    if name in files:
        given = pins.read([(name, None)], reader=lambda path: files.read(path) if path in files else None)
    words = pip_words.split(ctx.param("python.pip_args") or "", ctx.place("python.pip_args"))
    given.options = Options.of(ctx.param, ctx.place).over(pip_words.for_lock(words)).over(given.options)
    if not classes:
        bounds = [bound for bound in RUNNER_BOUNDS if not given.named(bound.partition("<")[0])]
        added = given.bentoml(pins.released(ctx.oracle("bentoml.version"))) + bounds
        given.lines += pins.read(lines=added, reader=lambda path: None).lines
    ours = _from_git(ctx)
    given.lines = [_instead(line, ours.get(line.spec)) for line in given.lines]
    return given


def _from_git(ctx: Context) -> dict[str, str]:
    """Requirement → the same at its commit, or the sdist of it that is packed."""
    packed: dict[str, str] = json.loads(ctx.input("sdists").text("packed.json"))
    found: dict[str, str] = {}
    for spec, commit in json.loads(ctx.input("commits").text("commits.json"))["commits"].items():
        source = git_source.parse(spec)
        if source is not None and spec in packed:
            found[spec] = f"{wheels.NAMED}{packed[spec]}{source.extras}{source.marker}"
        elif source is not None:
            found[spec] = source.at(commit)
    return found


def _instead(line: pins.Line, spec: str | None) -> pins.Line:
    if spec is None:
        return line
    return line._replace(text=spec, spec=spec, path=spec if spec.startswith(wheels.NAMED) else None)


def _for_locker(ctx: Context, spec: str) -> str:
    """pip reads a repository of this machine only where the name stands behind it."""
    source = git_source.parse(spec)
    if source is None or not source.url.startswith("file:") or ctx.param("lock.locker") != "pip-compile":
        return spec
    name = f"egg={source.name}{source.extras}" if source.name else ""
    inside = f"subdirectory={source.subdirectory}" if source.subdirectory else ""
    tail = "&".join(word for word in (name, inside) if word)
    return f"git+{source.url}@{source.ref}{'#' if tail else ''}{tail}{source.marker}"


def _pin_commits(ctx: Context, found: dict[str, pins.Line], secrets: Mapping[str, str]) -> None:
    """What a package wants of git itself: pip-compile leaves a branch a branch."""
    for name, line in found.items():
        source = git_source.parse(line.spec)
        if source is not None and not source.exact:
            commit = git_source.commit_of(ctx, source, secrets, secret_values.asked_at(ctx))
            found[name] = line._replace(text=source.at(commit), spec=source.at(commit))


def _hashed(ctx: Context, given: pins.Requirements) -> bool:
    """Whether the lock has hashes; pip has none of a repository, and wants all or none."""
    hashes = bool(ctx.param("lock.hashes")) or "--require-hashes" in given.options.other
    hashes = hashes or any(line.hashes for line in [*given.lines, *given.constraints])
    for line in given.lines if hashes else ():
        if "git+" in line.spec:
            raise BentofileError(
                f"{line.name or line.spec} comes from a git repository, which has no hash, and pip wants hashes of all "
                "packages or of none.",
                place=secret_values.asked_at(ctx),
                hint="Build a wheel of it (python.wheels), or lock without hashes.",
            )
    return hashes


def _seeds(ctx: Context, upgrade: list[str]) -> dict[str, str]:
    """Installed name → public version: what a locker keeps where that satisfies the rest."""
    if "*" in upgrade:
        return {}
    installed: dict[str, str] = ctx.host("installed")()
    return {
        name: version.partition("+")[0]
        for name, version in installed.items()
        if name not in upgrade and pins.is_version(version)
    }


def _place_archives(ctx: Context, given: pins.Requirements, trees: tuple[Files, ...]) -> None:
    """Packed wheels and sdists, where their paths find them."""
    for line in given.lines:
        name = (line.path or "").removeprefix(wheels.NAMED).partition(";")[0].partition("[")[0].strip()
        for files in trees if (line.path or "").startswith(wheels.NAMED) else ():
            if f"{wheels.DIRECTORY}/{name}" in files:
                os.makedirs(os.path.join(ctx.workdir, wheels.NAMED), exist_ok=True)
                with open(os.path.join(ctx.workdir, wheels.NAMED, name), "wb") as file:
                    file.write(files.read(f"{wheels.DIRECTORY}/{name}"))


def _sources(options: Options) -> list[str]:
    """Option lines for the locker. A relative path of find_links means nothing to it; some are words of its own."""
    links = [link for link in options.find_links if "://" in link or os.path.isabs(link)]
    own = ("--pre", "--require-hashes", pip_words.NO_BUILD_ISOLATION)
    other = [line for line in options.other if line not in own]
    return Options(options.index_url, options.no_index, [], options.extra_index_url, links, other).lines()


def _remark_missing(ctx: Context, task: Task, seeds: Mapping[str, str], locked: Mapping[str, str]) -> None:
    """Warn of installed versions that the index does not have: only those can differ without a requirement's doing."""
    moved = [name for name in sorted(locked) if name in seeds and locked[name].partition("==")[2] != seeds[name]]
    moved = [name for name in moved if "==" in locked[name]]
    if not moved:
        return
    # uv keeps a seed if the index has it, so one process answers for all of them.
    lock_text.write(ctx, CHECK, moved + _sources(task.given.options))
    lock_text.write(ctx, "check.txt", [f"{name}=={seeds[name]}" for name in moved])
    argv = [CHECK, "--output-file", "check.txt", "--no-deps", "--prerelease", "allow"]
    if lockers.run_uv(ctx, task, argv).returncode != 0:
        return  # it was a courtesy; the lock itself stands
    available = {name: lock_text.bare(line) for name, line in lock_text.read(ctx, "check.txt").items()}
    for name in moved:
        if available.get(name) != f"{name}=={seeds[name]}":
            ctx.warn(
                f"{name} {seeds[name]} is installed, but the package index has no such version for "
                f"{task.target}: the lock has {locked[name].partition('==')[2]}.",
                hint=f"Test with that version, or pin {name} under python.packages.",
            )


def _remark_grpc(ctx: Context, task: Task, found: Mapping[str, pins.Line]) -> None:
    if task.generation != "runner" or not grpc_bounds.asked(task.given.lines):
        return
    broken = grpc_bounds.broken({name: lock_text.bare(line).partition("==")[2] for name, line in found.items()})
    if broken is not None:
        hint = "Loosen what asks for these versions, or serve HTTP only: bentoml without its extra grpc."
        ctx.warn(broken, place=secret_values.asked_at(ctx), hint=hint)


def _failure(ctx: Context, done: Completed) -> StepError:
    return StepError(
        "The requirements cannot be locked.",
        place=secret_values.asked_at(ctx),
        hint="Loosen what conflicts; `lock_packages: false` under python builds without a lock.",
        detail=lockers.words(done.stderr or done.stdout, ctx.workdir),
    )
