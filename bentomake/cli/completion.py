"""`bentomake completion`: the completion script of a shell."""

from __future__ import annotations

import click

from .. import console


@click.command("completion", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion_command(shell: str) -> int:
    """Print the completion script of SHELL, e.g. `eval "$(bentomake completion bash)"`."""
    from click.shell_completion import get_completion_class

    from .main import group

    kind = get_completion_class(shell)
    assert kind is not None
    console.out(kind(group, {}, "bentomake", "_BENTOMAKE_COMPLETE").source())
    return 0
