"""What an engine changes on a machine outside its own directory, written down so that it can be taken back.

Each engine has a bridge of its own, with rules of ours: a dockerd that writes rules itself flushes, as it starts, the
chains of every other dockerd of the machine, and lets nothing but its own containers through. The tables are shared
with whatever else runs here, so only rules that name our bridges are removed.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

_FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")


class Missing(Exception):
    """What this machine lacks for an engine, and what to do."""


def call(*words: str | Path, env: Mapping[str, str] | None = None, timeout: float | None = None) -> str:
    """The standard output of a program that must succeed."""
    done = subprocess.run(
        [str(word) for word in words],
        env=env and {**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    if done.returncode:
        last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-15:])
        raise Missing(f"`{' '.join(map(str, words))}` ended with {done.returncode}:\n{last}")
    return done.stdout


def succeeds(*words: str | Path, env: Mapping[str, str] | None = None, timeout: float | None = None) -> bool:
    try:
        call(*words, env=env, timeout=timeout)
    except (Missing, OSError, subprocess.TimeoutExpired):
        return False
    return True


@dataclass
class State:
    """What was brought up in a directory, and what the machine was like before."""

    work: Path
    bridges: dict[str, str] = field(default_factory=dict)  # the name of each bridge: its subnet
    chains_before: list[str] = field(default_factory=list)
    forwarding_before: str = "1"

    @classmethod
    def at(cls, work: Path) -> State:
        """The state of that directory: of an earlier run, or a new one. Missing, when no engine can be run here."""
        if sys.platform != "linux":
            raise Missing(
                "an engine of the tests' own needs Linux. Start Docker Desktop or Podman by hand, and name it: "
                "BENTOMAKE_TEST_ENGINES=docker"
            )
        if os.geteuid():
            raise Missing("an engine of the tests' own needs root, for mounts and networks: run this with sudo")
        if len(str(work)) > 70:  # the path of a socket has room for 107 bytes, and containerd's lies deep
            raise Missing(f"the path {work} is too long for the sockets in it: take one below 70 characters")
        if found := cls.found(work):
            return found
        if work.is_dir() and any(work.iterdir()):
            raise Missing(f"{work} is not empty and holds no engine: name a directory of the engines' own")
        work.mkdir(parents=True, exist_ok=True)
        work.chmod(0o755)
        state = cls(
            work,
            forwarding_before=_FORWARDING.read_text().strip(),
            chains_before=[" ".join(chain) for chain in _chains()],
        )
        state.save()
        return state

    @classmethod
    def found(cls, work: Path) -> State | None:
        try:
            return cls(**{**json.loads((work / "state.json").read_text()), "work": work})
        except FileNotFoundError:
            return None

    def save(self) -> None:
        (self.work / "state.json").write_text(json.dumps({**asdict(self), "work": str(self.work)}, indent=1) + "\n")

    def bridge(self, letter: str) -> tuple[str, str]:
        """The name and the free subnet of this directory's bridge for that kind of engine; written down at once."""
        name = f"bm{letter}{hashlib.blake2s(bytes(self.work), digest_size=4).hexdigest()}"
        if name in self.bridges:
            return name, self.bridges[name]
        routes = re.findall(r"^(?:\w+ )?([\d.]+/\d+)", call("ip", "-4", "route"), re.MULTILINE)
        taken = [ipaddress.IPv4Network(route, strict=False) for route in routes]
        for third in range(1, 255):
            subnet = ipaddress.IPv4Network(f"10.213.{third}.0/24")
            if not any(subnet.overlaps(other) for other in taken):
                self.bridges[name] = str(subnet)
                self.save()
                _connect(name, subnet)
                return name, str(subnet)
        raise Missing("no subnet of 10.213.0.0/16 is free for an engine's bridge: see `ip route`")

    def take_back(self) -> None:
        """Bridges, their rules, and, if nobody else uses them, the chains around these."""
        for name in self.bridges:
            succeeds("ip", "link", "delete", name)
        names = [*self.bridges, *(subnet.removesuffix("0/24") for subnet in self.bridges.values())]
        for table, rule in _lines("-A"):
            if any(re.search(rf"\s{re.escape(name)}", rule) for name in names):
                _delete(table, rule)
        new = [(table, chain) for table, chain in _chains() if f"{table} {chain}" not in self.chains_before]
        around = [
            (table, rule) for table, rule in _lines("-A") if {rule.split()[1], rule.split()[-1]} & {c for _, c in new}
        ]
        if any(re.search(r" -[iosd] ", rule) for _, rule in around):
            return  # an engine that came up after this one uses them
        for table, rule in around:
            _delete(table, rule)
        for table, chain in new:
            succeeds("iptables", "-t", table, "-X", chain)
        if not re.search(r"^bm[a-z][0-9a-f]{8}\b", call("ip", "-brief", "link"), re.MULTILINE):  # of nobody else
            _FORWARDING.write_text(self.forwarding_before)


def _connect(name: str, subnet: ipaddress.IPv4Network) -> None:
    """A bridge whose containers reach what this machine reaches."""
    call("ip", "link", "add", name, "type", "bridge")
    call("ip", "address", "add", f"{subnet[1]}/{subnet.prefixlen}", "dev", name)
    call("ip", "link", "set", name, "up")
    call("iptables", "-t", "nat", "-A", "POSTROUTING", "-s", str(subnet), "!", "-o", name, "-j", "MASQUERADE")
    for side in ("-i", "-o"):
        call("iptables", "-I", "FORWARD", side, name, "-j", "ACCEPT")
    _FORWARDING.write_text("1")


def _lines(kind: str) -> list[tuple[str, str]]:
    """Table and line of what netfilter has of that kind: -A for rules, -N for chains."""
    found = []
    for table in ("filter", "nat"):
        try:
            lines = call("iptables", "-t", table, "-S").splitlines()
        except (Missing, OSError):  # no iptables, no rules
            continue
        found += [(table, line) for line in lines if line.startswith(kind)]
    return found


def _chains() -> list[tuple[str, str]]:
    """Table and name of the chains that the CNI plugins make, for ports that podman publishes."""
    named = [(table, line.split()[1]) for table, line in _lines("-N")]
    return [(table, name) for table, name in named if name.startswith("CNI-")]


def _delete(table: str, rule: str) -> None:
    succeeds("iptables", "-t", table, "-D", *shlex.split(rule)[1:])


def unmount_below(directory: Path) -> None:
    """Detach every mount in that directory, the innermost first."""
    inside = f"{directory}/"
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for point in sorted((point for point in points if point.startswith(inside)), key=len, reverse=True):
        succeeds("umount", "-l", point)
