"""The interpreter that runs the service: which one, and the facts about it, cached by stat signatures."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..errors import UsageError

# Names that change where an interpreter looks for modules, besides its own files.
PATH_VARIABLES = ("PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "PYTHONNOUSERSITE", "HOME", "VIRTUAL_ENV")
FORMAT = 1

ASK = r"""
import sys
if sys.path and sys.path[0] == "":
    del sys.path[0]
import json, os, platform, site
full = lambda path: os.path.abspath(path)
places = [full(path) for path in sys.path if path]
library = full(os.path.dirname(os.__file__))
own = set(map(full, site.getsitepackages() if hasattr(site, "getsitepackages") else []))
if site.ENABLE_USER_SITE:
    own.add(full(site.getusersitepackages()))
is_site = lambda path: path in own or os.path.basename(path) in ("site-packages", "dist-packages")
zipped = "python%d%d.zip" % sys.version_info[:2]
def is_standard(path):
    return path == library or path.startswith(library + os.sep) or os.path.basename(path) == zipped
try:
    from importlib.metadata import version
    bentoml = version("bentoml")
except Exception:
    bentoml = None
print(json.dumps({
    "path": sys.executable,
    "version": "%d.%d.%d" % sys.version_info[:3],
    "implementation": platform.python_implementation(),
    "machine": platform.machine(),
    "system": platform.system(),
    "prefix": sys.prefix,
    "stdlib": [path for path in places if not is_site(path) and is_standard(path)],
    "site": [path for path in places if is_site(path)],
    "paths": [path for path in places if not is_site(path) and not is_standard(path)],
    "bentoml": bentoml,
}))
"""


class Interpreter(NamedTuple):
    """A Python and what it would import from; `path` is not resolved through links, a venv stays a venv."""

    path: str
    chosen_by: str
    version: str
    implementation: str
    machine: str
    system: str
    prefix: str
    stdlib: tuple[str, ...]
    site: tuple[str, ...]
    paths: tuple[str, ...]
    bentoml: str | None

    @property
    def python_version(self) -> str:
        return ".".join(self.version.split(".")[:2])

    def to_json(self) -> dict[str, Any]:
        return self._asdict()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Interpreter:
        """Read what `to_json` made; ValueError if a field is missing or of another type."""
        try:
            made = cls(**{**data, **{name: tuple(data[name]) for name in ("stdlib", "site", "paths")}})
        except (KeyError, TypeError) as error:
            raise ValueError("not an interpreter") from error
        single = [made.path, made.chosen_by, made.version, made.implementation, made.machine, made.system, made.prefix]
        if not all(
            isinstance(text, str) for text in [*single, *made.stdlib, *made.site, *made.paths, made.bentoml or ""]
        ):
            raise ValueError("not an interpreter")
        return made


def choose(python: str | None, context: str, env: Mapping[str, str], cache_dir: str) -> Interpreter:
    """The interpreter for this project: --python, BENTOMAKE_PYTHON, bentomake's own, $VIRTUAL_ENV, the context's .venv.

    A named one must have bentoml; of the others the first that has it is taken. UsageError if there is none.
    """
    for name, value in (("--python", python), ("BENTOMAKE_PYTHON", env.get("BENTOMAKE_PYTHON"))):
        if value:
            found = facts(_program(value, name, env), name, context, env, cache_dir)
            if found.bentoml is None:
                raise UsageError(
                    f"bentoml is not installed in {found.path} (chosen by {name}).",
                    hint=f"{found.path} -m pip install bentoml",
                )
            return found
    looked: list[str] = []
    for name, path in _unnamed(context, env):
        if not _is_program(path):
            continue
        found = facts(path, name, context, env, cache_dir)
        if found.bentoml is not None:
            return found
        looked.append(f"{found.path} ({name})")
    raise UsageError(
        f"No Python with bentoml was found; looked at {', '.join(looked) or 'nothing, there is none'}.",
        hint="Name the one that runs your service with --python PATH or BENTOMAKE_PYTHON, or install bentoml there.",
    )


def _unnamed(context: str, env: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if sys.executable:
        yield "bentomake's own", sys.executable
    if env.get("VIRTUAL_ENV"):
        yield "$VIRTUAL_ENV", _of_venv(env["VIRTUAL_ENV"])
    yield ".venv", _of_venv(os.path.join(os.path.abspath(context), ".venv"))


def _of_venv(directory: str) -> str:
    return os.path.join(directory, "bin", "python")


def _is_program(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)


def _program(text: str, name: str, env: Mapping[str, str]) -> str:
    """The program behind what the user wrote: a path, a virtual environment, or a command on PATH."""
    if os.sep in text or text in (".", "..") or text.startswith("~") or os.path.isdir(text):
        path = os.path.abspath(os.path.expanduser(text))
        if os.path.isdir(path):
            inside = _of_venv(path)
            if not _is_program(inside):
                raise UsageError(f"{text} is not a virtual environment: it has no bin/python.", place=name)
            return inside
        if _is_program(path):
            return path
        hint = "Name a Python or a virtual environment, e.g. .venv."
        raise UsageError(f"{text} is not a Python interpreter: {_why_not(path)}.", place=name, hint=hint)
    for directory in env.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(os.path.abspath(directory), text)
        if directory and _is_program(path):
            return path
    raise UsageError(f"There is no command {text} on PATH.", place=name, hint="Give the path of a Python interpreter.")


def _why_not(path: str) -> str:
    return "it cannot be executed" if os.path.exists(path) else "there is no such file"


def facts(path: str, chosen_by: str, context: str, env: Mapping[str, str], cache_dir: str) -> Interpreter:
    """What the interpreter at `path` says about itself: asked once, then kept while its files are the same."""
    variables = [env.get(name) for name in PATH_VARIABLES]
    relative = any(not entry.startswith("/") for entry in (env.get("PYTHONPATH") or "/").split(os.pathsep))
    key = json.dumps([FORMAT, path, variables, os.path.realpath(context) if relative else None])
    file = os.path.join(cache_dir, f"interpreter-{hashlib.sha256(key.encode()).hexdigest()[:24]}.json")
    cached = _cached(file, key, chosen_by)
    if cached is not None and _is_of(cached, path):  # a record that was planted would be started
        return cached
    from ..engine import process  # only when something has to be asked: it costs more than the whole answer

    said = process.run([path, "-c", ASK], env=env, cwd=context, timeout=60)
    try:
        found = Interpreter.from_json({**json.loads(said.stdout.strip().rpartition("\n")[2]), "chosen_by": chosen_by})
    except (ValueError, TypeError) as error:
        raise UsageError(
            f"{path} does not behave like a Python interpreter (exit code {said.returncode}).",
            place=chosen_by,
            detail=(said.stderr or said.stdout).strip()[-2000:] or None,
        ) from error
    if _is_of(found, path):  # else a shim, whose answer depends on more than files
        _keep(file, key, found, path)
    return found


def _is_of(found: Interpreter, path: str) -> bool:
    """Whether this is the program at that path: the same file in the same directory, which makes a venv that one."""
    real = os.path.realpath
    return real(found.path) == real(path) and real(os.path.dirname(found.path)) == real(os.path.dirname(path))


def watched(interpreter: Interpreter) -> list[str]:
    """The paths whose unchanged stat signatures mean that asking again gives the same facts."""
    paths = [interpreter.path, os.path.realpath(interpreter.path), os.path.join(interpreter.prefix, "pyvenv.cfg")]
    for directory in interpreter.site:
        paths.append(directory)
        try:
            names = os.listdir(directory)
        except OSError:
            continue
        paths.extend(os.path.join(directory, name) for name in sorted(names) if name.endswith(".pth"))
    return list(dict.fromkeys(paths))


def signature(path: str) -> list[int] | None:
    """What `stat` says of a path; None if it is not there."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _cached(file: str, key: str, chosen_by: str) -> Interpreter | None:
    try:
        with open(file, encoding="utf-8") as stream:
            data = json.load(stream)
        if data["key"] != key:
            return None
        # Site directories are watched themselves, so the recorded list of .pth files is complete while they match.
        if any(signature(path) != kept for path, kept in data["signatures"].items()):
            return None
        return Interpreter.from_json({**data["facts"], "chosen_by": chosen_by})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _keep(file: str, key: str, found: Interpreter, path: str) -> None:
    signatures = {name: signature(name) for name in (path, *watched(found))}
    text = json.dumps({"key": key, "signatures": signatures, "facts": found.to_json()})
    write_whole(file, text)


def write_whole(file: str, text: str) -> None:
    """Write a cache file by renaming; a directory that cannot be written only costs time."""
    try:
        os.makedirs(os.path.dirname(file), mode=0o700, exist_ok=True)
        beside = f"{file}.{os.getpid()}"
        with open(beside, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.replace(beside, file)
    except OSError:
        pass
