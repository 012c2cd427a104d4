"""The dockerfile rule run by itself: what it made for some options, as text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bentomake.rules.dockerfile import dockerfile
from context import FakeContext

from bentomake.engine.digest import of_bytes
from bentomake.engine.rule import check_outputs
from bentomake.engine.tree import FILE, Entry

DOCKERFILE, ENTRYPOINT = "env/docker/Dockerfile", "env/docker/entrypoint.sh"
BUILDKIT, TEMPLATE, CONDA = (
    "env/docker/Dockerfile.buildkit",
    "env/docker/Dockerfile.template",
    "env/conda/environment.yml",
)
SETUP, INSTALL, VERSION = "env/docker/setup_script", "env/python/install.sh", "env/python/version.txt"


class Made(dict[str, str]):
    """The texts that a recipe made, by path; `modes` of those that are not plain; its `warnings`."""

    modes: dict[str, int]
    warnings: list[str]
    discovered: list[tuple[str, str]]
    said: list[tuple[str, str | None, str | None]]  # the warnings with place and hint


class Places(dict[str, str]):
    def get(self, name: str, default: object = None) -> str:  # type: ignore[override]
        return f"bentofile.yaml:{name}"


class Keeping(FakeContext):
    """A FakeContext that remembers what the entries it gave stand for."""

    def put_file(self, path: str, mode: int = 0o644) -> Entry:
        entry = super().put_file(path, mode)
        self.hosts[entry] = Path(path).read_text()
        return entry


def make(
    tmp_path: Path,
    generation: str = "class",
    files: dict[str, bytes] | None = None,
    python: str = "3.11",
    in_code: dict[str, Any] | None = None,
    envs_in_code: list[dict[str, str]] | None = None,
    **params: Any,
) -> Made:
    """Run the recipe; `docker__env=…` is the parameter docker.env, `files` lie in the build context.

    `in_code` is what the service's image says, over that of `Image()`.
    """
    for path, data in (files or {}).items():
        file = tmp_path / "context" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    ctx = Keeping(
        dockerfile,
        tmp_path / "workdir",
        params={name.replace("__", "."): value for name, value in params.items()},
        places=Places(true="all"),
        inputs={"described": described(in_code, envs_in_code)},
        oracles={"generation": generation, "python.version": python, "bentoml.version": "1.1.11"},
        project=tmp_path / "context",
    )
    assert set(ctx.params) <= set(dockerfile.params)
    tree = dockerfile.recipe(ctx)
    check_outputs(dockerfile, {path: Entry(of_bytes(b""), FILE) for path in tree})
    made = Made({path: ctx.hosts[value] if isinstance(value, Entry) else _text(value) for path, value in tree.items()})
    made.modes = {path: value.mode for path, value in tree.items() if isinstance(value, Entry)}
    made.said = list(ctx.warnings)
    made.warnings = [message for message, _, _ in ctx.warnings]
    made.discovered = list(ctx.discovered)
    return made


IMAGE_IN_CODE: dict[str, Any] = {
    **{"base_image": None, "distro": "debian", "python_version": None, "lock": True, "pack_git": True},
    **{"uv_lock": False, "requirements": [], "commands": [], "post_commands": [], "build_include": [], "given": []},
}


def described(in_code: dict[str, Any] | None, envs: list[dict[str, str]] | None = None) -> dict[str, str]:
    """What the rule `described` makes of such a service."""
    made = {} if in_code is None else {"image.json": json.dumps({**IMAGE_IN_CODE, **in_code})}
    return made | ({"envs.json": json.dumps(envs)} if envs else {})


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def written(tmp_path: Path, made: Made, path: str) -> Path:
    file = tmp_path / "a bento" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(made[path])
    file.chmod(made.modes.get(path, 0o644))
    return file


ENV = {"GREETING": 'two words, a "quote"', "COST": r"$5 \ C:\temp", "URL": "https://x.org/?a=b&c#d", "PATH": "/x:$PATH"}
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "packages-env-script": {
        "docker__system_packages": ["git", "libgomp1=12.*"],
        "docker__env": ENV,
        "docker__setup_script": "./scripts/setup.sh",
        "docker__python_version": "3.10",
        "files": {"scripts/setup.sh": b"#!/bin/bash\nset -euxo pipefail\npython -m nltk.downloader all\n"},
    },
    "base-image": {"docker__base_image": "registry.example.com/team/python:3.11", "docker__env": {"A": "b c"}},
    "index": {
        "python__index_url": "https://pypi.example.com/simple",
        "python__extra_index_url": ["https://one.example.com/simple", "https://two.example.com/simple"],
        "python__find_links": ["https://example.com/wheels/"],
        "python__trusted_host": ["pypi.example.com"],
        "python__pip_args": "--pre --timeout '100' '--progress-bar=o f$f'",
    },
    "private-index": {
        "python__index_url": "https://me:${TOKEN}@pypi.example.com/simple",
        "envs": [
            {"name": "KEY", "value": "", "stage": "build"},
            {"name": "MODE", "value": "fast", "stage": "build"},
        ],
    },
    "late-script": {
        "docker__setup_script": "setup.py",
        "files": {"setup.py": b"#!/usr/bin/env python\nimport runpy\nrunpy.run_path('src/warm_up.py')\n"},
    },
}
