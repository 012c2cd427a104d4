"""Whether the module of a service is anywhere an import could find it: looked for without importing anything."""

from __future__ import annotations

import os
import sys

from .errors import BentomakeError
from .project import Project
from .service.look import explained
from .service.packages import provides
from .service.resolve import candidates

# Files of site directories that run code at the start of Python, and are known to bring no module.
_HARMLESS = ("distutils-precedence.pth", "_virtualenv.pth", "a1_coverage.pth")


def missing_module(project: Project, service: str) -> BentomakeError | None:
    """The error of a build whose service names a module that is nowhere; None for all that is there, or may be."""
    text = service.strip().partition(":")[0]
    if not text or text.startswith(("/", "~", ".")) or ".." in text:
        return None
    if "/" in text or text.endswith(".py"):
        absent = text.endswith(".py") and not os.path.lexists(os.path.join(project.context, text))
    else:
        absent = not os.path.lexists(os.path.join(project.context, text)) and not _found(project, text.split(".")[0])
    if not absent:
        return None
    data = {"kind": "no_module", "module": text, "candidates": candidates(project.context)}
    error = explained(service, data, project.interpreter)
    error.place = project.place("service")
    return error


def _found(project: Project, module: str) -> bool:
    """Whether a directory of the import path has the name, or something else may bring it."""
    interpreter = project.interpreter
    if module in sys.builtin_module_names:
        return True
    directories = [project.context, os.path.join(project.context, "src")]
    for directory in [*directories, *interpreter.paths, *interpreter.site, *interpreter.stdlib]:
        try:
            names = os.listdir(directory)
        except NotADirectoryError:
            return True  # a zip, or an egg: it is not looked into
        except OSError:
            continue
        if provides(names, module):
            return True
        for name in names if directory in interpreter.site else ():
            if name.endswith(".egg-link") or (name.endswith(".pth") and _runs_code(os.path.join(directory, name))):
                return True
    return False


def _runs_code(path: str) -> bool:
    """Whether a .pth file has a line of code, as that of an editable package: it may bring any module."""
    if os.path.basename(path) in _HARMLESS:
        return False
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return any(line.startswith(("import ", "import\t")) for line in file)
    except OSError:
        return False
