"""What a request costs at DynamoDB, as the store itself reports it (docs/ledger.md)."""

from __future__ import annotations

import itertools
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from losi.metering.day_item import Hold
from losi.metering.usage import Usage
from tests.dynamodb_items import item_bytes
from tests.dynamodb_local import LeanDynamoDB, connect
from tests.ledger_world import (
    ACCOUNT,
    BlockingLedger,
    Clock,
    Meter,
    admit,
    caller,
    metered,
)

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


class Metered(LeanDynamoDB):
    """The lean client, which asks DynamoDB what each call took."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(endpoint)
        self.meter = Meter()

    async def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        answer = await super().call(operation, {**request, "ReturnConsumedCapacity": "TOTAL"})
        self.meter.count(operation, answer)
        return answer


@pytest.fixture
def lean(lean_dynamodb: LeanDynamoDB, dynamodb_endpoint: str) -> Metered:
    """`lean_dynamodb` has set the credentials."""
    return Metered(dynamodb_endpoint)


@pytest.fixture
def ledger(client: DynamoDBClient, lean: Metered, losi_table: str, clock: Clock) -> BlockingLedger:
    return BlockingLedger(client, losi_table, clock, dynamodb=lean)


def busy_day(
    ledger: BlockingLedger, clock: Clock, *, keys: int, models: int, in_flight: int
) -> list[Hold]:
    """A day on which every key used every model, with so many requests running."""
    pairs = [(f"Key{key:05}", f"4o{model}") for key in range(keys) for model in range(models)]
    for key_id, model in pairs:
        hold = admit(ledger, caller(key_id=key_id), clock, model=model).hold
        ledger.settle(hold, BUSY)
        clock.advance(60)
    running = list(itertools.islice(itertools.cycle(pairs), in_flight))
    return [
        admit(ledger, caller(key_id=key_id), clock, model=model, request_id=f"{n:016}").hold
        for n, (key_id, model) in enumerate(running)
    ]


def one_request(lean: Metered, ledger: BlockingLedger, clock: Clock) -> Meter:
    lean.meter = Meter()
    hold = admit(ledger, caller(key_id="Key00000"), clock, model="4o0", request_id="r" * 16).hold
    ledger.settle(hold, BUSY)
    return lean.meter


@pytest.mark.parametrize(
    ("keys", "models", "in_flight", "units"),
    [(1, 1, 0, 2), (1, 5, 10, 2), (1, 5, 50, 6), (10, 5, 0, 6), (10, 5, 10, 6)],
)
def test_a_request_is_two_writes_and_no_read(
    client: DynamoDBClient,
    lean: Metered,
    losi_table: str,
    ledger: BlockingLedger,
    clock: Clock,
    keys: int,
    models: int,
    in_flight: int,
    units: int,
) -> None:
    busy_day(ledger, clock, keys=keys, models=models, in_flight=in_flight)

    meter = one_request(lean, ledger, clock)

    assert meter.calls == ["UpdateItem", "UpdateItem"]
    assert meter.units <= units, item_bytes(only_item(client, losi_table))


def test_400_days_are_read_in_one_query(
    client: DynamoDBClient, losi_table: str, ledger: BlockingLedger, clock: Clock
) -> None:
    busy_day(ledger, clock, keys=5, models=2, in_flight=0)
    item = only_item(client, losi_table)
    last = date(2026, 11, 23)
    for days in range(1, 400):
        day = (last - timedelta(days)).isoformat()
        client.put_item(TableName=losi_table, Item={**item, "sk": {"S": f"DAY#{day}"}})

    with metered(client) as meter:
        days_with_usage = ledger.usage(ACCOUNT, last - timedelta(399), last)

    assert len(days_with_usage) == 400
    assert meter.calls == ["Query", "Query"]
    assert meter.units <= 200


def only_item(client: DynamoDBClient, table: str) -> dict[str, Any]:
    items = client.scan(TableName=table, ConsistentRead=True)["Items"]
    (item,) = [one for one in items if one["sk"]["S"].startswith("DAY#")]
    return item
