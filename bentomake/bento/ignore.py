"""One .bentoignore file: its rules mean what git lets the same lines mean in a .gitignore.

pathspec is not used here because it differs from git: it strips tabs at the end of a line, reads `?` and classes as
characters where git reads bytes, keeps a lone `\\` at the end as an error, and knows no `[[:alpha:]]`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from . import one_pass

NAME = ".bentoignore"

_SPECIAL = re.compile(rb"[*?\[\\]")
_SLASH = 0x2F
_NEVER = b"(?!)"


def _class(text: bytes) -> frozenset[int]:
    return frozenset(text)


_LOWER = _class(b"abcdefghijklmnopqrstuvwxyz")
_UPPER = _class(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_DIGIT = _class(b"0123456789")
_PRINT = frozenset(range(0x20, 0x7F))
_GRAPH = _PRINT - {0x20}
_CLASSES = {
    b"alnum": _LOWER | _UPPER | _DIGIT,
    b"alpha": _LOWER | _UPPER,
    b"blank": _class(b" \t"),
    b"cntrl": frozenset(range(0x20)) | {0x7F},
    b"digit": _DIGIT,
    b"graph": _GRAPH,
    b"lower": _LOWER,
    b"print": _PRINT,
    b"punct": _GRAPH - _LOWER - _UPPER - _DIGIT,
    b"space": _class(b" \t\n\r"),
    b"upper": _UPPER,
    b"xdigit": _DIGIT | _class(b"abcdefABCDEF"),
}


class Rules:
    """The rules of one file, parsed when first asked."""

    def __init__(self, data: bytes):
        self._data = data
        self._runs: tuple[list[_Run], list[_Run]] | None = None

    def verdict(self, path: bytes, is_directory: bool) -> bool | None:
        """Whether a path (relative to the file's own directory) is ignored; None if no rule says anything."""
        if self._runs is None:
            rules = [rule for line in _lines(self._data) if (rule := _Rule.parse(line))]
            self._runs = (_runs([rule for rule in rules if not rule.only_directories]), _runs(rules))
        name = path[path.rfind(b"/") + 1 :]
        for run in self._runs[is_directory]:
            if run.names(name) or run.paths(path):
                return not run.negated
        return None


class _Rule:
    """One line: `regex` is matched against the last name (`by_name`) or the path below the file's directory."""

    def __init__(self, regex: bytes, *, negated: bool, only_directories: bool, by_name: bool):
        self.regex = regex
        self.negated = negated
        self.only_directories = only_directories
        self.by_name = by_name

    @classmethod
    def parse(cls, line: bytes) -> _Rule | None:
        negated = line.startswith(b"!")
        glob = line[1:] if negated else line
        only_directories = glob.endswith(b"/")
        if only_directories:
            glob = glob[:-1]
        by_name = b"/" not in glob
        if by_name:
            regex = translate(glob)
        else:
            # git compares the plain beginning as it is and starts its glob matcher after it: so `**` that follows
            # plain text is at the matcher's start and crosses slashes (`/lib**` reaches `lib/a/b`).
            glob = glob.removeprefix(b"/")
            special = _SPECIAL.search(glob)
            plain = glob[: special.start()] if special else glob
            regex = re.escape(plain) + translate(glob[len(plain) :])
        if not glob:
            return None
        return cls(regex, negated=negated, only_directories=only_directories, by_name=by_name)


class _Run:
    """Neighbouring rules of one polarity as two matchers."""

    def __init__(self, negated: bool, rules: list[_Rule]):
        self.negated = negated
        self.names = _one_of([rule.regex for rule in rules if rule.by_name])
        self.paths = _one_of([rule.regex for rule in rules if not rule.by_name])


def _one_of(regexes: list[bytes]) -> Callable[[bytes], object]:
    # One byte, one character: so both kinds of matcher mean the same.
    plain, hard = one_pass.divide(f"^{regex.decode('latin-1')}\\Z" for regex in regexes)
    match = re.compile("|".join(plain).encode("latin-1") if plain else _NEVER, re.DOTALL).match
    return match if hard is None else lambda path: match(path) or hard(path.decode("latin-1"))


def _runs(rules: list[_Rule]) -> list[_Run]:
    """The last run first: the first one that matches decides."""
    runs: list[_Run] = []
    end = len(rules)
    while end:
        start = end
        while start and rules[start - 1].negated == rules[end - 1].negated:
            start -= 1
        runs.append(_Run(rules[end - 1].negated, rules[start:end]))
        end = start
    return runs


def _lines(data: bytes) -> list[bytes]:
    """The lines that are rules: no byte order mark, CRLF or LF, no comments, no unescaped spaces at the end."""
    return [
        _without_trailing_spaces(line.removesuffix(b"\r").split(b"\0")[0])
        for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        if line and not line.startswith(b"#")
    ]


def _without_trailing_spaces(line: bytes) -> bytes:
    end = len(line.rstrip(b" "))
    backslashes = end - len(line[:end].rstrip(b"\\"))
    return line[: end + 1] if backslashes % 2 and end < len(line) else line[:end]


def translate(glob: bytes) -> bytes:
    """A regular expression (to be matched in full, with DOTALL) for git's wildmatch of one pattern."""
    parts: list[bytes] = []
    at = 0
    while at < len(glob):
        char = glob[at : at + 1]
        at += 1
        if char == b"*":
            start = at - 1
            while glob[at : at + 1] == b"*":
                at += 1
            rest = glob[at:]
            alone = at - start > 1 and (start == 0 or glob[start - 1] == _SLASH)
            if alone and rest.startswith(b"/"):
                if parts[-1:] != [b"(?:.*/)?"]:  # a second one adds nothing
                    parts.append(b"(?:.*/)?")
                at += 1
            elif alone and (not rest or rest.startswith(b"\\/")):
                parts.append(b".*")
            else:
                parts.append(b"[^/]*")
        elif char == b"?":
            parts.append(b"[^/]")
        elif char == b"[":
            bracket = _bracket(glob, at)
            if bracket is None:
                return _NEVER
            chars, at = bracket
            parts.append(b"[" + b"".join(b"\\x%02x" % c for c in sorted(chars)) + b"]" if chars else _NEVER)
        elif char == b"\\":
            if at == len(glob):
                return _NEVER
            parts.append(re.escape(glob[at : at + 1]))
            at += 1
        else:
            parts.append(re.escape(char))
    return b"".join(parts)


def _bracket(glob: bytes, at: int) -> tuple[set[int], int] | None:
    """The bytes that a `[…]` takes and where it ends (`at` is after the `[`); None if malformed: matches nothing."""
    negated = glob[at : at + 1] in (b"!", b"^")
    at += negated
    first = at
    chars: set[int] = set()
    previous = 0  # 0: no byte that could begin a range
    while at < len(glob) and (glob[at] != 0x5D or at == first):
        char = glob[at]
        if char == 0x5C:  # backslash
            at += 1
            if at == len(glob):
                return None
            char = glob[at]
            chars.add(char)
        elif char == 0x2D and previous and glob[at + 1 : at + 2] not in (b"", b"]"):
            at += 2 if glob[at + 1] == 0x5C else 1
            if at >= len(glob):
                return None
            chars.update(range(previous, glob[at] + 1))
            char = 0
        elif glob.startswith(b"[:", at):
            end = glob.find(b"]", at + 2)
            if end < 0:
                return None
            if end > at + 2 and glob[end - 1] == 0x3A:  # colon
                named = _CLASSES.get(glob[at + 2 : end - 1])
                if named is None:
                    return None
                chars |= named
                at = end
                char = 0
            else:
                chars.add(char)
        else:
            chars.add(char)
        previous = char
        at += 1
    if at >= len(glob):
        return None
    return (set(range(1, 256)) - chars if negated else chars) - {_SLASH}, at + 1
