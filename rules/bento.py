"""bento: everything in its place, named by its content."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from bentomake.bento import context_file, image, image_commands, wheels, yaml_text
from bentomake.bento import info as bento_info
from bentomake.bento.arrival import arrival
from bentomake.bento.layout import BENTO_YAML, DIGESTS, README, SOURCES, content_digest, digests_file, version_of
from bentomake.bento.package_source import Options, secret_variables, variables
from bentomake.bento.readme import readme as generated_readme
from bentomake.bento.tag import Tag
from bentomake.bento.variables import docker_env
from bentomake.engine.fact import ABSENT
from bentomake.engine.rule import Context, Produced, rule
from bentomake.engine.tree import FILE, Entry, merge, under
from bentomake.errors import BentofileError, StepError

_IN_YAML = [
    "docker.distro",
    "docker.python_version",
    "docker.cuda_version",
    "docker.env",
    "docker.system_packages",
    "docker.setup_script",
    "docker.base_image",
    "docker.dockerfile_template",
    "python.requirements_txt",
    "python.packages",
    "python.lock_packages",
    "python.index_url",
    "python.no_index",
    "python.trusted_host",
    "python.find_links",
    "python.extra_index_url",
    "python.pip_args",
    "python.wheels",
    "conda.environment_yml",
    "conda.channels",
    "conda.dependencies",
    "conda.pip",
]


@rule(
    outputs=["bento/", "bento.json"],
    inputs=["sources", "requirements", "sdists", "lock", "service", "openapi", "models", "dockerfile", image.RULE],
    params=[
        *("service", "name", "labels", "description", "envs", "args", "python.is_src_layout"),
        *("build.version", "build.labels", *_IN_YAML),
    ],
    oracles=["python.version", "bentoml.version", "generation", "source_date_epoch"],
)
def bento(ctx: Context) -> Mapping[str, Produced]:
    """Compose the Bento: src/, env/, apis/, bento.yaml, README.md and the digests of them all."""
    in_code = image.of(ctx)
    ctx = image.beside(ctx)
    service = json.loads(ctx.input("service").text("service.json"))
    models = json.loads(ctx.input("models").text("models.json"))
    packed = ctx.input("sources").tree
    if service["generation"] != ctx.oracle("generation"):
        raise StepError(
            f"{service['service']} is a bentoml.legacy service, which bentomake does not build yet.",
            place=ctx.place("service"),
            hint="Build it with bentoml 1.1, or make it a class with @bentoml.service.",
        )
    _check_packed(ctx, service, packed)
    _check_included(ctx, in_code, packed)
    sources = ctx.input("sources").parts[SOURCES]
    parts = [ctx.input(name).tree for name in ("requirements", "lock", "openapi", "dockerfile")]
    parts.append({path: entry for path, entry in ctx.input("sdists").tree.items() if path.startswith("env/")})
    tree = {path: entry for path, entry in merge(parts).items() if path != image.FILE}  # that was for the lock

    params = {name: ctx.param(name) for name in ("envs", "args", *_IN_YAML)}
    params["docker.env"] = docker_env(ctx) or None  # a dotenv file too: bento.yaml has values, not paths
    params["labels"] = {**(ctx.param("labels") or {}), **(service.get("labels") or {}), **ctx.param("build.labels")}
    facts = {"python": ctx.oracle("python.version"), "bentoml": ctx.oracle("bentoml.version")}
    params["secrets"] = _secrets(ctx)
    if service["generation"] == "runner":
        info = bento_info.runner_info(params, service, models, facts)
    else:
        entry = tree.get("env/python/requirements.txt")
        requirements = ctx.input("lock" if "env/python/requirements.txt" in ctx.input("lock") else "requirements")
        text = requirements.text("env/python/requirements.txt") if entry else ""
        info = bento_info.class_info(params, service, models, facts, text, in_code)

    name = (ctx.param("name") or service["name"]).lower()
    digests = [(model["tag"], model.get("digest") or json.dumps(model["metadata"], sort_keys=True)) for model in models]
    own_readme = _own_readme(ctx, service)
    counted = tree if own_readme is None else {**tree, README: ctx.keep_bytes(own_readme)}
    digest = content_digest(name, sources.digest, counted, digests, info)
    tag = Tag.parse(f"{name}:{ctx.param('build.version') or version_of(digest)}")
    created = ctx.host("first_built")(digest, ctx.oracle("source_date_epoch"))
    whole = bento_info.complete(info, name, tag.version or "", created, digest, models)
    written: dict[str, Entry] = dict(tree)
    written[BENTO_YAML] = ctx.keep_bytes(yaml_text.dump(whole).encode())
    readme = own_readme if own_readme is not None else generated_readme(str(tag), service, facts["bentoml"]).encode()
    written[README] = ctx.keep_bytes(readme)
    written[DIGESTS] = ctx.keep_bytes(digests_file({**packed, **written}).encode("utf-8", "surrogateescape"), FILE)
    made = ctx.keep_bytes(arrival(whole, digest).encode())
    ctx.keep_part(["bento.json", written[BENTO_YAML].digest.sha256], {"bento.json": made})  # for the rule `stored`
    return {"bento.json": made, **under("bento", {**written, SOURCES: sources})}


def _secrets(ctx: Context) -> list[str]:
    """The variables that stand for credentials in the requirements.

    Warns of those that only a requirement names: the Dockerfile knows options, and is given secrets for those.
    """
    files = ctx.input("lock") if ctx.input("lock").tree else ctx.input("requirements")
    asked = variables(files.text(path) for path in files.tree if not path.startswith(wheels.DIRECTORY))
    known = {*secret_variables(Options.of(ctx.param, ctx.place)), *(env["name"] for env in ctx.param("envs") or [])}
    for name in asked:
        if name not in known:
            ctx.warn(
                f"A requirement names the variable {name}, which the build of the image is not given.",
                place=ctx.place("python.requirements_txt") or ctx.place("python.packages"),
                hint=f"Write `envs: [{{name: {name}, stage: build}}]`, or the index under python.extra_index_url.",
            )
    return asked


def _check_packed(ctx: Context, service: dict[str, Any], packed: Mapping[str, Entry]) -> None:
    source_layout = ctx.param("python.is_src_layout")
    module = service["module_file"]
    if source_layout and service["service"].startswith("src."):
        name = service["service"].removeprefix("src.")
        raise BentofileError(
            f"The service {service['service']} is not found in the Bento: what lies in src/ is packed at the root.",
            place=ctx.place("service"),
            hint=f'Write service: "{name}", or python.is_src_layout: false.',
        )
    if _packed(module, source_layout) not in packed:
        raise BentofileError(
            f"The service's own module {module} is not packed: `include` or `exclude` leaves it out.",
            place=ctx.place("include"),
            hint=f'Add "/{module}" to `include`, and see that no `exclude` pattern or .bentoignore removes it.',
        )
    for path in service["context_files"]:
        if _packed(path, source_layout) not in packed:
            ctx.warn(
                f"The service looked at {path}, which is not packed: it will be missing when the Bento is served.",
                place=ctx.place("include"),
                hint=f'Add "/{path}" to `include`, and see that no `exclude` pattern or .bentoignore removes it.',
            )


def _check_included(ctx: Context, in_code: image.Image | None, packed: Mapping[str, Entry]) -> None:
    for path in image_commands.included(in_code, None) if in_code else ():
        wanted = f"src/{path}"
        if not re.search(r"[*?\[]", path) and not any(p == wanted or p.startswith(f"{wanted}/") for p in packed):
            raise BentofileError(
                f"build_include of the image in code names {path}, which is not packed.",
                place=ctx.place("include"),
                hint=f'Add "/{path}" to `include`, and see that no `exclude` pattern or .bentoignore removes it.',
            )


def _packed(path: str, source_layout: bool) -> str:
    """Where a file of the context lies in the Bento."""
    return f"src/{path.removeprefix('src/')}" if source_layout else f"src/{path}"


def _own_readme(ctx: Context, service: dict[str, Any]) -> bytes | None:
    """What the user wrote for a reader: the description, or the context's README.md for a class service."""
    text = ctx.param("description") or service.get("description")
    if text is not None and text.startswith("file:"):
        path = text[len("file:") :].strip().removeprefix("./")
        found = context_file.read_if_there(ctx, "description", path)
        if found is None:
            raise BentofileError(
                f"The description's file {path} does not exist.",
                place=ctx.place("description"),
                hint="The path is relative to the build context.",
            )
        return found
    if text:
        return str(text).encode()
    if service["generation"] != "class" or ctx.discover("file", f"ctx/{README}").digest == ABSENT.digest:
        return None
    if (real := ctx.host("leads_out")(README)) is not None and f"{SOURCES}/{README}" not in ctx.input("sources").tree:
        ctx.warn(
            f"{README} leads to {real}, outside of the build context; its content is packed as the Bento's own.",
            place=ctx.place("description"),
            hint="Write a description, or replace the link by a copy.",
        )
    data: bytes = ctx.host("read")(f"ctx/{README}")  # as real builds of that generation do
    return data
