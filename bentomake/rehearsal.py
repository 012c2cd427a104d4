"""A rehearsal: recipes that only judge options are run over stores of their own, so that `check` says what they say."""

from __future__ import annotations

import os
import posixpath
import tempfile
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any, cast

from .bento.bentofile import Remark, unsaid
from .bento.image import RULE, UNUSED
from .bento.judgement import PACKAGES
from .engine.action import Action, Binding
from .engine.content_store import ContentStore, Missing
from .engine.progress import Silent
from .engine.recipe_context import RecipeContext
from .engine.rule import Rule
from .engine.trace import ActionCache
from .errors import BentomakeError, RuleError, Several
from .module_lookup import missing_module
from .project import Project
from .swept import Found

REHEARSED = ("requirements", "dockerfile")
_MOST = 20  # runs of one recipe: it stops at a mistake, and is run again without the option that has it
# What counts only where the first says nothing is not heard in its place either.
_INSTEAD = {
    "python.requirements_txt": ("python.packages",),
    "conda.environment_yml": ("conda.channels", "conda.dependencies", "conda.pip"),
}


def rehearse(project: Project, rules: Sequence[Rule], known: Sequence[BentomakeError]) -> Found:
    """What a build of the project would say in its steps, beyond what is `known`; nothing is imported or remembered.

    Options in which a mistake is known are left out.
    """
    errors: list[BentomakeError] = []
    remarks: list[Remark] = []
    places = {error.place for error in known if error.place is not None}
    if project.interpreter.bentoml is None:  # all that follows depends on it
        return [], []
    with tempfile.TemporaryDirectory(prefix="bentomake-") as top:
        stage = _Stage(project, top)
        for rule in rules:
            if rule.name in REHEARSED:
                stage.unheard = _with_others(project.bentofile.at(places) - {PACKAGES})  # the wrong ones are gone
                stage.run(rule, errors, remarks)
    service = project.bentofile.values["service"]
    gone = missing_module(project, str(service)) if service else None
    errors += [*([gone] if gone else []), *_models(project, rules)]
    # What is known may be said in other words; but beside a package with a mistake, another may have one.
    packages = {project.bentofile.place(f"{PACKAGES}[{i}]") for i in range(len(project.bentofile.values[PACKAGES]))}
    said = {(error.message, error.place) for error in known}
    told = {
        (error.message, error.place): error
        for error in errors
        if error.place not in places or (error.place in packages and (error.message, error.place) not in said)
    }
    return list(told.values()), remarks


class _Stage:
    """Stands before the project: as the project, but for the options that are `unheard`."""

    def __init__(self, project: Project, top: str):
        self._project = project
        self._top = top
        self._store = ContentStore(os.path.join(top, "store"))
        self._cache = ActionCache(os.path.join(top, "actions"))
        # A service that may describe its image in code; for most it is known to be none without an import.
        self._described = self._store.put_tree({})
        self._without = frozenset(UNUSED) if _may_have_an_image(project) else frozenset()
        self.unheard: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._project, name)

    def param(self, name: str) -> Any:
        value = self._project.param(name)
        return unsaid(value) if name in self.unheard or name in self._without else value

    def run(self, rule: Rule, errors: list[BentomakeError], remarks: list[Remark]) -> None:
        """Run a recipe until it finds no further mistake."""
        for _ in range(_MOST):
            found = list(self._once(rule, remarks))
            errors += found
            more = _unheard(self._project, {error.place for error in found}) - self.unheard
            if not more:
                return
            self.unheard |= more

    def _once(self, rule: Rule, remarks: list[Remark]) -> list[BentomakeError]:
        action = Action(rule.name, rule, cast(Binding, self), ())
        workdir = tempfile.mkdtemp(dir=self._top)
        inputs = {RULE: self._described}
        context = RecipeContext(action, inputs, self._store, self._cache, workdir, Silent())
        errors: list[BentomakeError] = []
        try:
            rule.recipe(context)
        except BentomakeError as error:
            errors = error.errors if isinstance(error, Several) else [error]
        except (OSError, KeyError, ValueError, Missing) as error:
            errors = [RuleError(f"The step {rule.name} failed: {type(error).__name__}: {error}.")]
        remarks += [Remark(said["message"], said["place"], said["hint"]) for said in context.warnings]
        return errors


def _unheard(project: Project, places: set[str | None]) -> set[str]:
    """The options that have something at one of these places, or name a file that has."""
    files = {place.rpartition(":")[0] or place for place in places if place}
    values = project.bentofile.values
    named = {n for n, v in values.items() if isinstance(v, str) and posixpath.normpath(v) in files}
    return _with_others(project.bentofile.at(places) | named)


def _with_others(options: set[str]) -> set[str]:
    return options | {name for option in options for name in _INSTEAD.get(option, ())}


def _may_have_an_image(project: Project) -> bool:
    """Whether the service's module has the word `image`: what its image makes void is no mistake then."""
    module = str(project.bentofile.values["service"] or "").partition(":")[0].removesuffix(".py").replace(".", "/")
    for path in (f"{module}.py", f"{module}/__init__.py", f"src/{module}.py", f"src/{module}/__init__.py"):
        try:
            with open(os.path.join(project.context, path), encoding="utf-8", errors="replace") as file:
                return "image" in file.read(1 << 20).lower()
        except OSError:
            continue
    return True  # an installed one, or none


def _models(project: Project, rules: Sequence[Rule]) -> Iterator[BentomakeError]:
    """Models of the bentofile that are not in the model store, each by the words of the rule that looks for it."""
    for index, spec in enumerate(project.bentofile.values["models"]):
        asked = _One(project, spec, index)
        rule = next(rule for rule in rules if rule.name == "models")
        context = RecipeContext(
            Action("models", rule, cast(Binding, asked), ()), {}, cast(Any, None), cast(Any, None), "", Silent()
        )
        try:
            import_module(rule.recipe.__module__).declared(context)
        except BentomakeError as error:
            yield error


class _One:
    """The project with one model of its bentofile alone."""

    def __init__(self, project: Project, spec: dict[str, Any], index: int):
        self._project, self._spec, self._index = project, spec, index

    def __getattr__(self, name: str) -> Any:
        return getattr(self._project, name)

    def param(self, name: str) -> Any:
        return [self._spec]

    def place(self, name: str) -> str | None:
        return self._project.place(name.replace("[0]", f"[{self._index}]"))
