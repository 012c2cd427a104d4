"""Where the values of secrets and build arguments are, so that a key can have their HMAC and nothing can show them."""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from ..errors import UsageError

# Credentials inside of values that are none as a whole: `secret_access_key=…` of a cache, `https://user:password@…`.
_INSIDE = re.compile(r"((?:secret_access_key|token|passw(?:or)?d)[=:])([^,\s]+)|(://)([^/@\s]+)(?=@)", re.IGNORECASE)

_ARG_NAME = re.compile(r"[\w.-]+")

_TELLING = 6  # characters: a shorter secret would blot out half a log


class SecretSource(NamedTuple):
    """A named value: in an environment variable if that is set, else in a file; or as given (a build argument)."""

    kind: str  # "secret" or "build-arg"
    name: str
    file: str | None = None
    variable: str | None = None
    value: str | None = None

    def __repr__(self) -> str:
        return f"SecretSource({self.kind!r}, {self.name!r}, {self.file!r}, {self.variable!r})"

    def read(self, env: Mapping[str, str], cwd: str) -> bytes | None:
        """The value's bytes; None for a build argument whose variable is not set. UsageError for a missing secret."""
        if self.value is not None:
            return os.fsencode(self.value)
        if self.variable is not None and self.variable in env:
            return os.fsencode(env[self.variable])
        if self.kind == "build-arg":
            return None
        if self.file is None:
            raise UsageError(
                f"The secret {self.name} is to come from the variable {self.variable}, which is not set.",
                hint=f"export {self.variable}=…, or --secret id={self.name},src=FILE.",
            )
        path = os.path.join(cwd, os.path.expanduser(self.file))
        try:
            with open(path, "rb") as file:
                return file.read()
        except OSError as error:
            raise UsageError(
                f"The secret {self.name} cannot be read from {self.file}: {error.strerror}.",
                hint=f"--secret id={self.name},src=FILE or id={self.name},env=NAME.",
            ) from error


def read_secret(text: str) -> SecretSource:
    """Of `id=NAME,src=FILE`, `id=NAME,env=VARIABLE` or `id=NAME` (that variable, else that file)."""
    import csv  # few images have secrets

    fields = {}
    try:
        parts = next(csv.reader([text]), [])
    except csv.Error:
        parts = []  # a line break that is not quoted
    for part in parts:
        key, _, value = part.partition("=")
        fields[key.lower()] = value
    name = fields.get("id", "")
    file = fields.get("src") or fields.get("source")
    variable = fields.get("env")
    unknown = fields.keys() - {"id", "src", "source", "env", "type"}
    if not name or unknown:  # what is wrong is not shown: it might be the secret
        what = f"The secret {name} has a field that is none of src, env and type." if name else "A secret has no id."
        raise UsageError(what, hint="Write --secret id=NAME,src=FILE or id=NAME,env=VARIABLE.")
    if file is None and variable is None:
        variable, file = name, name
    elif file is not None and fields.get("type") == "env":
        variable, file = file, None
    return SecretSource("secret", name, file, variable)


def as_told(text: str) -> str:
    """The same secret in the words that all engines know: buildah has neither `source=` nor `SRC=` nor quotes.

    `~/` and `~USER/` are written out: a shell leaves them behind `src=`, and so do engines.
    """
    secret = read_secret(text)
    fields = [f"id={secret.name}"]
    if secret.file != secret.variable:  # else the engine looks for both, too
        fields += [f"src={os.path.expanduser(secret.file)}"] if secret.file else []
        fields += [f"env={secret.variable}"] if secret.variable else []
    return ",".join(map(quoted, fields))


def quoted(field: str) -> str:
    """A field of comma-separated values."""
    return '"{}"'.format(field.replace('"', '""')) if any(sign in field for sign in ',"\r\n') else field


def read_build_arg(text: str) -> SecretSource:
    """Of `NAME=VALUE`, or `NAME`: the variable of that name.

    UsageError for another sign after the name: engines take `NAME:VALUE` whole for the name of a variable, which nobody
    has, and go on without; what comes after the sign might be secret.
    """
    name, equals, value = text.partition("=")
    if not _ARG_NAME.fullmatch(name):
        begun = _ARG_NAME.match(name)
        known = begun[0] if begun else "NAME"
        raise UsageError(
            f"The build argument {known}… has no = after its name." if begun else "A build argument has no name.",
            hint=f"Write --build-arg {known}=VALUE, or --build-arg {known} for the variable of that name.",
        )
    return SecretSource("build-arg", name, None, None if equals else name, value if equals else None)


def masked(text: str, instead: Callable[[str], str] = lambda _: "…") -> str:
    """The text with something instead of each credential in it."""
    return _INSIDE.sub(lambda found: f"{found[1] or found[3]}{instead(found[2] or found[4])}", text)


def telling(sources: Iterable[SecretSource], more: Iterable[str], env: Mapping[str, str], cwd: str) -> list[str]:
    """What a log must not show, the longest first: the values, line by line, and what is known `more`."""
    found = [*more]
    for source in sources:
        value = (source.read(env, cwd) or b"").decode("utf-8", "replace")
        for line in value.splitlines():
            found.append(line.strip())  # of build arguments, too: BuildKit shows them in RUN
            if source.kind == "secret":  # of `key = value`, a build may print the value alone
                found += [line.partition("=")[2].strip(), line.partition(":")[2].strip()]
    return sorted({value for value in found if len(value) >= _TELLING}, key=len, reverse=True)
