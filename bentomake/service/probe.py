"""Runs in the user's interpreter: imports the service once under observation and writes what it is as JSON."""

import sys

HERE = __file__.rpartition("/")[0]
if sys.path and sys.path[0] == HERE:
    del sys.path[0]  # before any other import: this directory's names must shadow nothing

import json  # noqa: E402 -- sys.path is put right first
import os  # noqa: E402 -- sys.path is put right first
from types import ModuleType  # noqa: E402 -- sys.path is put right first
from typing import Any  # noqa: E402 -- sys.path is put right first


def beside(name: str) -> Any:
    """A module that lies beside this file, loaded by its path and kept out of sys.modules and sys.path."""
    path = HERE + "/" + name + ".py"
    module = ModuleType("bentomake_probe_" + name)
    module.__file__ = path
    with open(path, "rb") as file:
        exec(compile(file.read(), path, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 -- our own file
    return module


def watch_models(seen: "list[dict[str, Any]]") -> None:
    """Note each model that is taken out of the store, and mark the exception for one that is not there."""
    from bentoml._internal.models import ModelStore
    from bentoml.exceptions import NotFound

    original = ModelStore.get

    def get(store: Any, tag: Any) -> Any:
        asked = str(tag)
        try:
            model = original(store, tag)
        except NotFound as error:
            error._bentomake_missing_model = asked
            raise
        entry = {
            "asked": asked,
            "tag": str(model.tag),
            "module": model.info.module,
            "creation_time": model.info.creation_time.isoformat(),
        }
        if entry not in seen:
            seen.append(entry)
        return model

    ModelStore.get = get


def describe(request: "dict[str, Any]", context: str, observer: Any, resolve: Any) -> "dict[str, Any]":
    """Import the service and describe it; raises resolve.Problem for a user's mistake."""
    try:
        import bentoml
        from bentoml._internal.configuration.containers import (
            BentoMLContainer,
        )
    except ImportError as error:
        raise resolve.Problem("no_bentoml", message=str(error), name=getattr(error, "name", None)) from error
    BentoMLContainer.model_aliases.set(dict(request["aliases"]))
    if request.get("args"):
        try:
            from bentoml._internal.utils.args import set_arguments
        except ImportError as error:
            raise resolve.Problem("no_arguments", version=bentoml.__version__) from error
        set_arguments(dict(request["args"]))
    seen: list[dict[str, Any]] = []
    watch_models(seen)
    images = beside("image_calls").Calls(observer, context)
    images.install()
    # After bentoml, as its own command does: the project shadows nothing of that.
    sys.path[:0] = [path for path in [context, *request.get("also", ())] if path not in sys.path]
    module, name, attribute = resolve.load(request["service"], context, lambda: observer.refused)
    if observer.refused is not None:  # the service swallowed the refusal
        raise resolve.Problem("store_write", path=observer.refused, frames=[])
    models_seen = list(seen)
    service, attribute, generation = resolve.choose(module, name, attribute)
    import_string = name + ":" + attribute
    object.__setattr__(service, "_import_str", import_string)
    adapter = beside("class_generation" if generation == "class" else "runner_generation")
    try:
        found = adapter.describe(service, request, resolve.fail)
    except resolve.Problem:
        raise
    except BaseException as error:
        raise resolve.explained(error, name, name, context) from error
    return {
        "generation": generation,
        "bentoml_version": bentoml.__version__,
        "service": import_string,
        "models_seen": models_seen,
        "image": images.describe(getattr(service, "image", None)),
        **found,
    }


def main(request_path: str, result_path: str) -> None:
    with open(request_path, encoding="utf-8") as file:
        request = json.load(file)
    given = os.path.abspath(request["context"])
    context = os.path.realpath(given)
    os.chdir(context)
    sys.argv = ["bentoml"]
    observe, report, resolve = beside("observe"), beside("report"), beside("resolve")
    models = [os.path.join(request["home"], "models"), os.path.join(os.path.realpath(request["home"]), "models")]
    library = [*request["site"], *request["stdlib"]]
    observer = observe.Observer(
        list({context: 0, given: 0}), list(dict.fromkeys(models)), library, request["paths"], HERE
    )
    observer.install()
    try:
        result = describe(request, context, observer, resolve)
    except resolve.Problem as problem:
        result = {"error": problem.data}
    result.update(report.Report(observer, request, context).make())
    text = json.dumps(result, default=str)
    with open(result_path, "w", encoding="utf-8") as file:
        file.write(text)


def leave() -> None:
    """End without waiting for threads that the service may have started, but with its exit functions run."""
    import atexit

    try:
        atexit._run_exitfuncs()
    except BaseException:  # noqa: S110 -- the result is written; nothing of the user's may turn it into a failure
        pass
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:  # noqa: S110 -- a closed or replaced stream
            pass
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
    leave()
