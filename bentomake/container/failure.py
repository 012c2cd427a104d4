"""A failed image build: which instruction, its last words, and which option or template line made that instruction."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from .dockerfile_text import Instruction, at, instructions

LAST = 12  # lines of the failing instruction's output that an error shows
_BUILDKIT_PLACE = re.compile(r"^[^\s:]*Dockerfile[^\s:]*:(\d+)$")
_BUILDKIT_TIME = re.compile(r"^\d+\.\d+ ")
_STEP = re.compile(r"^(?:\[\d+/\d+\] )?(?:Step|STEP) \d+/\d+ ?: (.*)$")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_NOISE = re.compile(r"^(?: ---> |Removing intermediate container|DEPRECATED: | {12}|--> |$)")
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
            said = lines[rules[0] + 2 : rules[1]] if len(rules) == 2 else []
            said = [_BUILDKIT_TIME.sub("", text) for text in said]
            error = next((text for text in lines[number:] if text.startswith("ERROR: ")), None)
            return Failure(at(dockerfile, int(place[1])), [*said[-LAST:], *([error] if error and not said else [])])
    steps = [(number, match) for number, line in enumerate(lines) if (match := _STEP.match(line))]
    said = [line for line in lines[steps[-1][0] + 1 if steps else 0 :] if not _NOISE.match(line)]
    return Failure(_named(steps[-1][1][1], dockerfile) if steps else None, said[-LAST:])


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
