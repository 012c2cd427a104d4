"""What `bentomake build` does: from options to a build, and from its result to what is printed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from .. import console
from ..build import memorable, rulebook, run
from ..console.display import progress_for
from ..engine.action import CACHED
from ..errors import EXIT_FAILED, EXIT_OK, BentomakeError, UsageError
from ..execution import Result, summary
from ..runs import record_run
from ..session import Session
from ..workspace import Settings, enter, goals
from .plain import Line
from .shown import collect, image_success, show_notes, show_steps, success


def carry_out(options: Mapping[str, Any], line: Line) -> int:
    """Build; the exit code."""
    settings = settings_from(options)
    if options["name"] is not None or options["version"] is not None:
        from ..bento.tag import part

        for name in ("name", "version"):
            if options[name] is not None:
                part(options[name], name)
    if (options["version"] or "").lower() == "latest":
        raise UsageError("A Bento's version cannot be `latest`: that names the newest one.", hint="Choose another.")
    return build(settings, list(options["targets"]), options, line)


def settings_from(options: Mapping[str, Any]) -> Settings:
    cwd = os.path.abspath(options["directory"] or ".")
    enter(options["directory"])
    labels = _pairs("label", options["labels"])
    args: dict[str, Any] = {}
    if options["arg_file"]:
        from ..bento.arguments import read

        args = read(os.path.abspath(options["arg_file"]), options["arg_file"])
    args.update(_pairs("arg", options["args"]))
    env = dict(os.environ)
    locker = options["locker"] or env.get("BENTOMAKE_LOCKER") or "uv"
    if locker not in ("uv", "pip-compile"):
        raise UsageError(f"BENTOMAKE_LOCKER is {locker!r}.", hint="It can be uv or pip-compile.")
    return Settings(
        cwd=cwd,
        env=env,
        python=options["python"],
        jobs=options["jobs"] or 0,
        keep_going=options["keep_going"],
        force=options["always_make"],
        locker=locker,
        upgrade=("*",) if "*" in options["upgrade"] else tuple(options["upgrade"]),
        import_timeout=options["import_timeout"],
        platform=options["platform"],
        hashes=options["hashes"],
        version=options["version"],
        name=options["name"],
        labels=labels,
        args=args,
        strict=options["strict"],
    )


def _pairs(option: str, given: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key:
            what = {"label": "label", "arg": "argument"}[option]
            raise UsageError(f"The {what} {text!r} has no value.", hint=f"Write --{option} KEY=VALUE.")
        found[key] = value
    return found


def build(settings: Settings, targets: list[str], options: Mapping[str, Any], line: Line) -> int:
    quiet, verbose = options["quiet"], options["verbose"]
    dry = options["dry_run"] or options["question"]
    session = Session(settings)
    try:
        if options["arg_file"]:
            session.watch.path(os.path.abspath(options["arg_file"]))
        progress = progress_for(options["progress"], quiet, verbose)
        try:
            names = [rule.name for rule in rulebook()]
            result = run(goals(targets, settings, names, options["bentofile"]), session, progress, dry=dry)
        finally:
            progress.close()
        return _finish(session, result, options, line, dry)
    finally:
        session.close()


def _finish(session: Session, result: Result, options: Mapping[str, Any], line: Line, dry: bool) -> int:
    quiet = options["quiet"]
    odd = [_parts(remark) for remark in result.remarks]
    for outcome in () if options["strict"] else result.outcomes.values():  # then they are among the errors
        odd.extend((warning["message"], warning["place"], warning["hint"]) for warning in outcome.warnings)
    warnings = [line for said in dict.fromkeys(odd) for line in console.warning_lines(*said)]
    code = result.exit_code
    if not quiet and options["progress"] != "json":
        show_notes(session, options["verbose"])
        for said in warnings:
            console.say(said)
        show_steps(session, result, options, dry)
        for image in () if dry else result.images:
            for said in image_success(image.tags[0], image, session.settings.image):
                console.say(said)
    for error in result.errors:
        console.show_error(error)
    if not dry:
        bentos = [str(built.tag) for built in result.bentos]
        record_run(session.settings, line.argv, bentos, summary(result), result.records)
        collect(session)
    if options["question"]:
        return code or (EXIT_OK if all(o.state == CACHED for o in result.outcomes.values()) else EXIT_FAILED)
    stdout = _answer(result, options, warnings)
    if stdout:
        console.out(stdout.rstrip("\n"))
    if not dry and code == EXIT_OK:
        _remember(session, result, options, line, stdout, warnings)
    return code


def _parts(remark: Any) -> tuple[str, str | None, str | None]:
    return remark.message, remark.place, remark.hint


def _answer(result: Result, options: Mapping[str, Any], warnings: list[str]) -> str:
    kind = options["output"]
    if kind == "tag":
        return "".join(f"{built.tag}\n" for built in result.bentos)
    if kind == "path":
        return "".join(f"{built.directory}\n" for built in result.bentos)
    if kind == "json":
        data = {
            "bentos": [{"tag": str(b.tag), "path": b.directory, "state": b.state} for b in result.bentos],
            "images": [image._asdict() for image in result.images],
            "summary": summary(result),
            "actions": result.records,
            "warnings": warnings,
            "errors": [error.to_json() for error in result.errors],
        }
        return json.dumps(data, indent=1)
    return ""


def _remember(
    session: Session, result: Result, options: Mapping[str, Any], line: Line, stdout: str, warnings: list[str]
) -> None:
    """Let fresh answer this very command next time, if doing nothing would be the whole answer."""
    special = ("dry_run", "always_make", "question", "explain", "upgrade", "verbose", "diff")
    if any(options[name] for name in special) or options["output"] == "json" or options["progress"] == "json":
        return
    if session.temporary is not None or not memorable(result):
        return
    lines = []
    if not options["quiet"]:
        saved = sum(outcome.trace.seconds for outcome in result.outcomes.values() if outcome.trace is not None)
        numbers = {**summary(result), "ran": 0, "cached": len(result.outcomes), "restored": 0, "saved": saved}
        lines = [*warnings, console.summary_line(numbers, "{seconds}")]
        lines.extend(success(built) for built in result.bentos)
    stderr = "".join(f"{said}\n" for said in lines)
    for path in own_files():
        session.watch.path(path)
    try:
        session.watch.write(session.settings.cache, line.argv, os.environ, line.cwd, stdout, stderr)
    except BentomakeError:
        pass


def own_files() -> list[str]:
    """bentomake's own code: what a change of which must be noticed. Of an installed release, its entry is enough."""
    from ..engine.code import released

    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    rules = os.path.dirname(rulebook()[0].file)
    if released(rules):
        return [os.path.join(package, "__init__.py"), os.path.join(package, "__main__.py")]
    found: list[str] = []
    for top in (package, rules):
        for root, directories, files in os.walk(top):
            directories[:] = [name for name in directories if name != "__pycache__"]
            found.extend(os.path.join(root, name) for name in files)
    return found
