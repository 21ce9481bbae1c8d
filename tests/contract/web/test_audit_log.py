"""GET /api/v1/audit-log: who changed what, page by page."""

from __future__ import annotations

from typing import Any

import pytest

from losi.identity.key import NewKey
from losi.identity.secret import Secret
from losi.management.accounts import Accounts
from tests.contract.web.api_keys_world import ALL, Api

PATH = "/api/v1/audit-log"


@pytest.fixture
def actions(accounts: Accounts, account_id: str, secret: Secret) -> list[str]:
    """Of an account that was made with a key, and changed its plan twice; the newest first."""
    for plan in ("pro", "plus"):
        accounts.set_plan(account_id, plan)
    return [record.action for record in accounts.audit_log(account_id, 10)]


async def test_all_of_it_the_newest_first(
    api: Api, actions: list[str], accounts: Accounts, account_id: str
) -> None:
    answer = (await api("GET", PATH)).json()

    assert answer == {
        "data": [record.as_json() for record in accounts.audit_log(account_id, 10)],
        "next": None,
    }
    assert len(actions) == 4


async def test_page_by_page(api: Api, actions: list[str]) -> None:
    first = (await api("GET", PATH, limit=3)).json()
    second = (await api("GET", PATH, limit=3, before=first["next"])).json()

    assert [each["action"] for each in first["data"] + second["data"]] == actions
    assert second["next"] is None


async def test_a_page_that_is_just_full_may_have_one_after_it(api: Api, actions: list[str]) -> None:
    whole = (await api("GET", PATH, limit=4)).json()
    after = (await api("GET", PATH, limit=4, before=whole["next"])).json()

    assert len(whole["data"]) == 4
    assert after == {"data": [], "next": None}


async def test_unless_it_is_said_a_page_has_100(
    api: Api, accounts: Accounts, account_id: str
) -> None:
    for number in range(101):
        accounts.set_name(account_id, f"Ada {number}")

    assert len((await api("GET", PATH)).json()["data"]) == 100


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"before": "yesterday"}, "before"),
        ({"before": ""}, "before"),
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"after": "x"}, "after"),
    ],
)
async def test_what_is_wrong_is_named(api: Api, query: dict[str, Any], param: str) -> None:
    error = await api.refused("GET", PATH, **query)

    assert (error["status"], error["param"]) == (400, param)
    if param == "before":
        assert error["code"] == "invalid_value"


async def test_a_test_key_sees_no_record(
    api: Api, actions: list[str], accounts: Accounts, account_id: str
) -> None:
    test = accounts.create_key(account_id, NewKey("test", ALL, test=True))[1]

    assert (await api.using(test)("GET", PATH)).json() == {"data": [], "next": None}
