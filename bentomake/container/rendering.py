"""Dockerfiles from templates, in jinja2's sandbox: bentomake's own, and a user's that extends them."""

from __future__ import annotations

import shlex
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, Undefined, UndefinedError, pass_context
from jinja2 import TemplateNotFound as NotFound
from jinja2.exceptions import SecurityError
from jinja2.loaders import FunctionLoader
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment

from ..bento.variables import env_value
from .template_remarks import Said, dropped

BASE = "base.j2"
FRONTEND = "docker/dockerfile:1"
PROMETHEUS_PORT = 3001
MAX_TEXT = 1 << 20  # characters of a Dockerfile
SMALLER = "See whether a loop of it ends; a template only writes a Dockerfile, and large work is a script's."
_MAIN = "\0"  # the user's template to the loader: its file may be named as one of ours


class Default(str):
    """A variable that the user's template has not set."""

    __slots__ = ()


@dataclass
class UserTemplate:
    """A user's template: how messages name it, its text, and the texts of files that it asked for (None: no such)."""

    shown: str
    text: str
    files: Mapping[str, str | None] = field(default_factory=dict)


@dataclass
class Rendered:
    """A Dockerfile; remarks on the user's template; the files that it asked for and did not get."""

    text: str = ""
    remarks: list[Said] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


class TemplateProblem(Exception):
    """A template that cannot be rendered: a sentence, where (`line` is 0 if nobody knows), and what to do.

    `asked` are the files that it asked for and did not get: with them it may be fine.
    """

    def __init__(self, message: str, shown: str, line: int = 0, hint: str = SMALLER):
        super().__init__(message)
        self.message = message
        self.shown = shown
        self.line = line
        self.hint = hint
        self.asked: list[str] = []


def render(
    templates: Mapping[str, str],
    facts: Mapping[str, Any],
    *,
    name: str = BASE,
    buildkit: bool = False,
    user: UserTemplate | None = None,
) -> Rendered:
    """The Dockerfile of these facts (JSON types; see rules/dockerfile.py); TemplateProblem for a user's mistake.

    `templates` are bentomake's own; `name` is another of them than the Dockerfile's. With `buildkit`, caches are kept
    between builds and the first line says which frontend reads the file. A user's template may loop for ever or want
    all memory: see guarded.py.
    """
    made = Rendered()
    jinja = _environment(templates, facts, buildkit, user, made)
    if user is None:
        made.text = _tidy(jinja.get_template(name).render())
        return made
    try:
        made.remarks += dropped(jinja, templates[BASE], user.text)
        parts, size = [], 0
        for part in jinja.get_template(_MAIN).generate():
            parts.append(part)
            size += len(part)
            if size > MAX_TEXT:
                raise TemplateProblem(f"The Dockerfile has more than {MAX_TEXT >> 20} MiB.", user.shown)
    except TemplateProblem:
        raise
    except Exception as error:
        problem = _problem(error, user)
        problem.asked = made.asked
        raise problem from error
    made.text = _tidy("".join(parts))
    return made


def _environment(
    templates: Mapping[str, str], facts: Mapping[str, Any], buildkit: bool, user: UserTemplate | None, made: Rendered
) -> SandboxedEnvironment:
    def load(name: str) -> tuple[str, str, Any] | None:
        if user is not None and name == _MAIN:
            return user.text, user.shown, None
        if name in templates:
            return templates[name], name, None
        found = user.files.get(name) if user is not None else None
        if found is not None:
            return found, name, None
        if user is not None and name not in user.files:
            made.asked.append(name)
        return None

    variables = _variables(facts, buildkit)
    jinja = SandboxedEnvironment(
        loader=FunctionLoader(load),
        extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"],
        autoescape=False,  # no HTML: the filters quote
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined if user is None else _remarking(user, made, sorted(variables)),
    )
    jinja.filters.update(
        env_value=env_value,
        shell_word=shlex.quote,
        shell_words=lambda words: "".join(f"{_shell_word(word, facts)} " for word in words),
        bash_quote=shlex.quote,
        normalize_line=_normalize_line,
    )
    jinja.tests["untouched"] = lambda value: isinstance(value, Default)
    jinja.globals.update(variables, bento__users_own=user is not None)
    return jinja


def _shell_word(word: str, facts: Mapping[str, Any]) -> str:
    """Literal for the shell, but for the variables of secrets, which it has when it installs."""
    names = [secret["name"] for secret in facts["secrets"]]
    quoted = shlex.quote(word)
    for name in names:
        quoted = quoted.replace(f"${{{name}}}", f"'\"${{{name}}}\"'")
    return quoted


def _variables(facts: Mapping[str, Any], buildkit: bool) -> dict[str, Any]:
    """What every template sees, `_macros.j2` too: a Default for what the user may set."""
    path = "/home/bentoml/bento"
    conda = facts["conda"] or {}
    return {
        **{f"__options__{name}": value for name, value in facts["docker"].items()},
        "bento_base_template": BASE,
        "bento__user": Default("bentoml"),
        "bento__uid_gid": 1034,
        "bento__home": Default("/home/bentoml/"),
        "bento__path": Default(path),
        "bento__entrypoint": Default(f"{path}/env/docker/entrypoint.sh"),
        "bento__add_header": True,
        "bento__enable_buildkit": buildkit,
        "bento__buildkit_frontend": FRONTEND,
        "__prometheus_port__": PROMETHEUS_PORT,
        "__base_image__": facts["image"],
        "__python_version__": facts["python_version"],
        "__conda_python_version__": conda.get("python") or facts["python_version"],
        "__conda_channels__": conda.get("channels") or ["conda-forge"],
        "__is_cuda__": bool(facts["docker"]["cuda_version"]),
        "expands_bento_path": _expands_bento_path,
        "facts": facts,
    }


@pass_context
def _expands_bento_path(context: Context, *parts: str, bento_path: str | None = None) -> str:
    return "/".join([str(context.get("bento__path") if bento_path is None else bento_path), *map(str, parts)])


def _normalize_line(text: str) -> str:
    return " ".join(text.split())


def _tidy(text: str) -> str:
    """No blank line at the beginning, and the frontend's directive first: after anything else it is a comment."""
    lines = text.lstrip("\n").split("\n")
    directive = next((line for line in lines if line.startswith("# syntax=")), None)
    if directive is not None:
        lines.remove(directive)
        lines.insert(0, directive)
    return "\n".join(lines).rstrip("\n") + "\n"


def _remarking(user: UserTemplate, made: Rendered, known: Sequence[str]) -> type[Undefined]:
    class Remarking(Undefined):
        """A name that nobody defined renders as nothing, as in bentoml; but not without a word."""

        def __str__(self) -> str:
            if self._undefined_exception is not UndefinedError:
                self._fail_with_undefined_error()  # what the sandbox forbids
            line = _line_on_stack(user.shown)
            name = str(self._undefined_name)
            close = get_close_matches(name, known, n=1, cutoff=0.8)
            hint = f"Did you mean {close[0]}?" if close else "Define it with {% set %}, or take it out."
            remark = (f"`{name}` is not defined: it renders as nothing.", line, hint)
            if remark not in made.remarks:
                made.remarks.append(remark)
            return ""

    return Remarking


def _line_on_stack(shown: str) -> int:
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        template = frame.f_globals.get("__jinja_template__")
        if template is not None and template.filename == shown:
            line: int = template.get_corresponding_lineno(frame.f_lineno)
            return line
    return 0


def _problem(error: Exception, user: UserTemplate) -> TemplateProblem:
    """What went wrong in a sentence, and the line of the user's own files where it did."""
    own = {user.shown, *user.files}
    shown, line = user.shown, 0
    if isinstance(error, TemplateSyntaxError):
        shown, line = error.filename or shown, error.lineno
    else:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in own]
        if frames:
            shown, line = frames[-1].filename, frames[-1].lineno or 0
    message, hint = str(error).rstrip(".") or type(error).__name__, "Correct the expression; jinja2 evaluates it."
    if isinstance(error, NotFound):
        message, hint = f"There is no template {error.name}", "Files beside the template can be included."
    elif isinstance(error, RecursionError):
        message, hint = "It is nested too deeply", "See whether a macro of it calls itself without end."
    elif isinstance(error, MemoryError):
        message, hint = "It wants too much memory", SMALLER
    elif isinstance(error, TemplateSyntaxError):
        hint = "Write it as a jinja2 template; what only looks like a tag stands between {% raw %} and {% endraw %}."
    elif isinstance(error, SecurityError):
        hint = "A template sees bentomake's variables and nothing behind them."
    elif isinstance(error, UndefinedError):
        hint = "Define it with {% set %}, or ask first whether it `is defined`."
    elif not type(error).__module__.startswith("jinja2"):
        message = f"{type(error).__name__}: {message}"
    return TemplateProblem(f"{message}.", shown, line, hint)
