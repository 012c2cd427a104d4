"""Which images there are: each distribution's Pythons, CUDA and conda as one table; and what a choice lacks."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

# Python X.Y → image. The official images have every Python; the others what their makers publish.
_PYTHONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
_MINICONDA = "continuumio/miniconda3"
CONDA_PYTHONS = _PYTHONS  # those of the channel conda-forge


class Distro(NamedTuple):
    """One distribution. `cuda` is the ending of nvidia/cuda's tags, by CUDA version; `conda` an image with conda."""

    name: str
    images: Mapping[str, str]
    cuda: Mapping[str, str] = MappingProxyType({})
    conda: str = ""


class Cuda(NamedTuple):
    """A CUDA version: its cuDNN as tags say it, the Ubuntu of its images, the oldest bentoml that knows it."""

    cudnn: str
    ubuntu: str
    generation: str  # "runner": also bentoml 1.1


CUDA: Mapping[str, Cuda] = {
    "12.8.1": Cuda("cudnn", "24.04", "class"),
    "12.8.0": Cuda("cudnn", "24.04", "class"),
    "12.6.3": Cuda("cudnn", "24.04", "class"),
    "12.6.2": Cuda("cudnn", "24.04", "class"),
    "12.6.1": Cuda("cudnn", "24.04", "class"),
    "12.6.0": Cuda("cudnn", "24.04", "class"),
    "12.1.1": Cuda("cudnn8", "22.04", "runner"),
    "12.1.0": Cuda("cudnn8", "22.04", "runner"),
    "12.0.1": Cuda("cudnn8", "22.04", "runner"),
    "12.0.0": Cuda("cudnn8", "22.04", "runner"),
    "11.8.0": Cuda("cudnn8", "22.04", "runner"),
    "11.7.1": Cuda("cudnn8", "22.04", "runner"),
    "11.6.2": Cuda("cudnn8", "20.04", "runner"),
    "11.4.3": Cuda("cudnn8", "20.04", "runner"),
    "11.2.2": Cuda("cudnn8", "20.04", "runner"),
}  # newest first
CUDA_DEFAULT = {"runner": "11.6.2", "class": "12.8.1"}  # what `default` names in bentoml 1.1 and in 1.4

DISTROS: Mapping[str, Distro] = {
    distro.name: distro
    for distro in (
        Distro(
            "debian",
            {python: f"python:{python}-slim" for python in _PYTHONS},
            {version: f"{cuda.cudnn}-runtime-ubuntu{cuda.ubuntu}" for version, cuda in CUDA.items()},
            f"{_MINICONDA}:latest",
        ),
        Distro(
            "alpine",
            {python: f"python:{python}-alpine" for python in _PYTHONS},
            conda=f"{_MINICONDA}:4.10.3p0-alpine",
        ),
        Distro(
            "ubi8",
            {
                python: f"registry.access.redhat.com/ubi8/python-{python.replace('.', '')}:1"
                for python in ("3.8", "3.9", "3.11", "3.12")
            },
            {version: f"{cuda.cudnn}-runtime-ubi8" for version, cuda in CUDA.items()},
        ),
        Distro(
            "amazonlinux",
            {"3.8": "amazonlinux:2", **dict.fromkeys(("3.9", "3.11", "3.12", "3.13"), "amazonlinux:2023")},
        ),
    )
}  # fmt: skip


_APT = "apt-get install -q -y --no-install-recommends"
_RPMS = "ca-certificates gcc gcc-c++ make bash shadow-utils"
# What bentoml installs in every image of generation "class": commands of an image in code may count on it.
FIRST: Mapping[str, tuple[str, ...]] = {
    "debian": ("ca-certificates", "gnupg2", "bash", "build-essential", "git"),
    "alpine": ("bash", "build-base", "linux-headers", "shadow", "git"),
    "ubi8": (*_RPMS.split(), "git"),
    "amazonlinux": (*_RPMS.split(), "git"),
}
_INSTALL = {"debian": _APT, "alpine": "apk add --update", "ubi8": "yum install -y", "amazonlinux": "yum install -y"}


def install_commands(distro: str, python: str, packages: str) -> list[str]:
    """What bento.yaml's newer form has bentoml's own `containerize` run first; `packages` are words for a shell."""
    first = {
        "debian": f"apt-get update && {_APT} --allow-remove-essential {' '.join(FIRST['debian'])}",
        "alpine": f"apk add --update {' '.join(FIRST['alpine'])}",
        "ubi8": f"yum install -y {' '.join(FIRST['ubi8'])}",
        "amazonlinux": f"yum install -y {_RPMS} git python{python} python{python}-pip",
    }
    if python == "3.8":
        first["amazonlinux"] = (
            f"yum install -y amazon-linux-extras {_RPMS} git && amazon-linux-extras enable python3.8 && "
            "yum install -y python38 python38-devel"
        )
    elif python == "3.9":
        first["amazonlinux"] = f"yum install -y {_RPMS} git python3 python3-pip"
    if distro == "amazonlinux":
        first[distro] += "".join(
            f" && ln -sf /usr/bin/{name}{python} /usr/local/bin/{name}" for name in ("python", "pip")
        )
    return [first[distro], *([f"{_INSTALL[distro]} {packages}"] if packages else [])]


def install(distro: str, packages: Sequence[str]) -> str:
    """One command that installs packages, in the words of `install_commands`."""
    return f"{_INSTALL[distro]} {' '.join(map(shlex.quote, packages))}"


class Lack(NamedTuple):
    """Why a choice has no image: the option to blame, a sentence, what to do."""

    option: str
    message: str
    hint: str


def cuda_version(asked: str | None, generation: str = "class") -> str | None:
    """The exact CUDA version that `12`, `12.1`, `12.1.1` or `default` names; None if there is none."""
    known = [version for version, cuda in CUDA.items() if generation in (cuda.generation, "class")]
    if asked == "default":
        return CUDA_DEFAULT[generation]
    return next((version for version in known if f"{version}.".startswith(f"{asked}.")), None)


def image(distro: str, python: str, cuda: str | None = None, conda: bool = False) -> str:
    """The image to begin with; `cuda` is an exact version. KeyError for a choice that `support` finds fault with."""
    known = DISTROS[distro]
    if cuda:
        return f"nvidia/cuda:{cuda}-{known.cuda[cuda]}"
    return known.conda if conda else known.images[python]


def support(
    distro: str,
    python: str | None = None,
    cuda: str | None = None,
    conda: bool = False,
    generation: str = "class",
) -> list[Lack]:
    """What a choice lacks, as the user wrote it (`cuda` may be `12`); empty if there is an image for it."""
    known = DISTROS[distro]
    found = []
    if cuda and not known.cuda:
        there_are = ", ".join(other.name for other in DISTROS.values() if other.cuda)
        found.append(Lack("docker.cuda_version", f"{distro} has no CUDA.", f"Distros with CUDA are {there_are}."))
    elif cuda and cuda_version(cuda, generation) is None:
        newer = cuda_version(cuda)
        message = f"There is no image with CUDA {cuda}."
        if newer:
            message = f"bentoml 1.1 does not know CUDA {cuda}, and could not read the Bento."
        versions = [version for version, entry in CUDA.items() if generation in (entry.generation, "class")]
        found.append(Lack("docker.cuda_version", message, f"There are {', '.join(versions)}."))
    if conda and not known.conda:
        there_are = ", ".join(other.name for other in DISTROS.values() if other.conda)
        found.append(Lack("conda", f"{distro} has no conda.", f"Distros with conda are {there_are}."))
    if python and not conda and python not in known.images:
        there_are = ", ".join(other.name for other in DISTROS.values() if python in other.images)
        hint = f"{distro} has Python {', '.join(known.images)}"
        hint += f"; Python {python} is on {there_are}." if there_are else "."
        found.append(Lack("docker.python_version", f"{distro} has no Python {python}.", hint))
    if python and conda and python not in CONDA_PYTHONS:
        hint = f"conda has Python {', '.join(CONDA_PYTHONS)}."
        found.append(Lack("docker.python_version", f"conda has no Python {python}.", hint))
    return found
