"""Signing in, what a session may do, and when it ends, as a browser meets it."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from losi.config import Config
from losi.errors import LosiError
from losi.identity.key import NewKey
from losi.identity.principal import PERMISSIONS
from losi.identity.secret import Secret
from losi.identity.session import Sessions
from losi.management.accounts import Accounts
from losi.web.app import create_app
from losi.web.dependencies import Services
from tests.ledger_world import Clock
from tests.unit.conftest import TABLE
from tests.unit.web.conftest import ORIGIN

COOKIE = "losi-3000"


@pytest.fixture
def browser(visitor: httpx.AsyncClient) -> httpx.AsyncClient:
    return visitor


async def signed_in(browser: httpx.AsyncClient, key: Secret | None = None) -> httpx.Response:
    if key is None:
        response = await browser.post("/api/v1/session/demo")
    else:
        response = await browser.post("/api/v1/session", json={"api_key": key.text})
    assert response.status_code == 200, response.text
    return response


def code_of(response: httpx.Response) -> str:
    code: str = response.json()["error"]["code"]
    return code


async def test_the_cookie_on_loopback_is_named_after_its_port(browser: httpx.AsyncClient) -> None:
    header = (await signed_in(browser)).headers["set-cookie"]

    assert header.startswith(f"{COOKIE}=")
    assert "HttpOnly" in header and "SameSite=lax" in header and "Path=/" in header
    assert "Secure" not in header and "Domain" not in header


async def test_the_cookie_on_https_is_locked_to_the_host(
    browser: httpx.AsyncClient, services: Services
) -> None:
    services.config = replace(services.config, stage="prod")
    response = await browser.post(
        "https://api.test/api/v1/session/demo", headers={"Origin": "https://api.test"}
    )

    header = response.headers["set-cookie"]
    assert header.startswith("__Host-losi-prod=")
    assert "Secure" in header and "HttpOnly" in header and "Path=/" in header
    assert "Domain" not in header


async def test_plain_http_beyond_loopback_signs_nobody_in(browser: httpx.AsyncClient) -> None:
    response = await browser.post(
        "http://losi.test/api/v1/session/demo", headers={"Origin": "http://losi.test"}
    )

    assert response.status_code == 400 and code_of(response) == "https_required"
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize(
    "header",
    [
        {"X-Losi-Console": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
    ],
)
async def test_another_page_changes_nothing(
    browser: httpx.AsyncClient, header: dict[str, str]
) -> None:
    refused = await browser.post("/api/v1/session/demo", headers=header)
    assert refused.status_code == 403 and code_of(refused) == "cross_site_request"

    await signed_in(browser)
    changed = await browser.patch("/api/v1/profile", json={"name": "Eve"}, headers=header)

    assert changed.status_code in (401, 403)
    assert (await browser.get("/api/v1/profile")).json()["data"]["name"] != "Eve"


async def test_another_page_reads_nothing(browser: httpx.AsyncClient) -> None:
    await signed_in(browser)

    for header in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.test"}):
        response = await browser.get("/api/v1/api-keys", headers=header)
        assert response.status_code == 401


async def test_with_an_authorization_header_the_key_speaks(
    browser: httpx.AsyncClient, accounts: Accounts, account_id: str
) -> None:
    await signed_in(browser)
    key = accounts.create_key(account_id, NewKey("models", frozenset({"models.list"})))[1]

    response = await browser.get(
        "/api/v1/api-keys", headers={"Authorization": f"Bearer {key.text}"}
    )

    assert response.status_code == 403 and code_of(response) == "missing_permission"


async def test_the_page_learns_how_one_can_sign_in(browser: httpx.AsyncClient) -> None:
    here = (await browser.get("/api/v1/session/methods")).json()
    issuer = Config(sign_in_parameter="/losi/sign-in", support="a@b.test")
    app = create_app("session", services=Services(issuer))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
        deployed = (await http.get("/api/v1/session/methods")).json()

    assert here == {"data": {"demo": True, "openid_connect": False, "api_key": True, "support": ""}}
    assert deployed == {
        "data": {"demo": False, "openid_connect": True, "api_key": True, "support": "a@b.test"}
    }


async def test_signing_in_says_which_session_it_opened(
    browser: httpx.AsyncClient, account_id: str, services: Services
) -> None:
    answer = (await signed_in(browser)).json()

    [session] = services.sessions.of_account(account_id)
    assert answer == {"data": {"id": f"sess_{session.id}"}}


async def test_a_key_that_another_process_disabled_signs_nobody_in(
    browser: httpx.AsyncClient, accounts: Accounts, account_id: str, services: Services
) -> None:
    key, secret = accounts.create_key(account_id, NewKey("a key", frozenset(PERMISSIONS)))
    services.authenticator.authenticate(secret)  # this process knows it as good
    accounts.change_key(account_id, key.id, lambda read: replace(read, is_enabled=False))

    refused = await browser.post("/api/v1/session", json={"api_key": secret.text})

    assert refused.status_code in (401, 403)
    assert "set-cookie" not in refused.headers


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({}, "missing_required_parameter", "api_key"),
        ({"api_key": 5}, "invalid_type", "api_key"),
        ({"api_key": "x", "remember": True}, "unknown_parameter", "remember"),
    ],
)
async def test_a_sign_in_that_is_none_is_refused(
    browser: httpx.AsyncClient, body: dict[str, object], code: str, param: str
) -> None:
    refused = await browser.post("/api/v1/session", json=body)

    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["param"]) == (400, code, param)


async def test_another_page_signs_nobody_in_with_a_key(
    browser: httpx.AsyncClient, secret: Secret
) -> None:
    refused = await browser.post(
        "/api/v1/session", json={"api_key": secret.text}, headers={"X-Losi-Console": ""}
    )

    assert refused.status_code == 403 and code_of(refused) == "cross_site_request"


async def test_a_person_manages_keys_without_one(browser: httpx.AsyncClient) -> None:
    await signed_in(browser)
    body = {"name": "CI", "permissions": list(PERMISSIONS)}

    created = (await browser.post("/api/v1/api-keys", json=body)).json()["data"]
    listed = (await browser.get("/api/v1/api-keys")).json()["data"]

    assert created["key"].startswith("losi-")
    assert [key["id"] for key in listed] == [created["id"]]


async def test_a_key_signs_in_with_its_own_permissions_and_no_more(
    browser: httpx.AsyncClient, accounts: Accounts, account_id: str
) -> None:
    reads = frozenset({"usage.read", "api_keys.read"})
    key = accounts.create_key(account_id, NewKey("reads", reads))[1]
    await signed_in(browser, key)

    mine = (await browser.get("/api/v1/profile")).json()["data"]
    models_list = await browser.get("/api/v1/models")

    assert mine["permissions"] == ["api_keys.read", "usage.read"]
    assert mine["signed_in_with"] == f"key_{key.key_id}"
    assert mine["email"] is None and mine["operator"] is False
    assert models_list.status_code == 403 and code_of(models_list) == "missing_permission"
    for method, path in (
        ("PATCH", "/api/v1/profile"),
        ("DELETE", "/api/v1/profile"),
        ("GET", "/api/v1/profile/export"),
        ("GET", "/api/v1/sessions"),
        ("DELETE", "/api/v1/sessions"),
    ):
        refused = await browser.request(method, path)
        assert refused.status_code == 403 and code_of(refused) == "owner_required"


@pytest.mark.parametrize("end", ["disabled", "deleted", "expired"])
async def test_a_session_ends_with_the_key_that_signed_in(
    browser: httpx.AsyncClient,
    accounts: Accounts,
    account_id: str,
    end: str,
) -> None:
    key, secret = accounts.create_key(account_id, NewKey("short", frozenset(PERMISSIONS)))
    await signed_in(browser, secret)
    match end:
        case "disabled":
            accounts.change_key(account_id, key.id, lambda k: replace(k, is_enabled=False))
        case "deleted":
            accounts.delete_key(account_id, key.id)
        case _:
            past = key.created_at - timedelta(days=1)
            accounts.change_key(account_id, key.id, lambda k: replace(k, expires_at=past))

    response = await browser.get("/api/v1/profile")

    assert response.status_code == 401 and code_of(response) == "session_expired"


async def test_a_session_ends_when_its_account_is_disabled(
    browser: httpx.AsyncClient, accounts: Accounts, account_id: str
) -> None:
    await signed_in(browser)
    accounts.set_disabled(account_id, True)

    response = await browser.get("/api/v1/profile")

    assert response.status_code == 401 and code_of(response) == "session_expired"


async def test_every_sign_in_has_a_new_token_and_ends_the_one_before(
    browser: httpx.AsyncClient,
) -> None:
    await signed_in(browser)
    first = browser.cookies[COOKIE]
    await signed_in(browser)
    second = browser.cookies[COOKIE]
    planted = await browser.get("/api/v1/profile", headers={"Cookie": f"{COOKIE}={first}"})

    assert first != second
    assert planted.status_code == 401


async def test_signing_out_ends_the_session_not_only_the_cookie(
    browser: httpx.AsyncClient,
) -> None:
    await signed_in(browser)
    token = browser.cookies[COOKIE]

    response = await browser.delete("/api/v1/session")
    again = await browser.get("/api/v1/profile", headers={"Cookie": f"{COOKIE}={token}"})

    assert response.json() == {"success": True}
    assert response.headers["clear-site-data"] == '"cache"'
    assert "Max-Age=0" in response.headers["set-cookie"]
    assert again.status_code == 401


async def test_signing_out_everywhere_ends_all_sessions(
    browser: httpx.AsyncClient, account_id: str, services: Services
) -> None:
    elsewhere = services.sessions.open(account_id, "a phone")
    await signed_in(browser)
    listed = (await browser.get("/api/v1/sessions")).json()["data"]
    assert len(listed) == 2
    assert [each["device"] for each in listed if not each["current"]] == ["a phone"]

    await browser.delete("/api/v1/sessions")

    with pytest.raises(LosiError):
        services.sessions.read(elsewhere)


async def test_one_session_is_ended_by_its_id_and_the_others_stay(
    browser: httpx.AsyncClient, account_id: str, services: Services
) -> None:
    phone, laptop = (services.sessions.open(account_id, each) for each in ("phone", "laptop"))
    await signed_in(browser)

    ended = await browser.delete("/api/v1/sessions", params={"id": f"sess_{phone.session_id}"})

    assert (ended.status_code, ended.json()) == (200, {"success": True})
    with pytest.raises(LosiError):
        services.sessions.read(phone)
    assert services.sessions.read(laptop)
    assert (await browser.get("/api/v1/profile")).status_code == 200


async def test_an_id_that_is_none_ends_nothing(
    browser: httpx.AsyncClient, account_id: str, services: Services
) -> None:
    phone = services.sessions.open(account_id, "phone")
    await signed_in(browser)

    refused = await browser.delete("/api/v1/sessions", params={"id": phone.session_id})

    assert (refused.status_code, refused.json()["error"]["param"]) == (404, "id")
    assert services.sessions.read(phone)


async def test_another_accounts_session_is_not_ended(
    browser: httpx.AsyncClient, accounts: Accounts, services: Services
) -> None:
    other = services.sessions.open(accounts.create_account("free").id, "")
    await signed_in(browser)

    await browser.delete("/api/v1/sessions", params={"id": f"sess_{other.session_id}"})

    assert services.sessions.read(other)


async def test_the_owner_changes_name_and_api_access(browser: httpx.AsyncClient) -> None:
    await signed_in(browser)

    response = await browser.patch("/api/v1/profile", json={"name": "Ada", "api_access": False})

    data = response.json()["data"]
    assert data["name"] == "Ada" and data["api_access"] is False
    assert data["plan"]["keys"] == 10 and "gpt-4o" in data["plan"]["models"]


async def test_without_api_access_the_playground_is_refused_and_the_console_is_not(
    browser: httpx.AsyncClient,
) -> None:
    await signed_in(browser)
    await browser.patch("/api/v1/profile", json={"api_access": False})
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}

    asked = await browser.post("/api/v1/chat/completions", json=body)

    assert asked.status_code == 403 and code_of(asked) == "api_access_disabled"
    assert (await browser.get("/api/v1/api-keys")).status_code == 200


async def test_the_playground_is_metered_under_its_own_name_and_is_no_key(
    browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOSI_SANDBOX_FALLBACK", "1")
    await signed_in(browser)
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}

    answer = await browser.post("/api/v1/chat/completions", json=body)

    assert answer.status_code == 200, answer.text
    usage = (await browser.get("/api/v1/api-usage?group_by=key")).json()["data"]["usage"]
    assert [row["key"] for row in usage] == ["playground"]
    assert usage[0]["total_input_tokens"] == answer.json()["usage"]["prompt_tokens"]
    assert (await browser.get("/api/v1/api-keys")).json()["data"] == []
    assert (await browser.get("/api/v1/profile")).json()["data"]["key_count"] == 0


async def test_where_the_account_stands_is_seen_without_a_completion(
    browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOSI_SANDBOX_FALLBACK", "1")
    await signed_in(browser)
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}
    answer = await browser.post("/api/v1/chat/completions", json=body)

    data = (await browser.get("/api/v1/limits")).json()["data"]

    assert data["day"]["tokens"]["used"] == answer.json()["usage"]["total_tokens"]
    assert data["day"]["tokens"]["limit"] == 100_000_000 and data["day"]["tokens"]["held"] == 0
    assert data["minute"]["requests"]["used"] <= 1
    assert data["running"] == {"used": 0, "limit": 50}


async def test_deleting_the_account_takes_all_of_it(
    browser: httpx.AsyncClient, accounts: Accounts, account_id: str
) -> None:
    await signed_in(browser)

    response = await browser.delete("/api/v1/profile")

    assert response.json() == {"success": True}
    with pytest.raises(LosiError):
        accounts.account(account_id)
    assert (await browser.get("/api/v1/profile")).status_code == 401


async def test_an_account_is_not_deleted_by_whoever_finds_the_page_open(
    browser: httpx.AsyncClient, accounts: Accounts, account_id: str, services: Services
) -> None:
    await signed_in(browser)
    an_hour_on = Clock()
    an_hour_on.now = time.time() + 3_600
    services.sessions = Sessions(services.client, TABLE, services.catalogue.plans, an_hour_on)

    refused = await browser.delete("/api/v1/profile")

    assert refused.status_code == 403 and code_of(refused) == "fresh_sign_in_required"
    assert accounts.account(account_id).id == account_id
