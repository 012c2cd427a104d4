"""What `bentomake containerize` does: from options to an image, and from what was made to what is printed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..bento.epoch import epoch
from ..container.as_root import asked_as_root
from ..container.begun import HeadStart
from ..container.features import build_arg
from ..container.image_tag import checked
from ..container.options import Options
from ..container.registry import chosen, get_backend
from ..errors import EXIT_OK, UsageError
from ..head_start import head_start
from ..workspace import ImageAsk, Settings, enter
from .plain import Line

if TYPE_CHECKING:
    from ..execution import Result
    from ..session import Session


def carry_out(given: Mapping[str, Any], line: Line) -> int:
    """Make the image; the exit code."""
    settings = settings_from(given)
    assert settings.image.options is not None
    if settings.image.options.deprecated and not given["quiet"]:
        from .. import console

        for text in settings.image.options.deprecated:
            console.say(f"warning: {text}")
    return _run(given, settings, line)


def settings_from(given: Mapping[str, Any]) -> Settings:
    """What the command line asks for; UsageError for what no backend, or not this one, would take."""
    enter(given["directory"])
    env = dict(os.environ)
    options = Options.parse(given["opts"], given["flags"])
    for output in given["flags"]["output"]:
        if output in ("json", "tag", "id"):
            raise UsageError(
                f"--output {output} would be a file of the engine's.", hint=f"Write -o {output} to have it printed."
            )
    epoch(env)
    features = tuple(name.strip() for text in given["enable_features"] for name in text.split(",") if name.strip())
    build_arg(features)
    name = chosen(given["backend"], env)
    get_backend(name, env).check(options)
    image = ImageAsk(
        backend=name,
        tags=tuple(dict.fromkeys(map(checked, given["tags"]))),
        options=options,
        features=features,
        run_as_root=given["run_as_root"],
        offline=given["offline"],
        wheel_cache=given["wheel_cache"],
    )
    return Settings(cwd=os.getcwd(), env=env, jobs=given["jobs"] or 0, force=given["always_make"], image=image)


def _run(given: Mapping[str, Any], settings: Settings, line: Line) -> int:
    if settings.image.run_as_root:  # sudo may ask for a password, which no display may write over
        asked_as_root(get_backend(settings.image.backend, settings.env)).health(settings.env)
    begun = None if given["dry_run"] else head_start(given["tag"], settings)
    try:
        return _made(given, settings, line, begun)
    finally:
        if begun is not None:
            begun.end()


def _made(given: Mapping[str, Any], settings: Settings, line: Line, begun: HeadStart | None) -> int:
    from ..console.display import progress_for  # what is imported from here on, a head start hides
    from ..containerize import containerize
    from ..session import Session

    session = Session(settings)
    try:
        progress = progress_for(given["progress"], given["quiet"], given["verbose"])
        try:
            result = containerize(given["tag"], session, progress, dry=given["dry_run"], head_start=begun)
        finally:
            progress.close()
        return _finish(session, result, given, line)
    finally:
        session.close()


def _finish(session: Session, result: Result, given: Mapping[str, Any], line: Line) -> int:
    from .. import console
    from ..execution import summary
    from ..runs import record_run
    from .shown import collect, image_success, show_notes, show_steps

    if not given["quiet"] and given["progress"] != "json":
        show_notes(session, given["verbose"])
        odd = [warning for outcome in result.outcomes.values() for warning in outcome.warnings]
        for said in dict.fromkeys((each["message"], each["place"], each["hint"]) for each in odd):
            for text in console.warning_lines(*said):
                console.say(text)
        show_steps(session, result, {**given, "diff": False}, given["dry_run"])
    for error in result.errors:
        console.show_error(error)
    if not given["dry_run"]:
        options = session.settings.image.options or Options()
        record_run(session.settings, options.discreet(line.argv), [given["tag"]], summary(result), result.records)
        collect(session)
    if result.exit_code != EXIT_OK or given["dry_run"]:
        return result.exit_code
    for image in result.images:
        if not given["quiet"]:
            for text in image_success(given["tag"], image, session.settings.image):
                console.say(text)
        if given["answer"] == "json":
            console.out(json.dumps(image._asdict(), indent=2))
        elif given["answer"] == "tag":
            for name in image.tags:
                console.out(name)
        elif given["answer"] == "id":
            console.out(image.id or "")
    return result.exit_code
