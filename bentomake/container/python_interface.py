"""What Python code can ask: is an engine there, which one, a Bento's Dockerfile."""

from __future__ import annotations

import os
from collections.abc import Iterable

from ..bento.layout import BUILDKIT, DOCKERFILE
from ..errors import StoreError, UsageError
from .backend import Backend, BackendUnhealthy
from .registry import get_backend, register_backend

__all__ = ["get_backend", "get_containerfile", "health", "register_backend"]


def health(backend: str | Backend) -> bool:
    """Whether a backend can build now; UsageError if there is none of that name.

    `get_backend(name).health(os.environ)` raises what is missing instead.
    """
    try:
        get_backend(backend).health(os.environ)
    except BackendUnhealthy:
        return False
    return True


def get_containerfile(
    bento_tag: object,
    output_path: str | os.PathLike[str] | None = None,
    enable_buildkit: bool = True,
    features: str | Iterable[str] | None = None,
) -> str | None:
    """The Dockerfile that `containerize` gives to an engine: its text, or None once it is at `output_path`.

    In a directory it becomes `NAME_VERSION.dockerfile`. UsageError for no such Bento, or no such feature.
    """
    from ..bento.library import Library, home
    from .features import BUILD_ARG, build_arg

    library = Library(home(os.environ))
    tag = library.resolve(str(getattr(bento_tag, "tag", bento_tag)))
    text = ""
    for name in (BUILDKIT, DOCKERFILE) if enable_buildkit else (DOCKERFILE,):
        try:
            with open(os.path.join(library.directory(tag), name), encoding="utf-8") as file:
                text = file.read()
            break
        except FileNotFoundError:
            continue
        except OSError as error:
            raise StoreError(f"{name} of {tag} cannot be read: {error.strerror}.") from error
    if not text:
        raise UsageError(f"{tag} has no Dockerfile.", hint=f"{library.directory(tag)}/{DOCKERFILE} is missing.")
    if features:
        line = f"ARG {BUILD_ARG}="
        if f"{line}\n" not in text:
            raise UsageError(
                f"The Dockerfile of {tag} takes no features.",
                hint="bentomake did not make it: build the Bento with it.",
            )
        wanted = [features] if isinstance(features, str) else features
        text = text.replace(f"{line}\n", f"ARG {build_arg(wanted)}\n")
    if output_path is None:
        return text
    path = os.fspath(output_path)
    if os.path.isdir(path):
        path = os.path.join(path, f"{tag.name}_{tag.version}.dockerfile")
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from error
    return None
