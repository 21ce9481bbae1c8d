"""Signing in, what a session may do, and when it ends, as a browser meets it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from losi.config import Config
from losi.errors import LosiError
from losi.identity.key import NewKey
from losi.identity.principal import PERMISSIONS
from losi.identity.secret import Secret
from losi.management.accounts import Accounts
from losi.web.app import create_app
from losi.web.dependencies import Services
from tests.contract.web.browsing import code_of, signed_in
from tests.contract.web.conftest import ORIGIN

COOKIE = "losi-3000"


async def test_the_cookie_on_loopback_is_named_after_its_port(visitor: httpx.AsyncClient) -> None:
    header = (await signed_in(visitor)).headers["set-cookie"]

    assert header.startswith(f"{COOKIE}=")
    assert "HttpOnly" in header and "SameSite=lax" in header and "Path=/" in header
    assert "Secure" not in header and "Domain" not in header


async def test_the_cookie_on_https_is_locked_to_the_host(
    visitor: httpx.AsyncClient, services: Services
) -> None:
    services.config = replace(services.config, stage="prod")
    response = await visitor.post(
        "https://api.test/api/v1/session/demo", headers={"Origin": "https://api.test"}
    )

    header = response.headers["set-cookie"]
    assert header.startswith("__Host-losi-prod=")
    assert "Secure" in header and "HttpOnly" in header and "Path=/" in header
    assert "Domain" not in header


async def test_plain_http_beyond_loopback_signs_nobody_in(visitor: httpx.AsyncClient) -> None:
    response = await visitor.post(
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
    visitor: httpx.AsyncClient, header: dict[str, str]
) -> None:
    refused = await visitor.post("/api/v1/session/demo", headers=header)
    assert refused.status_code == 403 and code_of(refused) == "cross_site_request"

    await signed_in(visitor)
    changed = await visitor.patch("/api/v1/profile", json={"name": "Eve"}, headers=header)

    assert changed.status_code in (401, 403)
    assert (await visitor.get("/api/v1/profile")).json()["data"]["name"] != "Eve"


async def test_another_page_reads_nothing(visitor: httpx.AsyncClient) -> None:
    await signed_in(visitor)

    for header in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.test"}):
        response = await visitor.get("/api/v1/api-keys", headers=header)
        assert response.status_code == 401


async def test_with_an_authorization_header_the_key_speaks(
    visitor: httpx.AsyncClient, accounts: Accounts, account_id: str
) -> None:
    await signed_in(visitor)
    key = accounts.create_key(account_id, NewKey("models", frozenset({"models.list"})))[1]

    response = await visitor.get(
        "/api/v1/api-keys", headers={"Authorization": f"Bearer {key.text}"}
    )

    assert response.status_code == 403 and code_of(response) == "missing_permission"


async def test_the_page_learns_how_one_can_sign_in(visitor: httpx.AsyncClient) -> None:
    here = (await visitor.get("/api/v1/session/methods")).json()
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
    visitor: httpx.AsyncClient, account_id: str, services: Services
) -> None:
    answer = (await signed_in(visitor)).json()

    [session] = services.sessions.of_account(account_id)
    assert answer == {"data": {"id": f"sess_{session.id}"}}


async def test_a_key_that_another_process_disabled_signs_nobody_in(
    visitor: httpx.AsyncClient, accounts: Accounts, account_id: str, services: Services
) -> None:
    key, secret = accounts.create_key(account_id, NewKey("a key", frozenset(PERMISSIONS)))
    services.authenticator.authenticate(secret)  # this process knows it as good
    accounts.change_key(account_id, key.id, lambda read: replace(read, is_enabled=False))

    refused = await visitor.post("/api/v1/session", json={"api_key": secret.text})

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
    visitor: httpx.AsyncClient, body: dict[str, object], code: str, param: str
) -> None:
    refused = await visitor.post("/api/v1/session", json=body)

    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["param"]) == (400, code, param)


async def test_another_page_signs_nobody_in_with_a_key(
    visitor: httpx.AsyncClient, secret: Secret
) -> None:
    refused = await visitor.post(
        "/api/v1/session", json={"api_key": secret.text}, headers={"X-Losi-Console": ""}
    )

    assert refused.status_code == 403 and code_of(refused) == "cross_site_request"


async def test_a_person_manages_keys_without_one(visitor: httpx.AsyncClient) -> None:
    await signed_in(visitor)
    body = {"name": "CI", "permissions": list(PERMISSIONS)}

    created = (await visitor.post("/api/v1/api-keys", json=body)).json()["data"]
    listed = (await visitor.get("/api/v1/api-keys")).json()["data"]

    assert created["key"].startswith("losi-")
    assert [key["id"] for key in listed] == [created["id"]]


async def test_a_key_signs_in_with_its_own_permissions_and_no_more(
    visitor: httpx.AsyncClient, accounts: Accounts, account_id: str
) -> None:
    reads = frozenset({"usage.read", "api_keys.read"})
    key = accounts.create_key(account_id, NewKey("reads", reads))[1]
    await signed_in(visitor, key)

    mine = (await visitor.get("/api/v1/profile")).json()["data"]
    models_list = await visitor.get("/api/v1/models")

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
        refused = await visitor.request(method, path)
        assert refused.status_code == 403 and code_of(refused) == "owner_required"


@pytest.mark.parametrize("end", ["disabled", "deleted", "expired"])
async def test_a_session_ends_with_the_key_that_signed_in(
    visitor: httpx.AsyncClient,
    accounts: Accounts,
    account_id: str,
    end: str,
) -> None:
    key, secret = accounts.create_key(account_id, NewKey("short", frozenset(PERMISSIONS)))
    await signed_in(visitor, secret)
    match end:
        case "disabled":
            accounts.change_key(account_id, key.id, lambda k: replace(k, is_enabled=False))
        case "deleted":
            accounts.delete_key(account_id, key.id)
        case _:
            past = key.created_at - timedelta(days=1)
            accounts.change_key(account_id, key.id, lambda k: replace(k, expires_at=past))

    response = await visitor.get("/api/v1/profile")

    assert response.status_code == 401 and code_of(response) == "session_expired"


async def test_a_session_ends_when_its_account_is_disabled(
    visitor: httpx.AsyncClient, accounts: Accounts, account_id: str
) -> None:
    await signed_in(visitor)
    accounts.set_disabled(account_id, True)

    response = await visitor.get("/api/v1/profile")

    assert response.status_code == 401 and code_of(response) == "session_expired"


async def test_every_sign_in_has_a_new_token_and_ends_the_one_before(
    visitor: httpx.AsyncClient,
) -> None:
    await signed_in(visitor)
    first = visitor.cookies[COOKIE]
    await signed_in(visitor)
    second = visitor.cookies[COOKIE]
    planted = await visitor.get("/api/v1/profile", headers={"Cookie": f"{COOKIE}={first}"})

    assert first != second
    assert planted.status_code == 401


async def test_signing_out_ends_the_session_not_only_the_cookie(
    visitor: httpx.AsyncClient,
) -> None:
    await signed_in(visitor)
    token = visitor.cookies[COOKIE]

    response = await visitor.delete("/api/v1/session")
    again = await visitor.get("/api/v1/profile", headers={"Cookie": f"{COOKIE}={token}"})

    assert response.json() == {"success": True}
    assert response.headers["clear-site-data"] == '"cache"'
    assert "Max-Age=0" in response.headers["set-cookie"]
    assert again.status_code == 401


async def test_signing_out_everywhere_ends_all_sessions(
    visitor: httpx.AsyncClient, account_id: str, services: Services
) -> None:
    elsewhere = services.sessions.open(account_id, "a phone")
    await signed_in(visitor)
    listed = (await visitor.get("/api/v1/sessions")).json()["data"]
    assert len(listed) == 2
    assert [each["device"] for each in listed if not each["current"]] == ["a phone"]

    await visitor.delete("/api/v1/sessions")

    with pytest.raises(LosiError):
        services.sessions.read(elsewhere)


async def test_one_session_is_ended_by_its_id_and_the_others_stay(
    visitor: httpx.AsyncClient, account_id: str, services: Services
) -> None:
    phone, laptop = (services.sessions.open(account_id, each) for each in ("phone", "laptop"))
    await signed_in(visitor)

    ended = await visitor.delete("/api/v1/sessions", params={"id": f"sess_{phone.session_id}"})

    assert (ended.status_code, ended.json()) == (200, {"success": True})
    with pytest.raises(LosiError):
        services.sessions.read(phone)
    assert services.sessions.read(laptop)
    assert (await visitor.get("/api/v1/profile")).status_code == 200


async def test_an_id_that_is_none_ends_nothing(
    visitor: httpx.AsyncClient, account_id: str, services: Services
) -> None:
    phone = services.sessions.open(account_id, "phone")
    await signed_in(visitor)

    refused = await visitor.delete("/api/v1/sessions", params={"id": phone.session_id})

    assert (refused.status_code, refused.json()["error"]["param"]) == (404, "id")
    assert services.sessions.read(phone)


async def test_another_accounts_session_is_not_ended(
    visitor: httpx.AsyncClient, accounts: Accounts, services: Services
) -> None:
    other = services.sessions.open(accounts.create_account("free").id, "")
    await signed_in(visitor)

    await visitor.delete("/api/v1/sessions", params={"id": f"sess_{other.session_id}"})

    assert services.sessions.read(other)


async def test_a_mistyped_id_ends_no_session(
    visitor: httpx.AsyncClient, services: Services, account_id: str
) -> None:
    await signed_in(visitor)
    phone = services.sessions.open(account_id, "phone")

    refused = await visitor.delete("/api/v1/sessions", params={"ids": f"sess_{phone.session_id}"})

    assert refused.json()["error"]["message"] == "Unknown parameter: 'ids'. Did you mean 'id'?"
    assert services.sessions.read(phone)
