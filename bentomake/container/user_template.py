"""docker.dockerfile_template: the user's template and what it includes, rendered, and kept beside the Dockerfile."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..bento import context_file
from ..engine.rule import Context, Produced
from ..errors import BentofileError

if TYPE_CHECKING:
    from .rendering import Rendered

OPTION = "docker.dockerfile_template"
MAX_BYTES = 1 << 20
MAX_FILES = 50


class UsersOwn:
    """The template that a bentofile names. `taken` are outputs that its files may not replace, `main` is its own."""

    def __init__(self, ctx: Context, path: str, *, taken: tuple[str, ...], main: str):
        self._ctx = ctx
        self._path = context_file.inside(ctx, OPTION, path)
        self._taken = {*taken, main}
        self._main = main
        self._data = context_file.read(ctx, OPTION, path)
        self.text = self._decoded(self._data, self._path)
        self._files: dict[str, str | None] = {}

    def mentions(self, word: str) -> bool:
        """Whether the template's own text has this word."""
        return re.search(rf"\b{re.escape(word)}\b", self.text) is not None

    def render(self, templates: Mapping[str, str], facts: Mapping[str, Any]) -> dict[str, Produced]:
        """Both Dockerfiles and the template's files, by their paths in the Bento.

        BentofileError with the template's line for what cannot be rendered; warnings for what will surprise.
        """
        if not re.search(r"\{%[-+]?\s*extends\b", self.text):
            self._ctx.warn(
                f"{self._path} does not extend bento_base_template: it is the whole Dockerfile, and must do all that "
                "the Bento needs.",
                place=self._path,
                hint="Begin it with {% extends bento_base_template %} and override blocks.",
            )
        plain, cached = self._rendered(templates, facts)
        for message, line, hint in plain.remarks:
            self._ctx.warn(message, place=f"{self._path}:{line}" if line else self._path, hint=hint)
        if not re.search(r"(?im)^[^\S\n]*FROM\s", plain.text):
            raise BentofileError(
                "The Dockerfile's template renders no FROM, so nothing can be built.",
                place=self._path,
                hint="Write FROM and an image, or begin it with {% extends bento_base_template %}.",
            )
        directory = posixpath.dirname(self._main)
        made: dict[str, Produced] = {f"{directory}/Dockerfile": plain.text}
        made[f"{directory}/Dockerfile.buildkit"] = cached.text
        made[self._main] = self._data
        for name, text in self._files.items():
            if text is not None:
                made[self._kept_at(name)] = text
        return made

    def _rendered(self, templates: Mapping[str, str], facts: Mapping[str, Any]) -> list[Rendered]:
        """Rendered as often as it asks for files that it has not been given."""
        from .guarded import render_guarded
        from .rendering import TemplateProblem, UserTemplate

        while True:
            user = UserTemplate(self._path, self.text, self._files)
            try:
                made = render_guarded(self._ctx.run, f"{self._ctx.workdir}/rendered.json", templates, facts, user)
                asked = [name for one in made for name in one.asked]
            except TemplateProblem as problem:
                asked = problem.asked
                if not asked:
                    place = f"{problem.shown}:{problem.line}" if problem.line else problem.shown
                    message = f"The Dockerfile's template cannot be rendered: {problem.message}"
                    raise BentofileError(message, place=place, hint=problem.hint) from problem
            if not asked:
                return made
            for name in asked:
                self._files[name] = self._included(name)

    def _included(self, name: str) -> str | None:
        if len(self._files) >= MAX_FILES:
            hint = "Put what they hold into fewer files."
            raise BentofileError(f"The template asks for more than {MAX_FILES} files.", place=self._path, hint=hint)
        if name.startswith(("/", "~")) or ".." in name.split("/") or "\\" in name:
            raise BentofileError(
                f"The template asks for {name}, which is not below its own directory.",
                place=self._path,
                hint="Put the file beside the template.",
            )
        beside = posixpath.join(posixpath.dirname(self._path), name)
        data = context_file.read_if_there(self._ctx, "The template", beside, self._path)
        if data is None:
            return None
        if self._kept_at(name) in self._taken:
            message = f"The template asks for {name}, a name that the Bento needs."
            raise BentofileError(message, place=self._path, hint="Give the file another name.")
        return self._decoded(data, name)

    def _kept_at(self, name: str) -> str:
        return posixpath.join(posixpath.dirname(self._main), posixpath.normpath(name))

    def _decoded(self, data: bytes, shown: str) -> str:
        if len(data) > MAX_BYTES:
            message = f"The template has more than {MAX_BYTES >> 20} MiB."
            raise BentofileError(message, place=shown, hint="A template is the text of a Dockerfile: shorten it.")
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            hint = "Save it as UTF-8."
            raise BentofileError("The template is not UTF-8.", place=f"{shown}:{line}", hint=hint) from error
