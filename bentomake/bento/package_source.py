"""Where packages come from: the user's index, links and hosts; a credential among them is named, `${VARIABLE}`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import BentofileError

# What pip and uv expand in a requirement file: both only when they install, so files keep the variable's name.
VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
_ANY_VARIABLE = re.compile(r"\$\{(\w+)\}")


# Names that are no secrets: with one of them uv asks a keyring for the password, and git hosts want theirs.
NAMES = frozenset({"git", "oauth2accesstoken", "aws", "VssSessionToken", "__token__"})


@dataclass
class Options:
    """Where packages come from, and pip's other options, as the user gave them."""

    index_url: str | None = None
    no_index: bool = False
    trusted_host: list[str] = field(default_factory=list)
    extra_index_url: list[str] = field(default_factory=list)
    find_links: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """As lines of a requirement file, in one fixed order."""
        return [
            *([f"--index-url {self.index_url}"] if self.index_url else []),
            *(["--no-index"] if self.no_index else []),
            *(f"--trusted-host {host}" for host in self.trusted_host),
            *(f"--extra-index-url {url}" for url in self.extra_index_url),
            *(f"--find-links {link}" for link in self.find_links),
            *self.other,
        ]

    @classmethod
    def of(cls, param: Callable[[str], Any], place: Callable[[str], str | None]) -> Options:
        """What the bentofile's `python` section says; BentofileError for a URL with credentials."""
        lists = {
            name: list(param(f"python.{name}") or []) for name in ("trusted_host", "extra_index_url", "find_links")
        }
        index_url = param("python.index_url") or None
        for url in [index_url] if index_url else []:
            refuse_credentials(url, place("python.index_url"))
        for name in ("extra_index_url", "find_links"):
            for url in lists[name]:
                refuse_credentials(url, place(f"python.{name}"))
        return cls(index_url, bool(param("python.no_index")), **lists)

    def over(self, other: Options) -> Options:
        """Both, without doubles; an index URL of this one wins."""
        return Options(
            self.index_url or other.index_url,
            self.no_index or other.no_index,
            *(
                list(dict.fromkeys([*getattr(self, name), *getattr(other, name)]))
                for name in ("trusted_host", "extra_index_url", "find_links", "other")
            ),
        )


def secret_variables(options: Options) -> list[str]:
    """The variables that these options name, sorted: whoever installs needs their values, and nobody else."""
    return variables([options.index_url or "", *options.extra_index_url, *options.find_links])


def variables(texts: Iterable[str]) -> list[str]:
    """The names of all `${VARIABLE}` in the texts, sorted."""
    return sorted({name for text in texts for name in VARIABLE.findall(text)})


def refuse_credentials(url: str, place: str | None) -> None:
    """Raise BentofileError for a URL that carries a password or a token; the message does not repeat it.

    A variable may stand for it: `https://${TOKEN}@host`, `https://user:${PASSWORD}@host`. A name alone may be a token,
    but for those that are known.
    """
    for name in _ANY_VARIABLE.findall(url):
        if not VARIABLE.fullmatch(f"${{{name}}}"):
            raise BentofileError(
                f"pip does not expand ${{{name}}}: only variables in capital letters are.",
                place=place,
                hint=f"Write ${{{name.upper()}}}.",
            )
    scheme, _, rest = url.partition("://")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    user, _, host = authority.rpartition("@")
    port = VARIABLE.sub("0", host).rpartition("]")[2].partition(":")[2]
    odd_port = re.search(r"\D", port)  # `user:pass/word@host`: the slash ends it early
    if odd_port or (user and user not in NAMES and not _named(user) and (":" in user or not scheme.endswith("ssh"))):
        shown = f"{scheme}://****" if odd_port else scrub(url)
        raise BentofileError(
            f"A package URL must not carry credentials, they would be readable in the Bento: {shown}.",
            place=place,
            hint="Write ${VARIABLE} in their place, and set that variable where you build; or leave them to ~/.netrc.",
        )


def _named(user: str) -> bool:
    """Whether the secret part of `user:password` is a variable."""
    name, _, password = user.partition(":")
    if VARIABLE.fullmatch(password):
        return True
    # A token may stand alone; with git hosts a fixed word, or nothing, follows it.
    return bool(VARIABLE.fullmatch(name)) and password in ("", "x-oauth-basic")


def expand(text: str, values: Mapping[str, str]) -> str:
    """The text with the values of its variables, as pip and uv read it."""
    return VARIABLE.sub(lambda match: values.get(match[1], match[0]), text)


def hide(text: str, values: Mapping[str, str]) -> str:
    """What a resolver said, with the names of variables instead of their values, and without other credentials."""
    from urllib.parse import quote, unquote

    named = {form: name for name, value in values.items() for form in (value, quote(value, safe=""), unquote(value))}
    for form in sorted(named, key=len, reverse=True):  # a value may be a part of another
        if len(form) > 3:  # a shorter one is in too many words to be told from them, and no secret
            text = text.replace(form, f"${{{named[form]}}}")
    return scrub(text)


def scrub(text: str) -> str:
    """The same text without the user and password of any URL in it."""
    return re.sub(r"(://)[^/\s'\"]*@", r"\1****@", text)
