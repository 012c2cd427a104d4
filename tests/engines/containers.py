"""buildah and podman with runc, their images, networks and settings in a directory of their own."""

from __future__ import annotations

import ipaddress
import json
import os
import resource
from collections.abc import Callable
from pathlib import Path

from base_image import NAME, Base
from machine import State, call, succeeds

_FULL_NAME = f"docker.io/library/{NAME}"


def up(state: State, base: Base, step: Callable[[str], None], tools: list[str]) -> dict[str, str]:
    """Write their settings and see that they have the base image; they are no daemons. What to export."""
    place = state.work / "containers"
    (place / "networks").mkdir(parents=True, exist_ok=True)
    exports = {
        "CONTAINERS_CONF": str(place / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(place / "storage.conf"),
        "CONTAINERS_REGISTRIES_CONF": str(place / "registries.conf"),
    }
    name, subnet = state.bridge("c")
    (place / "networks/bentomake.conflist").write_text(json.dumps(_network(place, name, subnet), indent=1) + "\n")
    (place / "containers.conf").write_text(_containers_conf(place))
    driver = "vfs" if "overlay" in call("stat", "-f", "-c", "%T", place) else "overlay"  # none on top of another
    (place / "storage.conf").write_text(
        f'[storage]\ndriver = "{driver}"\ngraphroot = "{place}/storage"\nrunroot = "{place}/run"\n'
    )
    (place / "registries.conf").write_text(
        'unqualified-search-registries = ["docker.io"]\nshort-name-mode = "permissive"\n'
    )
    tool = tools[0]  # both share one store
    for each in tools:
        step(call(each, "--version", env=exports).strip())
    if not succeeds(tool, "inspect", "--type", "image", _FULL_NAME, env=exports):
        if not base.pulled(tool, "pull", "-q", _FULL_NAME, env=exports):
            call(tool, "pull", "-q", f"docker-archive:{base.archive()}", env=exports)
        step(f"{tool}: {_FULL_NAME}")
    return exports


def _containers_conf(place: Path) -> str:
    # runc, as Debian 12's crun refuses machines with both generations of cgroups; the limits are those that a root
    # without all capabilities may give
    limits = []
    for name, number in (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC)):
        hard = resource.getrlimit(number)[1]
        most = 4096 if hard == resource.RLIM_INFINITY else min(hard, 4096)
        limits.append(f"{name}={most}:{most}")
    return f"""\
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
static_dir = "{place}/libpod"
tmp_dir = "{place}/libpod-run"
volume_path = "{place}/volumes"
[network]
network_backend = "cni"
network_config_dir = "{place}/networks"
default_network = "bentomake"
[containers]
default_ulimits = {json.dumps(limits)}
"""


def _network(place: Path, name: str, subnet: str) -> dict[str, object]:
    gateway = str(ipaddress.ip_network(subnet)[1])
    addresses = {
        "type": "host-local",
        "dataDir": str(place / "addresses"),
        "routes": [{"dst": "0.0.0.0/0"}],
        "ranges": [[{"subnet": subnet, "gateway": gateway}]],
    }
    bridge = {"type": "bridge", "bridge": name, "isGateway": True, "hairpinMode": True}
    return {
        "cniVersion": "0.4.0",
        "name": "bentomake",
        "plugins": [
            {**bridge, "ipam": addresses},
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def down(state: State) -> None:
    """End the containers of that directory."""
    place = state.work / "containers"
    if not place.is_dir():
        return
    env = {
        "CONTAINERS_CONF": str(place / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(place / "storage.conf"),
    }
    succeeds("podman", "rm", "--all", "--force", "--time", "1", env={**os.environ, **env})
    succeeds("buildah", "rm", "--all", env=env)
