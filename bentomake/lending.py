"""What the build of an image is lent: credentials, secrets and values, which no key, log or file has in clear."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cached_property, partial
from typing import TYPE_CHECKING

from .container import index_credentials
from .container.secret_source import masked, telling
from .engine.fact import ABSENT, Fact
from .engine.fresh import mac

if TYPE_CHECKING:
    from .container.options import Options, Value
    from .container.request import Request
    from .workspace import Settings

_OWN = "BENTOMAKE_BUILD_"  # begins the variables that hold values of the Bento's own


class Lending:
    """What one command lends. What is keyed is keyed by HMAC with the cache's own key."""

    KINDS = ("credential", "secret")

    def __init__(self, settings: Settings, options: Options, key: bytes):
        self._settings = settings
        self._options = options
        self.mac = partial(mac, key)
        self._credentials: dict[str, tuple[str, str] | None] = {}  # by URL: a keyring answers slowly
        self._lent: dict[str, tuple[str, str]] = {}
        self._own: dict[str, str] = {}

    @property
    def env(self) -> dict[str, str]:
        """The user's variables, and those by which something is lent."""
        lent = {index_credentials.VARIABLE: index_credentials.netrc(self._lent)} if self._lent else {}
        return {**self._settings.env, **self._own, **lent}

    def lend(self, urls: Iterable[str]) -> str:
        """Let the build have the credentials of these indexes; the secret as the engine is told of it."""
        self._lent = {url: found for url in urls if (found := self._credential(url)) is not None}
        return f"id={index_credentials.ID},env={index_credentials.VARIABLE}"

    def lend_value(self, name: str, value: str) -> str:
        """Let the build have a value of the Bento's own, by a variable that sets nothing of the engine's."""
        self._own[f"{_OWN}{name}"] = value
        return f"id={name},env={_OWN}{name}"

    def _credential(self, url: str) -> tuple[str, str] | None:
        if url not in self._credentials:
            asked = url.startswith(
                ("https://", "http://")
            )  # else a planted trace has it: a keyring would be told of it
            self._credentials[url] = index_credentials.credential(url, self._settings.env) if asked else None
        return self._credentials[url]

    def ask(self, kind: str, name: str) -> Fact:
        """The fact of one of KINDS."""
        found = self._credential(name) if kind == "credential" else self._settings.env.get(name)
        if found is None:
            return ABSENT
        return Fact(self.mac(found if isinstance(found, str) else "\0".join(found)))

    @property
    def options(self) -> list[list[Value]]:
        """The options as the key has them."""
        return [
            [name, masked(value, self.mac) if isinstance(value, str) else value]
            for name, value in self._options.keyed()
        ]

    def macs(self, kind: str) -> dict[str, str | None]:
        """The values of the user's secrets ("secret") or build arguments ("build-arg") as the key has them, by name."""
        return {name: None if value is None else self.mac(value.decode("latin-1")) for name, value in self._read(kind)}

    @cached_property
    def build_args(self) -> dict[str, str]:
        """The values of the user's build arguments that have one."""
        return {name: os.fsdecode(value) for name, value in self._read("build-arg") if value is not None}

    @property
    def secret_ids(self) -> set[str]:
        """The names of the user's secrets."""
        return {source.name for source in self._options.secret_sources() if source.kind == "secret"}

    def _read(self, kind: str) -> list[tuple[str, bytes | None]]:
        sources = (source for source in self._options.secret_sources() if source.kind == kind)
        return [(source.name, source.read(self._settings.env, self._settings.cwd)) for source in sources]

    def hidden(self, request: Request) -> list[str]:
        """The values, line by line, that a log must not have: a build might print them."""
        return telling(request.sources(), sum(self._lent.values(), ()), self.env, self._settings.cwd)
