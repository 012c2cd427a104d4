"""`python.pip_args`: pip's words, and which of them say what is locked and not only how it is installed."""

from __future__ import annotations

import shlex

from ..errors import BentofileError
from .package_source import Options, refuse_credentials

NO_BUILD_ISOLATION = "--no-build-isolation"
_LISTS = {
    "--extra-index-url": "extra_index_url",
    "--find-links": "find_links",
    "-f": "find_links",
    "--trusted-host": "trusted_host",
}
_CHOICES = ("--no-binary", "--only-binary")
_FLAGS = ("--pre", "--prefer-binary", "--require-hashes", NO_BUILD_ISOLATION)


def split(text: str, place: str | None) -> list[str]:
    """The words, as a shell sees them; BentofileError for an open quote or a credential."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BentofileError(
            f"python.pip_args cannot be split into words: {error}.",
            place=place,
            hint="Its words are split as a shell does: close the quote, or write a backslash before it.",
        ) from error
    for word in words:
        if "://" in word:
            refuse_credentials(word, place)
    return words


def for_lock(words: list[str]) -> Options:
    """What of pip's words a locker has to know, too; the others only the installation needs."""
    found = Options()
    waiting = list(words)
    while waiting:
        option, equals, value = waiting.pop(0).partition("=")
        if option in _FLAGS:
            found.other.append(option)
            continue
        if option == "--no-index":
            found.no_index = True
            continue
        if option[:2] in ("-i", "-f") and len(option) > 2 and not option.startswith("--"):
            option, value, equals = option[:2], option[2:] + equals + value, "="  # -fURL
        if option not in (*_LISTS, *_CHOICES, "--index-url", "-i"):
            continue
        if not equals:
            value = waiting.pop(0) if waiting else ""
        if not value:
            continue  # pip says so
        if option in _CHOICES:
            found.other.append(f"{option} {value}")
        elif option in _LISTS:
            getattr(found, _LISTS[option]).append(value)
        else:
            found.index_url = value
    return found
