"""What operators see and change of other accounts, and who is none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from local.sign_in import add_demo_sign_in
from losi.identity.key import NewKey
from losi.identity.principal import PERMISSIONS
from losi.management.accounts import Accounts
from losi.web.app import create_app
from losi.web.dependencies import Services
from losi.web.endpoints import CONSOLE, FUNCTIONS

ORIGIN = "http://127.0.0.1:3000"
WRITE = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin", "X-Losi-Console": "1"}
PATHS = [(each.method, each.path) for each in CONSOLE if each.function == "operator"]


@pytest.fixture
async def browser(services: Services, account_id: str) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(*FUNCTIONS, services=services)
    add_demo_sign_in(app, account_id)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=WRITE) as http:
        await http.post("/api/v1/session/demo")
        yield http


@pytest.fixture
def operator(accounts: Accounts, account_id: str) -> None:
    accounts.set_operator(account_id, True)


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_who_is_no_operator_sees_no_account(
    browser: httpx.AsyncClient, accounts: Accounts, account_id: str, method: str, path: str
) -> None:
    other = f"acct_{accounts.create_account('free').id}"

    as_owner = await browser.request(method, path, params={"id": other})
    accounts.set_operator(account_id, True)
    key = accounts.create_key(account_id, NewKey("all", frozenset(PERMISSIONS)))[1]
    with_key = await browser.request(
        method, path, params={"id": other}, headers={"Authorization": f"Bearer {key.text}"}
    )
    await browser.post("/api/v1/session", json={"api_key": key.text})
    by_key = await browser.request(method, path, params={"id": other})

    assert as_owner.json()["error"]["code"] == "operator_required"
    assert with_key.json()["error"]["code"] == "session_expired"
    assert by_key.json()["error"]["code"] == "owner_required"


async def test_accounts_are_found_by_id_address_and_name(
    browser: httpx.AsyncClient, accounts: Accounts, operator: None
) -> None:
    ada = accounts.create_account("pro", name="Ada Lovelace")
    accounts.create_account("free", name="Bob")

    for words in ("lovelace", "LOVE", f"acct_{ada.id}"):
        data = (await browser.get("/api/v1/operator/accounts", params={"q": words})).json()["data"]
        assert [each["id"] for each in data["accounts"]] == [f"acct_{ada.id}"]
        assert data["total"] == 1 and data["next_cursor"] is None


async def test_many_accounts_come_in_pages(
    browser: httpx.AsyncClient, accounts: Accounts, operator: None
) -> None:
    for _ in range(51):
        accounts.create_account("free")
    first = (await browser.get("/api/v1/operator/accounts")).json()["data"]
    cursor = {"cursor": first["next_cursor"]}
    second = (await browser.get("/api/v1/operator/accounts", params=cursor)).json()["data"]

    assert len(first["accounts"]) == 50 and len(second["accounts"]) == first["total"] - 50
    assert second["next_cursor"] is None


async def test_a_plan_is_changed_and_an_account_disabled_with_its_sessions(
    browser: httpx.AsyncClient, accounts: Accounts, operator: None, services: Services
) -> None:
    other = accounts.create_account("free", name="Bob")
    services.sessions.open(other.id, "a laptop")
    params = {"id": f"acct_{other.id}"}

    async def change(**json: object) -> httpx.Response:
        return await browser.patch("/api/v1/operator/account", params=params, json=json)

    assert (await change(plan="pro")).json()["data"]["plan"] == "pro"
    assert (await change(plan="gold")).status_code == 400
    assert (await change(disabled=True)).json()["data"]["disabled"] is True
    assert services.sessions.of_account(other.id) == []
    records = accounts.audit_log(other.id, 10)
    assert {record.actor for record in records if record.action != "account.created"} == {
        records[0].actor
    }
    assert records[0].actor.startswith("sess_")


async def test_operators_do_not_lock_themselves_out(
    browser: httpx.AsyncClient, account_id: str, operator: None
) -> None:
    response = await browser.patch(
        "/api/v1/operator/account", params={"id": f"acct_{account_id}"}, json={"disabled": True}
    )

    assert response.status_code == 403 and response.json()["error"]["code"] == "own_account"


async def test_a_change_takes_a_recent_sign_in(
    browser: httpx.AsyncClient,
    accounts: Accounts,
    operator: None,
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = accounts.create_account("free")
    sessions = services.sessions
    later = sessions.now() + timedelta(minutes=16)
    monkeypatch.setattr(sessions, "now", lambda: later)

    response = await browser.patch(
        "/api/v1/operator/account", params={"id": f"acct_{other.id}"}, json={"plan": "pro"}
    )

    assert response.json()["error"]["code"] == "fresh_sign_in_required"
