"""Explanations: a manifest's difference to the previous one, followed upstream to the root; data, not prose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .action import CACHED, FAILED, RAN, RESTORED, Outcome
from .content_store import ContentStore, Missing
from .digest import Digest
from .fact import ABSENT
from .manifest import Reason

SHA256 = 64  # characters of one
_Known = dict[str, list[dict[str, Any]]]  # the reasons by action: several actions may have one behind them


def explain(outcomes: Mapping[str, Outcome], store: ContentStore) -> list[dict[str, Any]]:
    """One record an action: its state, its reasons, each with the reasons of the input behind it."""
    known: _Known = {}
    return [_record(outcome, outcomes, store, known) for outcome in outcomes.values()]


def _record(outcome: Outcome, outcomes: Mapping[str, Outcome], store: ContentStore, known: _Known) -> dict[str, Any]:
    record: dict[str, Any] = {
        "action": outcome.action.id,
        "rule": outcome.action.rule.name,
        "state": outcome.state,
        "first": outcome.first,
        "why": outcome.why,
        "seconds": round(outcome.seconds, 4),
        "reasons": _reasons(outcome, outcomes, store, known),
        "warnings": outcome.warnings,
    }
    if outcome.trace is not None:
        record["key"] = outcome.trace.key
        if outcome.state in (CACHED, RESTORED):
            here = outcome.trace.origin == outcome.action.binding.origin
            record["from"] = {"project": outcome.trace.origin, "here": here, "at": outcome.trace.at}
            record["saved"] = round(outcome.trace.seconds, 4)
    if outcome.state == RAN and outcome.log:
        record["log"] = outcome.log[-4000:]
    if outcome.state == FAILED and outcome.error is not None:
        record |= outcome.error.to_json()
    return record


def _reasons(
    outcome: Outcome, outcomes: Mapping[str, Outcome], store: ContentStore, known: _Known
) -> list[dict[str, Any]]:
    if outcome.action.id in known:
        return known[outcome.action.id]
    found = known[outcome.action.id] = []
    upstream = dict(zip(outcome.action.rule.inputs, outcome.action.needs, strict=True))
    read = {reason.name for reason in outcome.reasons if reason.kind == "file"}
    for reason in outcome.reasons:
        record = reason.to_json()
        if reason.kind == "stat" and reason.name in read:
            continue  # its content says it already
        if reason.kind == "source":
            found.extend(_files(reason, store))
            continue
        if reason.kind == "input" and reason.name in upstream:
            behind = outcomes.get(upstream[reason.name])
            if behind is not None:
                # An input that had changed in an earlier, failed run has no reasons of its own now.
                record["because"] = _reasons(behind, outcomes, store, known) or list(_files(reason, store))
                record["action"] = behind.action.id
        if reason.kind == "file":  # the whole digests: the content store may still have what they name
            record |= {"old": _whole(reason.old_digest, reason.old), "new": _whole(reason.new_digest, reason.new)}
        if reason.kind == "param":
            record["place"] = outcome.action.binding.place(reason.name)
        found.append(record)
    return found


def _whole(digest: str | None, shown: str | None) -> str | None:
    return digest if digest is not None and len(digest) == SHA256 else None if shown == ABSENT.shown else shown


def _files(reason: Reason, store: ContentStore) -> Iterator[dict[str, Any]]:
    """The paths in which two sets of files differ."""
    try:
        old, new = store.differing(Digest.parse(reason.old_digest or ""), Digest.parse(reason.new_digest or ""))
    except (Missing, ValueError):
        yield {"kind": "source", "name": reason.name, "change": "changed", "old": None, "new": None}
        return
    for path in sorted(old.keys() | new.keys()):
        was, now = old.get(path), new.get(path)
        change = "added" if was is None else "removed" if now is None else "changed"
        same = was is not None and now is not None and was.digest == now.digest
        yield {
            "kind": "source",
            "name": path,
            "change": change,
            "old": None if was is None else f"mode {was.mode:o}" if same else was.digest.sha256,
            "new": None if now is None else f"mode {now.mode:o}" if same else now.digest.sha256,
        }


def roots(reasons: list[dict[str, Any]]) -> Iterator[tuple[list[str], dict[str, Any]]]:
    """Each chain of actions from here up to a reason that is no input: (["requirements"], reason)."""
    for reason in reasons:
        behind = reason.get("because")
        if reason["kind"] == "input" and behind:
            for chain, root in roots(behind):
                yield [reason.get("action", reason["name"]), *chain], root
        else:
            yield [], reason


def text_diff(old: str | None, new: str | None, name: str, store: ContentStore) -> str:
    """A unified diff of two contents by their sha256; empty if either is not text, or not in the store any more."""
    import difflib

    texts: list[list[str]] = []
    for sha256 in (old, new):
        data = b"" if sha256 is None else _any_size(sha256, store)
        if data is None or b"\0" in data:
            return ""
        texts.append(data.decode("utf-8", "replace").splitlines(keepends=True))
    return "".join(difflib.unified_diff(texts[0], texts[1], f"{name} (before)", f"{name} (now)"))


def _any_size(sha256: str, store: ContentStore) -> bytes | None:
    import os

    for mode in (0o644, 0o755):
        try:
            size = os.stat(store.path(Digest(sha256, 0), mode)).st_size
            return store.read(Digest(sha256, size))
        except (OSError, Missing):
            continue
    return None
