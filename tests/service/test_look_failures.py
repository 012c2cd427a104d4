"""Each way a service can fail has its sentence, its place and its hint, and never a traceback."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import service_projects as projects
from service_projects import SMALL, Generation

from bentomake.errors import StepError, UsageError
from bentomake.service.interpreter import facts
from bentomake.service.look import look

pytestmark = pytest.mark.real


FAILURES: Mapping[str, tuple[dict[str, str], str, str, str | None, str | None]] = {
    "system exit": (
        {"service.py": "import bentoml\n\nraise SystemExit(3)\n"},
        "service:svc",
        "service:svc exits while it is imported (SystemExit, 3).",
        "service.py:3",
        "__main__",
    ),
    "an exception below": (
        {"service.py": "import deep\n", "deep.py": "def f():\n    return 1 / 0\n\nf()\n"},
        "service:svc",
        "Importing service:svc raised ZeroDivisionError: division by zero",
        "deep.py:2",
        None,
    ),
    "a syntax error": (
        {"service.py": "x = 1\ndef (:\n"},
        "service:svc",
        "Importing service:svc raised SyntaxError",
        "service.py:2",
        None,
    ),
    "no module": ({"serving.py": ""}, "servin:svc", "There is no module servin", None, "serving"),
    "no file": ({"serving.py": ""}, "service.py:svc", "There is no module service.py", None, "serving"),
    "a missing package": (
        {"service.py": "import os\nimport not_installed.deeply\n"},
        "service:svc",
        "service:svc imports not_installed, which is not there.",
        "service.py:2",
        "-m pip install not_installed",
    ),
    "no attribute": (
        {"service.py": SMALL.format(name="Classifier")},
        "service:Clasifier",
        "The module service has no Clasifier.",
        None,
        "service:Classifier",
    ),
    "no service": (
        {"service.py": "x = 1\n"},
        "service",
        "The module service defines no service.",
        None,
        "@bentoml.service",
    ),
    "several services": (
        {"service.py": SMALL.format(name="One") + SMALL.format(name="Two")},
        "service.py",
        "The module service defines several services: One, Two.",
        None,
        "service:One",
    ),
    "a wrong kind": (
        {"service.py": "def svc():\n    pass\n"},
        "service:svc",
        "service:svc is the function svc, not a service.",
        None,
        "@bentoml.service",
    ),
    "a store write": (
        {"service.py": "import bentoml\n\nbentoml.picklable_model.save_model('mine', {})\n"},
        "service:svc",
        "Importing service:svc tries to write to the model store",
        "service.py:3",
        "training script",
    ),
    "a swallowed store write": (
        {
            "service.py": SMALL.format(name="Svc")
            + "try:\n    bentoml.picklable_model.save_model('mine', {})\nexcept Exception:\n    pass\n"
        },
        "service:Svc",
        "Importing service:Svc tries to write to the model store",
        None,
        "training script",
    ),
    "a missing model": (
        {"service.py": "import bentoml\nbentoml.models.get('nope:latest')\n"},
        "service:svc",
        "The model nope:latest is not in the model store.",
        "service.py:2",
        "bentoml models pull",
    ),
    "a missing model of a class": (
        {
            "service.py": SMALL.format(name="Svc").replace(
                "Svc:\n", "Svc:\n    m = bentoml.models.BentoModel('nope:v1')\n"
            )
        },
        "service:Svc",
        "The model nope:v1 is not in the model store (used by Svc).",
        None,
        "bentoml models pull",
    ),
    "the end of the process": (
        {"service.py": "import os\nprint('so long')\nimport sys\nsys.stdout.flush()\nos._exit(7)\n"},
        "service:svc",
        "Importing service:svc ended the whole process (exit code 7).",
        None,
        "os._exit",
    ),
    "a crash": (
        {"service.py": "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n"},
        "service:svc",
        "Python crashed while it imported service:svc (SIGSEGV).",
        None,
        "native library",
    ),
    "outside": ({"service.py": ""}, "../other.py:svc", "The service module ../other.py lies outside", None, None),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_each_failure_has_its_sentence(classes: Generation, tmp_path: Path, failure: str) -> None:
    files, service, message, place, hint = FAILURES[failure]
    context = projects.write(tmp_path / "p", files)
    with pytest.raises(StepError) as caught:
        classes.look(context, service)
    error = caught.value
    assert error.message.startswith(message)
    assert error.place == place
    assert hint is None or (error.hint is not None and hint in error.hint)
    assert "Traceback" not in json.dumps(error.to_json())
    assert "probe.py" not in json.dumps(error.to_json())
    assert not list(context.rglob("__pycache__"))
    assert not (classes.home / "models/mine").exists()


def test_an_import_that_hangs_is_ended(classes: Generation, tmp_path: Path) -> None:
    context = projects.write(
        tmp_path / "p", {"service.py": "import time\nprint('working', flush=True)\ntime.sleep(600)\n"}
    )
    with pytest.raises(StepError, match="took longer than 2 s") as caught:
        classes.look(context, "service:svc", timeout=2)
    assert "--import-timeout" in str(caught.value.hint)


def test_an_interpreter_without_bentoml_is_a_wrong_choice(classes: Generation, tmp_path: Path) -> None:
    other = facts("/usr/bin/python3", "--python", str(tmp_path), {}, str(tmp_path / "cache"))
    if other.bentoml is not None:
        pytest.skip("the system's Python has bentoml")
    context = projects.write(tmp_path / "p", {"service.py": SMALL.format(name="Svc")})
    with pytest.raises(UsageError, match="bentoml is not installed"):
        look(
            other,
            str(context),
            str(classes.home),
            "service:Svc",
            aliases={},
            hf_revisions={},
            timeout=60,
            env=classes.env,
            workdir=str(tmp_path),
        )
