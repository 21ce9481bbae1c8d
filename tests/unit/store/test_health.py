"""Whether the table answers: asked seldom, however often it is to be known."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from losi.errors import StoreUnavailableError
from losi.http1 import ConnectionLostError
from losi.store.health import KEPT_SECONDS, StoreHealth


class Store:
    """DynamoDB's answer to a read of nothing, or none; counts how often it is asked."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.reads = 0
        self.is_down = False

    async def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        assert operation == "BatchGetItem"
        self.reads += 1
        await asyncio.sleep(0)
        if self.is_down:
            raise ConnectionLostError("the answer was lost")
        return {"Responses": {}, "UnprocessedKeys": {}}


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def health(store: Store) -> StoreHealth:
    return StoreHealth(store, "losi", lambda: store.now)


async def test_a_flood_of_checks_is_one_read(health: StoreHealth, store: Store) -> None:
    await asyncio.gather(*(health.check() for _ in range(200)))
    store.now += KEPT_SECONDS - 0.1
    await health.check()

    assert store.reads == 1


async def test_what_was_found_is_forgotten(health: StoreHealth, store: Store) -> None:
    await health.check()
    store.now += KEPT_SECONDS
    store.is_down = True

    with pytest.raises(StoreUnavailableError):
        await health.check()
    assert store.reads == 2


async def test_a_store_that_is_down_is_not_asked_more_often(
    health: StoreHealth, store: Store
) -> None:
    store.is_down = True

    answers = await asyncio.gather(*(health.check() for _ in range(200)), return_exceptions=True)

    assert {type(answer) for answer in answers} == {StoreUnavailableError}
    assert store.reads == 1
