"""`bentomake list`, `get`, `delete`: the Bentos of the store."""

from __future__ import annotations

import json
import os
from typing import Any

import click

from .. import console
from ..bento.library import Library, home
from ..bento.models import ModelStore
from ..bento.tag import Tag
from ..errors import UsageError
from .clicked import bentos

_SETTINGS = {"help_option_names": ["-h", "--help"]}


def _library() -> Library:
    return Library(home(os.environ))


def size_text(count: int) -> str:
    """A size for a reader, e.g. 1.50 MiB."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.2f} {unit}"
        value /= 1024
    raise AssertionError


def _row(library: Library, tag: Tag) -> dict[str, Any]:
    info = library.info(tag)
    models = ModelStore(library.home)
    total = 0
    entries = [*(info.get("models") or []), *(m for s in info.get("services") or [] for m in s.get("models") or [])]
    for text in {str(entry["tag"]) for entry in entries}:
        found = models.resolve(Tag.parse(text))
        total += models.size(found) if found is not None else 0
    return {
        "tag": str(tag),
        "size": library.size(tag),
        "model_size": total,
        "creation_time": str(info.get("creation_time", ""))[:19].replace("T", " "),
    }


@click.command("list", context_settings=_SETTINGS)
@click.argument("name", required=False)
@click.option("-o", "--output", type=click.Choice(["table", "json", "yaml"]), default="table")
def list_command(name: str | None, output: str) -> int:
    """List the Bentos of the store, or those of NAME, the newest first."""
    library = _library()
    rows = [_row(library, tag) for tag in library.tags(name)]
    rows.sort(key=lambda row: row["creation_time"], reverse=True)
    if output == "json":
        console.out(json.dumps(rows, indent=2))
    elif output == "yaml":
        import yaml

        console.out(yaml.safe_dump(rows, sort_keys=False).rstrip())
    else:
        cells = [("Tag", "Size", "Model Size", "Creation Time")]
        cells += [(r["tag"], size_text(r["size"]), size_text(r["model_size"]), r["creation_time"]) for r in rows]
        widths = [max(len(row[column]) for row in cells) for column in range(4)]
        for row in cells:
            console.out("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


@click.command("get", context_settings=_SETTINGS)
@click.argument("tag", shell_complete=bentos)
@click.option("-o", "--output", type=click.Choice(["yaml", "json", "path"]), default="yaml")
def get_command(tag: str, output: str) -> int:
    """Show a Bento: NAME, NAME:latest, NAME:VERSION, or the beginning of a version."""
    library = _library()
    found = library.resolve(tag)
    if output == "path":
        console.out(library.directory(found))
    elif output == "json":
        console.out(json.dumps(library.info(found), indent=2, default=str))
    else:
        with open(os.path.join(library.directory(found), "bento.yaml"), encoding="utf-8") as file:
            console.out(file.read().rstrip())
    return 0


@click.command("delete", context_settings=_SETTINGS)
@click.argument("targets", nargs=-1, required=True, shell_complete=bentos)
@click.option("-y", "--yes", "--assume-yes", is_flag=True, help="Do not ask.")
def delete_command(targets: tuple[str, ...], yes: bool) -> int:
    """Delete Bentos; a name alone means all of its versions."""
    library = _library()
    tags: list[Tag] = []
    for target in (part for text in targets for part in text.split(",") if part):
        tag = Tag.parse(target)
        found = library.tags(tag.name) if tag.version is None else [library.resolve(target)]
        if not found:
            raise UsageError(f"There is no Bento {target} in {library.root}.", hint="bentomake list shows them.")
        tags.extend(each for each in found if each not in tags)
    for tag in tags:
        if yes or click.confirm(f"Delete {tag}?", err=True):
            library.delete(tag)
            console.say(f'Bento(tag="{tag}") deleted')
    return 0
