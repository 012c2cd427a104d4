"""A request for one image: everything that an engine is told."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from .options import Options
from .secret_source import SecretSource, as_told, read_secret


class Request(NamedTuple):
    """What to build, from where, and how it is to be called.

    `build_args` and `secrets` are bentomake's own; those of `options` follow them, so the user's win. The relative
    paths in options are the user's: run the engine in the user's working directory. `iidfile`, `metadata_file` and
    `progress` are wishes: a backend that has no such thing leaves them out, and `after` finds the id all the same.
    `scratch` is a directory that lives as long as the build, for what an engine hands to itself (buildctl needs it).
    """

    context: str
    dockerfile: str
    tags: tuple[str, ...]
    contexts: Mapping[str, str] = MappingProxyType({})
    build_args: Mapping[str, str] = MappingProxyType({})
    secrets: tuple[str, ...] = ()
    options: Options = Options()
    iidfile: str | None = None
    metadata_file: str | None = None
    progress: str | None = None
    scratch: str | None = None

    def all_build_args(self) -> tuple[str, ...]:
        """`NAME=VALUE` each, bentomake's own first."""
        return (*(f"{name}={value}" for name, value in self.build_args.items()), *self.options.values("build-arg"))

    def all_secrets(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.secrets, *map(as_told, self.options.values("secret")))))

    def sources(self) -> tuple[SecretSource, ...]:
        """Where the values of its secrets and of the user's build arguments are."""
        return (*map(read_secret, self.secrets), *self.options.secret_sources())

    def all_contexts(self) -> tuple[str, ...]:
        """`NAME=DIRECTORY` each, bentomake's own first."""
        return (*(f"{name}={path}" for name, path in self.contexts.items()), *self.options.values("build-context"))
