"""Wheels that a lock names: fetched by pip for an image's Python, machine and C library, whatever this machine has."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..engine.rule import Context
from . import pins, targets
from .lockers import words
from .package_source import Options, hide

if TYPE_CHECKING:
    from ..engine.process import Completed

_EXACT = re.compile(r"([\w.-]+)(\[[^\]]*\])?\s*===?\s*([^\s;*,]+)")
_NO_WHEEL = re.compile(r"No matching distribution found for ([\w.-]+)")
# What pip's own log says when it is not the index that has no such wheel, but nobody could be asked.
_UNREACHED = re.compile(r"Could not fetch URL (?!\S+ 404 )|Retrying \(|problem confirming the ssl certificate")

# Words of python.pip_args that say how packages are reached. Any other may change what is installed, or where.
_HOW = re.compile(
    r"--(pre|prefer-binary|no-input|quiet|verbose|no-warn-script-location|disable-pip-version-check)|-[qv]+"
)
_HOW_VALUE = re.compile(
    r"(--(timeout|retries|progress-bar|trusted-host|index-url|extra-index-url|find-links|proxy|cert|client-cert"
    r"|keyring-provider|root-user-action|log)|-[if])(=.*)?"
)
PLACE = "/run/bentomake"  # in an image, while it installs
STAGE = "wheelhouse"  # of a Dockerfile: empty, unless the build is given a context of that name


def suits(pip_words: Sequence[str]) -> bool:
    """Whether wheels that are here do as well under these pip_args; `--no-cache-dir` asks for fresh ones."""
    waiting = list(pip_words)
    while waiting:
        word = waiting.pop(0)
        if option := _HOW_VALUE.fullmatch(word):
            if not option[3] and waiting:
                waiting.pop(0)
        elif not _HOW.fullmatch(word):
            return False
    return True


_LOG = "pip.log"  # in the step's directory, which goes when it ends: it may have credentials


@dataclass(frozen=True)
class Pin:
    """A requirement at one version: `text` is its line, with hashes if it has some."""

    name: str
    version: str
    text: str
    hashes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Target:
    """What wheels are for: Python X.Y, a machine (`x86_64`), and its C library (`musl` or `glibc-2.N`)."""

    python: str
    arch: str
    libc: str

    @property
    def platforms(self) -> list[str]:
        """The platform tags of wheels that run there, the best first."""
        if self.libc == "musl":
            return [f"musllinux_1_{minor}_{self.arch}" for minor in (2, 1)] + [f"linux_{self.arch}"]
        newest = int(self.libc.rpartition(".")[2])
        found = []
        for minor in range(newest, 4, -1):
            found.append(f"manylinux_2_{minor}_{self.arch}")
            old = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}.get(minor)
            found += [f"{old}_{self.arch}"] if old else []
        return [*found, f"linux_{self.arch}"]


def exact(line: pins.Line) -> Pin | None:
    """The one version that a line names; None for a range, a URL or a file."""
    found = None if "://" in line.spec or line.path else _EXACT.match(line.spec)
    if found is None or line.name is None:
        return None
    text = " ".join([f"{found[1]}{found[2] or ''}=={found[3]}", *(f"--hash={value}" for value in line.hashes)])
    return Pin(line.name, found[3], text, tuple(sorted(line.hashes)))


def pinned(lines: Sequence[pins.Line], target: Target) -> tuple[list[Pin], list[pins.Line]]:
    """The lines that name one version of the index, and the others; without those that the target does not want."""
    found, other = [], []
    for line in lines:
        pin = exact(line)
        if pin is None:
            other.append(line)
        elif targets.wanted(line.spec, target.python, target.arch):
            found.append(pin)
    return found, other


@dataclass
class Fetched:
    """Pin → the path of its wheel; the pins that the index has no wheel of; why the rest could not be had."""

    wheels: dict[Pin, str]
    without: list[Pin]
    failure: str | None = None


def fetch(
    ctx: Context, wanted: Sequence[Pin], target: Target, options: Options, env: Mapping[str, str], secrets: Any
) -> Fetched:
    """Have pip fetch these wheels into the step's own directory; an sdist is never run here to learn about it."""
    directory = os.path.join(ctx.workdir, "fetched")
    left, without = list(wanted), list[Pin]()
    while left:
        done = _pip(ctx, directory, left, target, options, env, secrets)
        if done.returncode == 0:
            break
        said = done.stderr + done.stdout
        with open(os.path.join(ctx.workdir, _LOG), encoding="utf-8", errors="replace") as file:
            unreached = _UNREACHED.search(file.read())
        missing = {pins.canonical(name) for name in _NO_WHEEL.findall(said)}
        now = [pin for pin in left if pin.name in missing]
        if not now or unreached:
            return Fetched({}, without, words(said, ctx.workdir))
        without += now
        left = [pin for pin in left if pin not in now]
    names = os.listdir(directory) if os.path.isdir(directory) else []
    by_name = {named[0]: name for name in names if (named := version_of(name))}
    found = {pin: os.path.join(directory, by_name[pin.name]) for pin in left if serves(by_name.get(pin.name), pin)}
    return Fetched(found, [*without, *(pin for pin in left if pin not in found)])


def _pip(
    ctx: Context,
    directory: str,
    wanted: Sequence[Pin],
    target: Target,
    options: Options,
    env: Mapping[str, str],
    secrets: Mapping[str, str],
) -> Completed:
    links = [link for link in options.find_links if "://" in link or os.path.isabs(link)]
    sources = Options(options.index_url, options.no_index, options.trusted_host, options.extra_index_url, links)
    with open(os.path.join(ctx.workdir, "fetch.txt"), "w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in [*sources.lines(), *(pin.text for pin in wanted)])
    argv = [*ctx.tool("pip").argv, "download", "--quiet", "--no-input", "--no-cache-dir", "--no-deps", "--pre"]
    argv += ["--only-binary", ":all:", "--implementation", "cp", "--python-version", target.python]
    argv += [word for platform in target.platforms for word in ("--platform", platform)]
    argv += [
        "--log",
        os.path.join(ctx.workdir, _LOG),
        "--dest",
        directory,
        "--requirement",
        os.path.join(ctx.workdir, "fetch.txt"),
    ]
    return ctx.run(argv, env=env, cwd=ctx.workdir, hide=lambda text: hide(text, secrets))


def version_of(filename: str) -> tuple[str, str] | None:
    """(canonical name, normal version) of a wheel; None for any other file."""
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        name, version, *_ = parse_wheel_filename(filename)
    except InvalidWheelFilename:
        return None
    return str(name), str(version)


def serves(filename: str | None, pin: Pin) -> bool:
    """Whether a wheel is one of that pin; `2.1+cpu` is one of `2.1`."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    named = version_of(filename or "")
    try:
        return (
            named is not None
            and named[0] == pin.name
            and (SpecifierSet(f"=={pin.version}").contains(named[1], prereleases=True))
        )
    except InvalidSpecifier:
        return False


def extract(wheel: str, program: str, destination: str) -> None:
    """Take a program out of a wheel that brings it as a script."""
    import shutil
    import zipfile

    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(f".data/scripts/{program}"))
        with archive.open(name) as source, open(destination, "wb") as file:
            shutil.copyfileobj(source, file)
