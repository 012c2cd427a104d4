"""lock: every requirement at one version, resolved for the Bento's Linux and Python, kept at what is installed here."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bentomake.bento import lockers, pins, wheels
from bentomake.bento.lockers import CONSTRAINTS, IN, OUT, Task
from bentomake.bento.package_source import Options, secret_variables, variables
from bentomake.engine.rule import Context, Files, Produced, rule
from bentomake.errors import BentofileError, StepError

if TYPE_CHECKING:
    from bentomake.engine.process import Completed

# What bentoml 1.0 and 1.1 need to be imported and used, but do not say: fs imports pkg_resources, and
# `bentoml containerize` fails with click 8.3.
RUNNER_BOUNDS = ("setuptools<81", "click<8.3")

ARCHES = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
CHECK = "installed.in"


@rule(
    outputs=["(env/python/requirements.lock.txt)", "(env/python/requirements.txt)"],
    inputs=["requirements"],
    params=[
        "python.requirements_txt",
        "python.lock_packages",
        "python.index_url",
        "python.no_index",
        "python.trusted_host",
        "python.extra_index_url",
        "python.find_links",
        "docker.python_version",
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
    classes = ctx.oracle("generation") == "class"
    files = ctx.input("requirements")
    python = ".".join(str(ctx.param("docker.python_version") or ctx.oracle("python.version")).split(".")[:2])
    arch = ARCHES[ctx.param("lock.platform")] if ctx.param("lock.platform") else ctx.oracle("arch")
    for path in files.tree:
        if path.startswith(wheels.DIRECTORY):
            wheels.judge(ctx, path, python, arch)
    if ctx.param("python.lock_packages") is False:
        return _unlocked(ctx, files) if classes else {}

    given = _given(ctx, classes)
    hashes = _hashed(ctx, given)
    upgrade: list[str] = [pins.canonical(name) for name in ctx.param("lock.upgrade") or []]
    seeds = _seeds(ctx, upgrade)
    _place_archives(ctx, given, files)
    _write(ctx, IN, [line.spec for line in given.lines] + _sources(given.options))
    _write(ctx, CONSTRAINTS, [line.spec for line in given.constraints])
    _write(ctx, OUT, [f"{name}=={version}" for name, version in sorted(seeds.items())])
    secrets = _secrets(ctx, given)
    env = lockers.environment(ctx, given.options, secrets)
    task = Task(given, python, arch, ctx.oracle("generation"), hashes, tuple(upgrade), env, secrets)
    done = (lockers.pip_compile if ctx.param("lock.locker") == "pip-compile" else lockers.uv)(ctx, task)
    if done.returncode != 0:
        raise _failure(ctx, done)
    found = _read(ctx, OUT)
    locked = {name: _spec(line, given) for name, line in found.items()}
    _refuse_secrets(ctx, locked, secrets)
    ctx.log(f"{ctx.param('lock.locker') or 'uv'} locked {len(locked)} packages in {done.seconds:.2f} s")
    for name in locked:
        if name not in upgrade and "*" not in upgrade and not name.startswith("./"):
            ctx.discover("installed", name)
    _remark_missing(ctx, task, seeds, locked)
    if upgrade:
        ctx.forget("--upgrade asks the package index anew each time")
    if hashes:
        locked = {name: _with_hashes(ctx, spec, found[name], given) for name, spec in locked.items()}
    text = "\n".join([*given.options.lines(), *sorted(locked.values())]) + "\n"
    return {f"env/python/requirements{'' if classes else '.lock'}.txt": text}


def _unlocked(ctx: Context, files: Files) -> dict[str, Produced]:
    asked = "env/python/requirements.in"
    if asked not in files:
        return {}
    if any(line.hashes for line in _given(ctx, True).lines):
        raise BentofileError(
            "Hashed requirements cannot be installed without a lock: pip then wants hashes of bentoml, too.",
            place=ctx.place("python.lock_packages"),
            hint="Remove `lock_packages: false`; the lock keeps your hashes and has those of all others.",
        )
    return {"env/python/requirements.txt": files.text(asked)}


def _given(ctx: Context, classes: bool) -> pins.Requirements:
    """What is to be locked: the user's requirements, and for "runner" what those do not say themselves."""
    files = ctx.input("requirements")
    name = f"env/python/requirements.{'in' if classes else 'txt'}"
    given = pins.Requirements()
    if name in files:
        given = pins.read([(name, None)], reader=lambda path: files.read(path) if path in files else None)
    given.options = Options.of(ctx.param, ctx.place).over(given.options)
    if not classes:
        bounds = [bound for bound in RUNNER_BOUNDS if not given.named(bound.partition("<")[0])]
        added = given.bentoml(pins.released(ctx.oracle("bentoml.version"))) + bounds
        given.lines += pins.read(lines=added, reader=lambda path: None).lines
    return given


def _hashed(ctx: Context, given: pins.Requirements) -> bool:
    """Whether the lock has hashes; pip has none of a repository, and wants all or none."""
    hashes = bool(ctx.param("lock.hashes")) or "--require-hashes" in given.options.other
    hashes = hashes or any(line.hashes for line in given.lines)
    for line in given.lines if hashes else ():
        if "git+" in line.spec:
            raise BentofileError(
                f"{line.name or line.spec} comes from a git repository, which has no hash, and pip wants hashes of all "
                "packages or of none.",
                place=_asked_at(ctx),
                hint="Build a wheel of it (python.wheels), or lock without hashes.",
            )
    return hashes


def _secrets(ctx: Context, given: pins.Requirements) -> dict[str, str]:
    """The variables that URLs name, with their values; each is in the key, by its keyed digest."""
    found: dict[str, str] = {}
    asked = {*secret_variables(given.options), *variables(line.spec for line in [*given.lines, *given.constraints])}
    for name in sorted(asked):
        fact = ctx.discover("env", name)
        if fact.digest == "absent" or not fact.value:
            options = [f"python.{option}" for option in ("index_url", "extra_index_url", "find_links")]
            at = next((option for option in options if f"${{{name}}}" in str(ctx.param(option))), None)
            raise BentofileError(
                f"The variable {name} is not set, and {at or 'a requirement'} needs its value.",
                place=ctx.place(at) if at else _asked_at(ctx),
                hint=f"Set it in the environment of the build: export {name}=…; it is kept out of the Bento.",
            )
        found[name] = str(fact.value)
    return found


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


def _place_archives(ctx: Context, given: pins.Requirements, files: Files) -> None:
    """Local wheels and sdists, where their relative paths find them."""
    for line in given.lines:
        path = os.path.normpath(line.path or "..")
        if path.startswith("..") or os.path.isabs(path) or not path.endswith(pins.ARCHIVES):
            continue
        if path in files:
            data = files.read(path)
        elif ctx.discover("file", f"ctx/{path}").digest != "absent":
            data = ctx.host("read")(f"ctx/{path}")
        else:
            continue
        os.makedirs(os.path.dirname(os.path.join(ctx.workdir, path)), exist_ok=True)
        with open(os.path.join(ctx.workdir, path), "wb") as file:
            file.write(data)


def _sources(options: Options) -> list[str]:
    """Option lines for the locker. A relative path of find_links means nothing to it; `--require-hashes` has none."""
    links = [link for link in options.find_links if "://" in link or os.path.isabs(link)]
    other = [line for line in options.other if line not in ("--pre", "--require-hashes")]
    return Options(options.index_url, options.no_index, [], options.extra_index_url, links, other).lines()


def _write(ctx: Context, name: str, lines: list[str]) -> None:
    with open(os.path.join(ctx.workdir, name), "w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)


def _read(ctx: Context, name: str) -> dict[str, pins.Line]:
    """Name → line of a locker's output."""
    with open(os.path.join(ctx.workdir, name), encoding="utf-8") as file:
        data = file.read().replace(f"file://{ctx.workdir}/", "./").encode()
    found = pins.read([(name, None)], reader=lambda path: data, locked=True)
    return {line.name or _bare(line): line for line in found.lines}


def _bare(line: pins.Line) -> str:
    """A line in both lockers' one spelling, without extras and markers; a local file goes by its path alone."""
    return re.sub(r"^\S+ @ (?=\./)", "", re.split(r"\s+;\s", line.spec)[0].strip())


def _spec(line: pins.Line, given: pins.Requirements) -> str:
    """As `_bare`; in a URL, variables are what the user wrote, not their values."""
    spec = _bare(line)
    for asked in given.lines:
        if "://" in spec and asked.name == line.name and variables([asked.spec]):
            if "git+" not in asked.spec:
                return _bare(asked)  # it says all; of a repository, the lock says the commit, too
            user = asked.spec.partition("://")[2].rpartition("@")[0].partition("@")[0]
            host = re.sub(r"^[^/\s]*@", "", spec.partition("://")[2])
            return f"{spec.partition('://')[0]}://{user}@{host}" if user else spec
    return spec


def _refuse_secrets(ctx: Context, locked: Mapping[str, str], secrets: Mapping[str, str]) -> None:
    for variable, value in secrets.items():
        if len(value) > 3 and any(value in spec for spec in locked.values() if "://" in spec):
            raise StepError(
                f"The value of {variable} would be readable in the lock, in the URL of a package.",
                place=_asked_at(ctx),
                hint="Use the variable in place of user or password: https://${" + variable + "}@host/…",
            )


def _with_hashes(ctx: Context, spec: str, line: pins.Line, given: pins.Requirements) -> str:
    """The requirement with its hashes: the user's, where there are some, else all that the index has."""
    hashes = line.hashes
    for asked in given.lines:
        if asked.name == line.name is not None and asked.hashes:
            if not set(asked.hashes) & set(hashes):
                raise StepError(
                    f"None of the hashes that are asked for {spec} is one of the package index.",
                    place=_asked_at(ctx),
                    hint=f"Without them, the lock would have: {', '.join(hashes) or 'none'}.",
                )
            hashes = asked.hashes
    return " \\\n    ".join([spec, *(f"--hash={value}" for value in sorted(hashes))])


def _remark_missing(ctx: Context, task: Task, seeds: Mapping[str, str], locked: Mapping[str, str]) -> None:
    """Warn of installed versions that the index does not have: only those can differ without a requirement's doing."""
    moved = [name for name in sorted(locked) if name in seeds and locked[name].partition("==")[2] != seeds[name]]
    moved = [name for name in moved if "==" in locked[name]]
    if not moved:
        return
    # uv keeps a seed if the index has it, so one process answers for all of them.
    _write(ctx, CHECK, moved + _sources(task.given.options))
    _write(ctx, "check.txt", [f"{name}=={seeds[name]}" for name in moved])
    argv = [CHECK, "--output-file", "check.txt", "--no-deps", "--prerelease", "allow"]
    if lockers.run_uv(ctx, task, argv).returncode != 0:
        return  # it was a courtesy; the lock itself stands
    available = {name: _bare(line) for name, line in _read(ctx, "check.txt").items()}
    for name in moved:
        if available.get(name) != f"{name}=={seeds[name]}":
            ctx.warn(
                f"{name} {seeds[name]} is installed, but the package index has no such version for Python "
                f"{task.python} on Linux {task.arch}: the lock has {locked[name].partition('==')[2]}.",
                hint=f"Test with that version, or pin {name} under python.packages.",
            )


def _asked_at(ctx: Context) -> str | None:
    return ctx.place("python.requirements_txt") or ctx.place("python.packages")


def _failure(ctx: Context, done: Completed) -> StepError:
    return StepError(
        "The requirements cannot be locked.",
        place=_asked_at(ctx),
        hint="Loosen what conflicts; `lock_packages: false` under python builds without a lock.",
        detail=lockers.words(done.stderr or done.stdout, ctx.workdir),
    )
