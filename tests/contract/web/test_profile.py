"""The account as its owner sees it, to the field, and what they change or take with them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import httpx
import pytest

from losi.identity.key import NewKey
from losi.identity.principal import PERMISSIONS
from losi.identity.secret import Secret
from losi.identity.values import iso
from losi.management.accounts import Accounts
from losi.web.dependencies import Services


@pytest.fixture
def account_id(accounts: Accounts) -> str:
    return accounts.create_account("pro", name="Ada", email="ada@example.com").id


async def profile(browser: httpx.AsyncClient) -> dict[str, Any]:
    found: dict[str, Any] = (await browser.get("/api/v1/profile")).json()["data"]
    return found


async def test_its_owner_sees_all_of_it(
    browser: httpx.AsyncClient, services: Services, accounts: Accounts, account_id: str
) -> None:
    services.config = replace(services.config, support="help@example.com")
    accounts.create_key(account_id, NewKey("one", frozenset({"models.list"})))
    catalogue = services.catalogue
    plans = {
        plan.name: {
            "name": plan.name,
            "keys": plan.keys,
            "requests_per_minute": plan.requests_per_minute,
            "tokens_per_minute": plan.tokens_per_minute,
            "tokens_per_day": plan.tokens_per_day,
            "in_flight": plan.in_flight,
            "models": [model.id for model in catalogue.of_plan(plan)],
        }
        for plan in catalogue.plans.values()
    }

    assert await profile(browser) == {
        "id": f"acct_{account_id}",
        "name": "Ada",
        "email": "ada@example.com",
        "created_at": iso(accounts.account(account_id).created_at),
        "api_access": True,
        "plan": plans["pro"],
        "plans": list(plans.values()),
        "key_count": 1,
        "permissions": list(PERMISSIONS),
        "signed_in_with": None,
        "test": False,
        "operator": False,
        "support": "help@example.com",
        "answers": "sandbox",
    }


async def test_who_has_a_key_learns_what_it_may_do_and_not_whose_it_is(
    browser: httpx.AsyncClient, accounts: Accounts, account_id: str
) -> None:
    accounts.set_operator(account_id, True)
    assert (await profile(browser))["operator"] is True
    new = NewKey("t", frozenset({"usage.read", "models.list"}), test=True)
    key: Secret = accounts.create_key(account_id, new)[1]
    await browser.post("/api/v1/session", json={"api_key": f" {key.text}\n"})

    seen = await profile(browser)
    assert (seen["email"], seen["operator"], seen["test"]) == (None, False, True)
    assert seen["signed_in_with"] == f"key_{key.key_id}"
    assert seen["permissions"] == [each for each in PERMISSIONS if each in new.permissions]


@pytest.mark.parametrize(
    ("fallback", "variables", "answers"),
    [
        (False, {}, "live"),
        (True, {}, "sandbox"),
        (True, {"LOSI_OPENAI_API_KEY": "sk"}, "live"),
    ],
)
async def test_it_says_whether_a_model_answers_or_the_sandbox(
    browser: httpx.AsyncClient,
    services: Services,
    fallback: bool,
    variables: dict[str, str],
    answers: str,
) -> None:
    services.config = replace(services.config, sandbox_fallback=fallback, variables=variables)

    assert (await profile(browser))["answers"] == answers


async def test_what_is_absent_from_a_change_stays(browser: httpx.AsyncClient) -> None:
    async def change(**json: Any) -> tuple[str, bool]:
        data = (await browser.patch("/api/v1/profile", json=json)).json()["data"]
        return data["name"], data["api_access"]

    assert await change(name="Grace") == ("Grace", True)
    assert await change(api_access=False) == ("Grace", False)
    assert await change(name="Ada") == ("Ada", False)
    assert await change(api_access=True) == ("Ada", True)


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({}, "missing_required_parameter", None),
        ({"name": ""}, "invalid_value", "name"),
        ({"name": 5}, "invalid_type", "name"),
        ({"api_access": "no"}, "invalid_type", "api_access"),
        ({"plan": "ultra"}, "unknown_parameter", "plan"),
    ],
)
async def test_a_change_that_is_none_is_refused(
    browser: httpx.AsyncClient, body: dict[str, Any], code: str, param: str | None
) -> None:
    refused = await browser.patch("/api/v1/profile", json=body)

    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["param"]) == (400, code, param)
    assert (await profile(browser))["name"] == "Ada"


async def test_changes_are_their_session_s_in_the_audit_log(
    browser: httpx.AsyncClient, accounts: Accounts, account_id: str
) -> None:
    await browser.patch("/api/v1/profile", json={"name": "Grace", "api_access": False})

    actors = {record.actor for record in accounts.audit_log(account_id, 10)[:2]}
    assert len(actors) == 1 and actors.pop().startswith("sess_")


async def test_limits_of_an_account_that_used_nothing(
    browser: httpx.AsyncClient, services: Services
) -> None:
    plan = services.catalogue.plans["pro"]
    data = (await browser.get("/api/v1/limits")).json()["data"]

    for counter, longest in (
        (data["minute"]["requests"], 60),
        (data["minute"]["tokens"], 60),
        (data["day"]["tokens"], 86_400),
    ):
        assert 0 <= counter.pop("reset_seconds") <= longest
    assert data == {
        "minute": {
            "requests": {"used": 0, "held": 0, "limit": plan.requests_per_minute},
            "tokens": {"used": 0, "held": 0, "limit": plan.tokens_per_minute},
        },
        "day": {"tokens": {"used": 0, "held": 0, "limit": plan.tokens_per_day}},
        "running": {"used": 0, "limit": plan.in_flight},
    }


async def test_all_data_come_as_a_file(browser: httpx.AsyncClient, account_id: str) -> None:
    export = await browser.get("/api/v1/profile/export")

    name = re.escape(f"losi-{account_id}-") + r"\d{4}-\d\d-\d\d\.json"
    assert re.fullmatch(f'attachment; filename="{name}"', export.headers["content-disposition"])
    assert export.json()["account"]["email"] == "ada@example.com"


async def test_deleting_it_ends_the_session_and_what_the_browser_kept(
    browser: httpx.AsyncClient,
) -> None:
    deleted = await browser.delete("/api/v1/profile")

    assert deleted.json() == {"success": True}
    assert deleted.headers["clear-site-data"] == '"cache"'
    assert "losi-3000" not in browser.cookies
