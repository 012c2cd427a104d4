"""What all lines of a project's requirements say, files that they name included: mistakes and surprises with places."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from ..errors import BentofileError, BentomakeError
from . import local_archives, package_judgement, pins
from .pins import CIRCLE
from .reading import Remark
from .targets import Target

_FILE = re.compile(r"(?:-r|-c|--requirement(?=[=\s])|--constraint(?=[=\s]))\s*(?:=\s*)?(\S.*)$")
_PLAIN = re.compile(r"([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\]\s*)?([=<>!~]=?=?[^;@]*)?$")
_AFTER = re.compile(r"\s(?:#|--)")  # a requirement: its comment, its hashes
_SAME_NAME = 50  # lines that one more line of the same name is compared with


class Said(NamedTuple):
    """One line, and where it stands; a constraint only bounds what others ask for."""

    text: str
    place: str
    constraint: bool = False
    nested: bool = True  # it stands in a file: what one text of the bentofile says is judged with that


def read(asked: Iterable[Said], file_text: Callable[[str], str | None]) -> tuple[list[Said], list[BentomakeError]]:
    """All lines, with those of the files that `-r` and `-c` name; errors for files that are not there.

    `file_text` gives a file by its path relative to the context, or None.
    """
    found: list[Said] = []
    errors: list[BentomakeError] = []

    def follow(said: Said, chain: tuple[str, ...]) -> None:
        match = _FILE.match(said.text)
        if match is None:
            found.append(said)
            return
        named = pins.COMMENT.sub("", match[1]).strip().strip("'\"")
        if not named or "://" in named or posixpath.isabs(named):
            return  # the rule that reads it says so
        path = posixpath.normpath(posixpath.join(posixpath.dirname(chain[-1]) if chain else "", named))
        if path in chain:
            circle = " → ".join([*chain[chain.index(path) :], path])
            errors.append(
                BentofileError(f"Requirement files include each other: {circle}.", place=said.place, hint=CIRCLE)
            )
            return
        text = file_text(path)
        if text is None:
            hint = "Paths are relative to the file that names them." if chain else "Paths start at the build context."
            errors.append(BentofileError(f"There is no requirement file {path}.", place=said.place, hint=hint))
            return
        only_bounds = said.constraint or said.text.startswith(("-c", "--c"))
        for number, line in _lines(text):
            follow(Said(line, f"{path}:{number}", only_bounds), (*chain, path))

    for said in asked:
        follow(said, ())
    return found, errors


def _lines(text: str) -> list[tuple[int, str]]:
    """As whoever reads them for a build sees them, but for hashes; where one has no end, those that have none."""
    long = [
        (number, raw) for number, raw in enumerate(text.splitlines(), 1) if len(raw) > package_judgement.MAX_CHARACTERS
    ]
    return long or [(number, pins.HASH.sub("", line)) for number, line in pins.logical(text)]


def judge(
    said: Iterable[Said], there: Callable[[str], bool], target: Target | None
) -> Iterator[BentomakeError | Remark]:
    """Each line by itself, its file (`there` tells of a path in the context), and what contradicts another one."""
    asked = list(said)
    for line in asked:
        for found in package_judgement.judge(line.text) if line.nested else ():
            if found.wrong:
                yield BentofileError(found.message, place=line.place, hint=found.hint)
            else:
                yield Remark(found.message, line.place, found.hint)
        if len(line.text) > package_judgement.MAX_CHARACTERS:
            continue
        spec = _AFTER.split(line.text, maxsplit=1)[0].rstrip()
        archive = None if spec.startswith(("-", "#")) else local_archives.parse(spec)
        if archive is None or archive.outside:
            continue
        if not there(archive.path):
            message = f"There is no file {archive.path}, which is required."
            yield BentofileError(message, place=line.place, hint="Paths of packages are relative to the build context.")
        elif target is not None:
            yield from unfit(archive.path, target, line.place)
    yield from _contradictions([line for line in asked if len(line.text) <= package_judgement.MAX_CHARACTERS])


def of_conda(text: str) -> Iterator[package_judgement.Found]:
    """What is to be said about a pip entry of conda's environment, which travels without the files that it names."""
    if len(text) <= package_judgement.MAX_CHARACTERS and _names_a_file(text.strip()):
        message = f"`{text.strip()}` names a file, which will not be where conda installs in the image."
        hint = "Name packages of the index, or URLs; files are read, and archives packed, under python."
        yield package_judgement.Found(True, message, hint)
    else:
        yield from package_judgement.judge(text)


def _names_a_file(text: str) -> bool:
    if named := _FILE.match(text):
        return "://" not in named[1]
    archive = None if text.startswith("-") else local_archives.parse(_AFTER.split(text, maxsplit=1)[0].rstrip())
    return archive is not None and not archive.outside


def unfit(path: str, target: Target, place: str) -> Iterator[Remark]:
    """A wheel that the image cannot install; an image described in code may still be another, so it is no error yet."""
    from .wheels import unfit as why

    error = why(path, target, place)
    if error is not None:
        yield Remark(error.message, place, error.hint)


def unpacked(said: Iterable[Said], image_has_git: bool) -> Iterator[Remark]:
    """Packages that the image has to clone, and no git there."""
    for line in said:
        if "git+" in line.text and not line.text.startswith("#") and not line.constraint and not image_has_git:
            yield Remark(
                "The image installs this package from git, which it does not have.",
                line.place,
                "Write `system_packages: [git]` under docker, or leave pack_git_packages on.",
            )


def _contradictions(asked: list[Said]) -> Iterator[Remark]:
    """Packages that are named twice: the same twice, or two versions that cannot both be."""
    known: dict[str, list[tuple[Said, str]]] = {}
    for line in asked:
        match = _PLAIN.match(_AFTER.split(line.text, maxsplit=1)[0].strip())
        if match is None:
            continue
        name, specifier = re.sub(r"[-_.]+", "-", match[1]).lower(), (match[2] or "").strip()
        for other, before in known.get(name, [])[:_SAME_NAME]:
            if specifier == before:
                if not line.constraint and not other.constraint:
                    yield Remark(f"{match[1]} is asked for twice, here and in {other.place}.", line.place, "Keep one.")
                break
            if _apart(specifier, before) or _apart(before, specifier):
                message = f"{match[1]}{specifier} cannot be together with {match[1]}{before} of {other.place}."
                yield Remark(message, line.place, "Keep one of them.")
                break
        known.setdefault(name, []).append((line, specifier))


def _apart(pin: str, other: str) -> bool:
    """Whether the one version of `==V` is not among those of the other specifier."""
    exact = re.fullmatch(r"={2,3}\s*([^\s,*]+)", pin)
    if exact is None or not other:
        return False
    from packaging.specifiers import SpecifierSet

    try:
        return not SpecifierSet(other).contains(exact[1], prereleases=True)
    except ValueError:  # one of them is no specifier, no version, or has a number of thousands of digits
        return False
