"""Expressions of globs in which `re` would backtrack, matched in one pass: all states at once, as bits of a number."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

# What globs are translated to, here and by any pathspec. A group is a step that may be left out.
_TOKEN = re.compile(
    r"(?P<group>\(\?:(?:\.[+*]/|/\.\+)\)\?)|(?P<never>\(\?!\))|\(\?:(?P<slash>/)\)"
    r"|(?P<atom>\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[^\\\[\](){}|^$*+?])(?P<count>[*+]?)",
    re.DOTALL,
)
_OR_BELOW = ("(?:(?:/)|$)", "(?:(?:/).*)?$", "(?:/.*)?$")  # how they end: here, or with any path below
_AT_END = "\\Z"
_NEVER = "(?!)"


class _Step(NamedTuple):
    """One character that an atom takes; `loops`: any number of them; `skips`: how many steps may be left out here."""

    atom: str
    loops: bool = False
    skips: tuple[int, ...] = ()


class _Expression(NamedTuple):
    steps: list[_Step]
    end: str  # one of _OR_BELOW; "$", also before a last line end; "\\Z"; or "": whatever follows


def divide(regexes: Iterable[str]) -> tuple[list[str], Callable[[str], bool] | None]:
    """Those that are left to `re`, and one matcher (of the whole text) for all others."""
    plain: list[str] = []
    hard: list[_Expression] = []
    for regex in regexes:
        expression = _parse(regex) if regex.count("*") + regex.count("+") > 2 else None
        if expression is None or not _backtracks(expression.steps):
            plain.append(regex)
        else:
            hard.append(expression)
    return plain, _OnePass(hard).match if hard else None


def _parse(regex: str) -> _Expression | None:
    """The steps of an expression; None for one that no glob is translated to."""
    end = next((end for end in (*_OR_BELOW, "$", _AT_END) if regex.endswith(end)), "")
    at, last = (1 if regex.startswith("^") else 0), len(regex) - len(end)
    steps: list[_Step] = [] if at else [_Step(".", True, (1,))]
    while at < last:
        token = _TOKEN.match(regex, at, last)
        if token is None:
            return None
        at = token.end()
        if token["group"]:
            group = _parse("^" + token["group"][3:-2])
            assert group is not None
            steps += [_Step(_NEVER, skips=(1, 1 + len(group.steps))), *group.steps]
        else:
            atom = token["atom"] or token["slash"] or token["never"]
            atom = atom[1] if atom[0] == "\\" and atom[1] != "." else atom
            if token["count"] != "*":
                steps.append(_Step(atom))
            if token["count"]:
                steps.append(_Step(atom, True, (1,)))
    return _Expression(steps, end)


def _backtracks(steps: Sequence[_Step]) -> bool:
    """Whether `re` may need more than the square of a path's length.

    Loops of one segment multiply, and so do those that cross slashes; a loop at the very end is of no consequence.
    """
    deep = wide = 0
    # A class may take a slash: then no segment bounds the loops. (One `.` is the first of a loop.)
    bounded = all(step.loops or step.atom in "./" or not _takes(step.atom, "/") for step in steps)
    for step in steps[:-1]:
        if step.loops and (not bounded or _takes(step.atom, "/")):
            deep += 1
        elif step.loops:
            wide += 1
        elif step.atom == "/" and bounded:
            wide = 0
        if deep > 2 or wide > 2:
            return True
    return False


def _takes(atom: str, char: str) -> bool:
    return atom == char if _is_literal(atom) else _compiled(atom).match(char) is not None


def _is_literal(atom: str) -> bool:
    return len(atom) == 1 and atom != "."


@lru_cache(maxsize=1000)
def _compiled(atom: str) -> re.Pattern[str]:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `[[:alpha:]]`: re warns that it may mean nested sets one day
        return re.compile(atom, re.DOTALL)


class _OnePass:
    """Several expressions. A bit stands before each step: it is set while the text up to here leads there."""

    def __init__(self, expressions: Iterable[_Expression]):
        starts: list[int] = []
        below: list[int] = []  # done if nothing follows, or a slash
        ended: dict[str, list[int]] = {"": [], "$": [], _AT_END: []}
        singles: defaultdict[str, list[int]] = defaultdict(list)
        loops: defaultdict[str, list[int]] = defaultdict(list)
        skips: defaultdict[int, list[int]] = defaultdict(list)
        at = 0
        for steps, end in expressions:
            starts.append(at)
            for step in steps:
                (loops if step.loops else singles)[step.atom].append(at)
                for distance in step.skips:
                    skips[distance].append(at)
                at += 1
            if end in _OR_BELOW:
                below.append(at)
                ended["$"].append(at)
                singles["/"].append(at)
                at += 1
                ended[""].append(at)
            else:
                ended[end].append(at)
            at += 1
        self._bits = at
        self._skips = [(distance, self._mask(places)) for distance, places in sorted(skips.items())]
        self._start = self._closed(self._mask(starts))
        self._ended = {end: self._mask(places) for end, places in ended.items()}
        self._singles, self._loops = self._masks(singles), self._masks(loops)
        self._of_char: dict[str, tuple[int, int]] = {}  # the steps that take a character: once, or any number of times

    def match(self, text: str) -> bool:
        state, done = self._start, self._ended[""]
        last = len(text) - 1
        for at, char in enumerate(text):
            if state & done or (at == last and char == "\n" and state & self._ended["$"]):
                return True
            masks = self._of_char.get(char)
            if masks is None:
                masks = self._of_char[char] = (_taking(self._singles, char), _taking(self._loops, char))
            state = self._closed((state & masks[0]) << 1 | state & masks[1])
            if not state:
                return False
        return bool(state & (done | self._ended["$"] | self._ended[_AT_END]))

    def _closed(self, state: int) -> int:
        """With all that is reached by leaving steps out."""
        before = -1
        while state != before:
            before = state
            for distance, mask in self._skips:
                state |= (state & mask) << distance
        return state

    def _mask(self, places: Iterable[int]) -> int:
        data = bytearray(self._bits // 8 + 1)
        for place in places:
            data[place >> 3] |= 1 << (place & 7)
        return int.from_bytes(data, "little")

    def _masks(self, places: Mapping[str, list[int]]) -> _Masks:
        masks = {atom: self._mask(where) for atom, where in places.items()}
        return masks, [(atom, mask) for atom, mask in masks.items() if not _is_literal(atom)]


_Masks = tuple[dict[str, int], list[tuple[str, int]]]  # by atom; and of those, the ones that are no literals


def _taking(masks: _Masks, char: str) -> int:
    """Of these steps, all whose atom takes the character."""
    literals, others = masks
    taking = literals.get(char, 0) if char != "." else 0
    for atom, mask in others:
        if _takes(atom, char):
            taking |= mask
    return taking
