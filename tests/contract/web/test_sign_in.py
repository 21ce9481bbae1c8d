"""Signing in at an issuer: where it leads, what it needs to come back, and what ends it. With a
real provider: tests/integration/test_sign_in.py.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import boto3
import httpx
import pytest

from losi.config import Config
from losi.management.accounts import Accounts
from losi.web.dependencies import Services
from losi.web.openid_connect import Client, OpenIdConnect
from tests.contract.web.conftest import app_of
from tests.issuer import ISSUER, NOW, Issuer

ORIGIN = "http://127.0.0.1:3000"
START = "/api/v1/session/oidc"
CALLBACK = "/api/v1/session/oidc/callback"
LOGIN = "losi-3000-login"


@pytest.fixture
def issuer(services: Services) -> Issuer:
    made = Issuer()
    services.config = replace(services.config, sign_in="{}")
    services.openid_connect = OpenIdConnect(
        Client(ISSUER, "losi"), lambda: float(NOW), made.transport
    )
    services.accounts.index_emails()
    return made


@pytest.fixture
async def browser(services: Services, issuer: Issuer) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app_of(services))
    async with httpx.AsyncClient(
        transport=transport, base_url=ORIGIN, headers={"User-Agent": "a phone"}
    ) as http:
        yield http


@pytest.fixture
def ada(accounts: Accounts, issuer: Issuer) -> str:
    return accounts.create_account("pro", email="ada@example.com").id


async def begin(browser: httpx.AsyncClient, issuer: Issuer, return_to: str = "") -> dict[str, str]:
    """What the browser brings back from the issuer."""
    begun = await browser.get(START, params={"return_to": return_to})
    assert begun.status_code == 302, begun.text
    return issuer.authorize(begun.headers["location"])


async def finish(browser: httpx.AsyncClient, back: dict[str, str]) -> str:
    """Where it leads."""
    ended = await browser.get(CALLBACK, params=back)
    assert ended.status_code == 302, ended.text
    return str(ended.headers["location"])


REFUSED = "/console/signin/?error=sign_in_failed"


async def test_a_person_comes_back_signed_in(
    browser: httpx.AsyncClient, issuer: Issuer, ada: str
) -> None:
    led_to = await finish(browser, await begin(browser, issuer, "/console/usage/?range=7"))
    profile = (await browser.get("/api/v1/profile")).json()["data"]
    (session,) = (await browser.get("/api/v1/sessions")).json()["data"]

    assert led_to == "/console/usage/?range=7"
    assert (profile["id"], profile["email"]) == (f"acct_{ada}", "ada@example.com")
    assert session["device"] == "a phone"


async def test_the_issuer_hears_where_to_send_people_back(
    browser: httpx.AsyncClient, issuer: Issuer
) -> None:
    begun = await browser.get(START)
    query = dict(parse_qsl(urlsplit(begun.headers["location"]).query))

    assert query["redirect_uri"] == f"{ORIGIN}{CALLBACK}"


async def test_behind_a_stage_all_paths_have_it(services: Services, issuer: Issuer) -> None:
    app = app_of(services)

    async def staged(scope: object, receive: object, send: object) -> None:
        assert isinstance(scope, dict)
        event = {"requestContext": {"path": f"/prod{scope['path']}"}}
        await app({**scope, "aws.event": event}, receive, send)  # type: ignore[arg-type]

    transport = httpx.ASGITransport(app=staged)
    async with httpx.AsyncClient(transport=transport, base_url="https://api.test") as browser:
        begun = await browser.get(START, params={"return_to": "/prod/console/keys/"})
        query = dict(parse_qsl(urlsplit(begun.headers["location"]).query))
        led_to = await finish(browser, {"state": query["state"], "error": "access_denied"})

    assert query["redirect_uri"] == f"https://api.test/prod{CALLBACK}"
    assert "Secure" in begun.headers["set-cookie"]
    assert led_to == f"/prod{REFUSED}"


async def test_what_must_be_found_again_is_in_a_cookie_for_ten_minutes(
    browser: httpx.AsyncClient, issuer: Issuer
) -> None:
    begun = await browser.get(START)
    cookie, *attributes = begun.headers["set-cookie"].split("; ")
    state = dict(parse_qsl(urlsplit(begun.headers["location"]).query))["state"]

    name, _, value = cookie.partition("=")
    assert name == LOGIN
    assert json.loads(base64.urlsafe_b64decode(value.strip('"')))[0] == state
    assert sorted(attributes) == ["HttpOnly", "Max-Age=600", "Path=/", "SameSite=lax"]


async def test_the_cookie_serves_once(browser: httpx.AsyncClient, issuer: Issuer, ada: str) -> None:
    back = await begin(browser, issuer)
    ended = await browser.get(CALLBACK, params=back)
    cleared = next(each for each in ended.headers.get_list("set-cookie") if each.startswith(LOGIN))

    assert "Max-Age=0" in cleared and "Path=/" in cleared
    assert LOGIN not in browser.cookies
    assert await finish(browser, back) == REFUSED


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "forged"},
        {"state": ""},
        {"code": ""},
        {"code": "of somebody else"},
        {"error": "access_denied"},
    ],
    ids=str,
)
async def test_an_answer_that_is_not_to_this_attempt_signs_nobody_in(
    browser: httpx.AsyncClient, issuer: Issuer, ada: str, changes: dict[str, str]
) -> None:
    back = await begin(browser, issuer)

    assert await finish(browser, {**back, **changes}) == REFUSED
    assert LOGIN not in browser.cookies
    assert (await browser.get("/api/v1/profile")).status_code == 401


@pytest.mark.parametrize("kept", ["", "%%%", "W10=", "bnVsbA==", "WzEsMl0=", "eyJhIjoxfQ=="])
async def test_a_browser_that_began_nothing_is_signed_in_to_nothing(
    browser: httpx.AsyncClient, issuer: Issuer, kept: str
) -> None:
    browser.cookies.set(LOGIN, kept)

    assert await finish(browser, {"code": "c", "state": "2"}) == REFUSED


async def test_an_empty_state_is_no_state(browser: httpx.AsyncClient, issuer: Issuer) -> None:
    """A cookie that another site could have planted: it would fit an answer without a state."""
    planted = base64.urlsafe_b64encode(json.dumps(["", "n", "v", "/console/"]).encode()).decode()
    browser.cookies.set(LOGIN, planted)

    assert await finish(browser, {"code": "c"}) == REFUSED
    assert issuer.asked == [], "the issuer is not asked for it"


async def test_who_has_no_account_is_told_so(browser: httpx.AsyncClient, issuer: Issuer) -> None:
    led_to = await finish(browser, await begin(browser, issuer))

    assert led_to == "/console/signin/?error=no_account"


@pytest.mark.parametrize(
    ("return_to", "led_to"),
    [
        ("/console/", "/console/"),
        ("/console/keys/", "/console/keys/"),
        ("/console", "/console/"),
        ("/docs/", "/console/"),
        ("https://evil.test/console/", "/console/"),
        ("//evil.test/console/", "/console/"),
        ("/console//evil.test", "/console/"),
        ("/console/\\evil.test", "/console/"),
        ("/console/javascript:x", "/console/"),
        ("/console/\r\nset-cookie", "/console/"),
        ("/console/\u200b", "/console/"),
    ],
)
async def test_it_leads_to_the_console_and_nowhere_else(
    browser: httpx.AsyncClient, issuer: Issuer, ada: str, return_to: str, led_to: str
) -> None:
    back = await begin(browser, issuer, return_to)
    value = browser.cookies[LOGIN].strip('"')
    assert json.loads(base64.urlsafe_b64decode(value))[3] == led_to, "a foreign page is not kept"
    assert await finish(browser, back) == led_to


async def test_a_page_that_the_cookie_names_is_looked_at_again(
    browser: httpx.AsyncClient, issuer: Issuer, ada: str
) -> None:
    back = await begin(browser, issuer)
    kept = json.loads(base64.urlsafe_b64decode(browser.cookies[LOGIN].strip('"')))
    changed = base64.urlsafe_b64encode(json.dumps([*kept[:3], "https://evil.test"]).encode())
    browser.cookies.clear()
    browser.cookies.set(LOGIN, changed.decode())

    assert await finish(browser, back) == "/console/"


async def test_the_methods_name_an_issuer_where_there_is_one(
    browser: httpx.AsyncClient, services: Services
) -> None:
    services.config = replace(services.config, support="help@example.com")
    with_one = (await browser.get("/api/v1/session/methods")).json()["data"]
    services.config = replace(services.config, sign_in="")
    without = (await browser.get("/api/v1/session/methods")).json()["data"]

    assert with_one == {
        "demo": False,
        "openid_connect": True,
        "api_key": True,
        "support": "help@example.com",
    }
    assert without["openid_connect"] is False


def test_the_client_may_stand_in_an_encrypted_parameter(aws: None) -> None:
    written = '{"issuer": "https://i.test", "client_id": "losi", "client_secret": "hush"}'
    boto3.client("ssm").put_parameter(Name="/p", Value=written, Type="SecureString")

    made = Services(Config(sign_in_parameter="/p")).openid_connect

    assert made._client == Client("https://i.test", "losi", "hush")
