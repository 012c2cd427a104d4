"""How options with a shape of their own are read: labels, variables, models, arguments; and the table of all kinds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from . import kinds, paths
from .reading import Reading, described, quoted
from .schema import FIELDS, SECTIONS, Field
from .yaml_place import BAD, Node, Pair

Reader = Callable[[Reading, Field, str, Node], Any]


def text(reading: Reading, dotted: str, node: Node, *, silent: bool) -> str | None:
    """A string; another scalar as Python writes it, as BentoML does (`silent`: say so only if that looks different)."""
    value = node.value
    if isinstance(value, str):
        return value
    if value is BAD:
        return None
    if not kinds.is_scalar(node):
        what = "has no value" if value is None else f"must be a string, not {described(node)}"
        key = dotted.rpartition(".")[2]
        reading.error(
            node.line,
            f"{dotted} {what}.",
            f'Write {key}: "", or remove the line.' if value is None else f'Write {key}: "…".',
        )
        return None
    written = kinds.text_of(node)
    if not silent or str(value) != written:
        message = f'{dotted} is {described(node)}, not a string: it becomes "{value}".'
        reading.remark(node.line, message, f"Quote it: {quoted(written)}")
    return str(value)


def key_of(reading: Reading, dotted: str, raw: Any, pair: Pair) -> str:
    """A mapping's key as a string; a remark if YAML made something else of it (`on`, `1.10`)."""
    if not isinstance(raw, str) and str(raw) != pair.key:
        message = f"{dotted}: YAML reads the name `{pair.key}` as {raw}."
        reading.remark(pair.line, message, f"Quote it: {quoted(pair.key)}")
    return str(raw)


def labels(reading: Reading, field: Field, dotted: str, node: Node) -> dict[str, str]:
    return _texts(reading, field, dotted, node, silent=False)


def _texts(reading: Reading, field: Field, dotted: str, node: Node, *, silent: bool) -> dict[str, str]:
    if not isinstance(node.value, dict):
        reading.wrong_kind(dotted, "a mapping of names to values", node, _as_mapping(field, node))
        return {}
    found = {}
    for raw, pair in node.value.items():
        name = key_of(reading, dotted, raw, pair)
        at = f"{dotted}.{name}"
        reading.lines[at] = pair.line
        value = text(reading, at, pair.node, silent=silent)
        if value is not None:
            found[name] = value
    return found


def _as_mapping(field: Field, node: Node) -> str:
    """The hint for a list where names and values are meant: the same as a mapping."""
    pairs = []
    for item in node.value if isinstance(node.value, list) else []:
        if isinstance(item.value, dict):
            pairs += [
                (pair.key, kinds.text_of(pair.node)) for pair in item.value.values() if kinds.is_scalar(pair.node)
            ]
        elif isinstance(item.value, str) and "=" in item.value:
            name, _, value = item.value.partition("=")
            pairs.append((name, value))
    if not pairs:
        return f"Write {field.key}: {field.example}"
    return f"Write it without dashes: {field.key}: {{{', '.join(f'{name}: {quoted(value)}' for name, value in pairs)}}}"


def env(reading: Reading, field: Field, dotted: str, node: Node) -> str | dict[str, str]:
    """docker.env: a mapping; a list of NAME=VALUE becomes one; the path of a dotenv file stays a string."""
    if isinstance(node.value, str):
        name, equals, value = node.value.partition("=")
        if equals:
            hint = f"Write env: {{{name}: {quoted(value)}}}; a string is the path of a dotenv file."
            reading.error(node.line, f"{dotted} is one string that looks like a variable.", hint)
            return node.value
        if not node.value.strip():
            return {}
        return paths.dotenv(reading, dotted, node)
    if isinstance(node.value, list):
        found = {}
        for line, item in kinds.texts(reading, field, dotted, node):
            name, equals, value = item.partition("=")
            if not equals:
                reading.error(line, f"{dotted}: `{item}` has no value.", f'Write - "{item}=VALUE".')
            else:
                kinds.check_variable(reading, name, line, dotted)
                _twice(reading, f"{dotted}.{name}", line)
                reading.lines[f"{dotted}.{name}"] = line
                found[name] = value
        return found
    variables = _texts(reading, field, dotted, node, silent=True)
    for name in variables:
        kinds.check_variable(reading, name, reading.lines[f"{dotted}.{name}"], dotted)
    return variables


def _twice(reading: Reading, at: str, line: int) -> None:
    """A remark on a variable that has been given already."""
    if first := reading.lines.get(at):
        message = f"{at} is given twice, in line {first} and in line {line}: the last value counts."
        reading.remark(line, message, "Keep one of them.")


def env_value(reading: Reading, _field: Field, dotted: str, node: Node) -> str | None:
    return text(reading, dotted, node, silent=True)


def models(reading: Reading, field: Field, dotted: str, node: Node) -> list[dict[str, Any]]:
    found = []
    for index, item in enumerate(kinds.items(reading, field, dotted, node)):
        at = f"{dotted}[{index}]"
        if isinstance(item.value, str):
            reading.lines[f"{at}.tag"] = item.line
            tag = Node(item.line, item.value, item.text)
            found.append(section(reading, f"{dotted}[]", at, Node(item.line, {"tag": Pair(item.line, "tag", tag)})))
        else:
            found.append(section(reading, f"{dotted}[]", at, item))
    return found


def envs(reading: Reading, field: Field, dotted: str, node: Node) -> list[dict[str, Any]]:
    listed = kinds.items(reading, field, dotted, node)
    return [section(reading, f"{dotted}[]", f"{dotted}[{index}]", item) for index, item in enumerate(listed)]


def mapping(reading: Reading, field: Field, dotted: str, node: Node) -> dict[str, Any]:
    if not isinstance(node.value, dict):
        reading.wrong_kind(dotted, "a mapping of names to values", node, _as_mapping(field, node))
        return {}
    value: dict[str, Any] = _json(reading, dotted, node)
    return value


def anything(reading: Reading, field: Field, dotted: str, node: Node) -> list[Any]:
    return [_json(reading, f"{dotted}[{i}]", item) for i, item in enumerate(kinds.items(reading, field, dotted, node))]


def _json(reading: Reading, dotted: str, node: Node) -> Any:
    reading.lines.setdefault(dotted, node.line)
    value = node.value
    if isinstance(value, list):
        return [_json(reading, f"{dotted}[{index}]", item) for index, item in enumerate(value)]
    if isinstance(value, dict):
        found = {}
        for raw, pair in value.items():
            name = key_of(reading, dotted, raw, pair)
            reading.lines[f"{dotted}.{name}"] = pair.line
            found[name] = _json(reading, f"{dotted}.{name}", pair.node)
        return found
    if isinstance(value, float) and not math.isfinite(value):
        reading.error(node.line, f"{dotted} cannot be {kinds.text_of(node)}.", "Use a finite number.")
    if value is None or isinstance(value, (str, int, float)):
        return value
    return None if value is BAD else str(value)  # a date


def section(reading: Reading, general: str, dotted: str, node: Node) -> dict[str, Any]:
    """The options of one section (`""`: the top level) by key, defaults filled in; unknown keys are errors.

    `general` is the section's name in the schema (`models[]`), `dotted` where this one is (`models[1]`).
    """
    fields = {field.key: field for field in FIELDS if field.section == general}
    found = {key: _copy(field.default) for key, field in fields.items()}
    prefix = f"{dotted}." if dotted else ""
    pairs: Mapping[Any, Pair] = {}
    if isinstance(node.value, dict):
        pairs = node.value
    elif node.value is not None and node.value is not BAD:
        hint = f"Its options are {', '.join(fields)}."
        reading.wrong_kind(dotted, "a mapping of options", node, hint)
        return found
    for raw, pair in pairs.items():
        key = raw if isinstance(raw, str) else pair.key
        if key not in fields:
            if dotted or key not in SECTIONS:
                reading.unknown(dotted, key, pair.line)
            continue
        name = prefix + key
        reading.lines[name] = pair.line
        if pair.node.value is None or pair.node.value is BAD:
            continue
        value = READERS[fields[key].kind](reading, fields[key], name, pair.node)
        if value is not None:
            found[key] = value
    for key, field in fields.items():
        absent = key not in pairs
        # A `service:` with nothing behind it is a mistake; who knows no better leaves it out.
        wanted = field.required or (field.kind == "service" and not absent)
        if wanted and (absent or pairs[key].node.value is None):
            reading.missing(prefix + key, reading.lines.get(prefix + key, node.line if dotted else 0), field)
    return found


def _copy(default: Any) -> Any:
    return list(default) if isinstance(default, list) else dict(default) if isinstance(default, dict) else default


READERS: dict[str, Reader] = {
    "string": kinds.string,
    "service": kinds.string,
    "name": kinds.a_name,
    "tag": kinds.a_tag,
    "text": env_value,
    "variable": kinds.variable,
    "boolean": kinds.boolean,
    "strings": kinds.strings,
    "strings or one": kinds.strings_or_one,
    "patterns": kinds.patterns,
    "version": kinds.version,
    "python": kinds.python,
    "cuda": kinds.cuda,
    "query": kinds.query,
    "path": paths.a_path,
    "parent path": paths.parent_path,
    "paths": paths.some_paths,
    "description": paths.description,
    "labels": labels,
    "env": env,
    "models": models,
    "envs": envs,
    "mapping": mapping,
    "list": anything,
}
