"""A git repository that a requirement names: its parts, the commit that its branch or tag is at, its files."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..engine.rule import Context
from ..errors import StepError
from .package_source import expand, hide, scrub

_GIT = re.compile(
    r"(?:(?P<name>[\w.-]+)\s*(?:(?P<extras>\[[^\]]*\])\s*)?@\s*)?"
    r"git\+(?P<scheme>https?|ssh|git|file)://(?P<host>[^/#?\s]*)/(?P<path>[^#;\s]*?)(?:@(?P<ref>[^@#;\s]+))?"
    r"(?:#(?P<fragment>[^;\s]*))?(?P<marker>\s*;\s.*)?$"
)
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_PROTOCOLS = "https:http:ssh:git:file"


@dataclass(frozen=True)
class GitSource:
    """`name[extras] @ git+url@ref#subdirectory=… ; marker`; `url` is without `git+`, its variables are as written."""

    url: str
    ref: str = ""
    name: str = ""
    extras: str = ""
    subdirectory: str = ""
    marker: str = ""

    def at(self, commit: str) -> str:
        """The requirement at that commit."""
        head = f"{self.name}{self.extras} @ " if self.name else ""
        tail = f"#subdirectory={self.subdirectory}" if self.subdirectory else ""
        return f"{head}git+{self.url}@{commit}{tail}{self.marker}"

    @property
    def exact(self) -> bool:
        return bool(_COMMIT.fullmatch(self.ref))


def parse(spec: str) -> GitSource | None:
    """The parts of a requirement; None if it names no git repository."""
    match = _GIT.match(spec.removeprefix("-e ").strip())
    if match is None:
        return None
    from urllib.parse import parse_qs  # for the few that get here

    fragment = parse_qs(match["fragment"] or "")
    egg = re.match(r"([\w.-]+)(\[[^\]]*\])?", fragment.get("egg", [""])[0])
    return GitSource(
        f"{match['scheme']}://{match['host']}/{match['path']}",
        match["ref"] or "",
        match["name"] or (egg[1] if egg else ""),
        (match["extras"] or (egg[2] if egg else "") or "").strip(),
        fragment.get("subdirectory", [""])[0].strip("/"),
        match["marker"] or "",
    )


def commit_of(ctx: Context, source: GitSource, secrets: Mapping[str, str], place: str | None) -> str:
    """The commit that the source's branch, tag or short commit is at now; StepError if the repository has none."""
    if source.exact:
        return source.ref
    ref = source.ref or "HEAD"
    if ref.startswith("-"):
        raise StepError(f"{ref} is no branch, tag or commit.", place=place)
    listed = _git(ctx, ["ls-remote", "--", source.url, ref, f"{ref}^{{}}"], source, secrets, place)
    known = {name: sha for sha, _, name in (line.partition("\t") for line in listed.splitlines())}
    for name in (ref, f"refs/heads/{ref}", f"refs/tags/{ref}^{{}}", f"refs/tags/{ref}"):  # as uv and pip look
        if name in known:
            return known[name]
    if re.fullmatch(r"[0-9a-f]{4,39}", ref):  # only the repository itself knows what it is short for
        bare = os.path.join(ctx.workdir, "short.git")
        _git(ctx, ["clone", "--quiet", "--bare", "--filter=blob:none", "--", source.url, bare], source, secrets, place)
        try:
            found = _git(ctx, ["-C", bare, "rev-parse", f"{ref}^{{commit}}"], source, secrets, place)
        finally:
            _remove(bare)
        return found.strip()
    raise StepError(
        f"The repository {scrub(source.url)} has no branch or tag {ref}.",
        place=place,
        hint="Name one that it has, or a commit.",
    )


def check_out(
    ctx: Context, source: GitSource, commit: str, into: str, secrets: Mapping[str, str], place: str | None
) -> int:
    """Put the files of a commit into a new directory; when it was committed, in seconds."""
    if not _COMMIT.fullmatch(commit):  # what the cache says may be planted: git would start a program that it names
        raise StepError(f"{commit!r} is no commit.", place=place, hint="Resolve it anew: --upgrade.")
    _git(
        ctx, ["clone", "--quiet", "--no-checkout", "--filter=blob:none", "--", source.url, into], source, secrets, place
    )
    inside = ["-C", into, "-c", "advice.detachedHead=false"]
    try:
        _git(ctx, [*inside, "checkout", "--quiet", commit], source, secrets, place)
    except StepError:  # it is on no branch and no tag
        _git(ctx, [*inside, "fetch", "--quiet", "origin", commit], source, secrets, place)
        _git(ctx, [*inside, "checkout", "--quiet", commit], source, secrets, place)
    if os.path.exists(os.path.join(into, ".gitmodules")):
        _git(ctx, [*inside, "submodule", "--quiet", "update", "--init", "--recursive"], source, secrets, place)
    return int(_git(ctx, [*inside, "show", "--no-patch", "--format=%ct", commit], source, secrets, place))


def _git(ctx: Context, words: list[str], source: GitSource, secrets: Mapping[str, str], place: str | None) -> str:
    """What git prints; StepError with its words, and no secrets in them."""
    import shutil

    program = shutil.which("git")
    if program is None:
        raise StepError(
            f"git is not installed, and {scrub(source.url)} is a git repository.", place=place, hint="Install git."
        )
    done = ctx.run(
        [program, *words], env=_environment(source, secrets), hide=lambda text: hide(text, secrets), timeout=600
    )
    if done.returncode != 0:
        raise StepError(
            f"git cannot read the repository {scrub(source.url)}.",
            place=place,
            hint="See that it is there, and that you may read it without being asked for a password.",
            detail=(done.stderr or done.stdout).replace(ctx.workdir + os.sep, "").strip(),
        )
    return done.stdout


def _environment(source: GitSource, secrets: Mapping[str, str]) -> dict[str, str]:
    """Of a git that asks nobody; the values of variables in the URL reach it by its configuration, not its words."""
    ours = {name: value for name, value in os.environ.items() if not re.match(r"GIT_(DIR|WORK_TREE|INDEX_FILE)$", name)}
    ours |= {"GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": _PROTOCOLS, "LC_ALL": "C"}
    ours.setdefault("GIT_SSH_COMMAND", "ssh -o BatchMode=yes")
    real = expand(source.url, secrets)
    if real != source.url:
        number = int(ours.get("GIT_CONFIG_COUNT") or 0)
        ours |= {
            "GIT_CONFIG_COUNT": str(number + 1),
            f"GIT_CONFIG_KEY_{number}": f"url.{real}.insteadOf",
            f"GIT_CONFIG_VALUE_{number}": source.url,
        }
    return ours


def _remove(directory: str) -> None:
    import shutil

    shutil.rmtree(directory, ignore_errors=True)
