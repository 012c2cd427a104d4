"""`bentomake containerize`: from options to an image, and from what was made to what is printed."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from .. import console
from ..console.display import progress_for
from ..container.features import FEATURES, build_arg
from ..container.image_tag import checked
from ..container.options import Options
from ..container.registry import chosen, get_backend
from ..errors import EXIT_OK, UsageError
from ..runs import record_run
from ..session import Session
from ..workspace import ImageAsk, Settings
from .shown import collect, image_success, show_steps

if TYPE_CHECKING:
    from ..execution import Result

# The flags that bentoml had before --opt: name → (metavar, None for a switch; may be repeated; help)
OLDER: dict[str, tuple[str | None, bool, str]] = {
    "add-host": ("HOST:IP", True, "A host and its address, for RUN."),
    "build-arg": ("NAME[=VALUE]", True, "A build argument; without a value, the variable of that name."),
    "cache-from": ("NAME|type=…", True, "Where layers may be found."),
    "iidfile": ("FILE", False, "Write the image's id there."),
    "label": ("KEY=VALUE", True, "A label more."),
    "network": ("MODE", False, "The network of RUN."),
    "no-cache": (None, False, "Use no layer of an earlier build."),
    "output": ("type=…", True, "Put the image (or its files) somewhere else than into the engine's store."),
    "platform": ("OS/ARCH", True, "For which machines."),
    "pull": (None, False, "Ask the registry for newer base images."),
    "secret": ("id=…,src=FILE", True, "A secret for RUN --mount=type=secret; or id=…,env=NAME."),
    "ssh": ("default|ID[=…]", False, "An SSH agent or key for RUN --mount=type=ssh."),
    "target": ("STAGE", False, "Stop at that stage."),
    "allow": ("ENTITLEMENT", True, "An entitlement (network.host)."),
    "attest": ("type=…", True, "An attestation."),
    "build-context": ("NAME=PATH", True, "Another context."),
    "builder": ("NAME", False, "Which builder of buildx."),
    "cache-to": ("NAME|type=…", True, "Where layers are to be kept."),
    "load": (None, False, "Load the image into the engine's store."),
    "push": (None, False, "Push the image to its registry."),
    "provenance": ("mode=…", False, "A provenance attestation."),
    "cgroup-parent": ("CGROUP", False, "The parent of the control groups of RUN."),
    "ulimit": ("TYPE=SOFT[:HARD]", False, "A limit for RUN."),
    "no-cache-filter": ("STAGE", True, "Use no earlier layer of that stage."),
    "metadata-file": ("FILE", False, "Write the engine's words on the image there."),
    "sbom": ("generator=…", False, "An attestation of what is inside."),
    "shm-size": ("SIZE", False, "The size of /dev/shm for RUN."),
}
_NAMED = re.compile(r"(?s)^([^=]+=).*")
_SECRET = re.compile(r"(?s)^((?:--opt=)?(?:(?:--)?build[-_]arg[=:][^=]+=|(?:creds|decryption[-_]key)[=:])).*")


def _older(command: Callable[..., int]) -> Callable[..., int]:
    for name, (metavar, many, text) in reversed(OLDER.items()):
        more: dict[str, Any] = {"is_flag": True} if metavar is None else {"metavar": metavar, "multiple": many}
        command = click.option(f"--{name}", help=f"{text} Now: --opt {name}", **more)(command)
    return command


@click.command(
    "containerize",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    short_help="Make an image.",
)
@click.argument("tag", metavar="BENTO[:VERSION]")
@click.option(
    "-t", "--image-tag", "--docker-image-tag", "tags", multiple=True, metavar="NAME[:TAG]", help="Name it so (many)."
)
@click.option("--backend", metavar="NAME", help="docker (default), buildx, buildctl, podman, buildah, nerdctl …")
@click.option("--enable-features", multiple=True, metavar="NAME,…", help=f"Of bentoml: {', '.join(FEATURES)}.")
@click.option("--opt", "opts", multiple=True, metavar="NAME[=VALUE]", help="An option of the engine (many).")
@click.option("--run-as-root", is_flag=True, help="Start the engine by sudo.")
@click.option("--offline", is_flag=True, help="Install without a network, from the wheel cache alone.")
@click.option("--wheel-cache/--no-wheel-cache", default=True, help="Fetch packages once for all images (default).")
@click.option("--progress", type=click.Choice(["auto", "tty", "plain", "json"]), default="auto", help="How to show it.")
@click.option("-o", "answer", type=click.Choice(["json", "tag", "id"]), help="What to print on stdout.")
@click.option("-C", "--directory", metavar="DIR", help="Work in this directory.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="Steps at once (default: the cores).")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would run and why; run nothing.")
@click.option("-B", "--always-make", is_flag=True, help="Run every step, whatever is known.")
@click.option("--explain", is_flag=True, help="Say for every step why it ran, or did not.")
@click.option("-q", "--quiet", is_flag=True, help="Print only errors and the answer of -o.")
@click.option("-v", "--verbose", is_flag=True, help="Also what happens inside.")
@_older
def containerize_command(tag: str, **given: Any) -> int:
    """Make an image of a Bento of the store: NAME, NAME:latest, NAME:VERSION, or the beginning of a version.

    DOCKER_BUILDKIT=0 does without BuildKit's syntax. BENTOML_CONTAINERIZE_BACKEND sets the default of --backend.
    """
    settings = settings_from(given)
    assert settings.image.options is not None
    if not given["quiet"]:
        for line in settings.image.options.deprecated:
            console.say(f"warning: {line}")
    return _run(tag, settings, given)


def settings_from(given: Mapping[str, Any]) -> Settings:
    """What the command line asks for; UsageError for what no backend, or not this one, would take."""
    if given["directory"]:
        if not os.path.isdir(given["directory"]):
            raise UsageError(f"There is no directory {given['directory']}.", hint="-C names where to work.")
        os.chdir(given["directory"])
    env = dict(os.environ)
    flags = {name: given[name.replace("-", "_")] for name in OLDER}
    progress = None if given["progress"] == "json" else given["progress"]
    options = Options.parse(given["opts"], flags, progress=progress)
    options.secret_sources()  # a secret without an id is a mistake whatever the engine
    features = tuple(name.strip() for text in given["enable_features"] for name in text.split(",") if name.strip())
    build_arg(features)
    name = chosen(given["backend"], env)
    get_backend(name, env).check(options)
    image = ImageAsk(
        backend=name,
        tags=tuple(checked(tag) for tag in given["tags"]),
        options=options,
        features=features,
        run_as_root=given["run_as_root"],
        offline=given["offline"],
        wheel_cache=given["wheel_cache"],
    )
    return Settings(cwd=os.getcwd(), env=env, jobs=given["jobs"] or 0, force=given["always_make"], image=image)


def _run(tag: str, settings: Settings, given: Mapping[str, Any]) -> int:
    from ..containerize import containerize

    session = Session(settings)
    try:
        progress = progress_for(given["progress"], given["quiet"], given["verbose"])
        try:
            result = containerize(tag, session, progress, dry=given["dry_run"])
        finally:
            progress.close()
        return _finish(session, result, tag, given)
    finally:
        session.close()


def _finish(session: Session, result: Result, tag: str, given: Mapping[str, Any]) -> int:
    from ..execution import summary

    if not given["quiet"] and given["progress"] != "json":
        for line in session.notes:
            console.say(f"warning: {line}")
        odd = [warning for outcome in result.outcomes.values() for warning in outcome.warnings]
        for said in dict.fromkeys((each["message"], each["place"], each["hint"]) for each in odd):
            for line in console.warning_lines(*said):
                console.say(line)
        show_steps(session, result, {**given, "diff": False}, given["dry_run"])
    for error in result.errors:
        console.show_error(error)
    if not given["dry_run"]:
        record_run(session.settings, discreet(sys.argv[1:]), [tag], summary(result), result.records)
        collect(session)
    if result.exit_code != EXIT_OK or given["dry_run"]:
        return result.exit_code
    for image in result.images:
        if not given["quiet"]:
            for line in image_success(tag, image, session.settings.image):
                console.say(line)
        if given["answer"] == "json":
            console.out(json.dumps(image._asdict(), indent=2))
        elif given["answer"] == "tag":
            for name in image.tags:
                console.out(name)
        elif given["answer"] == "id":
            console.out(image.id or "")
    return result.exit_code


def discreet(words: Sequence[str]) -> list[str]:
    """A command line without the values of build arguments and credentials: `--opt build-arg=KEY=…`."""
    found = []
    for before, word in zip(["", *words], words, strict=False):
        found.append((_NAMED if before == "--build-arg" else _SECRET).sub(r"\1…", word))
    return found
