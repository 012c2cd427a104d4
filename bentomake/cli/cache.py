"""`bentomake cache`: stats, gc, verify, export-wheels, clear."""

from __future__ import annotations

import os
from contextlib import closing

import click

from .. import console
from ..engine.collect import clear, collect, parse_size
from ..errors import EXIT_FAILED
from ..session import Session
from ..workspace import Settings


def _session() -> Session:
    return Session(Settings(cwd=os.getcwd(), env=dict(os.environ)))


@click.group("cache", context_settings={"help_option_names": ["-h", "--help"]})
def cache_command() -> None:
    """Look after the cache."""


@cache_command.command("stats")
def stats_command() -> int:
    """Say where the cache is and what it holds."""
    with closing(_session()) as session:
        blobs = [digest.size for _, digest, _ in session.store.blobs()]
        traces = sum(1 for _ in session.cache.traces())
        console.out(f"directory      {session.settings.cache}")
        console.out(f"content store  {len(blobs)} blobs, {sum(blobs) / 1e6:.1f} MB")
        console.out(f"action cache   {traces} traces, {session.cache.size() / 1e6:.1f} MB")
    return 0


@cache_command.command("gc")
@click.option("--limit", default=None, metavar="SIZE", help="Keep at most this much, e.g. 5G (default: as builds do).")
def gc_command(limit: str | None) -> int:
    """Forget what was not used for longest, down to the limit."""
    with closing(_session()) as session:
        wanted = parse_size(limit) if limit else session.limit
        grace = {"grace": 0} if limit else {}  # who names a limit means it: also what is an hour old or less may go
        freed = collect(session.settings.cache, session.store, session.cache, wanted, **grace)
    if freed is None:
        console.say("A build is running; nothing was collected.")
        return EXIT_FAILED
    console.out(f"removed {freed.traces} traces and {freed.blobs} blobs, {freed.bytes / 1e6:.1f} MB")
    return 0


@cache_command.command("verify")
def verify_command() -> int:
    """Hash everything again; what is damaged is removed, and made again when it is needed. Exit 1 if any was."""
    with closing(_session()) as session:
        sound, damaged = session.store.verify()
        bad = [key for key in session.cache.traces() if session.cache.trace(key) is None]
        for key in bad:
            session.cache.forget(key)
    console.out(f"{sound} blobs are sound, {len(damaged)} were damaged; {len(bad)} traces were damaged")
    for path in damaged:
        console.say(f"damaged: {path}")
    return EXIT_FAILED if damaged or bad else 0


@cache_command.command("export-wheels")
@click.argument("directory", metavar="DIR", type=click.Path(file_okay=False))
@click.option("--bento", metavar="TAG", help="Only what this Bento's lock names.")
def export_wheels_command(directory: str, bento: str | None) -> int:
    """Put the wheels that images were given into DIR, for pip install --no-index --find-links DIR."""
    from ..bento import wheel_export
    from ..bento.library import Library, home

    with closing(_session()) as session:
        wheels = wheel_export.known(session.cache, session.store)
        if bento is not None:
            library = Library(home(session.settings.env))
            wheels = wheel_export.of_bento(wheels, library, library.resolve(bento))
        new = wheel_export.export(wheels, directory, session.store)
    console.out(f"{len(wheels)} wheels in {directory}, {new} of them new")
    return 0


@cache_command.command("clear")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def clear_command(yes: bool) -> int:
    """Forget everything. Bentos in the store stay."""
    cache = Settings(cwd=os.getcwd(), env=dict(os.environ)).cache
    if yes or click.confirm(f"Remove {cache}?", err=True):
        if os.path.isdir(os.path.join(cache, "state")) and not clear(cache):
            console.say("A build is running; nothing was removed.")
            return EXIT_FAILED
        console.out("the cache is empty")
    return 0
