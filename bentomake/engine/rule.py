"""A rule: outputs, inputs, params, sources, tools, oracles, and a recipe. Complete before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ..errors import RuleError
from .tree import TREE, Entry, Tree

if TYPE_CHECKING:
    from .digest import Digest
    from .fact import Fact
    from .process import Begun, Completed

Produced = bytes | str | Entry
Recipe = Callable[["Context"], Mapping[str, Produced]]


class Tool(NamedTuple):
    """A program that a recipe may start: `argv` is its command's head, `version` what its manifest entry says."""

    name: str
    argv: tuple[str, ...]
    version: str


class Files(Protocol):
    """A tree that can be read: an input's outputs."""

    digest: Digest  # of the tree

    @property
    def tree(self) -> Tree: ...
    @property
    def parts(self) -> Tree:
        """The same as it was made: a tree in it is one entry."""

    def read(self, path: str) -> bytes: ...
    def text(self, path: str) -> str: ...
    def __contains__(self, path: object) -> bool: ...


class Sources(Files, Protocol):
    """A declared set of the user's files."""

    def path(self, path: str) -> str:
        """Where the bytes lie."""


class Context(Protocol):
    """All that a recipe may touch; asking for what its rule did not declare raises RuleError."""

    workdir: str  # an empty directory of this run's own, removed afterwards

    def param(self, name: str) -> Any:
        """The value of a declared parameter (JSON types)."""

    def place(self, name: str) -> str | None:
        """Where the user wrote that parameter (`bentofile.yaml:12`), for messages only: it is in no key."""

    def input(self, rule: str) -> Files:
        """The tree that a declared input made."""

    def source(self, name: str) -> Sources:
        """A declared set of the user's files."""

    def oracle(self, name: str) -> Any:
        """The answer of a declared oracle (JSON types)."""

    def tool(self, name: str) -> Tool: ...

    def template(self, name: str) -> str:
        """The text of a declared file that lies beside the rule."""

    def discover(self, kind: str, name: str) -> Fact:
        """Ask for a fact that turned out to matter; it is checked on the next build."""

    def run(
        self,
        argv: list[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        timeout: float | None = None,
        stdin: str | None = None,
        hide: Callable[[str], str] | None = None,
        live: bool = False,
        begun: Begun | None = None,
        keeps: Collection[int] = (),
    ) -> Completed:
        """Start a process and wait; what it prints goes to the action's log. Never raises for its exit code.

        `hide` takes secrets out of all that it prints, before anything else sees it; `live` shows it as it comes.
        `begun` is the process if it was started before, and is fed `stdin` now. One that is started here `keeps` these
        open files.
        """

    def host(self, name: str) -> Any:
        """A way to the machine that is in no key: it cannot change the result, or what it tells is discovered, too."""

    def put_file(self, path: str, mode: int = 0o644) -> Entry:
        """Bring a file that the recipe made into the content store."""

    def lacking(self, files: Tree) -> list[str]:
        """The paths whose bytes the content store does not have."""

    def keep_file(self, path: str, entry: Entry) -> None:
        """Bring in a user's file that is lacking; Changed if it is not any more what the declared sources said."""

    def keep_bytes(self, data: bytes, mode: int = 0o644) -> Entry:
        """Bring in bytes under a mode."""

    def part(self, name: Any) -> Tree | None:
        """What another run, of any project, kept under this name (JSON types); whole, or None."""

    def keep_part(self, name: Any, tree: Tree) -> None:
        """Share a part of the result: the name must say all that the part depends on."""

    def log(self, text: str) -> None: ...

    def warn(self, message: str, *, place: str | None = None, hint: str | None = None) -> None:
        """A warning: shown when the action runs and again on every hit."""

    def progress(self, done: int, total: int, unit: str) -> None: ...

    def changed(self, kind: str) -> list[str]:
        """The names, among what was discovered of a kind, of which another answer is true now."""

    def forget(self, why: str) -> None:
        """Do not remember this run: what it saw was not stable."""


class Rule(NamedTuple):
    """One declaration. Every field is in the manifest, or in `EXCUSED` with the reason why not."""

    name: str
    outputs: tuple[str, ...]
    inputs: tuple[str, ...]
    params: tuple[str, ...]
    sources: tuple[str, ...]
    tools: tuple[str, ...]
    oracles: tuple[str, ...]
    templates: tuple[str, ...]
    recipe: Recipe
    file: str
    doc: str


KEYED = ("name", "outputs", "inputs", "params", "sources", "tools", "oracles", "templates")
EXCUSED = {
    "recipe": "its code is the rule's file, which has a manifest entry of its own",
    "file": "an absolute path; the file's bytes have a manifest entry",
    "doc": "prose for the reader; it is part of the rule's file anyway",
}
assert {*Rule._fields} == {*KEYED, *EXCUSED}


def _names(value: str | Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def rule(
    *,
    outputs: str | Iterable[str],
    inputs: str | Iterable[str] = (),
    params: str | Iterable[str] = (),
    sources: str | Iterable[str] = (),
    tools: str | Iterable[str] = (),
    oracles: str | Iterable[str] = (),
    templates: str | Iterable[str] = (),
) -> Callable[[Recipe], Rule]:
    """Declare a rule; the decorated function is its recipe and gives it its name.

    `outputs` are paths; one that ends with `/` allows anything below it; one in parentheses, `(path)`, may be absent.
    """

    def declare(recipe: Recipe) -> Rule:
        return Rule(
            name=recipe.__name__,
            outputs=_names(outputs),
            inputs=_names(inputs),
            params=_names(params),
            sources=_names(sources),
            tools=_names(tools),
            oracles=_names(oracles),
            templates=_names(templates),
            recipe=recipe,
            file=recipe.__code__.co_filename,
            doc=(recipe.__doc__ or "").strip(),
        )

    return declare


def check_outputs(rule: Rule, tree: Tree) -> None:
    """Raise RuleError if the tree holds a path that was not declared, or lacks one that was."""
    exact = {out.strip("()") for out in rule.outputs if not out.strip("()").endswith("/")}
    below = tuple(out.strip("()") for out in rule.outputs if out.strip("()").endswith("/"))
    for path, entry in tree.items():
        if path not in exact and not (f"{path}/" if entry.mode == TREE else path).startswith(below):
            raise RuleError(f"The rule {rule.name} made {path}, which it does not declare.", place=rule.file)
    for out in rule.outputs:
        if not out.startswith("(") and not out.endswith("/") and out not in tree:
            raise RuleError(f"The rule {rule.name} declares {out} but did not make it.", place=rule.file)
