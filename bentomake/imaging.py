"""What building an image asks of the machine: the engine and what it has, the context that it is given."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property, partial
from typing import Any

from . import origins
from .bento.layout import BUILDKIT, DOCKERFILE
from .container import noted
from .container.as_root import as_root, asked_as_root
from .container.backend import Backend, Image
from .container.begun import HeadStart
from .container.dockerfile_text import bases, filled
from .container.engine_command import EngineCommand
from .container.image_tag import checked, of_bento
from .container.options import Options
from .container.registry import chosen, get_backend
from .container.request import Request
from .container.staging import slot, staged
from .container.values import check_keys
from .engine.content_store import ContentStore
from .engine.digest import of_value
from .engine.fact import ABSENT, Fact
from .engine.process import Begun, Completed
from .engine.stat_index import StatIndex
from .engine.tree import Tree
from .errors import BentomakeError
from .lending import Lending
from .workspace import Settings


class Imaging:
    """The engine of one command, for the rule `image`."""

    KINDS = ("base_image", "own_image", "published", *Lending.KINDS)

    def __init__(self, settings: Settings, key: bytes, store: ContentStore, home: str, models: StatIndex | None = None):
        self.settings = settings
        self.ask_for = settings.image
        self.options = settings.image.options or Options.of(platform=settings.platform)  # what the lock is for
        self.lending = Lending(settings, self.options, key)
        self._store = store
        self._home = home
        self._models = models
        self._made: dict[str, Image] = {}  # by this command
        self._locks: list[int] = []  # of the contexts' directories
        self.head_start: HeadStart | None = None
        self.published: Callable[[str], str | None] = partial(origins.published, settings, home)  # by a Bento's name

    @cached_property
    def backend(self) -> Backend:
        backend = get_backend(chosen(self.ask_for.backend, self.settings.env), self.settings.env)
        backend.check(self.options)
        check_keys(self.options.values("ssh"), self.settings.env)
        return asked_as_root(backend) if self.ask_for.run_as_root else backend

    def ahead(self, dockerfile: str, tags: Iterable[str]) -> None:
        """Begin to ask the engine what the rule will want to know: it answers while the rest is looked at."""
        with contextlib.suppress(BentomakeError):  # said when it matters
            found = (filled(base, self.lending.build_args) for base in bases(dockerfile, self.lending.build_args))
            names = [*found, *(self.ask_for.tags or tags)]
            self._ahead("ahead", self.lending.env, [name for name in names if not name.startswith("-")])

    def _ahead(self, name: str, *args: object) -> None:
        """A registered backend has no such thing."""
        method = getattr(self.backend, name, None)
        if method is not None:
            method(*args)

    # parameters and oracles

    def param(self, name: str) -> Any:
        match name:
            case "image.tags":
                return [checked(tag) for tag in self.ask_for.tags]
            case "image.options":
                return self.lending.options
            case "image.build_args":
                return self.lending.macs("build-arg")
            case "image.secrets":
                return self.lending.macs("secret")
            case "image.features":
                return sorted(self.ask_for.features)
            case "image.offline":
                return self.ask_for.offline
            case "image.wheel_cache":
                return self.ask_for.wheel_cache
            case "image.wheels_by":  # the Dockerfiles, best first, whose builds could be given wheels
                named = [BUILDKIT, DOCKERFILE] if self.backend.buildkit else [DOCKERFILE]
                return named if self.backend.named_contexts else []
        raise KeyError(name)

    @cached_property
    def engine(self) -> dict[str, str]:
        """The oracle: which engine, which version of it, and which of a Bento's Dockerfiles it is given."""
        which = BUILDKIT if self.backend.buildkit else DOCKERFILE
        return {"backend": self.backend.name, "version": self.backend.version(self.lending.env), "dockerfile": which}

    @property
    def fresh(self) -> bool:
        """Whether nothing that was fetched before is to be used: --no-cache, where there is a network."""
        return self.options.on("no-cache") and not self.ask_for.offline

    def has(self, option: str) -> bool:
        """Whether the engine has an option; of a registered backend, its signature tells."""
        takes = getattr(self.backend, "takes", None)
        return option in getattr(self.backend, "words", ()) if takes is None else bool(takes(option.replace("-", "_")))

    @property
    def plain_because(self) -> tuple[str, str] | None:
        """Why the engine gets the plain Dockerfile though nobody asked for that, and what would be better."""
        tell = getattr(self.backend, "plain_because", None)  # a registered backend says itself what it takes
        return tell() if tell else None

    @property
    def platform(self) -> str | None:
        """What the image is for, if that is not the engine's own machine; of several platforms, the first."""
        of_engine = getattr(self.backend, "platform", None)
        return next(iter(self.options.platforms()), of_engine and of_engine(self.lending.env))

    @property
    def dated(self) -> bool:
        """Whether the engine makes images of the time that it is told."""
        return bool(getattr(self.backend, "dated", True))

    @property
    def builder(self) -> str | None:
        """The builder that the user has chosen by name, of an engine that has several."""
        return (
            (self.options.value("builder") or self.lending.env.get("BUILDX_BUILDER")) if self.has("builder") else None
        )

    @property
    def must_note(self) -> bool:
        """Whether only a file of ours can tell what was made: the engine cannot be asked, nor is there a user's."""
        return not self.lands and self.options.value("metadata-file") is None

    @property
    def lands(self) -> bool:
        """Whether the image ends up where the engine can be asked for it."""
        return bool(self.backend.stores(self.options))

    # facts

    def ask(self, kind: str, name: str) -> Fact:
        if kind in self.lending.KINDS:
            return self.lending.ask(kind, name)
        if kind == "published":
            address = self.published(name)
            return ABSENT if address is None else Fact(address, address, address)
        if kind == "base_image":  # its name has no values of build arguments: they may be secret
            name = filled(name, self.lending.build_args)
        if name.startswith("-"):  # a trace may be planted, and a Bento from elsewhere: an engine takes it for an option
            raise ValueError(f"no name of an image: {name!r}")
        if kind == "base_image":
            digest = self.backend.base_digest(name, self.lending.env)
            return ABSENT if digest is None else Fact(digest, digest)
        made = self._made.get(name) or self.backend.image(name, self.lending.env)
        return ABSENT if made is None else Fact(of_value(made.id), made.id)

    # the build

    @contextlib.contextmanager
    def staged(self, name: str, tree: Tree, models: Mapping[str, str | bytes]) -> Iterator[str]:
        """The directory of a context; see container.staging."""
        place = (self.head_start.slots.pop(name, None) if self.head_start else None) or slot(self._home, name)
        self._locks.append(place.lock)
        try:
            with staged(place, tree, models, self._store, self._models) as directory:
                yield directory
        finally:
            self._locks.remove(place.lock)

    @contextlib.contextmanager
    def contexts(self, asked: Mapping[str, tuple[str, Tree]]) -> Iterator[dict[str, str]]:
        """Directories for named contexts, by name; asked for as (what to call the directory, its files).

        Those that would be empty are left out, and all if the engine takes no such contexts.
        """
        with contextlib.ExitStack() as stack:
            yield {
                name: stack.enter_context(self.staged(directory, tree, {}))
                for name, (directory, tree) in asked.items()
                if tree and self.backend.named_contexts
            }

    def command(self, request: Request) -> tuple[list[str], dict[str, str]]:
        """The engine's command for a request, and its environment."""
        env = self.backend.env(self.lending.env)
        argv = self.backend.argv(request)
        if self.ask_for.run_as_root:
            argv = as_root(argv, env, (source.variable for source in request.sources() if source.variable))
        elif isinstance(self.backend, EngineCommand):
            argv = self.backend.direct(argv, env)
        return argv, env

    def build(self, ctx: Any, request: Request, dockerfile: str) -> tuple[Completed, str | None]:
        """Run the engine, live, and what it does afterwards (loading, tagging): how it ended, and the image's id.

        An engine that has a head start, and was started with just this request, is only given the Dockerfile's text.
        """
        self._ahead("forget")
        noted.forget(self.options)
        argv, env = self.command(request)
        hidden = self.lending.hidden(request)
        begun = self.head_start.taken(argv, env) if self.head_start else None
        plain: Callable[[str], str] = str
        if any(source.kind == "secret" for source in request.sources()):
            from .container import keyed_secrets  # few images have secrets

            plain, written = keyed_secrets.plain, dockerfile
            dockerfile = keyed_secrets.of(request, written, self.lending.env, self.settings.cwd, self.lending.mac)
            if dockerfile != written and not begun:
                argv, env = self.command(keyed_secrets.put(request, dockerfile))

        def hide(text: str) -> str:
            for value in hidden:
                text = text.replace(value, "****")
            return plain(text)

        given: dict[str, Any] = {"keeps": self._locks}
        if begun is not None:
            given = {"begun": begun, "stdin": dockerfile}
        elif getattr(self.backend, "ends_by_helpers", False):
            given = {"begun": Begun(argv, env=env, cwd=self.settings.cwd, keeps=self._locks, by_helpers=True)}
        done = ctx.run(argv, env=env, cwd=self.settings.cwd, hide=hide, live=True, **given)
        return done, self.backend.after(request, done, self.lending.env) if done.returncode == 0 else None

    def request(self, request: Request, labels: Mapping[str, str]) -> Request:
        """The request with labels, and without a network if that was asked for; the user's own options overrule."""
        if not self.ask_for.tags:
            of_bento(request.tags[0])
        given = [("label", f"{key}={value}") for key, value in labels.items()]
        if self.ask_for.offline and self.has("network") and not self.options.values("network"):
            given.append(("network", "none"))
        return request._replace(options=self.options._replace(given=(*given, *self.options.given)))

    def found(self, request: Request, image_id: str | None) -> Image | None:
        """The image that was made, as the engine describes it, or as it says of one that it gave to a registry."""
        if not self.lands:
            tell = getattr(self.backend, "sent", None)
            sent: Image | None = (
                tell(request._replace(options=self.options), image_id, self.lending.env) if tell else None
            )
            return sent
        made = self.backend.image(request.tags[0], self.lending.env)
        if made is not None and image_id and image_id != made.id:
            made = self.backend.image(image_id, self.lending.env) or made  # another build has taken the tag meanwhile
        if made is not None:
            self._made[request.tags[0]] = made
        return made
