"""The backends that there are: bentomake's own, those registered from Python, those of installed packages."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module

from ..errors import UsageError
from .backend import Backend

DEFAULT = "docker"
GROUP = "bentomake.backends"  # an entry point: a Backend, or a function that gives or registers one
VARIABLES = ("BENTOML_CONTAINERIZE_BACKEND", "BENTOMAKE_BACKEND")

_OWN = {
    "buildah": "Buildah",
    "buildctl": "Buildctl",
    "buildx": "Buildx",
    "docker": "Docker",
    "nerdctl": "Nerdctl",
    "podman": "Podman",
}
_registered: dict[str, Backend] = {}


def names() -> list[str]:
    """The names of all backends."""
    return sorted({*_OWN, *_registered, *_entry_points()})


def chosen(given: str | None, env: Mapping[str, str]) -> str:
    """The backend's name: as given, else $BENTOML_CONTAINERIZE_BACKEND, else $BENTOMAKE_BACKEND, else docker."""
    return given or next((env[name] for name in VARIABLES if env.get(name)), DEFAULT)


def get_backend(backend: str | Backend | None = None, env: Mapping[str, str] | None = None) -> Backend:
    """The backend of a name, or the chosen one; a backend is itself. UsageError if there is none of that name."""
    env = os.environ if env is None else env
    if backend is None:
        backend = chosen(None, env)
    if not isinstance(backend, str):
        return backend
    if backend in _registered:
        return _registered[backend]
    if backend in _OWN:
        kind = getattr(import_module(f".{backend}", __package__), _OWN[backend])
        made: Backend = kind(env)  # what most of them are told hangs on DOCKER_BUILDKIT
        return made
    found = _from_entry_point(backend)
    if found is None:
        import difflib

        close = difflib.get_close_matches(backend, names(), n=1)
        there_are = f"There are {', '.join(names())}."
        hint = f"Did you mean {close[0]}? {there_are}" if close else there_are
        raise UsageError(f"There is no backend {backend}.", hint=hint)
    return found


def register_backend(
    backend: str,
    *,
    buildkit_support: bool,
    health: Callable[[], bool],
    construct_build_args: Callable[..., Sequence[object]],
    binary: str | None = None,
    build_cmd: Sequence[str] | None = None,
    env: Mapping[str, str] | None = None,
) -> None:
    """Make an engine of your own known by a name; UsageError if the name is taken.

    `health()` says whether it can build. `construct_build_args(context_path=, file=, tag=, **options)` gives the words
    after `BINARY BUILD_CMD…`; options have underscores, those given by --opt are tuples, switches are True. `binary`
    is the name if it is not given, `build_cmd` is `build`; `env` are defaults below the user's environment.
    """
    if backend in _OWN or backend in _registered:
        raise UsageError(f"The backend {backend} is already registered.", hint="Choose another name for yours.")
    from .registered import Registered

    _registered[backend] = Registered(
        backend,
        buildkit_support,
        health,
        construct_build_args,
        binary or backend,
        tuple(build_cmd or ("build",)),
        env or {},
    )


def having(option: str) -> list[str]:
    """The names of bentomake's own backends that have an option."""
    found = []
    for name in sorted(_OWN):
        words: frozenset[str] = getattr(get_backend(name, {}), "words", frozenset())
        if option in words:
            found.append(name)
    return found


def _entry_points() -> list[str]:
    from importlib.metadata import entry_points

    return [found.name for found in entry_points(group=GROUP)]


def _from_entry_point(name: str) -> Backend | None:
    from importlib.metadata import entry_points

    for found in entry_points(group=GROUP):
        if found.name != name:
            continue
        try:
            loaded = found.load()
            made = loaded if isinstance(loaded, Backend) and not isinstance(loaded, type) else loaded()
        except Exception as error:
            raise UsageError(
                f"The backend {name} of {found.value} cannot be loaded: {type(error).__name__}: {error}.",
                hint=f"It is an entry point of the group {GROUP}.",
            ) from error
        if isinstance(made, Backend):
            _registered.setdefault(name, made)
        if name not in _registered:
            raise UsageError(
                f"The backend {name} of {found.value} is neither a backend nor registers one.",
                hint=f"An entry point of the group {GROUP} gives a Backend, or calls register_backend({name!r}, …).",
            )
        return _registered[name]
    return None
