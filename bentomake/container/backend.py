"""A backend: what each image engine must be able to say and do."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol, runtime_checkable

from ..engine.process import Completed
from ..errors import UsageError
from .options import Options
from .request import Request


class BackendUnhealthy(UsageError):
    """An engine cannot be used: the message says what is missing, the hint how to get it."""


class Image(NamedTuple):
    """An image that an engine has: `id` is `sha256:…`, `digest` that of its manifest if it has one; size in bytes."""

    reference: str
    id: str
    digest: str | None
    platform: str
    size: int
    tags: tuple[str, ...] = ()
    labels: Mapping[str, str] = MappingProxyType({})


@runtime_checkable
class Backend(Protocol):
    """An image engine. `env` is always the user's environment; `self.env(env)` is what the engine is started with."""

    @property
    def name(self) -> str:
        """What --backend calls it."""

    @property
    def buildkit(self) -> bool:
        """Whether it gets the Dockerfile with BuildKit's syntax."""

    @property
    def named_contexts(self) -> bool:
        """Whether it takes other directories beside the context."""

    def health(self, env: Mapping[str, str]) -> None:
        """Raise BackendUnhealthy if it cannot build now."""

    def version(self, env: Mapping[str, str]) -> str:
        """Which engine this is: client, server, where its images are. Cheap; BackendUnhealthy as `health`."""

    def check(self, options: Options) -> None:
        """Raise UsageError for an option that it does not have, or a value that it does not take."""

    def argv(self, request: Request) -> list[str]:
        """The command that builds; UsageError as `check`."""

    def env(self, base: Mapping[str, str]) -> dict[str, str]:
        """The user's environment over this backend's defaults."""

    def stores(self, options: Options) -> bool:
        """Whether the image will be in the engine's own store afterwards."""

    def image(self, reference: str, env: Mapping[str, str]) -> Image | None:
        """An image that it has now; None if it has none of that name, or cannot tell."""

    def base_digest(self, image: str, env: Mapping[str, str]) -> str | None:
        """The id of a base image that it has now."""

    def after(self, request: Request, completed: Completed, env: Mapping[str, str]) -> str | None:
        """What is left to do when the build has ended well; the image's id if it is known."""
