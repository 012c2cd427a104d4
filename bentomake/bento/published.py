"""Where a context's sources are published: the remote of the git checkout that it lies in, as a web address."""

import os
import re

_SECTION = re.compile(r'\s*\[\s*(?:remote\s+"([^"\\]+)"|[^\]]*)\s*\]')
_URL = re.compile(r'\s*url\s*=\s*"?([^"\s#;]+)"?\s*$', re.IGNORECASE)
_WEB = re.compile(r"(?:(https?)|ssh|git(?:\+ssh)?)://(?:[^@/\s]*@)?([\w.-]+(?::\d+)?)/+([^\s?#@]+)")
_SCP = re.compile(r"(?:[\w.-]+@)?(\w[\w-]*(?:\.[\w-]+)+):(?!/)([^\s?#@]+)")  # a host without a dot is an alias of ssh's


def published(context: str) -> str | None:
    """The address, without credentials; None if the context is in no checkout, or that has no remote on a host.

    The remote is `origin`, or the only one. git is not started. Source: gitrepository-layout(5), git-config(1).
    """
    config = _config(context)
    if config is None:
        return None
    try:
        with open(config, encoding="utf-8", errors="replace") as file:
            remotes = _remotes(file.read())
    except OSError:
        return None
    chosen = remotes.get("origin") or (next(iter(remotes.values())) if len(remotes) == 1 else None)
    return None if chosen is None else address(chosen)


def address(url: str) -> str | None:
    """Where a reader finds what `url` names for git: `git@host:me/it.git` → `https://host/me/it`; None for no host."""
    url = url.removesuffix("/").removesuffix(".git")
    if found := _WEB.fullmatch(url):
        scheme, host, path = found.groups()
        return f"{scheme}://{host}/{path}" if scheme else f"https://{host.partition(':')[0]}/{path}"
    if found := _SCP.fullmatch(url):
        return f"https://{found[1]}/{found[2]}"
    return None


def _config(context: str) -> str | None:
    """The configuration of the repository whose work tree a directory is in; a linked work tree shares another's."""
    directory = os.path.realpath(context)
    while not os.path.lexists(git := os.path.join(directory, ".git")):
        if directory == (directory := os.path.dirname(directory)):
            return None
    if os.path.isdir(git):
        return os.path.join(git, "config")
    git = os.path.join(directory, _line(git).removeprefix("gitdir:").strip())
    return os.path.join(git, _line(os.path.join(git, "commondir")), "config")


def _line(path: str) -> str:
    """The first line of a file; \"\" if there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.readline().strip()
    except OSError:
        return ""


def _remotes(text: str) -> dict[str, str]:
    """The first URL of each remote."""
    found: dict[str, str] = {}
    name = None
    for line in text.splitlines():
        if section := _SECTION.match(line):
            name = section[1]
        if name and (url := _URL.match(line)):
            found.setdefault(name, url[1])
    return found
