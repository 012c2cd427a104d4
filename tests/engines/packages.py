"""The Debian packages of the engines: the system's own, but docker from Debian 13, whose BuildKit knows heredocs.

The sources of Debian 13 are named for one call of apt only; the machine's own configuration of apt stays as it is.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from machine import Missing, State, call, succeeds

# What must be there, and the packages that bring it.
NEEDS = {
    "docker": {
        "docker-registry": ["docker-registry"],  # not to run: tests that push start one
        "dockerd": ["docker.io"],
        "docker": ["docker-cli"],
        "ip": ["iproute2"],
        "iptables": ["iptables"],
    },
    "buildah": {"buildah": ["buildah"], "runc": ["runc"], "ip": ["iproute2"], "iptables": ["iptables"]},
    "podman": {"podman": ["podman", "containernetworking-plugins", "conmon"]},
}
NEEDS["podman"] |= {name: NEEDS["buildah"][name] for name in ("runc", "ip", "iptables")}
FROM_DEBIAN_13 = ("docker.io", "docker-cli", "docker-buildx")
SOURCES = (Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list"))


def install(engines: list[str], state: State, step: Callable[[str], None]) -> None:
    """See that the engines' programs are on the PATH. Missing, with what apt said, when that cannot be."""
    wanted: set[str] = set()
    for engine in engines:
        for program, names in NEEDS[engine].items():
            if not shutil.which(program):
                wanted |= set(names)
    if "docker" in engines and not _new_docker():
        wanted |= set(FROM_DEBIAN_13)
    if not wanted:
        return
    step(f"packages: {', '.join(sorted(wanted))}")
    apt_get(sorted(wanted), state)


def apt_get(names: list[str], state: State) -> None:
    """Install these packages; those of docker from Debian 13, or from the system's own sources if that has none."""
    if not shutil.which("apt-get"):
        raise Missing(f"these packages are not here, and no apt-get to get them with: {', '.join(names)}")
    log = state.work / "apt.log"
    newer = [name for name in names if name in FROM_DEBIAN_13]
    options = _with_debian_13(state) if newer else []
    attempts = [[f"{name}/trixie" if options and name in newer else name for name in names]]
    if newer:  # Debian 12's own docker.io has the client in it, and no buildx
        attempts.append([*(name for name in names if name not in newer), "docker.io"])
    for number, attempt in enumerate(attempts):
        given = options if number == 0 else []
        with log.open("a") as output:
            for words in (["update"], ["install", "-y", "--no-install-recommends", *attempt]):
                argv = ["apt-get", "-q", *given, *words]
                env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
                done = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        if done.returncode == 0:
            return
    last = "\n".join(log.read_text(errors="replace").strip().splitlines()[-8:])
    raise Missing(f"apt-get could not install {', '.join(names)} ({log}):\n{last}")


def _new_docker() -> bool:
    """Whether the docker here has a BuildKit that knows heredocs, and buildx."""
    if not shutil.which("dockerd"):
        return False
    found = re.search(r"version (\d+)", call("dockerd", "--version"))
    return bool(found and int(found.group(1)) >= 23 and succeeds("docker", "buildx", "version"))


def _with_debian_13(state: State) -> list[str]:
    """Options of apt-get that add Debian 13's packages at a low priority, on Debian 12; none elsewhere."""
    own = next((path for path in SOURCES if path.exists() and "bookworm" in path.read_text()), None)
    if own is None:
        return []
    place = state.work / "apt"
    for name in ("sources", "preferences", "lists/partial"):
        (place / name).mkdir(parents=True, exist_ok=True)
    text = own.read_text()
    (place / "sources" / own.name).write_text(text)
    if own.suffix == ".sources":
        first = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).strip().split("\n\n")[0]
        newer = re.sub(r"^Suites:.*$", "Suites: trixie", first, flags=re.MULTILINE)
    else:
        lines = re.findall(r"^deb .*\sbookworm\s.*$", text, flags=re.MULTILINE)
        newer = "\n".join(line.replace(" bookworm ", " trixie ") for line in lines)
    (place / "sources" / f"trixie{own.suffix}").write_text(newer + "\n")
    (place / "preferences/trixie.pref").write_text("Package: *\nPin: release n=trixie\nPin-Priority: 100\n")
    settings = {
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": place / "sources",
        "Dir::Etc::preferencesparts": place / "preferences",
        "Dir::State::lists": place / "lists",
    }
    return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
