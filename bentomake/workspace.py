"""The workspace: which bentofiles a command means, and where bentomake keeps its own things."""

import os
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from .engine.fresh import cache_directory
from .errors import UsageError

if TYPE_CHECKING:
    from .container.options import Options

GOAL = "bento"


class ImageAsk(NamedTuple):
    """What an image was asked for, beyond its Bento."""

    backend: str | None = None  # None: the environment's choice, else docker
    tags: tuple[str, ...] = ()  # none: the Bento's own
    options: "Options | None" = None
    features: tuple[str, ...] = ()
    run_as_root: bool = False
    offline: bool = False
    wheel_cache: bool = True

    @property
    def forced(self) -> bool:
        """Whether an option asks for work even if the same was done before."""
        return self.options is not None and bool(self.options.forcing())


class Settings(NamedTuple):
    """What a build was asked for, beyond its bentofile."""

    cwd: str
    env: Mapping[str, str]
    python: str | None = None
    jobs: int = 0
    keep_going: bool = False
    force: bool = False
    locker: str = "uv"
    upgrade: tuple[str, ...] = ()  # names; ("*",) for all
    platform: str | None = None  # what the lock is for, if not this machine's Linux: `linux/arm64`
    hashes: bool = False  # in the lock
    import_timeout: float = 300.0
    version: str | None = None
    name: str | None = None
    labels: Mapping[str, str] = MappingProxyType({})
    args: Mapping[str, Any] = MappingProxyType({})  # template arguments, over those of the bentofile
    image: ImageAsk = ImageAsk()
    strict: bool = False  # a warning about the project is an error

    @property
    def cache(self) -> str:
        return cache_directory(self.env)

    def state(self, *parts: str) -> str:
        return os.path.join(self.cache, "state", *parts)


def enter(directory: str | None) -> None:
    """Work in that directory (-C); UsageError if there is none."""
    if directory:
        if not os.path.isdir(directory):
            raise UsageError(f"There is no directory {directory}.", hint="-C names where to work.")
        os.chdir(directory)


class Goal(NamedTuple):
    """A bentofile, its build context, and the rule that is asked for."""

    bentofile: str | None  # None: the one in the context
    context: str
    rule: str = GOAL


def goals(targets: Iterable[str], settings: Settings, rules: Iterable[str], bentofile: str | None = None) -> list[Goal]:
    """What TARGET… means: DIR, BENTOFILE, RULE or DIR:RULE; with `bentofile`, the one target is the context.

    A word that is both a rule and a directory is the rule; write `./models` for the directory. UsageError for
    a word that is neither.
    """
    names = list(rules)
    targets = list(targets)
    if bentofile is not None:
        path = os.path.normpath(os.path.join(settings.cwd, bentofile))
        if not os.path.isfile(path):
            raise UsageError(f"There is no bentofile {bentofile}.", hint="`-f` is relative to the working directory.")
        contexts = [t for t in targets if t not in names]
        wanted = [t for t in targets if t in names] or [GOAL]
        if len(contexts) > 1:
            raise UsageError("With -f, one build context can be given.", hint=f"You gave: {', '.join(contexts)}.")
        context = _directory(contexts[0], settings.cwd, names) if contexts else settings.cwd
        return [Goal(path, context, rule) for rule in wanted]
    if not targets:
        return [Goal(None, settings.cwd)]
    return [_goal(target, settings.cwd, names) for target in targets]


def _goal(target: str, cwd: str, rules: list[str]) -> Goal:
    if target in rules:
        return Goal(None, cwd, target)
    head, colon, tail = target.rpartition(":")
    if colon and tail in rules:
        inner = _goal(head or ".", cwd, rules)
        return Goal(inner.bentofile, inner.context, tail)
    path = os.path.normpath(os.path.join(cwd, target))
    if os.path.isfile(path):
        return Goal(path, os.path.dirname(path))
    return Goal(None, _directory(target, cwd, rules))


def _directory(target: str, cwd: str, rules: list[str]) -> str:
    path = os.path.normpath(os.path.join(cwd, os.path.expanduser(target)))
    if os.path.isdir(path):
        return path
    if not rules:
        raise UsageError(f"{target} is no directory and no bentofile.")
    import difflib

    near = difflib.get_close_matches(target.rpartition(":")[2], rules, 1)
    hint = f"Did you mean the rule `{near[0]}`?" if near else f"The rules are: {', '.join(rules)}."
    raise UsageError(f"{target} is no directory, no bentofile and no rule.", hint=hint)
