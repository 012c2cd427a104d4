"""An action: a rule bound to one bentofile; and its outcome."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from ..errors import BentomakeError
from .digest import Digest
from .fact import Facts
from .manifest import Manifest, Reason
from .rule import Rule, Tool
from .trace import Trace
from .tree import Dumped

RAN, CACHED, RESTORED = "ran", "cached", "restored"
FAILED, SKIPPED = "failed", "skipped"
RUNS, MAY_RUN = "runs", "may run"


class Binding(Protocol):
    """What one bentofile gives the rules that are bound to it."""

    label: str  # how a target names the bentofile: "" for the only one, else "services/fraud"
    origin: str  # what traces call the project

    @property
    def facts(self) -> Facts: ...
    def param(self, name: str) -> Any: ...
    def place(self, name: str) -> str | None: ...
    def oracle(self, name: str) -> Any: ...
    def tool(self, name: str) -> Tool: ...
    def source(self, name: str) -> Dumped:
        """A declared set of the user's files."""

    def fetch(self, name: str, path: str) -> str:
        """Where the bytes of a path of that set lie."""

    def secret(self, name: str) -> bool:
        """Whether a parameter's value may not be shown."""

    def host(self, name: str) -> Any: ...


class Action(NamedTuple):
    """`id` is unique in a plan: `lock`, or `services/fraud:lock`; `needs` are the ids of its inputs."""

    id: str
    rule: Rule
    binding: Binding
    needs: tuple[str, ...]

    @property
    def memory(self) -> str:
        """The name under which the last manifest of this action is kept."""
        return f"{self.binding.origin}#{self.rule.name}"


class Outcome:
    """What became of an action. `reasons` are empty for a hit, and for a first build (`first`)."""

    def __init__(
        self,
        action: Action,
        state: str,
        manifest: Manifest | None = None,
        tree: Digest | None = None,
        trace: Trace | None = None,  # as it is remembered; a run may have been forgotten
        *,
        first: bool = False,
        why: str = "",  # a reason that is no difference: "forced", "its remembered output is gone"
        seconds: float = 0.0,
        error: BentomakeError | None = None,
        warnings: list[dict[str, Any]] | None = None,
    ):
        self.action, self.state, self.manifest, self.tree, self.trace = action, state, manifest, tree, trace
        self.first, self.why, self.seconds, self.error = first, why, seconds, error
        self.warnings = warnings or []
        self.reasons: list[Reason] = []
        self.log = ""

    @property
    def known(self) -> bool:
        return self.tree is not None
