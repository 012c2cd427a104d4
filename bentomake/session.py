"""A session: the stores and the watch of one command, or temporary ones where the cache is of no use."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator

from . import __version__
from .engine.code import CodeIdentity
from .engine.collect import in_use, limit_of
from .engine.content_store import ContentStore
from .engine.fresh import Watch, read_key
from .engine.single_flight import SingleFlight
from .engine.trace import ActionCache
from .errors import StoreError
from .workspace import Settings


class Session:
    """The stores, the rulebook and the watch of one command."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.limit = limit_of(settings.env)
        self.watch = Watch()
        self.notes: list[str] = []
        self.temporary: tempfile.TemporaryDirectory[str] | None = None
        cache = settings.cache
        try:
            self._open(cache)
        except (StoreError, OSError) as error:
            # Nothing is remembered, but the build works.
            self.temporary = tempfile.TemporaryDirectory(prefix="bentomake-")
            self.notes.append(f"The cache {cache} cannot be used ({error}); this build remembers nothing.")
            self.settings = settings._replace(env={**settings.env, "BENTOMAKE_CACHE_DIR": self.temporary.name})
            self._open(self.temporary.name)

    def _open(self, cache: str) -> None:
        os.makedirs(os.path.join(cache, "state"), mode=0o700, exist_ok=True)
        self.key = _own_key(cache)
        self.store = ContentStore(cache)
        self.cache = ActionCache(os.path.join(cache, "actions"))
        self.flights = SingleFlight(os.path.join(cache, "locks"))
        self.code = CodeIdentity(__version__, os.path.join(cache, "state", "code.json"))

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Hold while building: nobody clears the cache then; one that was cleared before is opened anew."""
        with in_use(self.settings.cache):
            if not self._is_there():
                self.cache.close()
                self._open(self.settings.cache)
            yield

    def _is_there(self) -> bool:
        """Whether the cache is the one that was opened: one that was cleared has another key, or none."""
        try:
            return read_key(self.settings.cache) == self.key
        except FileNotFoundError:
            return False

    def close(self) -> None:
        self.cache.close()
        if self.temporary is not None:
            self.temporary.cleanup()


def _own_key(cache: str) -> bytes:
    try:
        return read_key(cache)
    except FileNotFoundError:
        path = os.path.join(cache, "state", "key")
        temporary = f"{path}.{os.getpid()}"
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(os.urandom(32))
        try:
            os.link(temporary, path)  # unlike rename, it does not replace the key of a build that was faster
        except FileExistsError:
            pass
        finally:
            os.unlink(temporary)
        return read_key(cache)
