"""What a person who is signed in does with the account, and in the playground."""

from __future__ import annotations

import time

import httpx
import pytest

from losi.errors import LosiError
from losi.identity.session import Sessions
from losi.management.accounts import Accounts
from losi.web.dependencies import Services
from tests.contract.web.browsing import asked, code_of, signed_in
from tests.dynamodb_client import TABLE
from tests.ledger_world import Clock


async def test_the_owner_changes_name_and_api_access(visitor: httpx.AsyncClient) -> None:
    await signed_in(visitor)

    response = await visitor.patch("/api/v1/profile", json={"name": "Ada", "api_access": False})

    data = response.json()["data"]
    assert data["name"] == "Ada" and data["api_access"] is False
    assert data["plan"]["keys"] == 10 and "gpt-4o" in data["plan"]["models"]


async def test_without_api_access_the_playground_is_refused_and_the_console_is_not(
    visitor: httpx.AsyncClient,
) -> None:
    await signed_in(visitor)
    await visitor.patch("/api/v1/profile", json={"api_access": False})

    refused = await asked(visitor)

    assert refused.status_code == 403 and code_of(refused) == "api_access_disabled"
    assert (await visitor.get("/api/v1/api-keys")).status_code == 200


async def test_the_playground_is_metered_under_its_own_name_and_is_no_key(
    visitor: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOSI_SANDBOX_FALLBACK", "1")
    await signed_in(visitor)

    answer = await asked(visitor)

    assert answer.status_code == 200, answer.text
    usage = (await visitor.get("/api/v1/api-usage?group_by=key")).json()["data"]["usage"]
    assert [row["key"] for row in usage] == ["playground"]
    assert usage[0]["total_input_tokens"] == answer.json()["usage"]["prompt_tokens"]
    assert (await visitor.get("/api/v1/api-keys")).json()["data"] == []
    assert (await visitor.get("/api/v1/profile")).json()["data"]["key_count"] == 0


async def test_where_the_account_stands_is_seen_without_a_completion(
    visitor: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOSI_SANDBOX_FALLBACK", "1")
    await signed_in(visitor)
    answer = await asked(visitor)

    data = (await visitor.get("/api/v1/limits")).json()["data"]

    assert data["day"]["tokens"]["used"] == answer.json()["usage"]["total_tokens"]
    assert data["day"]["tokens"]["limit"] == 100_000_000 and data["day"]["tokens"]["held"] == 0
    assert data["minute"]["requests"]["used"] <= 1
    assert data["running"] == {"used": 0, "limit": 50}


async def test_deleting_the_account_takes_all_of_it(
    visitor: httpx.AsyncClient, accounts: Accounts, account_id: str
) -> None:
    await signed_in(visitor)

    response = await visitor.delete("/api/v1/profile")

    assert response.json() == {"success": True}
    with pytest.raises(LosiError):
        accounts.account(account_id)
    assert (await visitor.get("/api/v1/profile")).status_code == 401


async def test_an_account_is_not_deleted_by_whoever_finds_the_page_open(
    visitor: httpx.AsyncClient, accounts: Accounts, account_id: str, services: Services
) -> None:
    await signed_in(visitor)
    an_hour_on = Clock()
    an_hour_on.now = time.time() + 3_600
    services.sessions = Sessions(services.client, TABLE, services.catalogue.plans, an_hour_on)

    refused = await visitor.delete("/api/v1/profile")

    assert refused.status_code == 403 and code_of(refused) == "fresh_sign_in_required"
    assert accounts.account(account_id).id == account_id
