"""What a YAML parser's complaint means: a line, a sentence and a hint instead of its own words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import yaml

# Words of the complaint (of libyaml or of PyYAML's own parser) → the mark to show, the sentence, the hint.
# The first that fits counts; `start` is where the thing in question began, `here` where the parser gave up.
_MEANINGS: tuple[tuple[tuple[str, ...], str, str, str], ...] = (
    (
        ("scanning an alias",),
        "start",
        "A value that begins with `*` must be quoted.",
        'Write it with quotes, for example: - "*.py"',
    ),
    (("scanning an anchor",), "start", "A value that begins with `&` must be quoted.", "Put quotes around the value."),
    (("scanning a tag",), "start", "A value that begins with `!` must be quoted.", "Put quotes around the value."),
    (("undefined tag handle",), "here", "A value that begins with `!` must be quoted.", "Put quotes around the value."),
    (("scanning a directive",), "start", "A line that begins with `%` must be quoted.", "Put quotes around the value."),
    (
        ("quoted scalar", "unknown escape"),
        "here",
        "A backslash inside of double quotes begins an escape.",
        "Use single quotes.",
    ),
    (("quoted scalar", "end of stream"), "start", "The quote that opens here is never closed.", "Close the quote."),
    (("quoted scalar", "document"), "start", "The quote that opens here is never closed.", "Close the quote."),
    (("quoted scalar",), "here", "This escape is not one that YAML knows.", "Use single quotes."),
    (
        ("flow sequence",),
        "start",
        "The list that opens here with `[` is not well formed.",
        "Look for a missing `]`, comma or quote.",
    ),
    (
        ("flow mapping",),
        "start",
        "The mapping that opens here with `{` is not well formed.",
        "Look for a missing `}`, comma or quote.",
    ),
    (
        ("simple key",),
        "start",
        "This line is neither `name: value` nor an item of a list.",
        "Is a colon missing, or a space after it?",
    ),
    (
        ("mapping values are not allowed",),
        "here",
        "There is a second `: ` here, or the indentation does not fit.",
        "Quote a value that holds `: `; give options of one level one indentation.",
    ),
    (
        ("sequence entries are not allowed",),
        "here",
        "A list cannot begin here.",
        'Begin it on a line of its own, or write it with brackets: ["a", "b"]',
    ),
    (
        ("cannot start any token",),
        "here",
        "A value must not begin with this character unless it is quoted.",
        "Put quotes around the value.",
    ),
    (
        ("block mapping",),
        "here",
        "The indentation of this line fits no line above it.",
        "Give options of one level one indentation.",
    ),
    (
        ("block collection",),
        "here",
        "This line is no item (`- `) of the list above it.",
        "Indent it under its item, or as far as the list's own name.",
    ),
    (
        ("block scalar",),
        "here",
        "The text after `|` or `>` does not begin as YAML wants it.",
        "Begin the text on the next line, indented by spaces.",
    ),
    (("version",), "here", "The directive `%YAML` names a version that cannot be read.", "Remove the line."),
)


def sentence(error: yaml.MarkedYAMLError, text: str) -> tuple[int, str, str]:
    """The line (from 1), the sentence and the hint for a parser's complaint about `text`."""
    here = error.problem_mark or error.context_mark
    start = error.context_mark or here
    line = (here.line if here else 0) + 1
    lines = text.splitlines()
    content = lines[line - 1] if line <= len(lines) else ""
    if "\t" in content[: len(content) - len(content.lstrip())]:
        return line, "A tab cannot indent YAML.", "Use spaces."
    words = f"{error.context or ''} {error.problem or ''}"
    for signs, mark, message, hint in _MEANINGS:
        if all(sign in words for sign in signs):
            return (start.line + 1 if mark == "start" and start else line), message, hint
    return (
        line,
        f"This is not YAML: {(error.problem or 'it cannot be read').rstrip('.')}.",
        "Check quotes and indentation.",
    )
