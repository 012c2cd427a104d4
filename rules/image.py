"""image: the Bento as an image of a container engine, by the Dockerfile that lies in it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from bentomake.bento.layout import BENTO_YAML, BUILDKIT, DOCKERFILE, LATEST, MODELS, TEMPLATE
from bentomake.bento.tag import Tag
from bentomake.engine.fact import ABSENT
from bentomake.engine.rule import Context, Produced, rule
from bentomake.errors import BentomakeError, StepError, UsageError

if TYPE_CHECKING:
    from bentomake.container.request import Request

# The recipe imports what it needs when it runs: every build imports the rulebook, few make an image.
_OCI = "org.opencontainers.image."
_NO_PIP_CACHE = "PIP_NO_CACHE_DIR"  # pip's own variable: of --no-cache, an engine's cache mounts know nothing
# The stage in which base.j2 puts together what changes with every version, and its first line.
_SOURCES, _PUTS_TOGETHER = "bento", "FROM scratch AS bento\n"
_WHEELS = "wheelhouse"
_SHOWN = 90  # characters of a failed instruction


@rule(
    outputs="image.json",
    inputs=["bento", "wheelhouse"],
    params=["image.tags", "image.options", "image.build_args", "image.features", "image.secrets", "image.offline"],
    oracles=["image.engine", "source_date_epoch"],
)
def image(ctx: Context) -> Mapping[str, Produced]:
    """Build the image. Discovered: the base images, the models, the secrets, and whether the image is there."""
    from bentomake.container import dockerfile_text, values

    bento = json.loads(ctx.input("bento").text("bento.json"))
    tree = {p[len("bento/") :]: entry for p, entry in ctx.input("bento").tree.items() if p.startswith("bento/")}
    engine = ctx.host("image")
    name = dockerfile_in(tree, engine)
    if name is None:
        raise UsageError(f"{bento['name']}:{bento['version']} has no {DOCKERFILE}.", hint="Build the Bento again.")
    text = ctx.input("bento").text(f"bento/{name}")
    if name == DOCKERFILE and BUILDKIT in tree and (why := engine.plain_because):
        ctx.warn(why[0], hint=why[1])
    values.check_target(engine.options.value("target"), text, name)
    apart = _apart(tree, text, engine)
    main = {path: entry for path, entry in tree.items() if path not in apart}
    sources = {f"{_SOURCES}/{path}": tree[path] for path in apart}
    wheels = {path.partition("/")[2]: entry for path, entry in ctx.input("wheelhouse").tree.items()}
    beside = {_SOURCES: (f"{bento['name']}-sources", sources)}
    if takes_wheels(text, engine):
        beside[_WHEELS] = (_WHEELS, wheels)
    bases = dockerfile_text.bases(text, engine.lending.build_args)
    for base in bases:
        values.check_base(dockerfile_text.filled(base, engine.lending.build_args))
    before = {base: engine.ask("base_image", base) for base in bases}
    with (
        engine.staged(bento["name"], main, _models(ctx, bento["models"])) as context,
        engine.contexts(beside) as contexts,
    ):
        request = asked(ctx, bento, name, text, context, contexts)
        made, image_id = engine.build(ctx, request, text)
    tags = list(request.tags)
    if made.returncode != 0:
        raise _failed(ctx, made, text, tags, f"{bento['name']}:{bento['version']}", name)
    for base, was in before.items():  # only now: an engine may have fetched what it lacked
        if ctx.discover("base_image", base).digest != was.digest != ABSENT.digest and not engine.options.on("pull"):
            ctx.forget(f"the base image {base} changed while the image was built")
    for model in ctx.changed("model"):  # the context had links of its files, not copies
        ctx.forget(f"the model {model} changed while the image was built")
    return {"image.json": _descriptor(ctx, request, tags, image_id)}


def dockerfile_in(paths: Collection[str], engine: Any) -> str | None:
    """Which of a Bento's Dockerfiles the engine takes; None if it has none."""
    names = (BUILDKIT, DOCKERFILE) if engine.backend.buildkit else (DOCKERFILE,)
    return next((name for name in names if name in paths), None)


def foreseen(bento: str, paths: Collection[str], text: str, engine: Any) -> dict[str, str]:
    """The contexts that a build has beside the Bento's own, if all is as usual: name → what its directory is called."""
    found = {}
    if _apart(paths, text, engine):
        found[_SOURCES] = f"{bento}-sources"
    required = any(path.startswith("env/python/requirements") for path in paths)
    if required and takes_wheels(text, engine) and engine.ask_for.wheel_cache:
        found[_WHEELS] = _WHEELS
    return found


def takes_wheels(text: str, engine: Any) -> bool:
    """Whether a Dockerfile has a place for wheels, and they are wanted."""
    return f"from={_WHEELS}" in text and not engine.fresh


def asked(
    ctx: Any, bento: Mapping[str, Any], name: str, text: str, context: str, contexts: Mapping[str, str]
) -> Request:
    """What the engine is told: all that has to be known before the files are there. `ctx` is that of a recipe."""
    from bentomake.container.request import Request

    engine = ctx.host("image")
    request = Request(
        context=context,
        dockerfile=os.path.join(context, name),
        tags=tuple(ctx.param("image.tags") or [f"{bento['name']}:{bento['version']}"]),
        contexts=contexts,
        build_args=_build_args(ctx, text),
        secrets=_secrets(ctx, text),
        iidfile=f"{context}.iid",
        metadata_file=os.path.join(ctx.workdir, "metadata.json") if engine.must_note else None,
        scratch=ctx.workdir,
        progress="plain",  # what is shown is bentomake's own business
    )
    labelled: Request = engine.request(request, _labels(ctx, bento))
    return labelled


def _apart(tree: Collection[str], text: str, engine: Any) -> frozenset[str]:
    """The files that the Dockerfile puts together in a stage: a context of that name stands for it, in one copy.

    Where the user has a hand in the Dockerfile, they may be wanted elsewhere, too.
    """
    by_stage = engine.backend.buildkit and engine.backend.named_contexts
    if not by_stage or _PUTS_TOGETHER not in text or TEMPLATE in tree:
        return frozenset()
    tops = ((path, path.partition("/")) for path in tree)
    return frozenset(path for path, (top, slash, _) in tops if (top in ("src", "apis") if slash else "." in top))


def _build_args(ctx: Context, text: str) -> dict[str, str]:
    from bentomake.container.features import BUILD_ARG, build_arg

    args: dict[str, str] = {}
    if ctx.param("image.features"):
        if BUILD_ARG not in text:
            raise UsageError(
                "This Bento's Dockerfile has no place for features of bentoml: bentomake did not write it.",
                hint="Build the Bento with bentomake, or add `bentoml[…]` to its packages.",
            )
        key, _, value = build_arg(ctx.param("image.features")).partition("=")
        args[key] = value
    if ctx.host("image").fresh and f"ARG {_NO_PIP_CACHE}" in text:
        args[_NO_PIP_CACHE] = "1"
    epoch = ctx.oracle("source_date_epoch")
    if epoch:
        args.setdefault("SOURCE_DATE_EPOCH", epoch)
        if not ctx.host("image").dated:
            ctx.warn(
                "The image is of the time when it is built: docker without BuildKit knows no SOURCE_DATE_EPOCH.",
                hint="Leave DOCKER_BUILDKIT=0 out, or use another engine (--backend).",
            )
    return args


def _secrets(ctx: Context, text: str) -> tuple[str, ...]:
    """Of the secrets that the Dockerfile names and nobody gave: environment variables, the Bento's own, and netrc."""
    from bentomake.container import dockerfile_text, index_credentials

    engine = ctx.host("image")
    given: list[str] = []
    absent = []
    for secret in dockerfile_text.secrets(text):
        if secret.id in engine.lending.secret_ids:
            continue
        if secret.id == index_credentials.ID and not secret.required:
            given += _netrc(ctx)
        elif ctx.discover("secret", secret.id).digest != ABSENT.digest:
            given.append(f"id={secret.id},env={secret.id}")
        else:
            absent.append(secret)
    own = _own_values(ctx) if absent else {}
    given += [engine.lending.lend_value(secret.id, own[secret.id]) for secret in absent if secret.id in own]
    missing = [secret.id for secret in absent if secret.required and secret.id not in own]
    if missing:
        raise UsageError(
            f"The image needs {'the secret' if len(missing) == 1 else 'the secrets'} {', '.join(missing)}.",
            hint=f"Set the variable {missing[0]}, or give --secret id={missing[0]},src=FILE.",
        )
    if given and not engine.has("secret"):
        ctx.warn(f"{engine.backend.name} gives no secrets to a build here; {', '.join(given)} is left out.")
        return ()
    return tuple(given)


def _own_values(ctx: Context) -> dict[str, str]:
    """The values that bento.yaml has for variables of the stage `build`."""
    from bentomake.bento.library import parsed

    envs = parsed(ctx.input("bento").read(f"bento/{BENTO_YAML}"), BENTO_YAML).get("envs") or []
    return {env["name"]: str(env["value"]) for env in envs if env.get("stage") == "build" and env.get("value")}


def _netrc(ctx: Context) -> list[str]:
    """The secret with the user's credentials for the hosts that the requirements name, if there are any."""
    from bentomake.container import index_credentials

    bento = ctx.input("bento")
    files = [path for path in bento.tree if path.startswith("bento/env/python/") and path.endswith((".txt", ".sh"))]
    urls = index_credentials.addresses(bento.text(path) for path in sorted(files))
    known = [url for url in urls if ctx.discover("credential", url).digest != ABSENT.digest]
    return [ctx.host("image").lending.lend(known)] if known else []


def _models(ctx: Context, models: list[Mapping[str, Any]]) -> dict[str, str | bytes]:
    """Where the files of the models lie: path in the context → file."""
    from bentomake.bento.models import newest

    found: dict[str, str | bytes] = {}
    stored: dict[Tag, str] = {}
    for model in models:
        if model.get("registry", "bentoml") != "bentoml":
            found.update(ctx.host("hub_files")(model))
            continue
        tag = Tag.parse(model["tag"])
        if ctx.discover("model", str(tag)).digest == ABSENT.digest:
            raise StepError(
                f"The model {tag} is not in the model store.",
                hint=f"Do `bentoml models pull {tag}`.",
            )
        for path, where in ctx.host("model_files")(tag).items():
            found[f"{MODELS}/{tag.name}/{tag.version}/{path}"] = where
        stored[tag] = model.get("created", "")
    for name, tag in newest(stored, lambda tag: stored[tag]).items():
        found[f"{MODELS}/{name}/{LATEST}"] = (tag.version or "").encode()
    return found


def _labels(ctx: Context, bento: Mapping[str, Any]) -> dict[str, str]:
    """The standard labels of the Open Container Initiative; the Bento's own labels of that kind win.

    The source is the Bento's label of that name, or the remote of the git checkout that such Bentos are built in here.
    """
    given = bento.get("labels") or {}
    own = {key: value for key, value in given.items() if key.startswith(_OCI)}
    epoch = ctx.oracle("source_date_epoch")
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(epoch))) if epoch else bento.get("created")
    source = given.get("source") or own.get(f"{_OCI}source") or ctx.discover("published", bento["name"]).value
    labels = {
        f"{_OCI}title": bento["name"],
        f"{_OCI}version": bento["version"],
        f"{_OCI}created": created,
        f"{_OCI}source": source,
        "bentomake.bento.digest": f"sha256:{bento['digest']}",
    }
    return {key: str(value) for key, value in {**labels, **own}.items() if value}


def _failed(ctx: Context, made: Any, text: str, tags: list[str], tag: str, name: str) -> BentomakeError:
    from bentomake.container import failure, outside

    log = [*made.stdout.splitlines(), *made.stderr.splitlines()]
    failed = failure.read(log, text)
    detail = "\n".join(failed.said)
    engine = ctx.host("image").backend.name
    pushed = tags if failed.instruction is None else ()
    ended = outside.ended(made.returncode, log, tag, pushed, ctx.host("image").builder)
    if ended is not None:
        kind = UsageError if ended.mistaken else StepError
        return kind(f"{engine} {ended.what}", detail=ended.said or detail, hint=ended.hint)
    room = outside.no_room(detail, engine)
    if failed.instruction is None:
        what = f"{engine} could not build the image of {tag}."
        return StepError(what, detail=detail, place=f"{tag} {name}", hint=room)
    instruction, bento = failed.instruction, ctx.input("bento")
    template = bento.text(f"bento/{TEMPLATE}") if f"bento/{TEMPLATE}" in bento else None
    files = [path.partition("/")[2] for path in bento.tree]
    where = f"It is line {instruction.first} of {name} in the Bento: cd $(bentomake get {tag} -o path)"
    shown = instruction.text if len(instruction.text) <= _SHOWN else instruction.text[: _SHOWN - 1] + "…"
    return StepError(
        f"{engine} could not build the image of {tag}; this failed: {shown}",
        place=failure.origin(instruction, text, template, ctx.place) or f"{name}:{instruction.first}",
        detail=detail,
        hint=" ".join(filter(None, (room or failure.advice(failed, text, files), where))),
    )


def _descriptor(ctx: Context, request: Request, tags: list[str], image_id: str | None) -> str:
    """What was made: id, digest, tags, platform, size in bytes, engine; what the engine does not say is null."""
    engine = ctx.host("image")
    found = engine.found(request, image_id)
    if not engine.lands:
        ctx.forget("its image is sent somewhere else than to the engine")
    elif found is not None:
        for tag in tags:
            ctx.discover("own_image", tag)
    else:
        ctx.forget("the engine does not say what it made")
    described = {
        "id": found.id if found else image_id,
        "digest": found.digest if found else None,
        "tags": tags,
        "platform": (found.platform or None) if found else None,
        "size": (found.size or None) if found else None,
        "engine": engine.backend.name,
    }
    return json.dumps(described, indent=1) + "\n"
