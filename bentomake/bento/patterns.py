"""The include and exclude lists of a bentofile, matched as BentoML matches them: pathspec's, the last match wins."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

from ..errors import UsageError
from . import one_pass

_ANY_DIRECTORY = "^(?:.+/)?"  # how pathspec begins a pattern that may match at any depth
_EVERYTHING = ("*", "**")
_SPECIAL = re.compile(r"[*?\[\]\\]")
MAX_CHARACTERS = 10_000  # of one pattern; pathspec is not quick with longer ones, and a path has at most 4096
_STALE = 100  # paths that matched a pattern whose first match is known already
_UNCLOSED = 100  # pathspec may look for the end of each to the end of the pattern


class PatternError(UsageError):
    """A pattern that means nothing; `kind` is include or exclude, `index` its place in that list."""

    def __init__(self, kind: str, index: int, pattern: str):
        message = f"The pattern {pattern!r} in {kind} is not a valid pattern."
        if len(pattern) > MAX_CHARACTERS:
            message = f"A pattern in {kind} has more than {MAX_CHARACTERS:,} characters: no path is as long."
        super().__init__(message, hint="Patterns are those of .gitignore: `*.py`, `/data/`, `!keep.txt`.")
        self.kind = kind
        self.index = index


class PatternList:
    """One list; pathspec is imported and the patterns are compiled when the first path needs it."""

    def __init__(self, kind: str, patterns: Sequence[str]):
        self.kind = kind
        self.patterns = tuple(patterns)
        self._everything = bool(patterns) and all(pattern in _EVERYTHING for pattern in patterns)

    def matches(self, path: str) -> bool:
        """Whether the list takes a file; a path that ends in `/` asks for a directory as a whole."""
        if self._everything or not self.patterns:
            return self._everything
        for positive, match in self._runs:
            if match(path):
                return positive
        return False

    def settles(self, directory: str) -> bool | None:
        """True or False if the list says so of every file below a directory (with its `/`), whatever their names.

        Only the last run of equal polarity is asked, because nothing after it can say otherwise. A pattern that
        matches `d/`, with no name after the slash, matches every path below it.
        """
        if self._everything or not self.patterns:
            return self._everything
        if not self._runs:
            return False
        positive, match = self._runs[0]
        return positive if match(directory) else None

    def may_hold(self, directory: str) -> bool:
        """False if no file below a directory (given without `/`) can match: every pattern begins elsewhere."""
        return self._roots is None or any(
            root == directory or root.startswith(directory + "/") or directory.startswith(root + "/")
            for root in self._roots
        )

    @cached_property
    def _roots(self) -> list[str] | None:
        """The plain beginnings of the anchored patterns; None if one of them may match anywhere."""
        roots = []
        for pattern in self.patterns:
            text = pattern.rstrip()
            if not text or text[0] in "#!":
                continue
            if text[0].isspace():  # part of the name, or not, by pathspec's version
                return None
            segments = text.split("/")
            if "/" not in text[:-1]:
                return None
            plain = []
            for segment in segments[1:] if not segments[0] else segments:
                if _SPECIAL.search(segment) or not segment:
                    break
                plain.append(segment)
            if not plain:
                return None
            roots.append("/".join(plain))
        return roots

    @cached_property
    def compiled(self) -> list[tuple[bool, str] | None]:
        """A pattern each: its polarity and regular expression; None for blank lines and comments."""
        return [_compile(self.kind, index, pattern) for index, pattern in enumerate(self.patterns)]

    @cached_property
    def _runs(self) -> list[tuple[bool, Callable[[str], object]]]:
        """Neighbours of one polarity as one matcher, the last first: the first that matches decides."""
        runs: list[tuple[bool, list[str]]] = []
        for entry in self.compiled:
            if entry is not None:
                if not runs or runs[-1][0] != entry[0]:
                    runs.append((entry[0], []))
                runs[-1][1].append(entry[1])
        return [(positive, one_of(regexes)) for positive, regexes in reversed(runs)]

    def find(self, wanted: Iterable[int], paths: Iterable[str]) -> dict[int, str]:
        """Of the patterns asked for by index: each one's first match among the paths, if it has one."""
        paths = list(paths)
        found: dict[int, str] = {}
        pending: dict[int, str] = {}
        for index in wanted:
            if self.patterns[index] in _EVERYTHING:
                if paths:
                    found[index] = paths[0]
            elif (entry := self.compiled[index]) is not None:
                pending[index] = entry[1]
        each: dict[int, Callable[[str], object]] = {}
        any_pending: Callable[[str], object] | None = None
        for path in paths if pending else ():
            if any_pending is None:
                any_pending, asked, stale = one_of(list(pending.values())), len(pending), 0
            if any_pending(path):
                before = len(found)
                for index in list(pending):
                    if index not in each:
                        each[index] = one_of([pending[index]])
                    if each[index](path):
                        found[index] = path
                        del pending[index]
                if not pending:
                    break
                stale += len(found) == before
                if stale > _STALE or 2 * len(pending) <= asked:  # to compile them costs as much as many paths
                    any_pending = None
        return found

    def is_inert(self, index: int) -> bool:
        """A blank line or a comment."""
        text = self.patterns[index].strip()
        return not text or text.startswith("#")


def one_of(regexes: list[str]) -> Callable[[str], object]:
    """One matcher for several of pathspec's expressions; what many of them begin with is tried once."""
    regexes, hard = one_pass.divide(regexes)
    if not regexes and hard is not None:
        return hard
    deep = [regex.removeprefix(_ANY_DIRECTORY) for regex in regexes if regex.startswith(_ANY_DIRECTORY)]
    rest = [
        regex if regex.startswith("^") else ".*" + regex for regex in regexes if not regex.startswith(_ANY_DIRECTORY)
    ]
    parts = [f"(?:{regex})" for regex in rest]
    if deep:
        parts.append(_ANY_DIRECTORY + "(?:" + "|".join(f"(?:{regex})" for regex in deep) + ")")
    match = _quietly_compile("|".join(parts)).match
    return match if hard is None else lambda path: match(path) or hard(path)


def _compile(kind: str, index: int, pattern: str) -> tuple[bool, str] | None:
    try:  # pathspec ≥ 1.0 keeps what BentoML means by "gitwildmatch" under a new name and warns of the old one
        from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern as Pattern
    except ImportError:
        from pathspec.patterns.gitwildmatch import GitWildMatchPattern as Pattern
    if len(pattern) > MAX_CHARACTERS or any(
        part.rpartition("]")[2].count("[") > _UNCLOSED for part in pattern.split("/")
    ):
        raise PatternError(kind, index, pattern)
    try:
        regex, positive = Pattern.pattern_to_regex(pattern)
        if regex is None or positive is None:
            return None
        regex = regex.replace("(?P<ps_d>", "(?:")  # a group's name may occur once in one expression
        _quietly_compile(regex)
    except (ValueError, re.error):
        raise PatternError(kind, index, pattern) from None
    return positive, regex


def _quietly_compile(regex: str) -> re.Pattern[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `[[:alpha:]]`: re warns that it may mean nested sets one day
        return re.compile(regex, re.DOTALL)


def leave_out(path: str) -> str:
    """The hint that says which pattern leaves a path out."""
    plain = "".join("\\" + char if char in "*?[]\\" else char for char in path)
    return f'To leave it out, add "/{plain}" to exclude.'
