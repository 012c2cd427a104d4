"""How click is told of a table of options."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import CompletionItem

from .options import CHOICE, FLAG, Table, default


def taking(table: Table, **words: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Gives a command the options of a table; `words` are for their help."""

    def given(command: Callable[..., int]) -> Callable[..., int]:
        for name, (spellings, kind, told, text) in reversed(table.items()):
            more: dict[str, Any] = {"metavar": told} if kind not in (FLAG, CHOICE) else {}
            match kind:
                case "flag":
                    more |= {"is_flag": True, "default": default(name, kind)}
                case "many":
                    more["multiple"] = True
                case "maybe":
                    more |= {"multiple": True, "is_flag": False, "flag_value": "*"}
                case "choice":
                    more |= {"type": click.Choice(told), "default": default(name, kind)}
                case "count":
                    more["type"] = click.IntRange(min=1)
                case "seconds":
                    more |= {"type": float, "default": default(name, kind)}
            help_ = text.format(**words) if words else text
            command = click.option(*spellings.split(), name.replace("-", "_"), help=help_, **more)(command)
        return command

    return given


def bentos(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Completes a Bento of the store: its name, and when a name or its colon is there, its versions."""
    from ..bento.library import Library, home
    from ..bento.tag import fits

    name, colon, version = incomplete.partition(":")
    library = Library(home(os.environ))
    names = {tag.name for tag in library.tags()}
    if not colon and name not in names:
        return [CompletionItem(each) for each in sorted(names) if each.startswith(name)]
    versions = [tag.version or "" for tag in library.tags(name)] if fits(name) else []
    return [CompletionItem(f"{name}:{each}") for each in ("latest", *versions) if versions and each.startswith(version)]
