"""bento.yaml: what both generations of BentoML need to list, serve and containerize a Bento."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

from .distros import cuda_version, image, install_commands
from .image import Image, section

_DOCKER = (
    "distro",
    "python_version",
    "cuda_version",
    "env",
    "system_packages",
    "setup_script",
    "base_image",
    "dockerfile_template",
)
_PYTHON = (
    "requirements_txt",
    "packages",
    "lock_packages",
    "index_url",
    "no_index",
    "trusted_host",
    "find_links",
    "extra_index_url",
    "pip_args",
    "wheels",
)
_CONDA = ("environment_yml", "channels", "dependencies", "pip")
# What bento.yaml's newer form cannot say: bentoml 1.4 then writes the older one, and installs by env/python/install.sh.
_ONLY_SPEC_1 = (
    *(f"conda.{key}" for key in _CONDA),
    "docker.cuda_version",
    "docker.dockerfile_template",
    "python.wheels",
)


def _section(params: dict[str, Any], name: str, keys: tuple[str, ...]) -> dict[str, Any]:
    """One section with all its keys; what is unset is null, as real builds write it."""
    return {key: params.get(f"{name}.{key}") or None for key in keys}


def _models(models: list[dict[str, Any]], creation_time: str | None) -> list[dict[str, Any]]:
    listed = []
    for model in models:
        entry: dict[str, Any] = {"tag": model["tag"], "module": model.get("module", "")}
        if model.get("creation_time"):
            entry["creation_time"] = model["creation_time"]
        elif creation_time is not None:  # a model of a hub has no time of its own; both versions want one
            entry["creation_time"] = creation_time
        for key in ("alias", "metadata"):
            if model.get(key):
                entry[key] = model[key]
        if model.get("registry", "bentoml") != "bentoml":
            entry["registry"] = model["registry"]
        listed.append(entry)
    return listed


def spec_1(param: Callable[[str], Any]) -> bool:
    """Whether a class service's bento.yaml is of the older form; `param` gives an option by its name."""
    return any(param(name) for name in _ONLY_SPEC_1)


def runner_info(
    params: dict[str, Any], service: dict[str, Any], models: list[dict[str, Any]], facts: dict[str, str]
) -> dict[str, Any]:
    """The part of a spec-1 bento.yaml that the content decides (reference: BentoML 1.1, BentoInfo).

    `facts` holds `python` (X.Y) and `bentoml` (its version).
    """
    return {
        "service": service["service"],
        "bentoml_version": facts["bentoml"],
        "labels": params["labels"],
        "models": _models(models, None),
        "runners": service["runners"],
        "apis": service["apis"],
        **_sections(params, facts, "runner"),
    }


def _sections(params: dict[str, Any], facts: dict[str, str], generation: str) -> dict[str, Any]:
    """docker, python and conda, with their defaults: bentoml renders its own Dockerfile from them."""
    docker = _section(params, "docker", _DOCKER)
    docker["cuda_version"] = cuda_version(docker["cuda_version"], generation) if docker["cuda_version"] else None
    if docker["base_image"] is None:
        docker["distro"] = docker["distro"] or "debian"
        docker["python_version"] = docker["python_version"] or facts["python"]
    python = _section(params, "python", _PYTHON)
    python["lock_packages"] = params.get("python.lock_packages") is not False
    conda = _section(params, "conda", _CONDA)
    if (conda["dependencies"] or conda["pip"]) and not conda["environment_yml"]:
        conda["channels"] = conda["channels"] or ["conda-forge"]
    return {"docker": docker, "python": python, "conda": conda}


def class_info(
    params: dict[str, Any],
    service: dict[str, Any],
    models: list[dict[str, Any]],
    facts: dict[str, str],
    requirements: str,
    in_code: Image | None = None,
) -> dict[str, Any]:
    """The part of a class service's bento.yaml that the content decides (reference: BentoML 1.4, BentoInfoV2).

    `requirements` is the text of env/python/requirements.txt. Without `spec: 2` where only the older form will do.
    """
    head = {
        "service": service["service"],
        "bentoml_version": facts["bentoml"],
        "labels": params["labels"],
        "models": _models(models, None),
        "entry_service": service["entry_service"],
        "services": service["services"],
        "envs": environment(params, service),
        "schema": service["schema"],
        "args": params.get("args") or {},
    }
    if spec_1(params.get):
        sections = _sections(params, facts, "class")
        head["envs"] = environment({**params, "docker.env": None}, service)  # the docker section has its own
        given = {env["name"]: env["value"] for env in head["envs"] if env["value"] and env["stage"] != "build"}
        sections["docker"]["env"] = {**given, **(sections["docker"]["env"] or {})} or None
        return {**head, "spec": 1, "runners": [], "apis": [], **sections}
    version = params["docker.python_version"] or facts["python"]
    if in_code is not None:
        return {**head, "spec": 2, "image": section(params, in_code, _minor(version), requirements)}
    distro = params["docker.distro"] or "debian"
    packages = " ".join(
        shlex.quote(word) for item in params.get("docker.system_packages") or () for word in item.split()
    )
    commands = [] if params["docker.base_image"] else install_commands(distro, version, packages)
    script = "./env/docker/setup_script"
    return {
        **head,
        "spec": 2,
        "image": {
            "base_image": params["docker.base_image"] or image(distro, version),
            "python_version": version,
            "commands": commands,
            "python_requirements": requirements,
            "post_commands": [f"chmod +x {script} && {script}"] if params.get("docker.setup_script") else [],
            "build_include": [],
        },
    }


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def environment(params: dict[str, Any], service: dict[str, Any]) -> list[dict[str, str]]:
    """`envs` of the bentofile and of the service, and docker.env, which real spec-2 builds drop."""
    envs = [*(params.get("envs") or []), *(service.get("envs") or [])]
    named = {env["name"] for env in envs}
    secrets = [name for name in params.get("secrets") or () if name not in named]
    envs.extend({"name": name, "value": "", "stage": "build"} for name in secrets)  # which bentoml mounts as secrets
    docker = params.get("docker.env")
    if isinstance(docker, dict):
        envs.extend({"name": k, "value": v, "stage": "runtime"} for k, v in docker.items() if k not in named)
    return [{"name": e["name"], "value": e.get("value") or "", "stage": e.get("stage") or "all"} for e in envs]


def complete(
    info: dict[str, Any], name: str, version: str, creation_time: str, content_digest: str, models: list[dict[str, Any]]
) -> dict[str, Any]:
    """bento.yaml whole, in the order of the real one, and our own key last."""
    head = {"service": info["service"], "name": name, "version": version}
    head |= {"bentoml_version": info["bentoml_version"], "creation_time": creation_time}
    rest = {key: value for key, value in info.items() if key not in head}
    return {**head, **rest, "models": _models(models, creation_time), "content_digest": f"sha256:{content_digest}"}
