"""The releases of protobuf and grpcio with which bentoml 1.0 and 1.1 serve gRPC: bentoml itself names no bounds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from . import pins

# protobuf 6.30 took away google.protobuf.service, which bentoml/grpc/v1/_generated_pb3 imports (all but protobuf 4 gets
# that one). grpcio 1.83 made abort_with_status abstract in grpc.aio.ServicerContext (grpc/grpc#42733), of which
# bentoml/grpc/interceptors/opentelemetry.py has a subclass without it. Tried with bentoml 1.1.11: a health check and a
# call succeed with protobuf 3.20, 4.25 and 5.29 and grpcio 1.82.3; they fail with protobuf 6.33 and 7.36, and with
# grpcio 1.83.2 and 1.85.3.
BOUNDS = {"grpcio": "<1.83", "protobuf": "<6"}
EXTRAS = frozenset({"all", "grpc", "grpc-channelz", "grpc-reflection"})  # of bentoml: those that bring grpcio
_EXTRAS = re.compile(r"[\w.-]+\s*\[([^\]]*)\]")


def asked(lines: Iterable[pins.Line]) -> bool:
    """Whether these requirements ask for gRPC by an extra of bentoml."""
    found = (_EXTRAS.match(line.spec) for line in lines if line.name == "bentoml")
    return any(pins.canonical(extra.strip()) in EXTRAS for match in found if match for extra in match[1].split(","))


def constraints(given: pins.Requirements) -> list[str]:
    """The bounds, as lines of a constraint file, that requirements with gRPC want: of packages that no line bounds."""
    if not asked(given.lines):
        return []
    bounded = {line.name for line in [*given.lines, *given.constraints] if line.pinned}
    return beside(bounded)


def beside(names: Iterable[str | None]) -> list[str]:
    """The bounds of the packages that are not among these, as lines of a constraint file."""
    there = set(names)
    return [f"{name}{bound}" for name, bound in BOUNDS.items() if name not in there]


def concern(bentoml: str | None) -> bool:
    """Whether they hold for that version of bentoml; of one that nobody knows they do not."""
    found = re.match(r"(\d+)\.(\d+)", bentoml or "")
    return found is not None and (int(found[1]), int(found[2])) < (1, 2)


def broken(versions: Mapping[str, str]) -> str | None:
    """The sentence that says why gRPC cannot be served with these versions (name → version); None if it can."""
    from packaging.specifiers import SpecifierSet

    wrong = [
        f"{name} {versions[name]} (wanted: {bound})"
        for name, bound in BOUNDS.items()
        if pins.is_version(versions.get(name, ""))
        and not SpecifierSet(bound).contains(versions[name], prereleases=True)
    ]
    return f"bentoml 1.1 cannot serve gRPC with {' and '.join(wrong)}." if wrong else None
