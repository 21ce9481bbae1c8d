"""GET /api/v1/api-usage as it is called: range, grouping, JSON or CSV, refusals."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import httpx
import pytest

from losi.identity.secret import Secret
from losi.management.accounts import Accounts
from losi.web.api_usage import LONGEST_DAYS
from losi.web.dependencies import Services
from tests.account_world import A_KEY, Caller
from tests.contract.web.api_keys_world import Api
from tests.ledger_world import BlockingLedger

PATH = "/api/v1/api-usage"
USED = {"total_requests": 2, "total_input_tokens": 6, "total_output_tokens": 8}


@pytest.fixture
def today(services: Services, accounts: Accounts, secret: Secret) -> date:
    """A day on which the account used gpt-4o twice, and another account once."""
    stranger = accounts.create_key(accounts.create_account("pro").id, A_KEY)[1]
    ledger = BlockingLedger(services.client, services.config.table)
    for one in (secret, secret, stranger):
        Caller(services.authenticator, ledger, one).call()
    return datetime.now(UTC).date()


async def test_the_days_with_usage_and_their_sum(api: Api, today: date) -> None:
    answer = (await api("GET", PATH)).json()

    assert answer == {"data": {"usage": [{"day": str(today), **USED}], "summary": USED}}


async def test_days_outside_the_range_are_not_counted(api: Api, today: date) -> None:
    yesterday = str(today - timedelta(1))

    answer = (await api("GET", PATH, start_date=yesterday, end_date=yesterday)).json()

    assert answer["data"]["usage"] == []
    assert answer["data"]["summary"]["total_requests"] == 0


@pytest.mark.parametrize("group", ["model", "key"])
async def test_groups_have_their_cost(api: Api, secret: Secret, today: date, group: str) -> None:
    data = (await api("GET", PATH, group_by=group)).json()["data"]

    [row] = data["usage"]
    assert row[group] == ("gpt-4o" if group == "model" else f"key_{secret.key_id}")
    assert row["cost_usd"] == data["summary"]["cost_usd"] > 0


@pytest.mark.parametrize("accept", ["text/csv", "text/csv, */*;q=0.1"])
async def test_as_csv(http: httpx.AsyncClient, secret: Secret, today: date, accept: str) -> None:
    headers = {"authorization": f"Bearer {secret.text}", "accept": accept}

    answer = await http.get(PATH, headers=headers)

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.text == f"day,{','.join(USED)}\r\n{today},2,6,8\r\n"


@pytest.mark.parametrize("group", ["model", "key"])
async def test_groups_as_csv(
    http: httpx.AsyncClient, secret: Secret, today: date, group: str
) -> None:
    headers = {"authorization": f"Bearer {secret.text}", "accept": "text/csv"}

    answer = await http.get(PATH, params={"group_by": group}, headers=headers)

    name = "gpt-4o" if group == "model" else f"key_{secret.key_id}"
    assert answer.text == (
        f"day,{group},{','.join(USED)},total_cached_tokens,total_reasoning_tokens,cost_usd\r\n"
        f"{today},{name},2,6,8,0,0,9.5e-05\r\n"
    )


async def test_without_an_accept_header_it_is_json(
    http: httpx.AsyncClient, secret: Secret, today: date
) -> None:
    request = http.build_request("GET", PATH, headers={"authorization": f"Bearer {secret.text}"})
    del request.headers["accept"]

    answer = await http.send(request)

    assert answer.status_code == 200
    assert answer.json()["data"]["summary"] == USED


async def test_the_longest_range_is_answered_and_one_day_more_refused(api: Api) -> None:
    first = date(2024, 1, 1)
    last = first + timedelta(LONGEST_DAYS - 1)

    longest = await api("GET", PATH, start_date=str(first), end_date=str(last))
    error = await api.refused("GET", PATH, start_date=str(first), end_date=str(last + timedelta(1)))

    assert longest.status_code == 200
    assert (error["status"], error["param"], error["code"]) == (400, "start_date", "invalid_value")
    assert f"{LONGEST_DAYS + 1} days" in error["message"]


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"start_date": "2026-1-1"}, "start_date"),
        ({"end_date": "yesterday"}, "end_date"),
        ({"start_date": "2026-02-02", "end_date": "2026-02-01"}, "start_date"),
        ({"group_by": "account"}, "group_by"),
    ],
)
async def test_what_is_wrong_is_named(api: Api, params: dict[str, str], param: str) -> None:
    error = await api.refused("GET", PATH, **params)

    assert (error["status"], error["param"], error["code"]) == (400, param, "invalid_value")


async def test_a_key_without_the_permission_learns_nothing(
    api: Api, accounts: Accounts, account_id: str
) -> None:
    weak = accounts.create_key(account_id, A_KEY)[1]

    assert (await api.using(weak).refused("GET", PATH))["code"] == "missing_permission"
