"""What a user's template has that no Dockerfile will: blocks that ours lacks, and text outside of all blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from itertools import islice

from jinja2 import Environment, nodes

Said = tuple[str, int, str]  # a sentence, the template's line (0 if nobody knows), what to do
BASE_NAME = "bento_base_template"  # the variable
MOST = 20  # remarks
_PLACES = (nodes.If, nodes.For, nodes.With, nodes.Scope, nodes.ScopedEvalContextModifier)
_WRITES = (nodes.Include, nodes.CallBlock, nodes.FilterBlock)


def dropped(jinja: Environment, base: str, text: str) -> Iterator[Said]:
    """Remarks on a template that extends `base` itself: (sentence, line, what to do), each mistake once.

    jinja2 renders what stands before `extends`, and of what stands after it, only the blocks that `base` has.
    """
    template = jinja.parse(text)
    body = template.body
    starts = [index for index, node in enumerate(body) if isinstance(node, nodes.Extends) and _is_base(node)]
    if not starts:
        return
    known = [block.name for block in jinja.parse(base).find_all(nodes.Block)]
    used = [name.attr for name in template.find_all(nodes.Getattr) if _is_self(name.node)]  # {{ self.block() }}
    yield from islice(_unknown(body, known, used), MOST)
    lines = text.splitlines()
    written = next(_written(body[starts[0] + 1 :]), None)
    if written is not None:
        said = lines[written - 1].strip() if written <= len(lines) else ""
        message = f"`{said[:60]}` stands outside of all blocks: it is in no Dockerfile."
        yield message, written, "Put it into a block, for example {% block SETUP_BENTO_COMPONENTS %}."


def _is_base(node: nodes.Extends) -> bool:
    return isinstance(node.template, nodes.Name) and node.template.name == BASE_NAME


def _is_self(node: nodes.Expr) -> bool:
    return isinstance(node, nodes.Name) and node.name == "self"


def _unknown(body: Iterable[nodes.Node], known: list[str], used: list[str]) -> Iterator[Said]:
    """Blocks that nobody asks for; one that stands in a block of ours is rendered there."""
    for node in body:
        if not isinstance(node, nodes.Block):
            yield from _unknown(node.iter_child_nodes(), known, used)
        elif node.name not in known and node.name not in used:
            close = get_close_matches(node.name[:100].upper(), known, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"The blocks are {', '.join(known)}."
            yield f"There is no block {node.name} in bento_base_template: it is in no Dockerfile.", node.lineno, hint


def _written(body: Iterable[nodes.Node]) -> Iterator[int]:
    """The lines of what would be written, but for empty lines and comments of a Dockerfile."""
    for node in body:
        if isinstance(node, nodes.Output):
            for part in node.nodes:
                yield from _lines(part)
        elif isinstance(node, _WRITES):
            yield node.lineno
        elif isinstance(node, _PLACES):
            yield from _written(node.iter_child_nodes(exclude=("test", "iter", "target", "values", "targets")))


def _lines(part: nodes.Expr) -> Iterator[int]:
    if not isinstance(part, nodes.TemplateData):
        yield part.lineno
        return
    for number, line in enumerate(part.data.split("\n")):
        if line.strip() and not line.lstrip().startswith("#"):
            yield part.lineno + number
