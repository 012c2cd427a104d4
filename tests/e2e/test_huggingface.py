"""A HuggingFaceModel is recorded as the real build records it, at one commit until `--upgrade`."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from harness import World

FIRST, SECOND = "1" * 40, "2" * 40
SERVICE = """\
import bentoml
from bentoml.models import HuggingFaceModel


@bentoml.service
class Chat:
    model = HuggingFaceModel("Acme/Tiny")

    @bentoml.api
    def say(self, text: str) -> str:
        return text
"""
BENTOFILE = 'service: "service:Chat"\ninclude: ["*.py"]\npython:\n  lock_packages: false\n'


class Hub:
    """As much of the hub as a model's commit needs, on loopback."""

    def __init__(self) -> None:
        self.commit = FIRST
        self.asked = 0
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.asked += 1
                data = json.dumps({"id": "Acme/Tiny", "sha": hub.commit, "siblings": [], "tags": []}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args: object) -> None: ...

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def hub() -> Iterator[Hub]:
    running = Hub()
    yield running
    running.server.shutdown()


def _model(directory: Path) -> dict[str, object]:
    info = yaml.safe_load((directory / "bento.yaml").read_text())
    (model,) = info["services"][0]["models"]
    del model["creation_time"]  # the real one writes the clock's
    return dict(model)


def test_a_hub_models_commit_is_kept_until_upgrade(tmp_path: Path, bentoml14: str, hub: Hub) -> None:
    world = World(tmp_path, bentoml14)
    world.env["HF_ENDPOINT"] = hub.url
    project = world.project("chat", {"service.py": SERVICE, "bentofile.yaml": BENTOFILE})
    first = project.make().good()
    assert _model(first.path)["metadata"]["revision"] == FIRST

    # the same as the real build's
    home = tmp_path / "real"
    real = world.bentoml("build", "-o", "tag", cwd=project.directory, env={"BENTOML_HOME": str(home)}).good()
    name, _, version = real.stdout.strip().removeprefix("__tag__:").partition(":")
    assert _model(home / "bentos" / name / version) == _model(first.path)

    # the branch moves on: nothing to do, and the hub is not even asked
    hub.commit = SECOND
    asked = hub.asked
    assert project.make().ran == set()
    project.edit("service.py", "return text", "return text + '!'")
    edited = project.make().good()
    assert "service" in edited.ran
    assert _model(edited.path)["metadata"]["revision"] == FIRST
    assert hub.asked == asked

    upgraded = project.make("--upgrade")
    assert "service" in upgraded.ran
    assert _model(upgraded.path)["metadata"]["revision"] == SECOND
    assert project.make().ran == set()


def test_a_hub_that_is_not_there_is_said(tmp_path: Path, bentoml14: str) -> None:
    world = World(tmp_path, bentoml14)
    world.env["HF_ENDPOINT"] = "http://127.0.0.1:9"
    project = world.project("chat", {"service.py": SERVICE, "bentofile.yaml": BENTOFILE})
    failed = project.make()
    assert failed.code == 1
    assert ": The revision of the Hugging Face model Acme/Tiny cannot be resolved" in failed.stderr
    assert "Traceback" not in failed.stderr
