"""uv and pip-compile: how they are called, in what environment, and what of their words is for the user."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..engine.rule import Context
from ..errors import UsageError
from . import pins
from .package_source import Options, hide
from .pip_words import NO_BUILD_ISOLATION
from .targets import Target

if TYPE_CHECKING:
    from ..engine.process import Completed

# The one setting of the host that counts: where its mirror of the package index is. First one wins.
MIRRORS = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")

# Settings that say how packages are reached, never which ones there are. All others of uv and pip are left out, so
# that both lockers see one index and a lock does not depend on packages that only this machine can find.
TRANSPORT = (  # compiled when it is needed
    r"UV_(CACHE_DIR|NO_CACHE|OFFLINE|HTTP_.*|REQUEST_TIMEOUT|NATIVE_TLS|SYSTEM_CERTS|INSECURE_HOST|KEYRING_PROVIDER"
    r"|CONCURRENT_.*|LINK_MODE|INDEX_.*_(USERNAME|PASSWORD)|CREDENTIALS_DIR)"
    r"|PIP_(CERT|CLIENT_CERT|PROXY|TIMEOUT|DEFAULT_TIMEOUT|RETRIES|CACHE_DIR|TRUSTED_HOST|KEYRING_PROVIDER"
    r"|DISABLE_PIP_VERSION_CHECK)|PIP_TOOLS_CACHE_DIR"
)

IN, OUT, CONSTRAINTS = "requirements.in", "requirements.txt", "constraints.txt"  # in the step's directory


@dataclass(frozen=True)
class Task:
    """What is to be locked, for Python X.Y on Linux `arch`; the files IN, OUT and CONSTRAINTS are written already."""

    given: pins.Requirements
    python: str
    arch: str
    generation: str
    hashes: bool = False
    upgrade: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)  # variable → value; also in `env`, never in an argument
    libc: str | None = "gnu"

    @property
    def target(self) -> Target:
        return Target(self.python, self.arch, self.libc)


def uv(ctx: Context, task: Task) -> Completed:
    argv = [IN, "--output-file", OUT]
    if task.given.constraints:
        argv += ["--constraint", CONSTRAINTS]
    if "*" in task.upgrade:
        argv += ["--upgrade"]  # nothing is seeded; this also refreshes what uv remembers of the index
    else:
        argv += [word for name in task.upgrade for word in ("--upgrade-package", name)]
    return run_uv(ctx, task, [*argv, *(["--generate-hashes"] if task.hashes else [])])


def run_uv(ctx: Context, task: Task, argv: list[str]) -> Completed:
    """`uv pip compile` for the Bento's Python and machine, with these further words."""
    head = [*ctx.tool("uv").argv, "pip", "compile", "--quiet", "--no-config", "--no-python-downloads", "--no-progress"]
    where = [
        *("--python", ctx.host("python")),
        # The image has the newest patch release of X.Y, uv would take X.Y.0 and refuse what needs a later one.
        *("--python-version", f"{task.target.python}.99"),
        *("--python-platform", task.target.triple),
        *(word for host in task.given.options.trusted_host for word in ("--allow-insecure-host", host)),
    ]
    if task.given.options.extra_index_url and task.generation == "runner":
        where += ["--index-strategy", "unsafe-best-match"]  # as pip sees them, which installs this generation's lock
    if "--pre" in task.given.options.other and "--prerelease" not in argv:
        where += ["--prerelease", "allow"]
    if NO_BUILD_ISOLATION in task.given.options.other:
        where += [NO_BUILD_ISOLATION]
    return _run(ctx, task, [*head, *where, "--no-header", "--no-annotate", *argv])


def pip_compile(ctx: Context, task: Task) -> Completed:
    import platform

    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    target = task.target
    here = Target(own, platform.machine(), "gnu" if platform.libc_ver()[0] == "glibc" else "musl")
    if sys.platform != "linux" or here[:2] != target[:2] or (target.libc or here.libc) != here.libc:
        raise UsageError(
            f"pip-compile can lock only for the Python it runs in: the Bento is for {target}, bentomake runs in "
            f"{str(here).replace('Linux', platform.system(), 1)}.",
            place=ctx.place("docker.python_version"),
            hint="Lock with uv (--locker uv), which locks for any Python.",
        )
    argv = [*ctx.tool("pip-compile").argv, "--quiet", "--no-config", "--resolver", "backtracking", "--allow-unsafe"]
    argv += ["--strip-extras", "--no-header", "--no-annotate", "--no-emit-options"]
    argv += ["--no-emit-index-url", "--no-emit-find-links", "--no-emit-trusted-host"]
    argv += [word for host in task.given.options.trusted_host for word in ("--trusted-host", host)]
    argv += ["--pre"] if "--pre" in task.given.options.other else []
    argv += ["--constraint", CONSTRAINTS] if task.given.constraints else []
    argv += ["--generate-hashes"] if task.hashes else []
    argv += [NO_BUILD_ISOLATION] if NO_BUILD_ISOLATION in task.given.options.other else []
    return _run(ctx, task, [*argv, "--output-file", OUT, IN])


def _run(ctx: Context, task: Task, argv: list[str]) -> Completed:
    return ctx.run(argv, env=task.env, cwd=ctx.workdir, hide=lambda text: hide(text, task.secrets))


def environment(ctx: Context, options: Options, secrets: Mapping[str, str]) -> dict[str, str]:
    """The lockers' environment. A mirror of the default index goes to them by it, and nowhere else."""
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("UV_", "PIP_")) or re.fullmatch(TRANSPORT, name)
    }
    env |= secrets  # both lockers expand ${VARIABLE} in the files that they read
    env["PIP_CONFIG_FILE"] = os.devnull
    env["TMPDIR"] = ctx.workdir  # uv leaves locks of what it builds there
    for name in () if options.index_url or options.no_index else MIRRORS:
        fact = ctx.discover("env", name)
        if fact.digest != "absent" and fact.value:
            env["PIP_INDEX_URL"] = env["UV_DEFAULT_INDEX"] = re.sub(r"^[\w.-]+=", "", str(fact.value))  # or NAME=URL
            break
    return env


def words(text: str, workdir: str) -> str:
    """What a locker said, without colours, paths of this run, and its own Python traceback."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace(workdir + os.sep, "")
    kept: list[str] = []
    inside = False
    for line in text.splitlines():
        if line.startswith("Traceback (most recent call last)"):
            inside = True
        elif inside and re.match(r"[A-Za-z_][\w.]*(: |$)", line):
            inside = False  # the exception itself; the last one is what happened
            last = line.partition(": ")[2]
            kept = [*(k for k in kept if not k.startswith("\0")), *(["\0" + last] if last else [])]
        elif not inside and line.strip() and not line.startswith(("During handling of", "The above exception was")):
            kept.append(line.strip() if "ERROR:" in line else line)
    return "\n".join(line.lstrip("\0") for line in kept)
