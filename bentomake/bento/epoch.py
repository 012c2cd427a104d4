"""SOURCE_DATE_EPOCH: the time that whatever a reproducible build makes is said to be of."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import UsageError

VARIABLE = "SOURCE_DATE_EPOCH"  # https://reproducible-builds.org/specs/source-date-epoch/
_YEARS = range(-62135596800, 253402300800)  # 1 to 9999


def epoch(env: Mapping[str, str]) -> str | None:
    """Seconds since 1970, as they are given; None if nobody gives them, UsageError if they are no such number."""
    text = env.get(VARIABLE)
    if not text:
        return None
    if not (text.isascii() and len(text) < 20 and text.removeprefix("-").isdigit() and int(text) in _YEARS):
        raise UsageError(
            f"{VARIABLE} is {text!r}, which is no number of seconds.",
            hint=f"For a repository: {VARIABLE}=$(git log -1 --format=%ct)",
        )
    return text
