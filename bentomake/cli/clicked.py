"""How click is told of a table of options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

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
