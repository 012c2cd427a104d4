"""What stories about containers share: one world with an engine, in which each test has a Bento of its own name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from containers import ENGINES
from shop import Shop


@pytest.fixture(scope="session")
def _shop(bentoml14: str, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    if "docker" not in ENGINES:
        pytest.skip("BENTOMAKE_TEST_ENGINES does not name docker")
    return Shop(tmp_path_factory.mktemp("shop"), bentoml14)


@pytest.fixture
def shop(_shop: Shop) -> Iterator[Shop]:
    """The docker stories' world; what a test has made images of is removed after it."""
    yield _shop
    _shop.clear()
