"""A first and a second sign-in through a real provider, and whose account they lead to."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest

from losi.config import Config
from losi.management.accounts import Accounts
from losi.web import sign_in
from losi.web.app import create_app
from losi.web.dependencies import Services
from losi.web.endpoints import FUNCTIONS
from tests.openid_provider import running_provider, visit
from tests.over_boto3 import OverBoto3

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ORIGIN = "http://127.0.0.1:3000"
CALLBACK = f"{ORIGIN}{sign_in.CALLBACK}"
START = "/api/v1/session/oidc"


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with running_provider(CALLBACK) as url:
        yield url


@pytest.fixture
def services(table: tuple[DynamoDBClient, str], issuer: str) -> Services:
    """On this test's table; people sign in at the provider, and make no accounts themselves."""
    client, name = table
    known = json.dumps({"issuer": issuer, "client_id": "losi"})
    made = Services(Config(table=name, sign_in=known))
    made.client = client
    made.dynamodb = made.settling_dynamodb = OverBoto3(client)
    made.accounts.index_emails()
    return made


@pytest.fixture
def accounts(services: Services) -> Accounts:
    return services.accounts


@pytest.fixture
async def browser(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=create_app(*FUNCTIONS, services=services))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
        yield http


@pytest.fixture
def sign_up(services: Services) -> None:
    services.config = replace(services.config, self_sign_up_plan="free", self_sign_ups_a_day=2)


async def go(browser: httpx.AsyncClient, hint: str, return_to: str = "") -> httpx.Response:
    """All the way; returns the response that ends the sign-in."""
    begun = await browser.get(START, params={"return_to": return_to} if return_to else {})
    assert begun.status_code == 302, begun.text
    back = await visit(begun.headers["location"], CALLBACK, hint)
    return await browser.get(sign_in.CALLBACK, params=back)


def refusal(ended: httpx.Response) -> str:
    """Why the sign-in page says that it did not work."""
    page, _, code = ended.headers["location"].partition("?error=")
    assert page == "/console/signin/"
    return str(code)


async def test_without_self_sign_up_a_stranger_has_no_account(browser: httpx.AsyncClient) -> None:
    ended = await go(browser, "stranger")

    assert refusal(ended) == "no_account"
    assert (await browser.get("/api/v1/profile")).status_code == 401


async def test_the_operator_s_account_is_found_by_its_verified_address(
    browser: httpx.AsyncClient, accounts: Accounts
) -> None:
    made = accounts.create_account("pro", name="Ada", email="ada@example.com")

    ended = await go(browser, "ada", "/console/usage/?range=7")
    profile = (await browser.get("/api/v1/profile")).json()["data"]

    assert ended.headers["location"] == "/console/usage/?range=7"
    assert profile["id"] == f"acct_{made.id}" and profile["email"] == "ada@example.com"


async def test_an_address_that_nobody_verified_opens_nothing(
    browser: httpx.AsyncClient, accounts: Accounts
) -> None:
    accounts.create_account("pro", email="eve@example.com")

    ended = await go(browser, "eve!unverified")

    assert refusal(ended) == "email_not_verified"


async def test_a_first_sign_in_makes_an_account_and_the_second_finds_it(
    browser: httpx.AsyncClient, accounts: Accounts, sign_up: None
) -> None:
    await go(browser, "bob")
    first = (await browser.get("/api/v1/profile")).json()["data"]
    await go(browser, "bob")
    second = (await browser.get("/api/v1/profile")).json()["data"]

    assert first["plan"]["name"] == "free" and first["api_access"] is False
    assert first["id"] == second["id"]
    assert len(accounts.list_accounts()) == 1


async def test_a_deleted_account_is_gone_and_its_person_starts_anew(
    browser: httpx.AsyncClient, accounts: Accounts, sign_up: None
) -> None:
    await go(browser, "bob")
    first = (await browser.get("/api/v1/profile")).json()["data"]["id"]
    accounts.delete_account(first.removeprefix("acct_"))

    await go(browser, "bob")

    assert (await browser.get("/api/v1/profile")).json()["data"]["id"] != first


async def test_a_day_s_accounts_are_counted(browser: httpx.AsyncClient, sign_up: None) -> None:
    for hint in ("one", "two"):
        assert (await go(browser, hint)).headers["location"] == "/console/"

    ended = await go(browser, "three")

    assert refusal(ended) == "too_many_accounts"


async def test_an_answer_to_another_attempt_is_refused(
    browser: httpx.AsyncClient, accounts: Accounts
) -> None:
    accounts.create_account("pro", email="ada@example.com")
    begun = await browser.get(START)
    back = await visit(begun.headers["location"], CALLBACK)

    forged = await browser.get(sign_in.CALLBACK, params={**back, "state": "forged"})
    again = await browser.get(sign_in.CALLBACK, params=back)  # the cookie served once

    for ended in (forged, again):
        assert refusal(ended) == "sign_in_failed"
    assert (await browser.get("/api/v1/profile")).status_code == 401


@pytest.mark.parametrize(
    "return_to",
    ["https://evil.test/", "//evil.test", "/\\evil.test", "/console//evil.test", "/docs/"],
)
async def test_signing_in_leads_nowhere_else(
    browser: httpx.AsyncClient, accounts: Accounts, return_to: str
) -> None:
    accounts.create_account("pro", email="ada@example.com")

    assert (await go(browser, "ada", return_to)).headers["location"] == "/console/"


async def test_where_no_issuer_is_set_up_there_is_nothing_to_start(
    browser: httpx.AsyncClient, services: Services
) -> None:
    services.config = replace(services.config, sign_in="")

    assert (await browser.get(START)).status_code == 404


async def test_the_cookie_of_an_attempt_is_short_lived_and_kept_from_scripts(
    browser: httpx.AsyncClient,
) -> None:
    header = (await browser.get(START)).headers["set-cookie"]

    assert header.startswith("losi-3000-login=") and "Max-Age=600" in header
    assert "HttpOnly" in header and "SameSite=lax" in header
    assert urlsplit((await browser.get(START)).headers["location"]).scheme in ("http", "https")
