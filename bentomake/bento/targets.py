"""What a Bento's requirements are locked for: a Python, a machine, and the C library of its image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

ARCHES = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
# What engines call machines, https://github.com/containerd/platforms
_MACHINES = {
    **{"amd64": "x86_64", "x86-64": "x86_64", "arm64": "aarch64", "386": "i686", "i386": "i686"},
    **{"arm": "armv7l", "armhf": "armv7l", "armel": "armv6l"},
}
_ELSEWHERE = {"arm64": "aarch64", "AMD64": "x86_64"}  # what macOS and Windows call them


class Target(NamedTuple):
    """Python X.Y on Linux `arch`; `libc` is "gnu", "musl", or None where the image is not known."""

    python: str
    arch: str
    libc: str | None = "gnu"

    def __str__(self) -> str:
        musl = " with musl (alpine)" if self.libc == "musl" else ""
        return f"Python {self.python} on Linux {self.arch}{musl}"

    @property
    def triple(self) -> str:
        """As uv names the platform."""
        return f"{self.arch}-unknown-linux-{self.libc or 'gnu'}"


def on_linux(machine: str) -> str:
    """A machine's name as Linux has it."""
    return _ELSEWHERE.get(machine, machine)


def machine(platform: str) -> str:
    """The machine of an image's platform: `linux/arm64/v8` and `arm64` are aarch64."""
    parts = platform.lower().split("/")
    arch = parts[min(1, len(parts) - 1)]
    return "armv6l" if parts[-2:] == ["arm", "v6"] else _MACHINES.get(arch, arch)


def has_conda(values: Mapping[str, Any]) -> bool:
    """Whether any option of conda says something."""
    return any(values[f"conda.{key}"] for key in ("environment_yml", "channels", "dependencies", "pip"))


def libc(values: Mapping[str, Any]) -> str | None:
    """The C library of the image that a bentofile's options choose; conda brings its own."""
    image = values["docker.base_image"]
    if image:
        return "musl" if "alpine" in image else None
    return "musl" if values["docker.distro"] == "alpine" and not has_conda(values) else "gnu"


def said(values: Mapping[str, Any]) -> str:
    """What a bentofile chooses its image by, "base_image" or "distro"; "" where it leaves that to an image in code."""
    return next((name for name in ("base_image", "distro") if values[f"docker.{name}"]), "")


def wanted(spec: str, python: str, arch: str) -> bool:
    """Whether a requirement's marker is true in the image; one that only a resolver can read has none."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        marker = Requirement(spec).marker
    except InvalidRequirement:
        return True
    image = {"python_version": python, "python_full_version": f"{python}.99"}
    image |= {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
    return marker is None or marker.evaluate({**image, "platform_machine": arch, "extra": ""})
