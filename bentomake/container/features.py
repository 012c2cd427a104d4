"""Features of bentoml that an image can have installed: its extras, which `--enable-features` names."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import UsageError

FEATURES = (
    "all",
    "aws",
    "grpc",
    "grpc-channelz",
    "grpc-reflection",
    "io",
    "io-file",
    "io-image",
    "io-json",
    "io-pandas",
    "monitor-otlp",
    "tracing",
    "tracing-jaeger",
    "tracing-otlp",
    "tracing-zipkin",
    "triton",
)
BUILD_ARG = "BENTOML_FEATURES"  # every Dockerfile of a Bento has it, in the layer of the requirements


def build_arg(features: Iterable[str]) -> str:
    """`BENTOML_FEATURES=grpc,io-image`, for an engine's --build-arg; UsageError for a name that is no feature."""
    names = sorted({name.strip() for feature in features for name in feature.split(",") if name.strip()})
    for name in names:
        if name not in FEATURES:
            import difflib

            close = difflib.get_close_matches(name, FEATURES, n=1)
            there_are = f"There are {', '.join(FEATURES)}."
            raise UsageError(
                f"bentoml has no feature {name}.", hint=f"Did you mean {close[0]}? {there_are}" if close else there_are
            )
    return f"{BUILD_ARG}={','.join(names)}"
