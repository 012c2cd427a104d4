"""A failed image build: which instruction, its last words, which option or template line made it, what to do."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .dockerfile_text import Instruction, at, instructions

LAST = 12  # lines of the failing instruction's output that an error shows
_BUILDKIT_PLACE = re.compile(r"^[^\s:]*Dockerfile[^\s:]*:(\d+)$")
_BUILDKIT_TIME = re.compile(r"^\d+\.\d+ ")
_STEP = re.compile(r"^(?:\[\d+/\d+\] )?(?:Step|STEP) \d+/\d+ ?: (.*)$")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_NOISE = re.compile(r"^(?: ---> |Removing intermediate container|DEPRECATED: | {12}|--> |$)")
# What engines say of a COPY whose source is not there, and shells of what they lack.
_NO_SOURCE = re.compile(r'"([^"]+)": (?:not found|no such file)|\bstat (\S+): file does not exist')
_FROM = re.compile(r"--from=(\S+)")
_NO_PROGRAM = re.compile(r"^\S+: (?:line )?\d+: ([\w.+-]+): (?:command )?not found$", re.MULTILINE)
_NO_BASH = re.compile(r'\bsh: .*(?:"\(" unexpected|unexpected "\("|redirection unexpected|Bad substitution)')
# The headings of rules/base.j2 → the options of the bentofile that such an instruction comes from.
_OPTIONS = {
    "Base image and system packages": ("docker.system_packages", "docker.base_image", "docker.distro"),
    "User": (),
    "Environment": ("docker.env", "envs"),
    "conda": ("conda",),
    "Conda packages": ("conda",),
    "Python requirements": ("python.requirements_txt", "python.packages", "python"),
    "Setup script": ("docker.setup_script",),
    "Models": ("models",),
    "Sources": ("include",),
}


@dataclass(frozen=True)
class Failure:
    """What failed: None if the engine did not say, and the last lines of its output."""

    instruction: Instruction | None
    said: list[str]


def read(log: list[str], dockerfile: str) -> Failure:
    """The failure that a log of docker (BuildKit or not), podman or buildah tells of."""
    lines = [_COLOUR.sub("", line).rstrip() for line in log]
    for number, line in enumerate(lines):
        place = _BUILDKIT_PLACE.match(line)
        if place:
            rules = [i for i, text in enumerate(lines[:number]) if text == "------"][-2:]
            said = _printed(lines[: rules[0]], lines[rules[0] + 1 : rules[1]]) if len(rules) == 2 else []
            error = next((text for text in lines[number:] if text.startswith("ERROR: ")), None)
            return Failure(at(dockerfile, int(place[1])), [*said[-LAST:], *([error] if error and not said else [])])
    steps = [(number, match) for number, line in enumerate(lines) if (match := _STEP.match(line))]
    said = [line for line in lines[steps[-1][0] + 1 if steps else 0 :] if not _NOISE.match(line)]
    return Failure(_named(steps[-1][1][1], dockerfile) if steps else None, said[-LAST:])


def _printed(lines: list[str], summary: list[str]) -> list[str]:
    """What the failed step printed: BuildKit's summary repeats it, but for the beginnings of some lines."""
    step = "".join(summary[:1]).removeprefix(" > ").removesuffix(":")
    pairs = [(number, text) for number, _, text in (line.partition(" ") for line in lines) if number.startswith("#")]
    number = next((number for number, text in pairs if text == step), None)
    own = [text for each, text in pairs if each == number and _BUILDKIT_TIME.match(text)]
    return [_BUILDKIT_TIME.sub("", text) for text in own or summary[1:]]


def _named(text: str, dockerfile: str) -> Instruction | None:
    wanted = text.split()
    found = [each for each in instructions(dockerfile) if each.text.split() == wanted]
    return found[-1] if found else None


def origin(
    instruction: Instruction, dockerfile: str, template: str | None, place: Callable[[str], str | None]
) -> str | None:
    """Where the instruction was written: a line of the user's template, or the option of the bentofile behind it.

    `place` gives an option's place, as rule.Context.place does.
    """
    if template is not None:
        line = _template_line(dockerfile.splitlines()[instruction.first - 1].strip(), template)
        if line:
            return f"{place('docker.dockerfile_template') or 'Dockerfile.template'} (line {line} of the template)"
    heading = next((known for known in _OPTIONS if instruction.heading.startswith(known)), None)
    return next((found for name in _OPTIONS.get(heading or "", ()) if (found := place(name))), None)


def _template_line(text: str, template: str) -> int | None:
    """The line that this text is, or else that begins as it does before the first `{{`."""
    near = None
    for number, line in enumerate(template.splitlines(), 1):
        if line.strip() == text:
            return number
        start, braces, _ = line.strip().partition("{{")
        if braces and start.strip() and text.startswith(start) and near is None:
            near = number
    return near


def advice(failed: Failure, dockerfile: str, files: Iterable[str]) -> str | None:
    """What to do about a mistake that templates often have, if the engine's words tell one; `files` are the Bento's."""
    instruction, said = failed.instruction, "\n".join(failed.said)
    if instruction is None:
        return None
    if instruction.word in ("COPY", "ADD"):
        missing = _NO_SOURCE.search(said)
        return _another_path(instruction, (missing[1] or missing[2]).strip("/"), dockerfile, files) if missing else None
    if _NO_BASH.search(said):
        if any(each.word == "SHELL" and each.first < instruction.first for each in instructions(dockerfile)):
            return "OCI images have no SHELL, and buildah and podman go without: add --opt format=docker."
        return 'That is for bash, which /bin/sh is not in this image: write SHELL ["bash", "-c"] above it.'
    lacking = _NO_PROGRAM.search(said)
    if lacking:
        where = "docker.system_packages, in the template, or in a base image of your own"
        return f"The image has no {lacking[1]}: install it by {where}."
    return None


def _another_path(instruction: Instruction, path: str, dockerfile: str, files: Iterable[str]) -> str | None:
    stage = _FROM.search(instruction.text)
    if stage:
        meant = posixpath.join(_workdir(stage[1], dockerfile), path)
        rule = "--from takes paths from the root of the stage, not from its WORKDIR"
        return f"{rule}: write {meant}." if meant != f"/{path}" else None
    if any(f"{file}/".startswith(f"src/{path}/") for file in files):
        return f"The build context is the Bento, where your sources lie in src/: write src/{path}."
    return f"The build context is the Bento, which has no {path}: `include` says what of your project is in its src/."


def _workdir(stage: str, dockerfile: str) -> str:
    """The working directory at the end of a stage, as far as the Dockerfile tells."""
    found, inside = "/", False
    for instruction in instructions(dockerfile):
        if instruction.word == "FROM":
            inside = instruction.text.split()[-1].lower() == stage.lower()
        elif inside and instruction.word == "WORKDIR":
            found = posixpath.join(found, instruction.text.split(None, 1)[1])
    return found
