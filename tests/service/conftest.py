"""The two generations, each with a store of models, for all stories of this directory."""

from __future__ import annotations

import pytest
from service_projects import Generation


@pytest.fixture(scope="session")
def runners(bentoml11: str, tmp_path_factory: pytest.TempPathFactory) -> Generation:
    return Generation(bentoml11, tmp_path_factory.mktemp("runners"))


@pytest.fixture(scope="session")
def classes(bentoml14: str, tmp_path_factory: pytest.TempPathFactory) -> Generation:
    return Generation(bentoml14, tmp_path_factory.mktemp("classes"))
