"""What the commands that build show at their end, and do: steps or explanation, what was made, collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import console
from ..engine.action import CACHED, RAN
from ..execution import Result, summary
from ..images import Image
from ..session import Session
from ..workspace import ImageAsk

_GRPC = {"all", "grpc", "grpc-reflection", "grpc-channelz"}
_RUNNERS = {"buildx": "docker", "buildah": "podman", "buildctl": "docker"}  # with what an image is run
_PORTS = "-p 3000:3000"


def show_notes(session: Session, verbose: bool) -> None:
    """What was odd about the cache; if only a part of it is missing, in -v."""
    for line in session.notes:
        console.say(f"warning: {line}")
    for line in (*session.store.notes, *session.cache.notes) if verbose else ():
        console.say(f"note: {line}")


def show_steps(session: Session, result: Result, options: Mapping[str, Any], dry: bool) -> None:
    if options["explain"]:
        if options["diff"]:
            add_diffs(session, result.records)
        for line in console.explanation(result.records):
            console.say(line)
    elif dry or options["verbose"] or any(o.state != CACHED for o in result.outcomes.values()):
        for line in console.step_lines(result.records):
            console.say(line)
    if options["verbose"]:
        for outcome in result.outcomes.values():
            if outcome.state == RAN and outcome.log.strip():
                for text in outcome.log.strip().splitlines():
                    console.say(f"  {outcome.action.id} | {text}")
    if not dry:
        console.say(console.summary_line(summary(result)))
        for built in result.bentos:
            if built.put_back:
                console.say(f"restored {len(built.put_back)} of {built.tag}: {', '.join(built.put_back[:5])}")
            console.say(success(built))


def success(built: Any) -> str:
    return f'Successfully built Bento(tag="{built.tag}").'


def add_diffs(session: Session, records: list[dict[str, Any]]) -> None:
    """Give each reason that is a text file its unified diff, as far as the content store still has both sides."""
    from ..engine.explain import text_diff

    for record in records:
        for reason in record["reasons"]:
            if reason["kind"] in ("source", "file"):
                reason["diff"] = text_diff(
                    reason["old"], reason["new"], reason["name"].removeprefix("ctx/"), session.store
                )
            add_diffs(session, [{"reasons": reason.get("because") or []}])


def image_success(bento: str, image: Image, asked: ImageAsk) -> list[str]:
    """What is said when an image is there: its names, and how to run it."""
    outputs = asked.options.values("output") if asked.options is not None else []
    if outputs and not image.id:  # of files, most engines make no image that would have the names
        return [f'Successfully built Bento container for "{bento}", as asked: {", ".join(outputs)}.']
    names = ", ".join(image.tags)
    lines = [f'Successfully built Bento container for "{bento}" with tag(s) "{names}".']
    if not image.id:
        return lines
    runner = _RUNNERS.get(image.engine, image.engine)
    lines.append(f"To run it: {runner} run --rm {_PORTS} {image.tags[0]}")
    if _GRPC & set(asked.features):
        lines.append(f"To serve gRPC: {runner} run --rm {_PORTS} -p 3001:3001 {image.tags[0]} serve-grpc")
    return lines


def collect(session: Session) -> None:
    from ..engine.collect import collect_if_due

    collect_if_due(session.settings.cache, session.store, session.cache, session.limit)
