"""`bentomake containerize`: its words; what they do is in containerizing.py."""

from __future__ import annotations

from typing import Any

import click

from ..container.features import FEATURES
from .clicked import bentos, taking
from .options import CONTAINERIZE, OLDER
from .plain import carry_out


@click.command(
    "containerize",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    short_help="Make an image.",
)
@click.argument("tag", metavar="BENTO[:VERSION]", shell_complete=bentos)
@taking(CONTAINERIZE, features=", ".join(FEATURES))
@taking({name: (*option, f"{text} Now: --opt {name}") for name, (*option, text) in OLDER.items()})
def containerize_command(tag: str, **given: Any) -> int:
    """Make an image of a Bento of the store: NAME, NAME:latest, NAME:VERSION, or the beginning of a version.

    DOCKER_BUILDKIT=0 does without BuildKit's syntax. BENTOML_CONTAINERIZE_BACKEND sets the default of --backend.
    """
    flags = {name: given.pop(name.replace("-", "_")) for name in OLDER}
    return carry_out("containerize", {"tag": tag, "flags": flags, **given}, click.get_current_context().obj)
