"""`bentomake containerize`: its words; what they do is in containerizing.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from ..container.features import FEATURES
from .parsed import perform

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
    flags = {name: given.pop(name.replace("-", "_")) for name in OLDER}
    return perform("containerize", {"tag": tag, "flags": flags, **given}, click.get_current_context().obj)
