"""Docker without its client: questions by the daemon's socket, builds by the plugin buildx itself.

The client starts three programs for one build (itself, the plugin for its name, the plugin), which takes longer than
a build in which every layer is known. It has the last word wherever the way to the daemon is not a plain socket.
"""

import json
import os
from _socket import AF_UNIX, SOCK_STREAM, socket  # socket names its 500 constants, which takes as long as the answer
from collections.abc import Mapping
from typing import Any, NamedTuple

_SOCKET = "/var/run/docker.sock"
_UNIX = "unix://"
_PLUGINS = (  # as the client looks for them; https://github.com/docker/cli, cli-plugins/manager
    *("/usr/local/lib/docker/cli-plugins", "/usr/local/libexec/docker/cli-plugins"),
    *("/usr/lib/docker/cli-plugins", "/usr/libexec/docker/cli-plugins"),
)
_CHUNK = 1 << 16
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/:@._-")


class Daemon(NamedTuple):
    """Where the client would find its daemon: the name of the context, and a socket that is there."""

    context: str
    socket: str


def daemon(env: Mapping[str, str]) -> Daemon | None:
    """The daemon that the client would use; None if it takes more than a socket of this machine to reach it."""
    config = _config(env)
    context, host = "default", env.get("DOCKER_HOST") or ""
    if not host:
        context = env.get("DOCKER_CONTEXT") or str(config.get("currentContext") or "default")
        host = f"{_UNIX}{_SOCKET}" if context == "default" else _host_of(context, env)
    path = host.removeprefix(_UNIX)
    return Daemon(context, path) if host.startswith(_UNIX) and os.path.exists(path) else None


def wrapped(program: str) -> bool:
    """Whether the client is a script: somebody's own, who means it to see every call."""
    try:
        with open(program, "rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return True


class Answer(NamedTuple):
    """An answer of the daemon: the status, its headers by name in lower case, and what it says."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def get(path: str, resource: str, timeout: float) -> Answer:
    """The daemon's answer to a GET; OSError or ValueError if it has none.

    In HTTP/1.0, so that the answer ends where the connection does: http.client takes longer to import than the daemon
    to answer.
    """
    if not _PLAIN.issuperset(resource):
        raise ValueError(f"not a resource's name: {resource!r}")
    connection = socket(AF_UNIX, SOCK_STREAM)
    try:
        connection.settimeout(timeout)
        connection.connect(path)
        connection.sendall(f"GET {resource} HTTP/1.0\r\nHost: docker\r\n\r\n".encode())
        parts = []
        while part := connection.recv(_CHUNK):
            parts.append(part)
    finally:
        connection.close()
    head, _, body = b"".join(parts).partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    protocol, status = first.split(None, 2)[:2]
    if not protocol.startswith("HTTP/"):
        raise ValueError("not an answer in HTTP")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Answer(int(status), headers, body)


def buildx(env: Mapping[str, str]) -> str | None:
    """The program that `docker build` would run in the end; None if the client has to look for it."""
    config = _config(env)
    aliases = config.get("aliases")
    if isinstance(aliases, dict) and aliases.get("builder", "buildx") != "buildx":
        return None
    extra = config.get("cliPluginsExtraDirs")
    places = [*(extra if isinstance(extra, list) else []), os.path.join(_home(env), "cli-plugins"), *_PLUGINS]
    found = (os.path.join(str(place), "docker-buildx") for place in places)
    return next((path for path in found if os.access(path, os.X_OK)), None)


def _home(env: Mapping[str, str]) -> str:
    return env.get("DOCKER_CONFIG") or os.path.join(env.get("HOME") or os.path.expanduser("~"), ".docker")


def _config(env: Mapping[str, str]) -> Mapping[str, Any]:
    return _json(os.path.join(_home(env), "config.json"))


def _host_of(context: str, env: Mapping[str, str]) -> str:
    from hashlib import sha256

    name = sha256(context.encode()).hexdigest()
    described = _json(os.path.join(_home(env), "contexts", "meta", name, "meta.json"))
    try:
        return str(described["Endpoints"]["docker"]["Host"])
    except (KeyError, TypeError):
        return ""


def _json(path: str) -> Mapping[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
