"""YAML with places: every value knows its line, and what a stranger's file may cost is bounded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import BentofileError
from .schema import MAX_BYTES
from .yaml_words import sentence

if TYPE_CHECKING:
    import yaml

MAX_DEPTH = 50
MAX_EXPANSION = 10_000  # nodes that aliases may add by standing for something bigger
MAX_NUMBER = 100  # characters; Python refuses or takes long over longer ones

BAD = object()
"""The value of a node that has been complained about already."""

_TAG = "tag:yaml.org,2002:"
_TEXTS = {_TAG + name for name in ("str", "merge", "value")}
_SCALARS = {_TAG + name for name in ("null", "bool", "int", "float", "timestamp")}
_LISTS = {None, "!", _TAG + "seq"}
_MAPPINGS = {None, "!", _TAG + "map"}


@dataclass
class Node:
    """A value: a scalar as PyYAML's safe_load makes it, a list of Nodes, or a dict of key → Pair."""

    line: int
    value: Any
    text: str | None = None  # how an unquoted scalar is written
    size: int = 1
    height: int = 0
    merge: bool = False  # the key `<<`


class Pair(NamedTuple):
    """One line of a mapping: where its key stands, how the key is written, and the value."""

    line: int
    key: str
    node: Node


def plain(node: Node) -> Any:
    """The value without its places."""
    if isinstance(node.value, list):
        return [plain(item) for item in node.value]
    if isinstance(node.value, dict):
        return {key: plain(pair.node) for key, pair in node.value.items()}
    return node.value


def read(data: bytes, shown: str, what: str = "bentofile") -> tuple[Node | None, list[tuple[int, BentofileError]]]:
    """Read one YAML document: its root (None if it is empty) and the mistakes that allow reading on, with their lines.

    `what` it is meant to be, for messages.
    Raises BentofileError for what does not: not UTF-8, too big, not YAML, two documents, too deep, an alias bomb.
    """
    if len(data) > MAX_BYTES:
        raise BentofileError(
            f"The file has more than {MAX_BYTES >> 20} MiB: that is no {what}.",
            place=shown,
            hint="Is this the file you meant?",
        )
    composer = _Composer(shown, what)
    composer.compose(_decode(data, shown))
    return composer.root, composer.problems


def _decode(data: bytes, shown: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BentofileError(
            f"The file is not UTF-8: the byte 0x{data[error.start]:02x} cannot stand there.",
            place=f"{shown}:{line}",
            hint="Save the file as UTF-8.",
        ) from None
    from yaml.reader import Reader

    if odd := Reader.NON_PRINTABLE.search(text):
        raise BentofileError(
            f"The file holds the control character U+{ord(odd[0]):04X}.",
            place=f"{shown}:{text.count(chr(10), 0, odd.start()) + 1}",
            hint="Remove it; YAML is plain text.",
        )
    return text


@dataclass
class _Open:
    """A collection that has not ended yet."""

    node: Node
    anchor: str | None
    key: Node | None = None
    merged: dict[Any, Pair] = field(default_factory=dict)


class _Composer:
    """Makes nodes of the parser's events without recursion, so that depth costs no stack."""

    def __init__(self, shown: str, what: str):
        self.shown = shown
        self.what = what
        self.root: Node | None = None
        self.problems: list[tuple[int, BentofileError]] = []
        self.stack: list[_Open] = []
        self.anchors: dict[str, Node | None] = {}  # None while the anchored collection is still open
        self.expanded = 0

    def compose(self, text: str) -> None:
        import yaml

        self.resolver: Any = yaml.resolver.Resolver()
        self.constructor = yaml.constructor.SafeConstructor()
        documents = 0
        try:
            for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
                line = event.start_mark.line + 1 if event.start_mark else 1
                if isinstance(event, yaml.DocumentStartEvent):
                    documents += 1
                    if documents > 1:
                        raise self.error(
                            line,
                            f"A second document begins here; a {self.what} is one.",
                            "Remove the line `---`, or write two files and name each with -f FILE.",
                        )
                elif isinstance(event, yaml.ScalarEvent):
                    self.attach(self.scalar(event, line), event.anchor)
                elif isinstance(event, yaml.AliasEvent):
                    self.attach(self.alias(event.anchor or "", line), None)
                elif isinstance(event, yaml.CollectionStartEvent):
                    self.open(event, line, [] if isinstance(event, yaml.SequenceStartEvent) else {})
                elif isinstance(event, yaml.CollectionEndEvent):
                    self.close()
        except yaml.MarkedYAMLError as error:
            if "nesting depth" in (error.problem or ""):  # libyaml reads ahead, and today's has a limit of its own
                raise self.too_deep(error.problem_mark.line + 1 if error.problem_mark else 1) from None
            line, message, hint = sentence(error, text)
            raise self.error(line, message, hint) from None

    def error(self, line: int, message: str, hint: str) -> BentofileError:
        return BentofileError(message, place=f"{self.shown}:{line}", hint=hint)

    def problem(self, line: int, message: str, hint: str) -> Node:
        self.problems.append((line, self.error(line, message, hint)))
        return Node(line, BAD)

    def open(self, event: yaml.CollectionStartEvent, line: int, value: Any) -> None:
        if event.tag not in (_LISTS if isinstance(value, list) else _MAPPINGS):
            self.foreign(event.tag, line)
        self.deep(line, 0)
        if event.anchor:
            self.anchors[event.anchor] = None
        self.stack.append(_Open(Node(line, value), event.anchor))

    def close(self) -> None:
        opened = self.stack.pop()
        if opened.merged:
            # As in PyYAML: merged pairs come first, a mapping's own pairs win.
            opened.node.value = {**opened.merged, **opened.node.value}
        self.attach(opened.node, opened.anchor)

    def attach(self, node: Node, anchor: str | None) -> None:
        if anchor:
            self.anchors[anchor] = node
        if not self.stack:
            self.root = node
            return
        parent = self.stack[-1]
        parent.node.size += node.size
        parent.node.height = max(parent.node.height, node.height + 1)
        if isinstance(parent.node.value, list):
            parent.node.value.append(node)
        elif parent.key is None:
            parent.key = node
        else:
            self.pair(parent, parent.key, node)
            parent.key = None

    def pair(self, parent: _Open, key: Node, node: Node) -> None:
        pairs: dict[Any, Pair] = parent.node.value
        if key.value is BAD:
            return
        if isinstance(key.value, (list, dict)):
            self.problem(key.line, "A key must be a name, not a list or a mapping.", "Write `name: value`.")
        elif key.merge:
            self.merge(parent, node)
        elif key.value in pairs:
            first = pairs[key.value]
            self.problem(
                key.line,
                f"The key `{first.key}` is written twice: in line {first.line} and in line {key.line}.",
                "Keep one of them; YAML would silently take the last.",
            )
        else:
            pairs[key.value] = Pair(key.line, key.text or str(key.value), node)

    def merge(self, parent: _Open, node: Node) -> None:
        sources = node.value if isinstance(node.value, list) else [node]
        if any(source.value is BAD for source in sources):
            return
        if not all(isinstance(source.value, dict) for source in sources):
            self.problem(node.line, "`<<` must name a mapping, or a list of mappings.", "Write `<<: *name`.")
            return
        merged: dict[Any, Pair] = {}
        # In a list the first one wins (https://yaml.org/type/merge.html). For PyYAML 6.0.4 that depends on the length
        # of the key; a bentofile means the same on every machine.
        for source in reversed(sources):
            merged.update(source.value)
        parent.merged.update(merged)

    def alias(self, name: str, line: int) -> Node:
        if name not in self.anchors:
            return self.problem(
                line,
                f"`*{name}` repeats something that `&{name}` would name, but nothing is named so.",
                f'If it is a pattern, quote it: "*{name}".',
            )
        node = self.anchors[name]
        if node is None:
            return self.problem(line, f"`*{name}` stands inside of what it repeats.", "Write the value out.")
        self.expanded += node.size
        if self.expanded > MAX_EXPANSION:
            raise self.error(
                line,
                f"The aliases of this file stand for more than {MAX_EXPANSION:,} values.",
                "Write the values out instead of repeating them with `*name`.",
            )
        self.deep(line, node.height)
        return node

    def deep(self, line: int, height: int) -> None:
        if len(self.stack) + height >= MAX_DEPTH:
            raise self.too_deep(line)

    def too_deep(self, line: int) -> BentofileError:
        return self.error(
            line,
            f"Lists and mappings are nested more than {MAX_DEPTH} levels deep.",
            f"No {self.what} needs that; is a bracket left open?",
        )

    def foreign(self, tag: str | None, line: int) -> Node:
        tag = tag or "!"
        shown = "!!" + tag[len(_TAG) :] if tag.startswith(_TAG) else tag
        return self.problem(
            line,
            f"The YAML tag `{shown}` is not allowed in a {self.what}.",
            f'If it is a pattern, quote it: "{shown}".' if tag.startswith("!") else "Write the plain value.",
        )

    def scalar(self, event: yaml.ScalarEvent, line: int) -> Node:
        import yaml

        unquoted = event.value if event.style in (None, "") else None
        tag = event.tag
        if tag is None or tag == "!":
            tag = self.resolver.resolve(yaml.ScalarNode, event.value, event.implicit)
        if tag in _TEXTS:
            if any(char == "\0" or "\ud800" <= char <= "\udfff" for char in event.value):
                return self.problem(line, "This text holds a character that no text may hold.", "Remove the escape.")
            return Node(line, event.value, unquoted, merge=tag == _TAG + "merge")
        if tag not in _SCALARS:
            return self.foreign(tag, line)
        try:
            if len(event.value) > MAX_NUMBER:
                raise ValueError
            value = self.constructor.yaml_constructors[tag](self.constructor, yaml.ScalarNode(tag, event.value))
        except (ValueError, KeyError, AttributeError, OverflowError, IndexError):
            what = {"timestamp": "date", "int": "number", "float": "number"}.get(tag[len(_TAG) :], tag[len(_TAG) :])
            start = event.value if len(event.value) <= MAX_NUMBER else event.value[:20] + "…"
            return self.problem(line, f"`{start}` looks like a {what} to YAML, but is none.", f'Quote it: "{start}".')
        return Node(line, value, unquoted)
