"""lock: every requirement at one version, resolved for the Bento's Linux and Python, kept at what is installed here."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bentomake.bento import pins
from bentomake.bento.package_source import Options, scrub
from bentomake.engine.rule import Context, Produced, rule
from bentomake.errors import StepError, UsageError

if TYPE_CHECKING:
    from bentomake.engine.process import Completed

# What bentoml 1.0 and 1.1 need to be imported and used, but do not say: fs imports pkg_resources, and
# `bentoml containerize` fails with click 8.3.
RUNNER_BOUNDS = ("setuptools<81", "click<8.3")

# The one setting of the host that counts: where its mirror of the package index is. First one wins.
MIRRORS = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")

# Settings that say how packages are reached, never which ones there are. All others of uv and pip are left out, so
# that both lockers see one index and a lock does not depend on packages that only this machine can find.
TRANSPORT = re.compile(
    r"UV_(CACHE_DIR|NO_CACHE|OFFLINE|HTTP_.*|REQUEST_TIMEOUT|NATIVE_TLS|SYSTEM_CERTS|INSECURE_HOST|KEYRING_PROVIDER"
    r"|CONCURRENT_.*|LINK_MODE|INDEX_.*_(USERNAME|PASSWORD)|CREDENTIALS_DIR)"
    r"|PIP_(CERT|CLIENT_CERT|PROXY|TIMEOUT|DEFAULT_TIMEOUT|RETRIES|CACHE_DIR|TRUSTED_HOST|KEYRING_PROVIDER"
    r"|DISABLE_PIP_VERSION_CHECK)|PIP_TOOLS_CACHE_DIR"
)

IN, OUT, CONSTRAINTS, CHECK = "requirements.in", "requirements.txt", "constraints.txt", "installed.in"


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
    ],
    tools=["uv", "pip-compile"],
    oracles=["bentoml.version", "generation", "python.version", "arch"],
)
def lock(ctx: Context) -> Mapping[str, Produced]:
    """requirements.lock.txt of a "runner" Bento, requirements.txt of a "class" one; sorted, the user's options first.

    Raises StepError with the resolver's words when there is no solution.
    """
    classes = ctx.oracle("generation") == "class"
    files = ctx.input("requirements")
    if ctx.param("python.lock_packages") is False:
        asked = "env/python/requirements.in"
        return {"env/python/requirements.txt": files.text(asked)} if classes and asked in files else {}

    given = _given(ctx, classes)
    upgrade: list[str] = [pins.canonical(name) for name in ctx.param("lock.upgrade") or []]
    seeds = _seeds(ctx, upgrade)
    _place_archives(ctx, given)
    _write(ctx, IN, [line.spec for line in given.lines] + _sources(given.options))
    _write(ctx, CONSTRAINTS, [line.spec for line in given.constraints])
    _write(ctx, OUT, [f"{name}=={version}" for name, version in sorted(seeds.items())])
    env = _environment(ctx, given.options)
    compile_ = _pip_compile if ctx.param("lock.locker") == "pip-compile" else _uv
    done = compile_(ctx, given, upgrade, env)
    if done.returncode != 0:
        raise _failure(ctx, done)
    with open(os.path.join(ctx.workdir, OUT), encoding="utf-8") as file:
        locked = _locked(file.read(), ctx.workdir)
    ctx.log(f"{ctx.param('lock.locker') or 'uv'} locked {len(locked)} packages in {done.seconds:.2f} s")
    for name in locked:
        if name not in upgrade and "*" not in upgrade:
            ctx.discover("installed", name)
    _remark_missing(ctx, given, seeds, locked, env)
    if upgrade:
        ctx.forget("--upgrade asks the package index anew each time")
    text = "\n".join([*given.options.lines(), *sorted(locked.values())]) + "\n"
    return {f"env/python/requirements{'' if classes else '.lock'}.txt": text}


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


def _place_archives(ctx: Context, given: pins.Requirements) -> None:
    """Local wheels and sdists, where their relative paths find them."""
    for line in given.lines:
        path = os.path.normpath(line.path or "..")
        if path.startswith("..") or os.path.isabs(path) or not path.endswith(pins.ARCHIVES):
            continue
        if ctx.discover("file", f"ctx/{path}").digest != "absent":
            os.makedirs(os.path.dirname(os.path.join(ctx.workdir, path)), exist_ok=True)
            with open(os.path.join(ctx.workdir, path), "wb") as file:
                file.write(ctx.host("read")(f"ctx/{path}"))


def _sources(options: Options) -> list[str]:
    """Option lines for the locker. A relative path of find_links means nothing to it; `--require-hashes` has none."""
    links = [link for link in options.find_links if "://" in link or os.path.isabs(link)]
    other = [line for line in options.other if line not in ("--pre", "--require-hashes")]
    return Options(options.index_url, options.no_index, [], options.extra_index_url, links, other).lines()


def _write(ctx: Context, name: str, lines: list[str]) -> None:
    with open(os.path.join(ctx.workdir, name), "w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)


def _python(ctx: Context) -> str:
    """The Bento's Python as X.Y."""
    version = str(ctx.param("docker.python_version") or ctx.oracle("python.version"))
    return ".".join(version.split(".")[:2])


def _uv(ctx: Context, given: pins.Requirements, upgrade: list[str], env: Mapping[str, str]) -> Completed:
    argv = [IN, "--output-file", OUT]
    if given.constraints:
        argv += ["--constraint", CONSTRAINTS]
    if "*" in upgrade:
        argv += ["--upgrade"]  # nothing is seeded; this also refreshes what uv remembers of the index
    else:
        argv += [word for name in upgrade for word in ("--upgrade-package", name)]
    return _run_uv(ctx, given, argv, env)


def _run_uv(ctx: Context, given: pins.Requirements, argv: list[str], env: Mapping[str, str]) -> Completed:
    head = [*ctx.tool("uv").argv, "pip", "compile", "--quiet", "--no-config", "--no-python-downloads", "--no-progress"]
    where = [
        *("--python", ctx.host("python")),
        # The image has the newest patch release of X.Y, uv would take X.Y.0 and refuse what needs a later one.
        *("--python-version", f"{_python(ctx)}.99"),
        *("--python-platform", f"{ctx.oracle('arch')}-unknown-linux-gnu"),
        *(word for host in given.options.trusted_host for word in ("--allow-insecure-host", host)),
    ]
    if given.options.extra_index_url and ctx.oracle("generation") == "runner":
        where += ["--index-strategy", "unsafe-best-match"]  # as pip sees them, which installs this generation's lock
    if "--pre" in given.options.other and "--prerelease" not in argv:
        where += ["--prerelease", "allow"]
    return ctx.run([*head, *where, "--no-header", "--no-annotate", *argv], env=env, cwd=ctx.workdir)


def _pip_compile(ctx: Context, given: pins.Requirements, upgrade: list[str], env: Mapping[str, str]) -> Completed:
    import platform

    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if sys.platform != "linux" or platform.machine() != ctx.oracle("arch") or own != _python(ctx):
        raise UsageError(
            f"pip-compile can lock only for the Python it runs in: the Bento is for Python {_python(ctx)} on Linux "
            f"{ctx.oracle('arch')}, bentomake runs in Python {own} on {platform.system()} {platform.machine()}.",
            place=ctx.place("docker.python_version"),
            hint="Lock with uv (--locker uv), which locks for any Python.",
        )
    argv = [*ctx.tool("pip-compile").argv, "--quiet", "--no-config", "--resolver", "backtracking", "--allow-unsafe"]
    argv += ["--strip-extras", "--no-header", "--no-annotate", "--no-emit-options"]
    argv += ["--no-emit-index-url", "--no-emit-find-links", "--no-emit-trusted-host"]
    argv += [word for host in given.options.trusted_host for word in ("--trusted-host", host)]
    argv += ["--pre"] if "--pre" in given.options.other else []
    argv += ["--constraint", CONSTRAINTS] if given.constraints else []
    return ctx.run([*argv, "--output-file", OUT, IN], env=env, cwd=ctx.workdir)


def _environment(ctx: Context, options: Options) -> dict[str, str]:
    """The lockers' environment. A mirror of the default index goes to them by it, and nowhere else."""
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("UV_", "PIP_")) or TRANSPORT.fullmatch(name)
    }
    env["PIP_CONFIG_FILE"] = os.devnull
    for name in () if options.index_url or options.no_index else MIRRORS:
        fact = ctx.discover("env", name)
        if fact.digest != "absent" and fact.value:
            env["PIP_INDEX_URL"] = env["UV_DEFAULT_INDEX"] = re.sub(r"^[\w.-]+=", "", str(fact.value))  # or NAME=URL
            break
    return env


def _locked(text: str, workdir: str) -> dict[str, str]:
    """Name → line of a locker's output, both lockers' in one spelling: no options, comments, extras or markers."""
    found = pins.read([(OUT, None)], reader=lambda path: text.replace(f"file://{workdir}/", "./").encode())
    locked: dict[str, str] = {}
    for line in found.lines:
        spec = re.split(r"\s+;\s", line.spec)[0].strip()
        spec = re.sub(r"^\S+ @ (?=\./)", "", spec)  # a local file goes by its path alone
        locked[line.name or spec] = spec
    return locked


def _remark_missing(
    ctx: Context, given: pins.Requirements, seeds: dict[str, str], locked: dict[str, str], env: Mapping[str, str]
) -> None:
    """Warn of installed versions that the index does not have: only those can differ without a requirement's doing."""
    moved = [name for name in sorted(locked) if name in seeds and locked[name].partition("==")[2] != seeds[name]]
    moved = [name for name in moved if "==" in locked[name]]
    if not moved:
        return
    # uv keeps a seed if the index has it, so one process answers for all of them.
    _write(ctx, CHECK, moved + _sources(given.options))
    _write(ctx, "check.txt", [f"{name}=={seeds[name]}" for name in moved])
    argv = [CHECK, "--output-file", "check.txt", "--no-deps", "--prerelease", "allow"]
    done = _run_uv(ctx, given, argv, env)
    if done.returncode != 0:
        return  # it was a courtesy; the lock itself stands
    with open(os.path.join(ctx.workdir, "check.txt"), encoding="utf-8") as file:
        available = _locked(file.read(), ctx.workdir)
    for name in moved:
        if available.get(name) != f"{name}=={seeds[name]}":
            ctx.warn(
                f"{name} {seeds[name]} is installed, but the package index has no such version for Python "
                f"{_python(ctx)} on Linux {ctx.oracle('arch')}: the lock has {locked[name].partition('==')[2]}.",
                hint=f"Test with that version, or pin {name} under python.packages.",
            )


def _failure(ctx: Context, done: Completed) -> StepError:
    return StepError(
        "The requirements cannot be locked.",
        place=ctx.place("python.requirements_txt") or ctx.place("python.packages"),
        hint="Loosen what conflicts; `lock_packages: false` under python builds without a lock.",
        detail=_words(done.stderr or done.stdout, ctx.workdir),
    )


def _words(text: str, workdir: str) -> str:
    """What a locker said, without colours, credentials, paths of this run, and its own Python traceback."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace(workdir + os.sep, "")
    kept: list[str] = []
    inside = False
    for line in scrub(text).splitlines():
        if line.startswith("Traceback (most recent call last)"):
            inside = True
        elif inside and re.match(r"[A-Za-z_][\w.]*(: |$)", line):
            inside = False  # the exception itself; the last one is what happened
            last = line.partition(": ")[2]
            kept = [*(k for k in kept if not k.startswith("\0")), *(["\0" + last] if last else [])]
        elif not inside and line.strip() and not line.startswith(("During handling of", "The above exception was")):
            kept.append(line.strip() if "ERROR:" in line else line)
    return "\n".join(line.lstrip("\0") for line in kept)
