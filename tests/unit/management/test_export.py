"""An account's export: what it holds of usage, of whom, and since when."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from losi.identity.key import NewKey
from losi.identity.principal import ALL_PERMISSIONS
from losi.identity.session import Sessions
from losi.management.accounts import Accounts
from losi.management.export import export_account, usage_json
from losi.metering.day_item import DayUsage
from losi.metering.usage import Usage
from tests.catalogue import CATALOGUE
from tests.dynamodb_client import TABLE
from tests.ledger_world import BlockingLedger, Clock, admit, caller

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DAY, NEXT = date(2026, 11, 23), date(2026, 11, 24)


def test_a_day_has_its_sums_and_those_of_each_key_and_model() -> None:
    """At gpt-4o's 2.50 and 10 dollars a million."""
    large = Usage(1_000_000, 100_000, 400, 300, 200, 100)
    rows = {
        ("Key00002", "4o"): (2, large),
        ("Key00001", "zz"): (1, Usage(5, 6)),
        ("playground", "4o"): (1, Usage(0, 1)),
    }

    day = usage_json(DayUsage(DAY, Usage(0, 0), 4, rows), CATALOGUE)

    pairs = day.pop("by_key_and_model")
    assert [(pair["key"], pair["model"], pair["requests"]) for pair in pairs] == [
        ("key_Key00001", "zz", 1),
        ("key_Key00002", "gpt-4o", 2),
        ("playground", "gpt-4o", 1),
    ]
    assert pairs[0] == {
        "key": "key_Key00001",
        "model": "zz",
        "requests": 1,
        "input_tokens": 5,
        "output_tokens": 6,
        "cached_tokens": 0,
        "cache_write_tokens": 0,
        "reasoning_tokens": 0,
        "hour_write_tokens": 0,
        "cost_usd": 0.0,
    }
    cost = sum(pair["cost_usd"] for pair in pairs)
    assert day.pop("cost_usd") == pytest.approx(cost) and cost > 3
    assert day == {
        "day": "2026-11-23",
        "requests": 4,
        "input_tokens": 1_000_005,
        "output_tokens": 100_007,
        "cached_tokens": 400,
        "cache_write_tokens": 300,
        "reasoning_tokens": 200,
        "hour_write_tokens": 100,
    }


def test_usage_is_told_since_the_account_began_live_and_test_apart(
    client: DynamoDBClient, accounts: Accounts, ledger: BlockingLedger, clock: Clock
) -> None:
    sessions = Sessions(client, TABLE, CATALOGUE.plans, clock)
    account = accounts.create_account("pro", name="Ada")
    key, _ = accounts.create_key(account.id, NewKey("a key", ALL_PERMISSIONS))
    for test, tokens in ((False, 5), (True, 7), (False, 9)):
        who = caller(key_id=key.id, account_id=account.id, test=test)
        ledger.settle(admit(ledger, who, clock).hold, Usage(tokens, 1))
        clock.advance(12 * 3600)
    current = sessions.read(sessions.open(account.id, "browser")).session
    sessions.open(account.id, "other")

    def exported(today: date) -> dict[str, Any]:
        return export_account(accounts, ledger, sessions, CATALOGUE, account.id, today, current)

    export = exported(NEXT)
    assert [(day["day"], day["input_tokens"]) for day in export["usage"]] == [
        ("2026-11-23", 5),
        ("2026-11-24", 9),
    ]
    assert [(day["day"], day["input_tokens"]) for day in export["test_usage"]] == [
        ("2026-11-24", 7)
    ]
    assert [day["day"] for day in exported(DAY)["usage"]] == ["2026-11-23"]
    assert export["account"] == {**account.as_json(), "key_count": 1, "end_user_id": account.tag}
    assert export["keys"] == [key.as_json() for key in accounts.keys(account.id)]
    assert {one["device"]: one["current"] for one in export["sessions"]} == {
        "browser": True,
        "other": False,
    }
    assert [record["action"] for record in export["audit_log"]] == [
        "key.created",
        "account.created",
    ]
    assert export["sign_ins"] == []
