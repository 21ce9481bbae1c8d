"""A test key sees test things only, wherever it is used: in the API and in the console."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx

from losi.config import Config
from losi.identity.key import NewKey
from losi.identity.principal import PERMISSIONS
from losi.web.app import create_app
from losi.web.dependencies import Services
from losi.web.endpoints import ENDPOINTS, FUNCTIONS
from tests.account_world import Caller
from tests.dynamodb_client import TABLE
from tests.ledger_world import BlockingLedger
from tests.over_boto3 import OverBoto3

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ORIGIN = "http://127.0.0.1:3000"
CONSOLE = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin", "X-Losi-Console": "1"}
ALL = frozenset(PERMISSIONS)


async def test_what_a_test_key_reads_is_of_test_keys(client: DynamoDBClient) -> None:
    services = Services(Config(table=TABLE, sandbox_fallback=True))
    services.client = client
    accounts = services.accounts
    services.dynamodb = services.settling_dynamodb = OverBoto3(client)
    account_id = accounts.create_account("ultra", name="Ann", email="ann@example.com").id
    live_key, live = accounts.create_key(account_id, NewKey("live one", ALL))
    test_key, test = accounts.create_key(account_id, NewKey("tester", ALL, test=True))
    ledger = BlockingLedger(client, TABLE)
    await asyncio.to_thread(Caller(services.authenticator, ledger, live).call)

    transport = httpx.ASGITransport(create_app(*FUNCTIONS, services=services))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
        bearer = {"Authorization": f"Bearer {test.text}"}
        answers = {
            endpoint.name: await http.get(
                endpoint.path.replace("{id+}", "gpt-4o-mini"), headers=bearer
            )
            for endpoint in ENDPOINTS
            if endpoint.method == "GET"
        }
        await http.post("/api/v1/session", json={"api_key": test.text}, headers=CONSOLE)
        for name in ("limits", "profile", "sessions", "profile/export", "operator/accounts"):
            answers[name] = await http.get(f"/api/v1/{name}", headers=CONSOLE)

    everything = "".join(answer.text for answer in answers.values())
    assert live_key.id not in everything and "live one" not in everything
    assert "ann@example.com" not in everything
    assert [key["id"] for key in answers["list_keys"].json()["data"]] == [f"key_{test_key.id}"]
    assert answers["get_usage"].json()["data"]["usage"] == []
    assert answers["get_audit_log"].json()["data"] == []
    assert answers["limits"].json()["data"]["day"]["tokens"]["used"] == 0
    refused = ("sessions", "profile/export", "operator/accounts")
    assert [answers[name].status_code for name in refused] == [403] * 3
