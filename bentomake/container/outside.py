"""What ends the build of an image from outside of its Dockerfile: a registry, a daemon that dies, a signal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from .docker import BETTER
from .image_tag import registry_of

# What buildx says with docker's own builder, and what BuildKit says.
_PUSH = re.compile(r"^ > pushing (\S+) with docker:$|\bfailed to push (\S+?): ", re.MULTILINE)
_PUSH_SOMETHING = re.compile(r"\bpush access denied\b|\binsufficient_scope\b")
_NOT_REACHED = re.compile(r"\bdial tcp\b|no such host|i/o timeout|connection refused|deadline exceeded|: EOF$")
_NO_TLS = re.compile(r"server gave HTTP response to HTTPS client|x509: |tls: ")
_ITS_FAULT = re.compile(r"\bstatus(?: code)?:? 5\d\d\b", re.IGNORECASE)
# The last words of docker's client, of buildx and of buildctl, when nobody answers them any more.
_GONE = re.compile(
    r"\bcode = Unavailable\b|\berror reading from server\b|Cannot connect to the Docker daemon|^unexpected EOF$"
)
# buildx, of a builder that is dead, or that it has to start
_NOT_THERE = re.compile(r"^ > \[internal\] (?:waiting for connection|booting buildkit):$", re.MULTILINE)
# buildx, of a name that nobody gave to a builder
_NOBODY = re.compile(r'^ERROR: no builder "(.+)" found$', re.MULTILINE)
# buildx, of docker's own builder
_OWN_BUILDER = re.compile(r"^ERROR: (.+) is not supported for the docker driver", re.MULTILINE)

_FULL = re.compile(r"no space left on device", re.IGNORECASE)
# What tells what is on an engine's disk, and what takes away what nothing needs.
_ROOM = {
    "buildah": ("buildah images", "buildah rmi --prune"),
    "buildctl": ("buildctl du", "buildctl prune"),
    "buildx": ("docker buildx du", "docker buildx prune"),
    "docker": ("docker system df", "docker builder prune"),
    "nerdctl": ("nerdctl images", "nerdctl builder prune"),
    "podman": ("podman system df", "podman system prune"),
}


class Ended(NamedTuple):
    """What happened, as the end of the sentence that begins with the engine's name, and a hint."""

    what: str
    hint: str
    said: str | None = None
    mistaken: bool = False  # the user's words, not the world


def ended(
    returncode: int, log: Sequence[str], bento: str, names: Sequence[str], builder: str | None = None
) -> Ended | None:
    """How a build ended; `names` are the image's, none if an instruction failed. None if it was something else."""
    if returncode < 0:
        return Ended(
            f"was killed (signal {-returncode}) while it built the image of {bento}.",
            "Was there too little memory? `dmesg` tells.",
        )
    last = next((line for line in reversed(log) if line.strip()), "")
    if _GONE.search(last):
        whose, start = f"builder {builder}" if builder else "daemon", "Start it again, and see its log"
        if builder:
            start = f"`docker buildx inspect --bootstrap {builder}` starts it again"
        return Ended(f"lost its {whose} while it built the image of {bento}.", f"{start}: it may say why it ended.")
    text = "\n".join(log)
    if builder and _NOT_THERE.search(text):
        hint = f"`docker buildx inspect --bootstrap {builder}` starts it, or says why not; is it where it should be?"
        return Ended(f"did not reach its builder {builder} for the image of {bento}.", hint, last)
    nobody = _NOBODY.search(text)
    if nobody is not None:
        hint = f"`docker buildx ls` names those that there are, `docker buildx create --name {nobody[1]}` makes one."
        return Ended(f"has no builder {nobody[1]}.", hint, nobody[0], mistaken=True)
    unable = _OWN_BUILDER.search(text)
    if unable is not None:
        inline = "; for a cache, type=inline does" if "Cache" in unable[1] else ""
        return Ended(f"could not build the image of {bento}: its own builder cannot.", f"{BETTER}{inline}.", unable[0])
    pushed = _PUSH.search(text)
    if not names or (pushed is None and not _PUSH_SOMETHING.search(text)):
        return None
    name = (pushed and (pushed[1] or pushed[2])) or names[0]
    return _refused(bento, name, last)


def _refused(bento: str, name: str, last: str) -> Ended:
    registry = registry_of(name)
    built = f"built the image of {bento}, but"
    if _NO_TLS.search(last):
        hint = f"Of a registry without TLS, {registry} must be among `insecure-registries` in docker's daemon.json."
        return Ended(f"{built} {registry} could not be spoken to for the push of {name}.", hint, last)
    named = f"-t {registry}/…/NAME:TAG names the registry"
    if _NOT_REACHED.search(last):
        return Ended(f"{built} {registry} was not reached for the push of {name}.", f"Does it run? {named}.", last)
    if _ITS_FAULT.search(last):
        return Ended(f"{built} {registry} failed at the push of {name}.", "Its own log may say why; try again.", last)
    login = f"`docker login{'' if registry == 'docker.io' else f' {registry}'}`"
    return Ended(f"{built} {registry} refused the push of {name}.", f"Log in ({login})? {named}, and yours.", last)


def no_room(said: str, engine: str) -> str | None:
    """What to do if a failure's last words tell of a full disk, of a backend's engine; None if they do not."""
    if not _FULL.search(said):
        return None
    if engine not in _ROOM:
        return "Is the engine's disk full?"
    tells, frees = _ROOM[engine]
    return f"Is the engine's disk full? `{tells}` says what is on it, `{frees}` takes away what nothing needs."
