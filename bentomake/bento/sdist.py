"""A source distribution of a git repository's commit: built by uv, and the same bytes each time."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import tarfile
from collections.abc import Mapping

from ..engine.rule import Context
from ..errors import StepError
from . import git_source, lockers
from .git_source import GitSource
from .package_source import Options, expand, hide, scrub


def build(
    ctx: Context, source: GitSource, commit: str, options: Options, secrets: Mapping[str, str], place: str | None
) -> tuple[str, bytes]:
    """(file name, bytes). Raises StepError with the words of git or of the package's build backend."""
    tree, out = os.path.join(ctx.workdir, "repository"), os.path.join(ctx.workdir, "sdist")
    try:
        committed = git_source.check_out(ctx, source, commit, tree, secrets, place)
        directory = os.path.realpath(os.path.join(tree, source.subdirectory))
        if not (directory + os.sep).startswith(os.path.realpath(tree) + os.sep) or not os.path.isdir(directory):
            raise StepError(f"{scrub(source.url)} has no directory {source.subdirectory}.", place=place)
        argv = [*ctx.tool("uv").argv, "build", "--sdist", "--no-config", "--no-python-downloads", "--quiet"]
        argv += ["--no-create-gitignore", "--python", ctx.host("python"), "--out-dir", out]
        argv += ["--no-index"] if options.no_index else []
        argv += [word for host in options.trusted_host for word in ("--allow-insecure-host", host)]
        env = {**lockers.environment(ctx, options, secrets), "SOURCE_DATE_EPOCH": str(committed)}
        env |= _index(options, secrets)
        done = ctx.run([*argv, directory], env=env, hide=lambda text: hide(text, secrets))
        names = sorted(name for name in (os.listdir(out) if os.path.isdir(out) else []) if name.endswith(".tar.gz"))
        if done.returncode != 0 or len(names) != 1:
            raise StepError(
                f"The git repository {scrub(source.url)} cannot be packed: it builds no sdist.",
                place=place,
                hint="Write `pack_git_packages: false` under python to have the image install it from git.",
                detail=lockers.words(done.stderr or done.stdout, ctx.workdir),
            )
        with open(os.path.join(out, names[0]), "rb") as file:
            return names[0], _normal(file.read(), committed)
    finally:
        shutil.rmtree(tree, ignore_errors=True)
        shutil.rmtree(out, ignore_errors=True)


def _index(options: Options, secrets: Mapping[str, str]) -> dict[str, str]:
    """Where the build backend comes from: in the environment, where no list of processes shows credentials."""
    found = {
        "UV_DEFAULT_INDEX": options.index_url or "",
        "UV_INDEX": " ".join(options.extra_index_url),
        "UV_FIND_LINKS": ",".join(link for link in options.find_links if "://" in link),
    }
    return {name: expand(value, secrets) for name, value in found.items() if value}


def _normal(data: bytes, committed: int) -> bytes:
    """The archive in one order, of one time and nobody's: backends write the clock and the user into it."""
    packed = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as old,
        gzip.GzipFile(fileobj=packed, mode="wb", filename="", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as new,
    ):
        for member in sorted(old.getmembers(), key=lambda member: member.name):
            if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
                continue
            clean = tarfile.TarInfo(member.name)
            clean.type, clean.linkname, clean.size, clean.mtime = member.type, member.linkname, member.size, committed
            clean.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            new.addfile(clean, old.extractfile(member) if member.isfile() else None)
    return packed.getvalue()
