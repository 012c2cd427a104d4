"""Where packages come from: the user's index, links and hosts; and that no URL among them carries a credential."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..errors import BentofileError


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
        given = {name: param(f"python.{name}") or [] for name in ("trusted_host", "extra_index_url", "find_links")}
        lists = {name: [value] if isinstance(value, str) else list(value) for name, value in given.items()}
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


def refuse_credentials(url: str, place: str | None) -> None:
    """Raise BentofileError for a URL that carries a password or a token; the message does not repeat it."""
    scheme, _, rest = url.partition("://")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    user, _, host = authority.rpartition("@")
    odd_port = re.search(r":(?!\d*$)[^\]]*$", host)  # `user:pass/word@host`: the slash ends the host too early
    if (user and (":" in user or not scheme.endswith("ssh"))) or odd_port:
        what = (
            "Variables in a package URL are not supported yet"
            if "${" in authority
            else ("A package URL must not carry credentials, they would be readable in the Bento")
        )
        shown = f"{scheme}://****" if odd_port else scrub(url)
        raise BentofileError(
            f"{what}: {shown}.",
            place=place,
            hint="Remove user and password from the URL; the resolver finds them in ~/.netrc, or in the URL of an "
            "environment variable such as UV_DEFAULT_INDEX.",
        )


def scrub(text: str) -> str:
    """The same text without the user and password of any URL in it."""
    return re.sub(r"(://)[^/\s'\"]*@", r"\1****@", text)
