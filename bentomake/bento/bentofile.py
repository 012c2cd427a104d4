"""The bentofile, or the table of pyproject.toml: found, read, judged; each option under its dotted name."""

from __future__ import annotations

import os
import stat
from collections.abc import Container, Iterable, Mapping
from typing import Any, NamedTuple, NoReturn

from ..errors import BentofileError, Several, UsageError
from .reading import Reading, Remark
from .schema import MAX_BYTES, SECTIONS

__all__ = ["Bentofile", "Remark", "find", "load"]

NAME = "bentofile.yaml"
OTHER_NAME = "bentofile.yml"
DEFAULT_SERVICE = "service.py"  # bentoml 1.4 takes it where no bentofile names another
_PACKAGES = "python.packages"
MINIMAL = 'service: "service:svc"'


class Bentofile(NamedTuple):
    """`values`: each option's value under its dotted name, JSON types, defaults filled in; `lines`: dotted name → line.

    `lines` also knows items and names (`python.packages[1]`, `labels.owner`), and only what the user wrote.
    """

    path: str
    shown: str
    values: dict[str, Any]
    lines: dict[str, int]
    remarks: tuple[Remark, ...]

    def place(self, name: str) -> str:
        """Where an option is written, `bentofile.yaml:12`; the nearest thing around it that is, else the file."""
        while name:
            if name in self.lines:
                return f"{self.shown}:{self.lines[name]}"
            name = name[: max(name.rfind("."), name.rfind("["), 0)]
        return self.shown

    def at(self, places: Container[str | None]) -> set[str]:
        """The options of which anything, an item or a name too, is written at one of these places."""
        names = {name for name, line in self.lines.items() if f"{self.shown}:{line}" in places}
        return {
            option
            for option in self.values
            if any(f"{name}.".startswith((f"{option}.", f"{option}[")) for name in names)
        }

    def without(self, options: Iterable[str]) -> Bentofile:
        """The same, with these options as if nobody had written them."""
        return self._replace(values={**self.values, **{name: unsaid(self.values[name]) for name in options}})

    def to_json(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "shown": self.shown,
            "values": self.values,
            "lines": self.lines,
            "remarks": [[remark.message, remark.place, remark.hint] for remark in self.remarks],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Bentofile:
        """What `to_json` gave."""
        remarks = tuple(Remark(*remark) for remark in data["remarks"])
        return cls(data["path"], data["shown"], data["values"], data["lines"], remarks)


def unsaid(value: Any) -> Any:
    """What an option with such a value has where it is not written, as far as a judgement needs it."""
    return type(value)() if isinstance(value, (list, dict)) else None


def find(directory: str, cwd: str) -> str:
    """The absolute path of a directory's bentofile; UsageError if there is none.

    A directory with a service.py needs none: that path then names no file, and `load` gives the defaults.
    """
    where = os.path.normpath(os.path.join(cwd, directory))
    for name in (NAME, OTHER_NAME):
        path = os.path.join(where, name)
        if os.path.lexists(path):
            return path
    if not os.path.isdir(where):
        what = "is not a directory" if os.path.lexists(where) else "does not exist"
        raise UsageError(
            f"{where} {what}.", hint="Name a directory with a bentofile.yaml, or a bentofile with -f FILE."
        )
    from . import pyproject

    own = os.path.isfile(os.path.join(where, DEFAULT_SERVICE))
    path = os.path.join(where, pyproject.NAME)
    if pyproject.configured(path) or (own and os.path.isfile(path)):
        return path
    if own:
        return os.path.join(where, NAME)  # every option has its default
    raise missing(where)


def missing(directory: str) -> UsageError:
    hint = f"Write one, at least {MINIMAL}, or name another with -f FILE."
    return UsageError(f"There is no bentofile.yaml in {directory}.", hint=hint)


def load(path: str, cwd: str) -> Bentofile:
    """Read and check a bentofile; BentofileError for one mistake, Several for more, in the order of their lines."""
    found, errors = judged(path, cwd)
    raise_all(errors)
    return found


def judged(path: str, cwd: str) -> tuple[Bentofile, list[tuple[int, BentofileError]]]:
    """A bentofile without the options that are wrong, and what is wrong, with its lines, in their order.

    Raises UsageError for a text that holds no options.
    """
    path = os.path.normpath(os.path.join(cwd, path))
    shown = _shown(path, cwd)
    from . import groups, judgement, pyproject, yaml_place

    beside = os.path.join(os.path.dirname(path), DEFAULT_SERVICE)
    if os.path.basename(path) == NAME and not os.path.lexists(path) and os.path.isfile(beside):
        shown, data = _shown(beside, cwd), b"{}"
    else:
        data = _bytes(path, shown)
    table = None
    problems: list[tuple[int, BentofileError]] = []
    root: yaml_place.Node | None
    if os.path.basename(path) == pyproject.NAME:
        table = pyproject.read(data, shown)
        root = pyproject.adopt(table)
    else:
        root, problems = yaml_place.read(data, shown)
    if root is None or root.value is None:
        _refuse(shown, "The bentofile is empty.", f"Write at least: {MINIMAL}")
    if not isinstance(root.value, dict):
        raise_all(problems)
        what, hint = "a single value", f"Write at least: {MINIMAL}"
        if isinstance(root.value, list):
            what, hint = "a list", "Remove the dashes before the options."
        elif ":" in str(root.value):
            hint = "A space belongs after each colon: `name: value`."
        _refuse(f"{shown}:{root.line}", f"The bentofile is {what}; it must be options, `name: value`.", hint)
    reading = Reading(shown, "YAML" if table is None else "TOML")
    reading.errors += problems
    values = groups.section(reading, "", "", root)
    for name in SECTIONS:
        values |= _section(reading, name, root)
    if table is not None:
        pyproject.judge_beside(reading, table)
        pyproject.add_dependencies(reading, values, table)
        if "python.is_src_layout" not in reading.lines:
            values["python.is_src_layout"] = None  # whether there is a src/ beside it says so
    judgement.together(reading, values)
    if os.path.basename(path) == OTHER_NAME:
        reading.remark(0, f"{OTHER_NAME} is read; bentoml itself looks for {NAME} only.", f"Rename it to {NAME}.")
    remarks = tuple(remark for _, remark in sorted(reading.remarks, key=lambda found: found[0]))
    found = Bentofile(path, shown, values, reading.lines, remarks)
    errors = sorted(reading.all_errors(), key=lambda pair: pair[0])
    return _sound(found, {error.place for _, error in errors}) if errors else found, errors


def raise_all(found: list[tuple[int, BentofileError]]) -> None:
    """Raise what was found, in the order of its lines; nothing if that is nothing."""
    errors = [error for _, error in sorted(found, key=lambda pair: pair[0])]
    if errors:
        raise errors[0] if len(errors) == 1 else Several([*errors])


def _section(reading: Reading, name: str, root: Any) -> dict[str, Any]:
    from . import groups, yaml_place

    pair = root.value.get(name) if isinstance(root.value, dict) else None
    if pair:
        reading.lines[name] = pair.line
    node = pair.node if pair else yaml_place.Node(0, None)
    found = groups.section(reading, name, name, node)
    return {f"{name}.{key}": value for key, value in found.items()}


def _shown(path: str, cwd: str) -> str:
    relative = os.path.relpath(path, cwd)
    return path if relative.startswith("..") and len(path) < len(relative) else relative


def _bytes(path: str, shown: str) -> bytes:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise UsageError(f"{shown} is not a file.", hint="Name a bentofile with -f FILE, a directory without -f.")
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise UsageError(f"There is no file {shown}.", hint=f"Write one, at least {MINIMAL}.") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"{shown} cannot be read: {reason}.", hint="Look at its permissions.") from None


def _refuse(place: str, message: str, hint: str) -> NoReturn:
    raise BentofileError(message, place=place, hint=hint)


def _sound(found: Bentofile, places: Container[str | None]) -> Bentofile:
    """A bentofile without the options that have a mistake at these places; of python.packages, all that have none."""
    from . import package_judgement

    left = found.without(found.at(places) - {_PACKAGES})
    packages = [
        "" if any(said.wrong for said in package_judgement.judge(text)) else text for text in found.values[_PACKAGES]
    ]
    return left._replace(values={**left.values, _PACKAGES: packages})
