"""The Dockerfile, built and run by the real image engines that BENTOMAKE_TEST_ENGINES names."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from engines import AWKWARD, ENGINES, bento_of


@pytest.mark.engine
@pytest.mark.skipif(not ENGINES, reason="BENTOMAKE_TEST_ENGINES names neither docker nor buildah")
@pytest.mark.parametrize("models", [True, False], ids=["models", "no-models"])
@pytest.mark.parametrize("generation", ["runner", "class"])
def test_a_real_engine_builds_it_and_an_edit_costs_one_layer(generation: str, models: bool, tmp_path: Path) -> None:
    bento = bento_of(tmp_path, generation, models)
    for number, engine in enumerate(ENGINES):
        tag = f"bentomake-test-{os.getpid()}-{generation}-{number}"
        try:
            layers, config = engine.build(bento, tag)
            assert (config["User"], config["WorkingDir"]) == ("bentoml", "/home/bentoml/bento")
            assert engine.run(tag, "id", "-un").strip() == "bentoml"
            assert engine.run(tag, "cat", "/opt/setup") == "idna 0", "with the requirements, as root"
            look = "import os, json; print(json.dumps(dict(os.environ)))"
            env = json.loads(engine.run(tag, "python3", "-c", look))
            path = env.pop("PATH")
            assert path.startswith("/x:/") and "$" not in path
            literal = {name: value for name, value in AWKWARD.items() if name != "PATH"}
            assert {name: env.get(name) for name in literal} == literal
            files = engine.run(tag, "sh", "-c", "find . -type f ! -path './env/python/*' ! -user root | sort").split()
            expected = ["./README.md", "./apis/openapi.yaml", "./bento.yaml", "./env/docker/entrypoint.sh"]
            expected += ["./env/docker/setup_script", "./src/pkg/y.py", "./src/x.py"]
            expected += ["./models/clf/latest", "./models/clf/v1/model.yaml"] * models
            assert files == sorted(expected)
            if generation == "runner":
                assert engine.run(tag).strip() == "bentoml serve /home/bentoml/bento"
                assert engine.run(tag, "--port", "1").strip() == "bentoml serve --port 1 /home/bentoml/bento"

            (bento / "src/x.py").write_text(f"3 + {number}\n")
            (bento / "bento.yaml").write_text(f"version: two{number}\n")
            again, _ = engine.build(bento, tag)
            assert again[:-1] == layers[:-1] and again[-1] != layers[-1] and len(again) == len(layers)
            assert engine.run(tag, "cat", "src/x.py").strip() == f"3 + {number}"
        finally:
            engine.remove(tag)
