"""An image described in code, built and run by a real image engine."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from dockerfile_made import make
from engines import ENGINES, Docker, bento_with, wheel_of_a_stub_bentoml

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(not ENGINES, reason="BENTOMAKE_TEST_ENGINES names neither docker nor buildah"),
]
each_engine = pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: f"{type(engine).__name__}-{engine.name}")


@each_engine
def test_commands_scripts_and_packages_run_where_they_stand(engine: Docker, tmp_path: Path) -> None:
    made = make(
        tmp_path,
        files={"early.sh": b"#!/bin/bash\nwords=(a b)\necho ${words[1]} $PWD >>/opt/said\n", "late.py": LATE},
        in_code={
            "python_version": "3.11",
            "commands": [
                {"packages": ["tree"]},
                {"run": "git --version >/opt/said\ntree --version >>/opt/said"},
                {"script": "early.sh"},
            ],
            "post_commands": [
                {"run": "python -c 'import bentoml; print(bentoml.__version__)' >>/opt/said"},
                {"script": "late.py"},
            ],
            "build_include": ["pkg", "x.py"],
        },
        envs_in_code=[{"name": "LEVEL", "value": "two words", "stage": "all"}],
    )
    bento = bento_with(tmp_path, made)
    wheel_of_a_stub_bentoml(bento / "env/python/wheels")  # after other packages, pip may not trust this place's index
    (bento / "env/python/requirements.txt").write_text("./wheels/bentoml-1.1.11-py3-none-any.whl\n")
    tag = f"bentomake-test-image-in-code-{os.getpid()}"
    try:
        layers, config = engine.build(bento, tag)
        said = engine.run(tag, "cat", "/opt/said").splitlines()
        assert said[0].startswith("git version") and said[1].startswith("tree v")
        assert said[2:] == ["b /home/bentoml/bento", "1.1.11", "late ['pkg', 'x.py'] 0"]
        assert "LEVEL=two words" in json.dumps(config["Env"]) and config["User"] == "bentoml"
        assert engine.run(tag, "cat", "src/pkg/y.py") == "2\n"
        (bento / "bento.yaml").write_text("version: two\n")
        again, _ = engine.build(bento, tag)
        assert again[:-1] == layers[:-1] and again[-1] != layers[-1]
    finally:
        engine.remove(tag)


LATE = b"""#!/usr/bin/env python
import bentoml, os
open("/opt/said", "a").write(f"late {sorted(os.listdir('src'))} {os.getuid()}\\n")
"""


@each_engine
def test_a_base_image_keeps_its_python_where_that_is_the_one(engine: Docker, tmp_path: Path) -> None:
    in_code = {"base_image": "python:3.11-slim", "python_version": "3.11"}
    bento = bento_with(tmp_path, make(tmp_path, in_code=in_code))
    tag = f"bentomake-test-image-in-code-base-{os.getpid()}"
    try:
        engine.build(bento, tag)
        found = engine.run(tag, "python3", "-c", "import idna, sys; print(sys.executable, idna.__name__)")
        assert found.split() == ["/usr/local/bin/python3", "idna"]
    finally:
        engine.remove(tag)
