"""Credentials of package indexes, from netrc and keyring: the netrc file that the build of an image is lent."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

from ..engine.process import run
from ..errors import UsageError

ID = "netrc"  # of the secret, in a Dockerfile
VARIABLE = "BENTOMAKE_NETRC"  # where the engine finds it: in its environment, so that it is in no file and no argument

_URL = re.compile(r"https?://[^\s'\"#@/]+(?:/[^\s'\"#]*)?(?=[\s'\"#]|$)")  # one with a user in it has its credentials
_HOST = re.compile(r"://([^/:?]+|\[[^]]+\])")
_PLAIN = re.compile(r'(?!")[^\s\\]+')  # every reader of netrc takes it so; a quoted one only the newer


def addresses(texts: Iterable[str]) -> list[str]:
    """The URLs in files of requirements that name no user: of each host the first one, which may be an index."""
    found: dict[str, str] = {}
    for text in texts:
        for url in _URL.findall(text):
            host = _HOST.search(url)
            if host is not None:
                found.setdefault(host[1], url)
    return list(found.values())


def credential(url: str, env: Mapping[str, str]) -> tuple[str, str] | None:
    """(login, password) of netrc ($NETRC, ~/.netrc), else of keyring, if uv or pip may ask that; None if none is known.

    As pip and uv look for them: https://docs.astral.sh/uv/concepts/authentication/http/,
    https://pip.pypa.io/en/stable/topics/authentication/.
    """
    return _of_netrc(_host(url), env) or _of_keyring(url, env)


def netrc(known: Mapping[str, tuple[str, str]]) -> str:
    """The text of a netrc file: URL → (login, password)."""
    return "".join(
        f"machine {_host(url)}\nlogin {_token(login)}\npassword {_token(password)}\n"
        for url, (login, password) in known.items()
    )


def _host(url: str) -> str:
    found = _HOST.search(url)
    return found[1] if found else ""


def _token(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _of_netrc(host: str, env: Mapping[str, str]) -> tuple[str, str] | None:
    home = env.get("HOME") or os.path.expanduser("~")
    path = env.get("NETRC") or os.path.join(home, ".netrc")
    if not os.path.isfile(path):
        return None
    from netrc import NetrcParseError
    from netrc import netrc as read

    try:
        found = read(path).authenticators(host)
    except (NetrcParseError, OSError, UnicodeError):
        return None  # pip and uv do without it, too
    return (found[0] or found[1] or "", found[2] or "") if found else None


def _of_keyring(url: str, env: Mapping[str, str]) -> tuple[str, str] | None:
    """Asked as uv does it; a keyring that wants to talk to the user, or hangs, is left alone."""
    asked = {env.get("UV_KEYRING_PROVIDER"), env.get("PIP_KEYRING_PROVIDER")}
    if not asked & {"subprocess", "import"}:
        return None
    for service in (url, _host(url)):
        try:
            done = run(["keyring", "--mode", "creds", "get", service], env=env, timeout=30)
        except UsageError:
            return None
        lines = done.stdout.splitlines()
        if done.returncode == 0 and not done.timed_out and len(lines) == 2:
            return lines[0], lines[1]
    return None
