"""The console: how progress, reasons, warnings and errors look. Readers' text goes to stderr, answers to stdout."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import IO, Any

from ..engine.action import CACHED, FAILED, MAY_RUN, RAN, RESTORED, SKIPPED
from ..engine.explain import roots
from ..errors import BentomakeError, Several, StoreError

_LIMIT = 160
_LONGEST = 2000  # characters of a message


def say(text: str, stream: IO[str] | None = None) -> None:
    """A line for the reader; a terminal that is gone is no reason to fail."""
    stream = stream or sys.stderr
    if stream.closed:
        return
    try:
        stream.write(text + "\n")
        stream.flush()
    except BrokenPipeError:
        pass
    except OSError:
        if stream is not sys.stderr:
            raise


def out(text: str) -> None:
    """A line of the answer; StoreError if that cannot be written."""
    try:
        say(text, sys.stdout)
    except OSError as error:
        raise unwritten(error) from error


def unwritten(error: OSError) -> StoreError:
    """What is said when an answer is lost."""
    return StoreError(f"The answer cannot be written: {error.strerror}.")


# Errors and warnings


def error_lines(error: BentomakeError) -> list[str]:
    if isinstance(error, Several):
        return [line for each in error.errors for line in error_lines(each)]
    head = f"{error.place}: " if error.place else ""
    lines = [_plain(f"error: {head}{error.message}")]
    if error.detail:
        lines.extend(f"  | {line}" for line in error.detail.rstrip().splitlines())
    if error.hint:
        lines.append(_plain(f"  hint: {error.hint}"))
    return lines


def _plain(text: str) -> str:
    """What a stranger's file may have put into a message, without control characters and not too long."""
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 2 :]}"
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in text)


def warning_lines(message: str, place: str | None, hint: str | None) -> list[str]:
    lines = [_plain(f"warning: {place + ': ' if place else ''}{message}")]
    if hint:
        lines.append(_plain(f"  hint: {hint}"))
    return lines


def show_error(error: BentomakeError) -> None:
    for line in error_lines(error):
        say(line)


# Reasons


def _clip(text: str | None) -> str:
    if text is None:
        return "nothing"
    return text if len(text) <= _LIMIT else text[: _LIMIT - 1] + "…"


def _name(name: str) -> str:
    root, _, rest = name.partition("/")
    return {"ctx": rest or "the context", "home": f"$BENTOML_HOME/{rest}"}.get(root, name)


_WHAT = {
    "file": "{name}",
    "source": "{name}",
    "stat": "the size or presence of {name}",
    "listing": "the list of files in {name}",
    "dists": "the packages in {name}",
    "import": "what `import` finds as {name}",
    "env": "the variable {name}",
    "dist": "the installed {name}",
    "installed": "the installed {name}",
    "oracle": "{name}",
    "tool": "{name}",
    "rule": "the rule {name} itself",
    "bentomake": "bentomake itself",
    "model": "the content of the model {name}",
    "model_tag": "the model {name}",
    "hf": "the commit of {name}",
    "base_image": "the base image {name}",
    "credential": "the credentials for {name}",
    "own_image": "the image {name}, as the engine has it,",
    "published": "where the sources of {name} are published",
    "secret": "the secret {name}",
    "input": "the result of {name}",
    "param": "{name}",
}
_DIGESTED = frozenset({"file", "source"})


def reason_line(reason: dict[str, Any]) -> str:
    """One reason as a phrase: `bentofile.yaml:14 python.packages changed: ["a"] → ["b"]`."""
    kind, old, new = reason["kind"], reason["old"], reason["new"]
    text = _WHAT.get(kind, f"{kind} {{name}}").format(name=_name(reason["name"]))
    if kind == "param" and reason.get("place"):
        text = f"{reason['place']} {text}"
    if reason["change"] == "added":
        text += " is new" if kind in ("source", "file", "env") else " is there now"
        return f"{text}: {_clip(new)}" if new and kind not in _DIGESTED else text
    if reason["change"] == "removed":
        return f"{text} is gone" if kind not in ("param",) else f"{text} is no longer looked at"
    text += " changed"
    if kind in _DIGESTED and old and new:
        return f"{text}: {_short(old)} → {_short(new)}"
    return f"{text}: {_clip(old)} → {_clip(new)}" if None not in (old, new) and old != new else text


def _short(digest: str) -> str:
    return digest if digest.startswith("mode ") else digest[:12]


def short_why(record: dict[str, Any]) -> str:
    """Why, in one line: the first root and how many more there are."""
    if record["state"] in (CACHED, SKIPPED):
        return ""
    if record["first"]:
        return "never built"
    if record["why"]:
        return str(record["why"])
    if not record["reasons"]:
        return "its inputs may change" if record["state"] == MAY_RUN else ""
    found = list(roots(record["reasons"]))
    chain, root = found[0]
    text = "".join(f"{name}: " for name in chain) + reason_line(root)
    return text + (f" (and {len(found) - 1} more)" if len(found) > 1 else "")


def explanation(records: Iterable[dict[str, Any]]) -> list[str]:
    """Every action, its state and every reason, as an indented text."""
    lines = []
    for record in records:
        head = f"{record['action']}: {record['state']}"
        if record["state"] in (CACHED, RESTORED) and "from" in record:
            ago = _ago(time.time() - record["from"]["at"])
            where = "" if record["from"].get("here", True) else " in another project"
            head += f" (made {ago} ago{where}; saved {record['saved']:.2f} s)"
        elif record["state"] == RAN:
            head += f" in {record['seconds']:.2f} s"
        if record["first"]:
            head += ", because it was never built"
        elif record["why"]:
            head += f", because {record['why']}"
        elif record["state"] == MAY_RUN:
            head += ", because its inputs may change"
        lines.append(head)
        lines.extend(_because(record["reasons"], 1, record["state"]))
    return lines


def _because(reasons: list[dict[str, Any]], depth: int, state: str) -> list[str]:
    word = "because" if state not in (CACHED, RESTORED) else "seen before, though"
    lines = []
    for reason in reasons:
        if reason["kind"] == "input" and reason.get("because"):
            lines.append(f"{'  ' * depth}{word} {reason['action']} changed")
            lines.extend(_because(reason["because"], depth + 1, state))
        else:
            lines.append(f"{'  ' * depth}{word} {reason_line(reason)}")
            if reason.get("diff"):
                lines.extend(f"{'  ' * (depth + 1)}{line}" for line in reason["diff"].splitlines())
    return lines


def _ago(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def summary_line(numbers: dict[str, Any], seconds: str | None = None) -> str:
    """The numbers of `execution.summary`; `seconds` stands where the time is said only later."""
    parts = [f"{numbers['ran']} ran", f"{numbers['cached']} cached"]
    parts.extend(f"{numbers[name]} {name}" for name in ("restored", "failed", "skipped") if numbers[name])
    took = f"{numbers['seconds']:.2f}" if seconds is None else seconds
    line = f"{numbers['steps']} steps: {', '.join(parts)} · {took} s"
    return line + (f" · saved {numbers['saved']:.1f} s" if numbers["saved"] >= 0.05 else "")


def step_lines(records: Iterable[dict[str, Any]]) -> list[str]:
    """One line a step: its state, its time and why."""
    records = list(records)
    width = max((len(record["action"]) for record in records), default=0)
    lines = []
    for record in records:
        took = f"{record['seconds']:7.2f} s" if record["state"] in (RAN, FAILED) else " " * 9
        lines.append(f"  {record['action']:<{width}}  {record['state']:<8} {took}  {short_why(record)}".rstrip())
    return lines
