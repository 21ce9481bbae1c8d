"""GET /api/v1/health: what a monitor is told, and what a stranger is not."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

import losi
from losi.store.health import StoreHealth
from losi.web.dependencies import Services
from tests.dynamodb_client import TABLE
from tests.unit.store.test_health import Store

PATH = "/api/v1/health"


@pytest.fixture
def store(services: Services) -> Store:
    store = Store()
    services.store_health = StoreHealth(store, TABLE, lambda: store.now)
    return store


async def test_it_needs_no_key_and_says_three_things(http: httpx.AsyncClient) -> None:
    response = await http.get(PATH)

    told: dict[str, Any] = response.json()
    assert response.status_code == 200
    assert told.keys() == {"status", "version", "time"}
    assert (told["status"], told["version"]) == ("ok", losi.__version__)
    assert abs(datetime.fromisoformat(told["time"]) - datetime.now(UTC)).total_seconds() < 5


async def test_without_the_store_it_is_503_in_the_envelope_and_names_nothing_of_ours(
    http: httpx.AsyncClient, store: Store
) -> None:
    store.is_down = True

    response = await http.get(PATH)

    error = response.json()["error"]
    assert response.status_code == 503
    assert (error["type"], error["code"]) == ("server_error", "store_unavailable")
    assert response.headers["retry-after"]
    assert not re.search(rf"dynamodb|aws|{TABLE}\b|http", response.text, re.IGNORECASE)


async def test_the_store_s_return_is_seen(http: httpx.AsyncClient, store: Store) -> None:
    store.is_down = True
    await http.get(PATH)
    store.is_down = False
    store.now += 5

    assert (await http.get(PATH)).status_code == 200


async def test_what_a_caller_sends_changes_nothing(http: httpx.AsyncClient) -> None:
    response = await http.get(PATH, headers={"Authorization": "Bearer wrong"})

    assert response.status_code == 200


async def test_other_methods_are_refused(http: httpx.AsyncClient) -> None:
    response = await http.post(PATH, json={})

    assert (response.status_code, response.headers["allow"]) == (405, "GET")
