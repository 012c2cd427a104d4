"""Reading a Dockerfile: its instructions and their lines, the images that it starts from, the secrets it asks for."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

_FLAG = re.compile(r"--([a-z-]+)(?:=(\S+))?\s+")
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::-([^}]*))?\}|(\w+))")
_SECRET = re.compile(r"--mount=(\S*type=secret\S*)")
_WORD = re.compile(r"""(?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+""", re.DOTALL)
_HEREDOC = re.compile(r"\d*<<(-?)([^<]+)")  # a whole word: neither `<<<` nor `$((1<<3))`
_QUOTES = re.compile(r"""["'\\]""")
_DOCUMENTED = re.compile(r"(?:ONBUILD\s+)?(?:RUN|COPY|ADD)\s", re.IGNORECASE)  # the words that take here-documents


class Instruction(NamedTuple):
    """One instruction: its word in capitals, its text on one line, its first and last line (from 1), its heading.

    The heading is the last comment that stood at the beginning of a line before it.
    """

    word: str
    text: str
    first: int
    last: int
    heading: str


class Secret(NamedTuple):
    """A secret that an instruction mounts; a required one must be given."""

    id: str
    required: bool


def instructions(text: str) -> Iterator[Instruction]:
    """The instructions of a Dockerfile, with continuation lines joined; a here-document belongs to its instruction."""
    lines = text.splitlines()
    heading, number = "", 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if not line.strip() or line.lstrip().startswith("#"):
            heading = line.lstrip("# ").strip() if line.startswith("#") else heading
            continue
        first, parts = number, [line]
        while parts[-1].rstrip().endswith("\\") and number < len(lines):
            parts[-1] = parts[-1].rstrip()[:-1]
            skipped = not lines[number].strip() or lines[number].lstrip().startswith("#")
            parts.append("\\" if skipped else lines[number])
            number += 1
        joined = " ".join(part.strip() for part in parts if part.strip("\\ \t"))
        for tabs, word in _documents(joined):
            while number < len(lines) and (lines[number].lstrip("\t") if tabs else lines[number]) != word:
                number += 1
            number += 1
        if joined:
            yield Instruction(joined.split(None, 1)[0].upper(), joined, first, min(number, len(lines)), heading)


def _documents(text: str) -> list[tuple[bool, str]]:
    """The here-documents that an instruction announces, as in BuildKit: (whether tabs are dropped, the last line)."""
    if not _DOCUMENTED.match(text):
        return []
    found = filter(None, map(_HEREDOC.fullmatch, _WORD.findall(text)))
    return [(bool(each[1]), _QUOTES.sub("", each[2])) for each in found]


def bases(text: str, given: Iterable[str] = ()) -> list[str]:
    """The images that FROM and COPY --from name, each once: neither stages of this file, `scratch`, nor numbers.

    Of variables in them, those that the build is `given` stay: `filled` has their values.
    """
    found: list[str] = []
    stages: set[str] = set()
    args, kept = dict[str, str](), {name: f"${{{name}}}" for name in given}
    for instruction in instructions(text):
        words = _FLAG.sub("", instruction.text[len(instruction.word) :].lstrip() + " ").split()
        named = []
        if instruction.word == "ARG" and words:
            name, equals, value = words[0].partition("=")
            if equals:
                args.setdefault(name, value.strip("\"'"))
        elif instruction.word == "FROM":
            named = words[:1]
        for flag in _FLAG.finditer(instruction.text):
            if flag[1] == "from" and flag[2]:
                named.append(flag[2])
            elif flag[1] == "mount" and flag[2]:
                named += [part[len("from=") :] for part in flag[2].split(",") if part.startswith("from=")]
        for name in named:
            image = filled(name, {**args, **kept})
            if image and image not in found and image.lower() not in stages | {"scratch"} and not image.isdigit():
                found.append(image)
        if instruction.word == "FROM" and len(words) == 3 and words[1].upper() == "AS":
            stages.add(words[2].lower())
    return found


def stages(text: str) -> list[str]:
    """The names of the stages, in order; \"\" for one that has none."""
    froms = (instruction.text.split() for instruction in instructions(text) if instruction.word == "FROM")
    return [words[-1] if len(words) > 3 and words[-2].upper() == "AS" else "" for words in froms]


def filled(image: str, values: Mapping[str, str]) -> str:
    """One of the `bases`, with the values of the variables in it."""
    return _VARIABLE.sub(lambda m: values.get(m[1] or m[3], m[2] or ""), image)


def secrets(text: str) -> list[Secret]:
    """The secrets that RUN instructions mount, each id once."""
    found: dict[str, bool] = {}
    for instruction in instructions(text):
        for secret in mounted(instruction):
            found[secret.id] = found.get(secret.id, False) or secret.required
    return [Secret(name, required) for name, required in found.items()]


def mounted(instruction: Instruction) -> Iterator[Secret]:
    """The secrets that one instruction mounts."""
    for mount in _SECRET.findall(instruction.text):
        options = dict(part.partition("=")[::2] for part in mount.split(","))
        name = options.get("id") or (options.get("target") or options.get("dst") or "").rpartition("/")[2]
        if name:
            yield Secret(name, options.get("required", "false").lower() in ("", "true", "1"))


def at(text: str, line: int) -> Instruction | None:
    """The instruction that a line of the file belongs to."""
    return next((found for found in instructions(text) if found.first <= line <= found.last), None)
