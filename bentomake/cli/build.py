"""`bentomake build`: its words; what they do is in building.py."""

from __future__ import annotations

from typing import Any

import click
from click.shell_completion import CompletionItem

from .clicked import taking
from .options import BUILD
from .plain import carry_out


@click.command(
    "build", context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}, short_help="Build."
)
@click.argument("targets", nargs=-1, metavar="[TARGET]...", shell_complete=lambda ctx, arg, text: _targets(text))
@taking(BUILD)
def build_command(targets: tuple[str, ...], **options: Any) -> int:
    """Build the Bento of each TARGET: a directory, a bentofile, a rule (`lock`), or DIR:RULE.

    Without a TARGET, the bentofile of this directory.
    """
    return carry_out("build", {"targets": targets, **options}, click.get_current_context().obj)


def _targets(incomplete: str) -> list[CompletionItem]:
    """Rules, and directories as the shell knows them."""
    from ..build import rulebook

    names = [CompletionItem(rule.name) for rule in rulebook() if rule.name.startswith(incomplete)]
    return [*names, CompletionItem(incomplete, type="dir")]
