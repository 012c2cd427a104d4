"""What a bentofile says about itself: options that contradict, cancel or need each other; no file is read."""

from __future__ import annotations

import re
from typing import Any

from . import distros, package_judgement
from .reading import Reading
from .schema import NAME_IT, NO_SHELL_VARIABLE, SHELL_VARIABLE
from .targets import has_conda

PACKAGES = "python.packages"
_WILD = frozenset("*?[!\\")


def together(reading: Reading, values: dict[str, Any]) -> None:
    """Defaults, errors and remarks that depend on more than one option."""
    _image(reading, values)
    _python(reading, values)
    _conda(reading, values)
    _packages(reading, values)
    _envs(reading, values)
    _models(reading, values)
    if not reading.errors:
        _cancelled(reading, values)


def _image(reading: Reading, values: dict[str, Any]) -> None:
    image = values["docker.base_image"]
    if image is not None:
        for name in ("docker.distro", "docker.python_version", "docker.cuda_version", "docker.system_packages"):
            _ignored(reading, values, name, "has no effect: docker.base_image is set")
        return
    name = values["docker.distro"] or "debian"
    if name not in distros.DISTROS:
        return
    cuda, conda = values["docker.cuda_version"], has_conda(values)
    for lack in distros.support(name, values["docker.python_version"], cuda, conda):
        reading.error(reading.lines[lack.option], lack.message, lack.hint)


def _python(reading: Reading, values: dict[str, Any]) -> None:
    if values["python.requirements_txt"]:
        _ignored(reading, values, "python.packages", "has no effect: python.requirements_txt is set")
    if values["python.no_index"]:
        for name in ("python.index_url", "python.extra_index_url"):
            _ignored(reading, values, name, "is not used where packages are installed: python.no_index is set")
    if values["python.lock_packages"] is None:
        if values["python.pack_git_packages"] is False:
            values["python.lock_packages"] = False
        elif not values["python.requirements_txt"]:
            values["python.lock_packages"] = True


def _conda(reading: Reading, values: dict[str, Any]) -> None:
    if values["conda.environment_yml"]:
        for name in ("conda.channels", "conda.dependencies", "conda.pip"):
            _ignored(reading, values, name, "has no effect: conda.environment_yml is set")
        return
    if not has_conda(values):
        return
    from . import requirement_judgement
    from .conda import DEPENDENCY, pip_entries

    listed = [(f"conda.pip[{index}]", text) for index, text in enumerate(values["conda.pip"])]
    twice = bool(listed)
    for index, item in enumerate(values["conda.dependencies"]):
        at, entries = f"conda.dependencies[{index}]", pip_entries(item)
        if entries is None:
            message = f"{at} must be a string, or the one mapping `pip` with a list of strings."
            reading.error(reading.lines[at], message, DEPENDENCY)
        elif not isinstance(item, str):
            if twice:
                message = "The pip packages of conda are written twice."
                reading.error(reading.lines[at], message, "Keep one of conda.pip and the `pip` of conda.dependencies.")
            listed += [(f"{at}.pip[{number}]", text) for number, text in enumerate(entries)]
            twice = True
    for at, text in listed:
        for found in requirement_judgement.of_conda(text):
            (reading.error if found.wrong else reading.remark)(reading.lines[at], found.message, found.hint)


def _packages(reading: Reading, values: dict[str, Any]) -> None:
    if not values["python.requirements_txt"]:
        for index, text in enumerate(values["python.packages"]):
            for found in package_judgement.judge(text):
                line = reading.lines[f"python.packages[{index}]"]
                (reading.error if found.wrong else reading.remark)(line, found.message, found.hint)
    for index, link in enumerate(values["python.find_links"]):
        if package_judgement.is_local(link):
            line = reading.lines.get(f"python.find_links[{index}]", reading.lines.get("python.find_links", 0))
            message = package_judgement.LOCAL_LINKS.format(link)
            reading.remark(line, message, "Use the URL of a page with links.")


def _envs(reading: Reading, values: dict[str, Any]) -> None:
    known: dict[tuple[str, bool], int] = {}
    for index, spec in enumerate(values["envs"]):
        name, building = spec["name"], spec["stage"] == "build"
        if name is None:
            continue
        line = reading.lines[f"envs[{index}].name"]
        if building and not re.fullmatch(SHELL_VARIABLE, name):
            reading.error(line, NO_SHELL_VARIABLE.format(name), NAME_IT)
        if first := known.get((name, building)):
            message = f"{name} is given twice in envs, in line {first} and in line {line}: the last value counts."
            reading.remark(line, message, "Keep one of them.")
        known.setdefault((name, building), line)


def _models(reading: Reading, values: dict[str, Any]) -> None:
    known: dict[str, int] = {}
    for index, spec in enumerate(values["models"]):
        alias = spec.get("alias")
        if alias is None:
            continue
        line = reading.lines[f"models[{index}].alias"]
        if alias in known:
            message = f"The alias `{alias}` is given to two models, here and in line {known[alias]}."
            reading.error(line, message, "An alias means one model: give each its own.")
        known.setdefault(alias, line)


def _cancelled(reading: Reading, values: dict[str, Any]) -> None:
    """Patterns of include of which exclude leaves nothing."""
    exclude, included = values["exclude"], "include" in reading.lines
    if not exclude or not included:
        return
    from .patterns import PatternError, PatternList

    excluded = PatternList("exclude", exclude)
    for index, pattern in enumerate(values["include"]):
        if pattern.startswith(("!", "#")):
            continue
        line = reading.lines[f"include[{index}]"]
        if pattern in exclude:
            message = f"The pattern `{pattern}` is in include and in exclude: what it matches is not packed."
            reading.remark(line, message, "Remove one of them.")
            continue
        if _WILD & set(pattern):
            continue
        try:
            gone = excluded.matches(pattern.strip("/") + ("/x" if pattern.endswith("/") else ""))
        except PatternError:
            return  # whoever selects files says so
        if gone:
            message = f"The pattern `{pattern}` has no effect: exclude leaves out what it matches."
            reading.remark(line, message, "Remove it, or the pattern of exclude.")


def _ignored(reading: Reading, values: dict[str, Any], name: str, why: str) -> None:
    if not values[name]:
        return
    if name in reading.lines and name != "python.packages":
        reading.remark(reading.lines[name], f"{name} {why}.", "Remove one of them.")
    elif name == "python.packages":
        project = reading.lines.get("project.dependencies") == reading.lines[name]
        said = "The project's dependencies have" if project else f"{name} has"
        reading.remark(reading.lines[name], f"{said} {why.removeprefix('has ')}.", "Remove one of them.")
