"""Options of an image build as their user gave them: --opt, flags or Python keywords, one form for all backends."""

import os
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from ..errors import UsageError
from .secret_source import SecretSource, masked, read_build_arg, read_secret
from .words import FORCING, JOINED, PAIRS, SECRET, SWITCHES, UNKEYED

Value = str | bool
_SEPARATOR = re.compile("[=:]")
_TOLD = re.compile(r"build[-_]arg[:=]")  # to buildctl, by its own --opt
_ON = ("true", "1", "yes", "on")
_OFF = ("false", "0", "no", "off")


class Options(NamedTuple):
    """Named values in the order given; names have dashes, a switch is a bool.

    `deprecated` are lines to warn with. `keywords` is the same for a registered backend's `construct_build_args`.
    """

    given: tuple[tuple[str, Value], ...] = ()
    deprecated: tuple[str, ...] = ()
    keywords: Mapping[str, object] = MappingProxyType({})

    @staticmethod
    def parse(opts: Iterable[str] = (), flags: Mapping[str, Value | tuple[str, ...] | None] | None = None) -> "Options":
        """From `--opt` words (`k=v`, `k:v`, `k`) and the older flags by name.

        UsageError for a word without a name, and for what `checked` refuses.
        """
        given: list[tuple[str, Value]] = []
        keywords: dict[str, object] = {}
        deprecated: list[str] = []
        for word in opts:
            name, value = _split(word)
            given.append((name, value))
            keyword = _keyword(name)
            keywords[keyword] = _joined(keywords.get(keyword, ()), (value,) if isinstance(value, str) else value)
        for name, values in (flags or {}).items():
            if values is None or values is False or values == ():
                continue
            each = values if isinstance(values, tuple) else (values,)
            given.extend((name, value) for value in each)
            keywords[_keyword(name)] = _joined(keywords.get(_keyword(name)), values)
            deprecated.extend(_deprecated(name, value) for value in each)
        return Options(tuple(given), tuple(deprecated), keywords).checked()

    @staticmethod
    def of(**keywords: object) -> "Options":
        """From Python keywords as documented: str, bool, int, path, a tuple or list of them, or a mapping.

        UsageError for another type, and for what `checked` refuses.
        """
        given: list[tuple[str, Value]] = []
        keywords = {name: value for name, value in keywords.items() if value is not None}
        for keyword, value in keywords.items():
            name = keyword.strip("_").replace("_", "-")
            if name != "progress":  # how it is shown is the caller's business
                given.extend((name, _switch(name, text)) for text in _texts(name, value))
        return Options(tuple(given), keywords=keywords).checked()

    def checked(self) -> "Options":
        """The same; UsageError for what has no name apart from its value, whatever the engine."""
        self.secret_sources()
        return self

    def values(self, name: str) -> tuple[str, ...]:
        """The values of an option, in order."""
        return tuple(value for each, value in self.given if each == name and isinstance(value, str))

    def value(self, name: str) -> str | None:
        """The value that holds: the last."""
        return (self.values(name) or (None,))[-1]

    def on(self, name: str) -> bool:
        """Whether a switch is on; `pull=always` is on too."""
        found = [value for each, value in self.given if each == name]
        return bool(found) and found[-1] not in (False, "never", "")

    def platforms(self) -> tuple[str, ...]:
        """The platforms asked for, one each: `--platform a,b` are two."""
        every = [part.strip() for value in self.values("platform") for part in value.split(",")]
        return tuple(dict.fromkeys(part for part in every if part))

    def keyed(self) -> list[list[Value]]:
        """What the key of an image has of them: [name, value] in order, and only the name of what is secret.

        Values of secrets and of build arguments are `secret_sources()`, to be kept as HMAC.
        """
        found: list[list[Value]] = []
        for name, value in self.given:
            if name in SECRET:
                found.append([name, _name_of(name, value)])
            elif name == "opt" and _told(value):
                found.append([name, str(value).partition("=")[0]])
            elif name not in UNKEYED:
                found.append([name, value])
        return found

    def secret_sources(self) -> tuple[SecretSource, ...]:
        """Where the values are that the key must not have in clear."""
        found = [read_secret(value) for value in self.values("secret")]
        told = [*self.values("build-arg"), *filter(None, map(_told, self.values("opt")))]
        return (*found, *map(read_build_arg, told))

    def discreet(self, words: Iterable[str]) -> list[str]:
        """The words of the command line that gave these options, without the values that are nobody's business."""
        said = [(str(value), _shown(name, str(value))) for name, value in self.given]
        hidden = sorted(((text, shown) for text, shown in said if text != shown), key=lambda each: -len(each[0]))
        found = []
        for word in words:  # however an option is spelled, its value is the end of a word
            text, shown = next((each for each in hidden if word.endswith(each[0])), ("", ""))
            found.append(masked(f"{word.removesuffix(text)}{shown}"))
        return found

    def forcing(self) -> tuple[str, ...]:
        """The options given that ask for work even if the same was done before (no-cache, pull, push …)."""
        contexts = any(value.startswith("context:") for value in self.values("opt"))  # in buildctl's words
        return (*(name for name in FORCING if self.on(name)), *(["opt"] if contexts else []))


def _split(word: str) -> tuple[str, Value]:
    found = _SEPARATOR.search(word)
    name = (word if found is None else word[: found.start()]).strip().lstrip("-").replace("_", "-")
    if not name:
        raise UsageError(f"--opt {word!r} names no option.", hint="Write --opt NAME=VALUE, NAME:VALUE, or NAME.")
    return name, _switch(name, True if found is None else word[found.end() :])


def _switch(name: str, value: Value) -> Value:
    if name in SWITCHES and isinstance(value, str) and value.lower() in (*_ON, *_OFF):
        return value.lower() in _ON
    return value


def _keyword(name: str) -> str:
    return name.replace("-", "_")


def _joined(before: object, values: object) -> object:
    """The values of an option that may have been given before."""
    return (*before, *values) if isinstance(before, tuple) and isinstance(values, tuple) else values


def _deprecated(name: str, value: Value) -> str:
    shown = "" if value is True else f"={masked(_shown(name, str(value)))}"
    return f"'--{name}{shown}' is deprecated: write '--opt {name}{shown}'."


def _shown(name: str, value: str) -> str:
    """A build argument may be a secret: its value is not shown."""
    if name in ("build-arg", "opt") and "=" in value:
        told = _told(value) if name == "opt" else value
        return value if told is None else f"{value.removesuffix(told)}{told.partition('=')[0]}=…"
    return "…" if name in ("creds", "decryption-key") and value else value


def _name_of(name: str, value: Value) -> str:
    text = str(value)
    if name == "secret":
        return read_secret(text).name
    return text.partition("=")[0] if name in ("build-arg", "ssh") else "given"


def _told(value: Value) -> str | None:
    """The build argument that buildctl is told in its own words: `--opt build-arg:NAME=VALUE`."""
    found = _TOLD.match(value) if isinstance(value, str) else None
    return None if found is None else found.string[found.end() :]


def _texts(name: str, value: object) -> list[Value]:
    """The values that a Python keyword stands for."""
    if isinstance(value, bool):
        return [value]
    if isinstance(value, Mapping):
        if name == "ulimit":
            return [f"{key}={':'.join(map(str, _several(limits)))}" for key, limits in value.items()]
        if name in PAIRS:
            return [
                f"{key}{PAIRS[name]}{text}" for key, several in value.items() for text in map(str, _several(several))
            ]
        return [",".join(f"{key}={text}" for key, text in value.items())]
    if isinstance(value, (tuple, list)):
        if name in JOINED and all(isinstance(part, str) and ":" not in part for part in value):
            return [":".join(map(str, value))]
        return [text for part in value for text in _texts(name, part)]
    if isinstance(value, os.PathLike):
        return [os.fspath(value)]
    if isinstance(value, (str, int, float)):
        return [str(value)]
    raise UsageError(f"The option {name} cannot be a {type(value).__name__}.", hint="Give a str, a tuple or a mapping.")


def _several(value: object) -> Iterable[object]:
    return value if isinstance(value, (tuple, list)) else (value,)
