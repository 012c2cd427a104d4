"""What a bentofile meets where it is built: files that are missing or swept up, and the installed bentoml."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from typing import Any

from .bento import context_file, package_judgement, pins, requirement_judgement, run_script, unnamed_service
from .bento.bentofile import Bentofile, Remark
from .bento.requirement_judgement import Said
from .bento.schema import FILE
from .bento.targets import ARCHES, Target
from .errors import BentofileError, BentomakeError, Several, UsageError
from .project import Project
from .swept import Found, judge_packed

_PATHS = ("docker.setup_script", "docker.dockerfile_template", "python.requirements_txt", "conda.environment_yml")

_MOST = 8 << 20  # bytes of a requirements file

Watch = Callable[[str], None]


def judge(project: Project, *, sources: bool) -> Found:
    """All that is to be said about a project before anything runs; with `sources`, also about what it packs."""
    bentofile, watch = project.bentofile, project.watch.path
    try:
        bentoml, generation = project.interpreter.bentoml, project.oracle("generation")
    except UsageError:
        bentoml = generation = None  # a build says so; the rest can be judged without
    found = [
        judge_files(bentofile, project.context, watch),
        judge_requirements(bentofile, project.context, bentoml, watch, _target(project) if bentoml else None),
    ]
    errors = unnamed_service.judge(project.written, bentofile.values["service"], generation)
    if errors:
        found.append((errors, []))
    if bentoml and generation:
        found.append(judge_generation(bentofile, generation, bentoml))
    if sources and not errors:
        try:
            found.append(judge_packed(bentofile, project.packing, project.source_layout))
        except BentomakeError as error:  # a broken link, a directory that cannot be read
            found.append((error.errors if isinstance(error, Several) else [error], []))
    errors = [error for pair in found for error in pair[0]]
    return errors, [remark for pair in found for remark in pair[1]]


def _target(project: Project) -> Target:
    python = project.bentofile.values["docker.python_version"] or project.oracle("python.version")
    arch = ARCHES.get(project.settings.platform or "") or project.oracle("arch")
    return Target(".".join(str(python).split(".")[:2]), arch, project.param("docker.libc"))


def judge_files(bentofile: Bentofile, context: str, watch: Watch) -> Found:
    """Files that options name: all that are missing at once, and what is odd about those that are there."""
    errors: list[BentomakeError] = []
    remarks: list[Remark] = []
    for name, path in _named(bentofile.values):
        place = bentofile.place(name)
        full = os.path.join(context, path)
        watch(full)
        try:
            regular = stat.S_ISREG(os.stat(full).st_mode)
        except OSError as error:
            there = _matches(full, watch) if name.startswith("python.wheels") else []
            if there:
                continue
            why = "does not exist" if not os.path.lexists(full) else f"cannot be read: {error.strerror}"
            errors.append(BentofileError(f"{name} names {path}, which {why}.", place=place, hint=_near(context, path)))
            continue
        if real := context_file.leads_out(context, path, parents=name == "python.requirements_txt"):
            errors.append(context_file.led_out(name, path, real, place))
        elif not regular:
            message = f"{name} names {path}, which is not a file."
            errors.append(BentofileError(message, place=place, hint="Name a file."))
        elif name.startswith("python.wheels") and not path.endswith((".whl", ".tar.gz", ".zip")):
            message = f"{name} names {path}, which is no wheel."
            errors.append(BentofileError(message, place=place, hint="A wheel's name ends with .whl."))
        elif name == "docker.setup_script":
            found = run_script.judge(_beginning(full), path, place)
            if isinstance(found, Remark):
                remarks.append(found)
            elif found is not None:
                errors.append(found)
    return errors, remarks


def _named(values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name in _PATHS:
        if values[name]:
            yield name, values[name]
    if isinstance(values["docker.env"], str):
        yield "docker.env", values["docker.env"]
    if str(values["description"] or "").startswith(FILE):
        yield "description", values["description"][len(FILE) :].strip()
    for index, path in enumerate(values["python.wheels"]):
        yield f"python.wheels[{index}]", path


def _matches(full: str, watch: Watch) -> list[str]:
    """The files of a pattern such as ./lib/*.whl; their directory is told to `watch`."""
    if not any(char in full for char in "*?["):
        return []
    import glob

    watch(os.path.dirname(full))
    return glob.glob(full)


def _near(context: str, path: str) -> str:
    """Did you mean a file of the same directory?"""
    import difflib

    directory, name = os.path.split(os.path.normpath(path))
    try:
        names = os.listdir(os.path.join(context, directory))
    except OSError:
        return f"There is no directory {directory}; paths are relative to the build context."
    close = difflib.get_close_matches(name, names, n=1)
    return f"Did you mean {os.path.join(directory, close[0])}?" if close else "Paths are relative to the build context."


def _beginning(full: str) -> bytes:
    try:
        with open(full, "rb") as file:
            return file.readline(4096)
    except OSError:
        return b"#!"  # whoever reads it says so


def judge_requirements(
    bentofile: Bentofile, context: str, bentoml: str | None, watch: Watch, target: Target | None = None
) -> Found:
    """All lines of the requirements, and a pin of bentoml that is not the installed version (None: not known)."""
    values = bentofile.values
    path = values["python.requirements_txt"]
    if path:
        place = bentofile.place("python.requirements_txt") or bentofile.shown
        asked = [Said(f"-r {path}", place)]
        watch(os.path.join(context, path))
        if _text(os.path.join(context, path)) is None:
            asked = []  # judge_files says so
    else:
        packages = enumerate(values["python.packages"])
        asked = [
            Said(text, bentofile.place(f"python.packages[{i}]") or bentofile.shown, nested=False)
            for i, text in packages
        ]

    def file_text(path: str) -> str | None:
        watch(os.path.join(context, path))
        if context_file.leads_out(context, path, parents=True):
            return ""  # the rule that reads it says so
        return _text(os.path.join(context, path))

    def there(path: str) -> bool:
        watch(os.path.join(context, path))
        return os.path.isfile(os.path.join(context, path))

    lines, errors = requirement_judgement.read(asked, file_text)
    remarks: list[Remark] = []
    for found in requirement_judgement.judge(lines, there, target):
        if isinstance(found, Remark):
            remarks.append(found)
        else:
            errors.append(found)
    if values["python.pack_git_packages"] is False:
        has_git = values["docker.base_image"] is not None or "git" in " ".join(values["docker.system_packages"]).split()
        remarks.extend(requirement_judgement.unpacked(lines, has_git))
    for index, pattern in enumerate(values["python.wheels"]):
        full = os.path.join(context, pattern)
        for wheel in [full] if os.path.isfile(full) else sorted(_matches(full, watch)):
            if target is None:
                break
            place = bentofile.place(f"python.wheels[{index}]") or bentofile.shown
            remarks.extend(requirement_judgement.unfit(wheel, target, place))
    pins_of_bentoml = [pin for line in lines if (pin := package_judgement.pin_of_bentoml(line.text))]
    if bentoml and not pins_of_bentoml and _too_old(values, bentoml):
        message = f"bentoml {bentoml} does not run on Python {values['docker.python_version']}."
        hint = 'It needs 3.9 or newer: write "3.9", or an older bentoml under python.packages.'
        errors.append(BentofileError(message, place=bentofile.place("docker.python_version"), hint=hint))
    for text, place, *_ in lines:
        pin = package_judgement.pin_of_bentoml(text)
        if pin and bentoml and not _allows(pin, bentoml):
            message = f"bentoml{pin} is asked for, but the service is imported with bentoml {bentoml}."
            remarks.append(
                Remark(message, place, f"Install that version beside the service, or write bentoml=={bentoml}.")
            )
    return errors, remarks


def _too_old(values: dict[str, Any], bentoml: str) -> bool:
    """Whether the image's Python is 3.8, which no bentoml since 1.4 runs on."""
    if values["docker.python_version"] != "3.8" or values["docker.base_image"] is not None:
        return False
    from packaging.version import Version

    return Version(bentoml).release >= (1, 4)


def _text(full: str) -> str | None:
    """The text of a requirements file; None if it cannot be read, and none of what is no text: its reader says so."""
    try:
        if not stat.S_ISREG(os.stat(full).st_mode):  # opening a pipe would wait
            return None
        with open(full, "rb") as file:
            return pins.decode(file.read(_MOST), full)
    except OSError:
        return None
    except BentofileError:
        return ""


def _allows(pin: str, version: str) -> bool:
    from packaging.specifiers import SpecifierSet

    try:
        return SpecifierSet(pin).contains(version, prereleases=True)
    except ValueError:  # no specifier, or one with a number of thousands of digits
        return True  # the requirements rule says so


def judge_generation(bentofile: Bentofile, generation: str, bentoml: str) -> Found:
    """Options that the installed bentoml does not know, or an image that it does not have."""
    values = bentofile.values
    errors: list[BentomakeError] = []
    remarks: list[Remark] = []
    if values["docker.base_image"] is None and values["docker.cuda_version"]:
        from .bento import distros
        from .bento.targets import has_conda

        lacks = distros.support(
            values["docker.distro"] or "debian",
            values["docker.python_version"],
            values["docker.cuda_version"],
            has_conda(values),
            generation,
        )
        errors = [BentofileError(lack.message, place=bentofile.place(lack.option), hint=lack.hint) for lack in lacks]
    if generation == "runner" and values["args"]:
        message = f"bentoml {bentoml} does not know template arguments (args)."
        hint = "They came with bentoml 1.4.8; remove them, or upgrade bentoml there."
        errors.append(BentofileError(message, place=bentofile.place("args"), hint=hint))
    return errors, remarks
