"""`bentomake export`: a Bento of the store as a file."""

from __future__ import annotations

import json
import os

import click

from .. import console
from .clicked import bentos
from .store import size_text


@click.command(
    "export",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    short_help="Write a Bento into an archive.",
)
@click.argument("tag", metavar="BENTO[:VERSION]", shell_complete=bentos)
@click.argument("out", metavar="[OUT]", required=False, default="", type=click.Path())
@click.option("-o", "--output", type=click.Choice(["json", "tag", "path"]), help="What to print on stdout.")
@click.option("-C", "--directory", metavar="DIR", help="Work in this directory.")
@click.option("--progress", type=click.Choice(["auto", "tty", "plain", "json"]), default="auto", help="How to show it.")
@click.option("-q", "--quiet", is_flag=True, help="Print only errors and the answer of --output.")
def export_command(tag: str, out: str, output: str | None, directory: str | None, progress: str, quiet: bool) -> int:
    """Write a Bento of the store, with its models, into the archive OUT, for `bentoml import`.

    The Bento is NAME, NAME:latest, NAME:VERSION, or the beginning of a version. The suffix of OUT is the format: .bento
    (tar.xz), .tar, .gz, .xz, .bz2 or .zip; to any other name .bento is appended. Without OUT, or if it is a directory,
    the file is NAME-VERSION.bento. A file that is there is replaced, once the new one is whole.

    All in the archive is of SOURCE_DATE_EPOCH, else of the time when the Bento was made.
    """
    from ..console.display import progress_for
    from ..export import export
    from ..workspace import enter

    enter(directory)
    shown = progress_for(progress, quiet, False)
    percent = -1

    def moved(done: int, total: int) -> None:
        nonlocal percent
        if (now := 100 * done // max(total, 1)) != percent:
            percent = now
            shown.moved("export", f"packs {tag}", done, total)

    try:
        shown.begun("export")
        made = export(tag, out, dict(os.environ), os.getcwd(), moved)
    finally:
        shown.close()
    if not quiet:
        for remark in made.remarks:
            console.say(f"warning: {remark}")
        console.say(f'Bento(tag="{made.tag}") exported to {made.path}, {size_text(made.size)}.')
    if output == "json":
        console.out(json.dumps({"tag": str(made.tag), "path": made.path, "size": made.size}, indent=2))
    elif output is not None:
        console.out(made.path if output == "path" else str(made.tag))
    return 0
