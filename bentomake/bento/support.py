"""Which images exist: distros, and the Pythons, CUDA releases and conda that each of them has."""

from __future__ import annotations

from dataclasses import dataclass

CUDA = (
    *("12.8.1", "12.8.0", "12.6.3", "12.6.2", "12.6.1", "12.6.0", "12.1.1", "12.1.0", "12.0.1", "12.0.0"),
    *("11.8.0", "11.7.1", "11.6.2", "11.4.3", "11.2.2"),
)
DEFAULT_CUDA = {"runner": "11.6.2", "class": "12.8.1"}
_NEWEST = {"runner": "12.1.1", "class": "12.8.1"}  # what a short version means to the BentoML of a generation
_ALL = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14")


@dataclass(frozen=True)
class Distro:
    """What a distro has: Pythons as X.Y."""

    pythons: tuple[str, ...]
    cuda: bool
    conda: bool


DISTROS = {
    "debian": Distro(_ALL, cuda=True, conda=True),
    "alpine": Distro(_ALL, cuda=False, conda=True),
    "ubi8": Distro(("3.8", "3.9", "3.11", "3.12"), cuda=True, conda=False),
    "amazonlinux": Distro(("3.8",), cuda=False, conda=False),
}


def knows_cuda(asked: str) -> bool:
    """Whether `asked` is a CUDA release, the beginning of one (`11`, `12.1`), or `default`."""
    return asked == "default" or any(release == asked or release.startswith(f"{asked}.") for release in CUDA)


def cuda_release(asked: str, generation: str) -> str:
    """The whole release that a known `asked` means to a generation: the newest one that begins with it."""
    if asked == "default":
        return DEFAULT_CUDA[generation]
    if asked in CUDA:
        return asked
    found = [release for release in CUDA if release.startswith(f"{asked}.")]
    usual = [release for release in found if _numbers(release) <= _numbers(_NEWEST[generation])]
    return (usual or found)[0]


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split("."))


def those(fits: list[str]) -> str:
    """Names as a list in a sentence: `debian, alpine and ubi8`."""
    return " and ".join(part for part in (", ".join(fits[:-1]), fits[-1]) if part)
