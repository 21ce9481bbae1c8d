"""What a request costs at DynamoDB, as the store itself reports it (docs/ledger.md)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from losi.metering.ledger import Hold, Ledger
from losi.metering.usage import Usage
from tests.dynamodb_local import connect
from tests.ledger_world import ACCOUNT, Clock, Meter, admit, caller, item_bytes, metered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

#: Figures of a busy day: half a million tokens a pair, with cache and reasoning.
BUSY = Usage(412_345, 98_765, 301_234, 4_321, 23_456)


@pytest.fixture
def client(dynamodb_endpoint: str) -> Iterator[DynamoDBClient]:
    client = connect(dynamodb_endpoint)
    yield client
    client.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(client: DynamoDBClient, losi_table: str, clock: Clock) -> Ledger:
    return Ledger(client, losi_table, clock)


def busy_day(ledger: Ledger, clock: Clock, pairs: int, in_flight: int) -> list[Hold]:
    """A day with usage of so many pairs of key and model, and so many requests running."""
    callers = [(f"Key{number:05}", f"m{number % 2}") for number in range(pairs)]
    for key_id, model in callers:
        hold = admit(ledger, caller(key_id=key_id), clock, model=model).hold
        ledger.settle(hold, BUSY)
    clock.advance(60)
    return [
        admit(ledger, caller(key_id=callers[n % pairs][0]), clock, model=callers[n % pairs][1]).hold
        for n in range(in_flight)
    ]


def one_request(client: DynamoDBClient, ledger: Ledger, clock: Clock) -> Meter:
    with metered(client) as meter:
        hold = admit(ledger, caller(key_id="Key00000"), clock, model="m0").hold
        ledger.settle(hold, BUSY)
    return meter


@pytest.mark.parametrize(
    ("pairs", "in_flight", "units", "size"), [(1, 0, 2, 512), (10, 0, 4, 1_536), (10, 10, 4, 2_048)]
)
def test_a_request_is_two_writes_and_no_read(
    client: DynamoDBClient,
    losi_table: str,
    ledger: Ledger,
    clock: Clock,
    pairs: int,
    in_flight: int,
    units: int,
    size: int,
) -> None:
    busy_day(ledger, clock, pairs, in_flight)

    meter = one_request(client, ledger, clock)

    assert meter.calls == ["UpdateItem", "UpdateItem"]
    assert meter.units <= units
    assert item_bytes(only_item(client, losi_table)) <= size


def test_400_days_are_read_in_one_query(
    client: DynamoDBClient, losi_table: str, ledger: Ledger, clock: Clock
) -> None:
    busy_day(ledger, clock, pairs=10, in_flight=0)
    item = only_item(client, losi_table)
    last = date(2026, 11, 23)
    for days in range(1, 400):
        day = (last - timedelta(days)).isoformat()
        client.put_item(TableName=losi_table, Item={**item, "sk": {"S": f"DAY#{day}"}})

    with metered(client) as meter:
        days_with_usage = ledger.usage(ACCOUNT, last - timedelta(399), last)

    assert len(days_with_usage) == 400
    assert meter.calls == ["Query"]
    assert meter.units <= 200


def only_item(client: DynamoDBClient, table: str) -> dict[str, Any]:
    (item,) = client.scan(TableName=table, ConsistentRead=True)["Items"]
    return item
