"""Looks at a service: runs the probe in its interpreter and turns each way to fail into a sentence."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ..engine import process
from ..errors import BentomakeError, StepError, UsageError
from .interpreter import Interpreter

PROBE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "probe.py")


class Looked(NamedTuple):
    """What the probe found (`result`, the JSON that probe.py describes), what the import printed, how long it took."""

    result: dict[str, Any]
    stdout: str
    stderr: str
    seconds: float


def look(
    interpreter: Interpreter,
    context: str,
    home: str,
    service: str,
    *,
    aliases: Mapping[str, str],
    hf_revisions: Mapping[str, str],
    timeout: float,
    env: Mapping[str, str],
    workdir: str,
    args: Mapping[str, Any] | None = None,
    also: Sequence[str] = (),
) -> Looked:
    """Import the service once in its interpreter and describe it.

    `args` are its template arguments; modules are looked for in the context, then in `also`, directories below it.
    Raises StepError for everything a service can do wrong, UsageError if the interpreter has no usable bentoml.
    """
    request, answer = os.path.join(workdir, "request.json"), os.path.join(workdir, "result.json")
    with open(request, "w", encoding="utf-8") as file:
        json.dump(
            {
                "context": os.path.abspath(context),
                "home": os.path.abspath(home),
                "service": service,
                "aliases": dict(aliases),
                "args": dict(args or {}),
                "also": [os.path.join(os.path.realpath(context), directory) for directory in also],
                "hf_revisions": dict(hf_revisions),
                "site": list(interpreter.site),
                "stdlib": list(interpreter.stdlib),
                "paths": list(interpreter.paths),
            },
            file,
        )
    if os.path.exists(answer):
        os.unlink(answer)  # an import that ends the process writes none, and an old one must not stand for it
    # UTF-8 and a fixed order of sets, as in every container and on every machine: the clock and the locale never count.
    own = {"PYTHONHASHSEED": "0", **env, "BENTOML_HOME": os.path.abspath(home)}
    ran = process.run([interpreter.path, "-X", "utf8", PROBE, request, answer], env=own, cwd=context, timeout=timeout)
    if ran.timed_out:
        raise StepError(
            f"Importing {service} took longer than {timeout:g} s.",
            hint="Give it more time with --import-timeout SECONDS, or move slow work out of the module's top level.",
            detail=_last(ran.stdout, ran.stderr),
        )
    try:
        with open(answer, encoding="utf-8") as file:
            result = json.load(file)
    except (OSError, ValueError):
        raise _no_answer(service, ran) from None
    if "error" in result:
        raise explained(service, result["error"], interpreter, ran.stdout, ran.stderr)
    return Looked(result, ran.stdout, ran.stderr, ran.seconds)


def _no_answer(service: str, ran: process.Completed) -> StepError:
    if ran.returncode < 0:
        try:
            name = signal.Signals(-ran.returncode).name
        except ValueError:
            name = f"signal {-ran.returncode}"
        sentence = f"Python crashed while it imported {service} ({name})."
        hint = "A native library of the service may not fit this Python or this machine."
    else:
        sentence = f"Importing {service} ended the whole process (exit code {ran.returncode})."
        hint = "Something in the service calls os._exit or replaces the process; move it out of the module's top level."
    return StepError(sentence, hint=hint, detail=_last(ran.stdout, ran.stderr))


def _last(*texts: str) -> str | None:
    """The last lines of what was printed."""
    lines = [line for text in texts for line in text.rstrip().split("\n") if line.strip()]
    return "\n".join(lines[-12:]) or None


Data = Mapping[str, Any]


def explained(
    service: str, error: Data, interpreter: Interpreter, stdout: str = "", stderr: str = ""
) -> BentomakeError:
    """The error to raise for the probe's `error` object; an unknown kind is told as it is."""
    tell = SENTENCES.get(error["kind"])
    if tell is None:
        return StepError(f"Importing {service} failed: {json.dumps(dict(error))}.")
    kind, message, hint = tell(service, error, interpreter)
    own = error.get("frames") or []
    detail = "\n".join(
        f"  {file}:{line}" + (f" in {function}" if function else "") + (f"\n    {text}" if text else "")
        for file, line, function, text in own
    )
    place = f"{own[-1][0]}:{own[-1][1]}" if own else None
    return kind(message, place=place, hint=hint, detail=detail or _last(stdout, stderr))


Told = tuple[type[BentomakeError], str, str | None]


def _nearest(wanted: str, names: Sequence[str]) -> str | None:
    import difflib

    close = difflib.get_close_matches(wanted, names, n=1)
    if close:
        return close[0]
    return next((name for name in names if name.lower() == wanted.lower()), None)


def _system_exit(service: str, error: Data, _: Interpreter) -> Told:
    code = error["text"] or ("none" if error["code"] is None else error["code"])
    return (
        StepError,
        f"{service} exits while it is imported (SystemExit, {code}).",
        ('Put what should run only as a script under `if __name__ == "__main__":`.'),
    )


def _exception(service: str, error: Data, _: Interpreter) -> Told:
    first = error["message"].strip().partition("\n")[0]
    return StepError, f"Importing {service} raised {error['type']}{': ' + first if first else ''}", None


def _no_module(service: str, error: Data, _: Interpreter) -> Told:
    module = error["module"]
    if not module:
        return StepError, f'The service "{service}" names no module.', 'Write it as MODULE:NAME, e.g. "service:svc".'
    stem = module.removesuffix(".py").rpartition("/")[2]
    close = _nearest(stem, error["candidates"])
    there = ", ".join(error["candidates"][:5])
    hint = f"Did you mean {close}?" if close else f"The context has {there}." if there else None
    return StepError, f"There is no module {module} for the service {service}.", hint


def _missing_package(service: str, error: Data, interpreter: Interpreter) -> Told:
    top = error["name"].partition(".")[0]
    return (
        StepError,
        f"{service} imports {error['name']}, which is not there.",
        (
            f"Install what provides it beside bentoml ({interpreter.path} -m pip install {top}), "
            "or name another Python with --python."
        ),
    )


def _outside(service: str, error: Data, _: Interpreter) -> Told:
    return (
        StepError,
        f"The service module {error['module']} lies outside the build context.",
        ("Build in a directory that contains it."),
    )


def _not_python(service: str, error: Data, _: Interpreter) -> Told:
    return (
        StepError,
        f"The service {service} names {error['module']}, which is not a Python module.",
        ('Write it as MODULE:NAME, e.g. "service:svc" or "src/service.py:svc".'),
    )


def _no_attribute(service: str, error: Data, _: Interpreter) -> Told:
    wanted, services = error["attribute"], error["services"]
    close = _nearest(wanted, services) or (services[0] if len(services) == 1 else _nearest(wanted, error["names"]))
    hint = f"Did you mean {error['module']}:{close}?" if close else None
    if hint is None and services:
        hint = f"Its services are {', '.join(services)}."
    return StepError, f"The module {error['module']} has no {wanted}.", hint


def _no_service(service: str, error: Data, _: Interpreter) -> Told:
    return (
        StepError,
        f"The module {error['module']} defines no service.",
        ("Decorate a class with @bentoml.service, or make one with bentoml.Service(...)."),
    )


def _several(service: str, error: Data, _: Interpreter) -> Told:
    names = error["services"]
    return (
        StepError,
        f"The module {error['module']} defines several services: {', '.join(names)}.",
        (f"Say which: service: {error['module']}:{names[0]}"),
    )


def _wrong_kind(service: str, error: Data, _: Interpreter) -> Told:
    hint = (
        f"Its services are {', '.join(error['services'])}."
        if error["services"]
        else ("A service is a class decorated with @bentoml.service, or a bentoml.Service(...).")
    )
    return StepError, f"{error['module']}:{error['attribute']} is {error['found']}, not a service.", hint


def _store_write(service: str, error: Data, _: Interpreter) -> Told:
    return (
        StepError,
        f"Importing {service} tries to write to the model store ({error['path']}).",
        ("Save models in a training script; a service only takes them from the store."),
    )


def _no_model(service: str, error: Data, _: Interpreter) -> Told:
    of = f" (used by {error['service']})" if error.get("service") else ""
    return (
        StepError,
        f"The model {error['tag']} is not in the model store{of}.",
        ("Train and save it, or fetch it with `bentoml models pull` or `bentoml models import`."),
    )


def _huggingface(service: str, error: Data, interpreter: Interpreter) -> Told:
    hint = "Is the hub reachable, and HF_TOKEN set for a private model? A commit as its revision needs the hub too."
    if not error["installed"]:
        hint = f"{interpreter.path} -m pip install huggingface_hub"
    return (
        StepError,
        (f"The revision of the Hugging Face model {error['model_id']} cannot be resolved: {error['message']}"),
        hint,
    )


def _no_arguments(service: str, error: Data, interpreter: Interpreter) -> Told:
    message = f"bentoml {error['version']} in {interpreter.path} does not know template arguments (args, --arg)."
    return UsageError, message, "They came with bentoml 1.4.8; remove them, or upgrade bentoml there."


def _no_bentoml(service: str, error: Data, interpreter: Interpreter) -> Told:
    if error.get("name") == "bentoml":
        message = f"bentoml is not installed in {interpreter.path} (chosen by {interpreter.chosen_by})."
        return UsageError, message, f"{interpreter.path} -m pip install bentoml"
    message = f"bentoml in {interpreter.path} cannot be imported: {error['message']}."
    hint = "bentoml 1.1 needs setuptools<81." if error.get("name") == "pkg_resources" else "Reinstall it there."
    return UsageError, message, hint


SENTENCES: dict[str, Callable[[str, Data, Interpreter], Told]] = {
    "system_exit": _system_exit,
    "exception": _exception,
    "no_module": _no_module,
    "missing_package": _missing_package,
    "outside": _outside,
    "not_python": _not_python,
    "no_attribute": _no_attribute,
    "no_service": _no_service,
    "several_services": _several,
    "wrong_kind": _wrong_kind,
    "store_write": _store_write,
    "no_model": _no_model,
    "huggingface": _huggingface,
    "no_arguments": _no_arguments,
    "no_bentoml": _no_bentoml,
}
