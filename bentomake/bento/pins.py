"""Requirement files: what a user may write in one, read with `-r` and `-c` followed, each line with its place."""

from __future__ import annotations

import codecs
import posixpath
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from ..errors import BentofileError, Several
from . import package_judgement
from .local_archives import ARCHIVES
from .package_source import Options, refuse_credentials, scrub
from .reading import MOST

Read = Callable[[str], "bytes | None"]

COMMENT = re.compile(r"(?:^|(?<=\s))#.*$")
_URL = re.compile(r"(?:[\w.+-]+(?:\[[^\]]*\])?\s*@\s*)?([A-Za-z][A-Za-z0-9+.-]*)://(\S*)")
_LINE_OPTION = re.compile(r"(?<!\s)\s+(?=--?[a-z])")  # before `--hash=…` and the like after a requirement
HASH = re.compile(r"\s--hash[=\s]\s*(\w+:[0-9a-fA-F]+)")
CIRCLE = "Take one of these lines out."
_SHORT = {"-i": "--index-url", "-f": "--find-links", "-r": "--requirement", "-c": "--constraint", "-e": "--editable"}
_VALUED = (*_SHORT.values(), "--extra-index-url", "--trusted-host", "--no-binary", "--only-binary")
_SOURCES = ("--index-url", "--extra-index-url", "--find-links", "--trusted-host", "--no-index", "--pre")
OTHER = ("--pre", "--prefer-binary", "--require-hashes", "--no-binary", "--only-binary")


class Line(NamedTuple):
    """One requirement: `text` as written without its comment, `spec` without options such as `--hash`."""

    text: str
    spec: str
    place: str
    name: str | None = None  # canonical; None where only the resolver can tell (a bare URL or path)
    pinned: bool = False  # it has a specifier or a URL
    path: str | None = None  # it is a local file

    @property
    def hashes(self) -> list[str]:
        return HASH.findall(self.text)


@dataclass
class Requirements:
    """What one or several requirement files ask for."""

    lines: list[Line] = field(default_factory=list)
    constraints: list[Line] = field(default_factory=list)
    options: Options = field(default_factory=Options)

    def named(self, name: str) -> bool:
        """Whether the user mentions a distribution at all, be it in a constraint."""
        return any(line.name == name for line in [*self.lines, *self.constraints])

    def bentoml(self, version: str | None) -> list[str]:
        """The line that adds bentoml at that version (None: any); none if the user pins it."""
        if any(line.name == "bentoml" and line.pinned for line in self.lines):
            return []
        if version is None or any(line.name == "bentoml" for line in self.constraints):
            return ["bentoml"]  # the constraint says which
        return [f"bentoml=={version}"]


def read(
    paths: Iterable[tuple[str, str | None]] = (),
    *,
    lines: Iterable[str] = (),
    place: str | Callable[[int], str | None] | None = None,
    reader: Read,
    locked: bool = False,
) -> Requirements:
    """Read requirement files, given as (path, where it was named), and single `lines` that stand in the bentofile.

    `reader` gives a file's bytes by its path relative to the build context, or None. Raises BentofileError. What is
    `locked` a resolver wrote: its URLs are not judged.
    """
    reading = _Reading(reader, locked)
    for path, named_at in paths:
        reading.file(path, named_at)
    for index, line in enumerate(lines):
        at = (place(index) if callable(place) else place) or "bentofile"
        for _, text in reading.logical(line, at):
            reading.line(text, at)
    if reading.wrong:
        raise reading.wrong[0] if len(reading.wrong) == 1 else Several([*reading.wrong[:MOST]])
    return reading.found


def released(version: str) -> str | None:
    """The version as an index has it, without local part; None for a development version, or `0+unknown`."""
    from packaging.version import Version

    parsed = Version(version)
    if parsed.is_devrelease or parsed.release == (0,):
        return None
    return parsed.base_version + "".join(map(str, parsed.pre or ()))


def canonical(name: str) -> str:
    """A distribution's name as an index compares it; anything else (`*`) as it is."""
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)


def is_version(text: str) -> bool:
    from packaging.version import InvalidVersion, Version

    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


class _Reading:
    """One pass over files and lines; `chain` holds the files that are open, outermost first."""

    def __init__(self, reader: Read, locked: bool = False):
        self.reader = reader
        self.locked = locked
        self.found = Requirements()
        self.wrong: list[BentofileError] = []

    def file(self, path: str, named_at: str | None, chain: tuple[str, ...] = (), constraint: bool = False) -> None:
        if "://" in path or posixpath.isabs(path):
            raise BentofileError(
                f"{scrub(path)} is not a file of the project.", place=named_at, hint="Name a file of the build context."
            )
        path = posixpath.normpath(path)
        if path in chain:
            circle = " → ".join([*chain[chain.index(path) :], path])
            raise BentofileError(f"Requirement files include each other: {circle}.", place=named_at, hint=CIRCLE)
        try:
            data = self.reader(path)
        except BentofileError as error:
            error.place = named_at
            raise
        if data is None:
            raise BentofileError(
                f"There is no requirement file {path}.",
                place=named_at,
                hint="Paths are relative to the file that names them."
                if chain
                else "Paths start at the build context.",
            )
        for number, text in self.logical(decode(data, path), path, numbered=True):
            self.line(text, f"{path}:{number}", (*chain, path), constraint)

    def logical(self, text: str, place: str, *, numbered: bool = False) -> list[tuple[int, str]]:
        """(number, text) of each line that says something; none of a text with a line that nobody wrote by hand."""
        for number, raw in enumerate(text.splitlines(), 1):
            if len(raw) > package_judgement.MAX_CHARACTERS and not self.locked:
                at = f"{place}:{number}" if numbered else place
                error = BentofileError(package_judgement.TOO_LONG, place=at, hint=package_judgement.SHORTEN)
                self.wrong.append(error)
                return []
        return logical(text)

    def line(self, text: str, place: str, chain: tuple[str, ...] = (), constraint: bool = False) -> None:
        try:
            self._line(text, place, chain, constraint)
        except BentofileError as error:  # the other lines are read all the same
            self.wrong.append(error)

    def _line(self, text: str, place: str, chain: tuple[str, ...], constraint: bool) -> None:
        if not text.startswith("-"):
            spec, *after = _LINE_OPTION.split(text)
            for word in [word for word in after if _is_source(word)]:  # pip knows these on lines of their own
                after.remove(word)
                self.line(word, place)
            line = _requirement(" ".join([spec, *after]), place, self.locked)
            (self.found.constraints if constraint else self.found.lines).append(line)
            return
        option, value = _option(text, place)
        options = self.found.options
        if option in ("--requirement", "--constraint"):
            beside = posixpath.dirname(chain[-1]) if chain else ""
            path = value if "://" in value else posixpath.join(beside, value)
            self.file(path, place, chain, constraint or option == "--constraint")
        elif option == "--editable":
            line = _requirement(value, place)
            if line.path is not None:
                raise BentofileError(
                    f"An editable package cannot travel in a Bento: {text}.",
                    place=place,
                    hint="Its modules are packed as sources; or build a wheel of it.",
                )
            self.found.lines.append(Line(text, f"-e {line.spec}", place, line.name, True))
        elif option == "--index-url":
            refuse_credentials(value, place)
            options.index_url = options.index_url or value
        elif option in ("--extra-index-url", "--find-links", "--trusted-host"):
            refuse_credentials(value, place)
            known: list[str] = getattr(options, option[2:].replace("-", "_"))
            known.extend([value] if value not in known else [])
        elif option == "--no-index":
            options.no_index = True
        elif option in OTHER:
            whole = f"{option} {value}".strip()
            options.other.extend([whole] if whole not in options.other else [])
        else:
            raise BentofileError(
                f"The option {option} is not supported in a requirement file.",
                place=place,
                hint=f"There are {', '.join(sorted({*_VALUED, *_SOURCES, *OTHER}))}.",
            )


def decode(data: bytes, path: str) -> str:
    """The text of a requirement file, as pip reads it; BentofileError if it is none."""
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BentofileError(f"{path} is not text in UTF-8.", place=path, hint="Save it as UTF-8.") from error


def logical(text: str) -> list[tuple[int, str]]:
    """(number, text) of each line that says something, continued lines joined, comments gone."""
    lines: list[tuple[int, str]] = []
    begun, held = 0, ""
    for number, raw in enumerate(text.splitlines(), 1):
        begun = begun or number
        if raw.endswith("\\") and not raw.lstrip().startswith("#"):
            held += raw[:-1].strip() + " "
            continue
        whole = COMMENT.sub("", held + raw.strip()).strip()
        if whole:
            lines.append((begun, whole))
        begun, held = 0, ""
    return [*lines, (begun, held.strip())] if held.strip() else lines


def _option(text: str, place: str) -> tuple[str, str]:
    match = re.match(r"(--[a-z-]+)(?:[=\s]\s*(.*))?$|(-[a-z])\s*(.*)$", text)
    if not match:
        raise BentofileError(
            f"Not an option of a requirement file: {text}.", place=place, hint="Write it as --option VALUE."
        )
    option = match[1] or _SHORT.get(match[3], match[3])
    value = (match[2] or match[4] or "").strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1]
    if not value and option in _VALUED:
        raise BentofileError(f"{option} needs a value.", place=place, hint=f"Write {option} VALUE, or remove the line.")
    return option, value


def _is_source(word: str) -> bool:
    option = re.split(r"[=\s]", word, maxsplit=1)[0]
    return _SHORT.get(option, option) in _SOURCES


def _requirement(text: str, place: str, locked: bool = False) -> Line:
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    spec = _LINE_OPTION.split(text)[0].strip()
    if (url := _URL.match(spec)) and not locked:
        refuse_credentials(spec[url.start(1) :], place)
    if (url and url[1].lower() == "file") or _is_path(spec):
        return Line(text, spec, place, pinned=True, path=spec)
    try:
        parsed = Requirement(spec)
    except (InvalidRequirement, RecursionError) as error:  # a marker of a thousand brackets
        if url and url.start(1) == 0:  # a bare URL
            return Line(text, spec, place, _name_of_url(spec), True)
        typo = re.match(r"([\w.-]+(?:\[[^\]]*\])?)\s*=\s*([\w.*+!-]+)\s*$", spec)
        bare = re.match(r"[\w.-]+(?:\[[^\]]*\])?\s*([<>=!~]=?=?)\s*(?:;|$)", spec)
        hint = str(error).split("\n")[0].rstrip(".") + "."
        if typo or bare:
            hint = f"Did you mean {typo[1]}=={typo[2]}?" if typo else f"Write a version after {bare and bare[1]}."
        raise BentofileError(f"Not a requirement: {scrub(text)}.", place=place, hint=hint) from error
    return Line(text, spec, place, canonicalize_name(parsed.name), bool(parsed.specifier or parsed.url))


def _is_path(spec: str) -> bool:
    if " @ " in spec or "://" in spec:
        return False
    bare = spec.partition(";")[0].strip()
    return bare.startswith((".", "/", "~")) or "/" in bare or "\\" in bare or bare.endswith(ARCHIVES)


def _name_of_url(url: str) -> str | None:
    from packaging.utils import canonicalize_name

    if egg := re.search(r"[#&]egg=([\w.-]+)", url):
        return canonicalize_name(egg[1])
    wheel = re.search(r"/([\w.]+)-[^/]*\.whl(?:[#?;\s]|$)", url)
    return canonicalize_name(wheel[1]) if wheel else None
