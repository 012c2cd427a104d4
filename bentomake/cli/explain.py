"""`bentomake explain`: why the steps of a past run ran, or did not."""

from __future__ import annotations

import datetime
import json
import os

import click

from .. import console
from ..errors import UsageError
from ..runs import recorded_run
from ..session import Session
from ..workspace import Settings
from .shown import add_diffs


@click.command("explain", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("run", type=int, required=False)
@click.option("--diff", is_flag=True, help="Also the text that changed.")
@click.option("-o", "--output", type=click.Choice(["json"]), help="For machines.")
def explain_command(run: int | None, diff: bool, output: str | None) -> int:
    """Explain the last run in this directory, or RUN. Runs that had nothing to do are not recorded."""
    settings = Settings(cwd=os.getcwd(), env=dict(os.environ))
    data = recorded_run(settings, run)
    if data is None:
        which = "No run" if run is None else f"No run {run}"
        raise UsageError(f"{which} is recorded for this directory.", hint="Build first: bentomake")
    if diff:
        session = Session(settings)
        add_diffs(session, data["actions"])
        session.close()
    if output == "json":
        console.out(json.dumps(data, indent=1))
        return 0
    when = datetime.datetime.fromtimestamp(data["at"]).astimezone().isoformat(" ", "seconds")
    console.out(f"run {data['run']} of {when}: bentomake {' '.join(data['command'])}".rstrip())
    for line in console.explanation(data["actions"]):
        console.out(line)
    console.out(console.summary_line(data["summary"]))
    return 0
