"""Features of bentoml as a build argument."""

from __future__ import annotations

import pytest
from dockerfile_made import BUILDKIT, DOCKERFILE, make

from bentomake.container.features import BUILD_ARG, FEATURES, build_arg
from bentomake.errors import UsageError


def test_names_become_one_argument() -> None:
    assert build_arg(["io-image,grpc", " io-image ", ""]) == "BENTOML_FEATURES=grpc,io-image"
    assert len(FEATURES) == 16


def test_what_is_no_feature_is_refused_with_those_that_are() -> None:
    with pytest.raises(UsageError) as caught:
        build_arg(["grcp"])
    assert str(caught.value.hint).startswith("Did you mean grpc? There are all, aws,")


@pytest.mark.parametrize("generation", ["runner", "class"])
def test_every_dockerfile_takes_it_in_the_layer_of_the_requirements(generation: str, tmp_path: object) -> None:
    for text in (make(tmp_path, generation)[name] for name in (DOCKERFILE, BUILDKIT)):  # type: ignore[arg-type]
        assert f"\nARG {BUILD_ARG}=\nRUN " in text
