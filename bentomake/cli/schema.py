"""`bentomake schema`: the JSON Schema of a bentofile, on stdout."""

from __future__ import annotations

import json

import click

from .. import console
from ..bento.json_schema import schema


@click.command("schema", context_settings={"help_option_names": ["-h", "--help"]})
def schema_command() -> int:
    """Print the JSON Schema (draft 2020-12) of a bentofile.

    An editor with yaml-language-server reads it from the first line of a bentofile:
    `# yaml-language-server: $schema=bentofile.schema.json`.
    """
    console.out(json.dumps(schema(), indent=2))
    return 0
