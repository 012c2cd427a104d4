"""An engine that was begun before all was known that it is to build, and waits for its Dockerfile."""

from __future__ import annotations

from ..engine.process import Begun
from .staging import Slot


class HeadStart:
    """An engine that waits for its Dockerfile, and the directories of its contexts, by what they are called."""

    def __init__(self, argv: list[str], env: dict[str, str], slots: dict[str, Slot], begun: Begun):
        self.slots = slots  # whoever fills one takes it out, and frees it
        self._argv, self._env = argv, env
        self._begun: Begun | None = begun

    def taken(self, argv: list[str], env: dict[str, str]) -> Begun | None:
        """The engine, if it was started with this command; it is the caller's now. Else it is ended."""
        begun, self._begun = self._begun, None
        if begun is not None and (argv, env) != (self._argv, self._env):
            begun.end()
            return None
        return begun

    def end(self) -> None:
        """Nothing is to be built, or no more."""
        if self._begun is not None:
            self._begun.end()
            self._begun = None
        free(self.slots)


def free(slots: dict[str, Slot]) -> None:
    """Release the slots that nobody has taken."""
    while slots:
        slots.popitem()[1].release()
