"""Runs in the user's interpreter: from a service string to the object it names, importing its module once."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any, NoReturn


class Problem(Exception):
    """A user's mistake: `data` is the result's `error`, with `kind`."""

    def __init__(self, kind: str, **data: Any) -> None:
        super().__init__(kind)
        self.data = {"kind": kind, **data}


def fail(kind: str, **data: Any) -> NoReturn:
    raise Problem(kind, **data)


def module_name(text: str, context: str) -> str:
    """The dotted name of a module written as `pkg.mod`, `pkg/mod`, `pkg/mod.py` or `./mod.py`."""
    path = os.path.join(context, os.path.expanduser(text))
    looks_like_path = "/" in text or text.endswith(".py")
    if not looks_like_path and not os.path.isfile(path):
        return text
    relative = os.path.relpath(os.path.realpath(path), context)
    if relative.startswith("../"):
        relative = os.path.relpath(os.path.normpath(path), context)  # a link inside the context that points outside
    if relative.startswith("../"):
        fail("outside", module=text)
    stem, extension = os.path.splitext(relative)
    if extension not in ("", ".py"):
        fail("not_python", module=text, extension=extension)
    if extension == ".py" and not os.path.isfile(path):
        fail("no_module", module=text, candidates=candidates(context))
    parts = stem.split("/")
    if any("." in part for part in parts):
        fail("not_python", module=text, extension=extension)
    return ".".join(parts)


def load(service: str, context: str, refused: Callable[[], str | None]) -> tuple[Any, str, str]:
    """Import the module of a service string: (module, its name, the attribute or ""). Raises Problem."""
    text, _, attribute = service.strip().partition(":")
    if not text:
        fail("no_module", module="", candidates=candidates(context))
    name = module_name(text, context)
    if name.startswith(".") or ".." in name:
        fail("no_module", module=text, candidates=candidates(context))
    try:
        module = importlib.import_module(name)
    except Problem:
        raise
    except BaseException as error:
        refusal = refused()
        if refusal is not None:
            raise Problem("store_write", path=refusal, frames=frames(error, context)) from error
        raise explained(error, name, text, context) from error
    return module, name, attribute


def explained(error: BaseException, name: str, text: str, context: str) -> Problem:
    """The Problem behind an exception that came out of importing a module."""
    own = frames(error, context)
    if isinstance(error, SystemExit):
        return Problem(
            "system_exit",
            code=error.code if isinstance(error.code, int) else None,
            frames=own,
            text=None if error.code is None or isinstance(error.code, int) else str(error.code),
        )
    if isinstance(error, ModuleNotFoundError) and error.name:
        if not own and (name == error.name or name.startswith(error.name + ".")):
            return Problem("no_module", module=text, candidates=candidates(context))
        return Problem("missing_package", name=error.name, message=str(error), frames=own)
    message = str(error)
    if isinstance(error, SyntaxError):
        message = error.msg or "invalid syntax"
    missing = getattr(error, "_bentomake_missing_model", None)
    if missing is not None:
        return Problem("no_model", tag=missing, message=message, frames=own)
    return Problem("exception", type=type(error).__name__, message=message, frames=own)


def frames(error: BaseException, context: str) -> list[list[Any]]:
    """The user's own frames of an exception, outermost first: [file, line, function, source text]."""
    import linecache

    found: list[list[Any]] = []
    step: TracebackType | None = error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        if own_file(code.co_filename, context):
            line = linecache.getline(code.co_filename, step.tb_lineno).strip()
            found.append([os.path.relpath(code.co_filename, context), step.tb_lineno, code.co_name, line])
        step = step.tb_next
    if isinstance(error, SyntaxError) and error.filename and own_file(error.filename, context):
        found.append([os.path.relpath(error.filename, context), error.lineno or 1, "", (error.text or "").strip()])
    return found


def own_file(filename: str, context: str) -> bool:
    """Whether a file is the project's own: under the context and not in an environment's library."""
    return filename.startswith(context + "/") and "/site-packages/" not in filename[len(context) :]


def candidates(context: str) -> list[str]:
    """Names of modules that lie in the context: for "did you mean"."""
    try:
        return sorted(name[:-3] for name in os.listdir(context) if name.endswith(".py"))
    except OSError:
        return []


def choose(module: Any, module_text: str, attribute: str) -> tuple[Any, str, str]:
    """The service object, the attribute path it was found by, and its generation. Raises Problem."""
    runner, classes = kinds()
    values = list(vars(module).items())
    services = [(name, value) for name, value in values if isinstance(value, classes)]
    if services:
        inner = [dep.on for _, value in services for dep in value.dependencies.values() if dep.on is not None]
        services = [(name, value) for name, value in services if not any(value is other for other in inner)]
    older = [(name, value) for name, value in values if isinstance(value, runner)]
    names = [name for name, _ in services or older]
    if attribute:
        found = module
        for part in attribute.split("."):
            try:
                found = found.dependencies[part].on if isinstance(found, classes) else getattr(found, part)
            except (AttributeError, KeyError):
                fail(
                    "no_attribute",
                    module=module_text,
                    attribute=attribute,
                    services=names,
                    names=[name for name, _ in values if not name.startswith("_")],
                )
    elif not names:
        fail("no_service", module=module_text)
    else:
        # One object under two names is one service, as when a module says `svc = app = Service(…)`.
        different = {id(value) for _, value in services or older}
        if len(different) > 1:
            fail("several_services", module=module_text, services=names)
        attribute, found = (services or older)[0]
    if isinstance(found, classes):
        return found, attribute, "class"
    if isinstance(found, runner):
        return found, attribute, "runner"
    fail("wrong_kind", module=module_text, attribute=attribute, found=described(found), services=names)


def kinds() -> tuple[Any, Any]:
    """The types of a runner service and of a class service: those already imported, nothing more."""
    runner = getattr(sys.modules.get("bentoml._internal.service.service"), "Service", ())
    classes = getattr(sys.modules.get("_bentoml_sdk.service.factory"), "Service", ())
    return runner, classes


def described(value: Any) -> str:
    """What a value is, in words for a message."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if callable(value) and hasattr(value, "__name__"):
        return f"the function {value.__name__}"
    kind = type(value)
    module = getattr(kind, "__module__", "builtins")
    article = "an" if kind.__name__[:1].lower() in "aeiou" else "a"
    return f"{article} {kind.__name__}" if module == "builtins" else f"{article} {module}.{kind.__name__}"
