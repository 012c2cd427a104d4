"""The command group: a first word that names a command is the command; anything else is `build`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from .. import __version__, console
from ..errors import EXIT_USAGE
from .ending import ended, interrupted
from .options import COMMANDS

_PRINTS = {"-h", "--help", "--version"}  # with one of these click prints by itself, and nothing else is done


class _Group(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = import_module(f".{COMMANDS[name][0]}", __package__)
        command: click.Command = getattr(module, f"{name}_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        completing = ctx.resilient_parsing and not args  # then the first word is still being typed
        return super().parse_args(ctx, args if completing else with_command(args))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """A command, or anything that `build` takes, since it is the default."""
        build = self.get_command(ctx, "build")
        assert build is not None
        inner = build.make_context("build", [], parent=ctx, resilient_parsing=True)
        found = [*super().shell_complete(ctx, incomplete), *build.shell_complete(inner, incomplete)]
        if not incomplete.startswith("-"):
            targets = next(parameter for parameter in build.params if parameter.name == "targets")
            found += targets.shell_complete(inner, incomplete)
        return list({item.value: item for item in found}.values())


def with_command(args: Sequence[str]) -> list[str]:
    """The arguments with their command in front: `build` unless the first word is one, or help is asked for."""
    args = list(args)
    if args and (args[0] in COMMANDS or args[0] in ("-h", "--help")):
        return args
    if args and args[0] == "--version":
        if len(args) == 1:
            return args
        raise click.UsageError(
            f"`bentomake --version` prints the tool's own version; for a Bento's, write "
            f"`bentomake build --version {args[1]}`."
        )
    return ["build", *args]


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`bentomake build --help` shows how a build is steered. Without a command, bentomake builds.",
)
@click.version_option(__version__, message="bentomake %(version)s")
def group() -> None:
    """Build Bentos incrementally: rerun only what changed, and say why."""


def run(argv: Sequence[str]) -> int:
    """Parse, call one function, print, and give the exit code."""
    return ended(lambda: _run(argv))


def _run(argv: Sequence[str]) -> int:
    try:
        result: Any = group.main(args=list(argv), prog_name="bentomake", standalone_mode=False, obj=tuple(argv))
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        console.say(f"error: {error.format_message()}")
        if isinstance(error, click.UsageError) and error.ctx is not None:
            console.say(f"  hint: {error.ctx.command_path} --help")
        return EXIT_USAGE
    except click.Abort:
        return interrupted()
    except OSError as error:
        if not _PRINTS & {*argv}:
            raise
        raise console.unwritten(error) from error
