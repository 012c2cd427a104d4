"""`bentomake build`: its words; what they do is in building.py."""

from __future__ import annotations

from typing import Any

import click
from click.shell_completion import CompletionItem

from .parsed import perform


@click.command(
    "build", context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}, short_help="Build."
)
@click.argument("targets", nargs=-1, metavar="[TARGET]...", shell_complete=lambda ctx, arg, text: _targets(text))
@click.option("-f", "--bentofile", metavar="FILE", help="The bentofile; the one TARGET is then the build context.")
@click.option("-C", "--directory", metavar="DIR", help="Work in this directory.")
@click.option("--python", metavar="PATH", help="The Python (or virtual environment) that runs the service.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="Steps at once (default: the cores).")
@click.option("-k", "--keep-going", is_flag=True, help="Go on with what does not depend on a failure.")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would run and why; run nothing.")
@click.option("-B", "--always-make", is_flag=True, help="Run every step, whatever is known.")
@click.option("-q", "--quiet", is_flag=True, help="Print only errors and the answer of --output.")
@click.option("--question", is_flag=True, help="Build nothing; exit 1 if something would have to run.")
@click.option("--explain", is_flag=True, help="Say for every step why it ran, or did not.")
@click.option("--diff", is_flag=True, help="With --explain: the text that changed.")
@click.option(
    "--upgrade",
    is_flag=False,
    flag_value="*",
    multiple=True,
    metavar="[PACKAGE]",
    help="Resolve anew: all packages, or the named one; also Hugging Face revisions.",
)
@click.option("--locker", type=click.Choice(["uv", "pip-compile"]), help="What resolves the lock (default: uv).")
@click.option("--hashes", is_flag=True, help="Lock with hashes of all packages.")
@click.option("--platform", type=click.Choice(["linux/amd64", "linux/arm64"]), help="Lock for that machine.")
@click.option("-o", "--output", type=click.Choice(["json", "tag", "path"]), help="What to print on stdout.")
@click.option("--progress", type=click.Choice(["auto", "tty", "plain", "json"]), default="auto", help="How to show it.")
@click.option("--import-timeout", type=float, default=300.0, metavar="SECONDS", help="For the service (300).")
@click.option("--version", metavar="V", help="The Bento's version instead of one made from its content.")
@click.option("--name", metavar="N", help="The Bento's name.")
@click.option("--label", "labels", multiple=True, metavar="K=V", help="A label more.")
@click.option("--arg", "args", multiple=True, metavar="K=V", help="A template argument for bentoml.use_arguments.")
@click.option("--arg-file", metavar="FILE", help="The same, as YAML.")
@click.option("--strict", is_flag=True, help="What would be a warning about the project is an error.")
@click.option("-v", "--verbose", is_flag=True, help="Also what happens inside.")
def build_command(targets: tuple[str, ...], **options: Any) -> int:
    """Build the Bento of each TARGET: a directory, a bentofile, a rule (`lock`), or DIR:RULE.

    Without a TARGET, the bentofile of this directory.
    """
    return perform("build", {"targets": targets, **options}, click.get_current_context().obj)


def _targets(incomplete: str) -> list[CompletionItem]:
    """Rules, and directories as the shell knows them."""
    from ..build import rulebook

    names = [CompletionItem(rule.name) for rule in rulebook() if rule.name.startswith(incomplete)]
    return [*names, CompletionItem(incomplete, type="dir")]
