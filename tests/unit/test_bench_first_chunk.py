"""What a first chunk waits for beside us: the bare relay's time, and the admission's own write."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from bench import admissions
from bench.__main__ import ADMISSION, FIRST, OVER, add_over
from tests.over_boto3 import OverBoto3

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Recorded(OverBoto3):
    def __init__(self, client: DynamoDBClient) -> None:
        super().__init__(client)
        self.calls: list[dict[str, Any]] = []

    async def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        self.calls.append(request)
        return await super().call(operation, request)


def test_the_writes_are_the_ledgers_and_no_hold_stays(table: tuple[DynamoDBClient, str]) -> None:
    client, name = table
    recorded = Recorded(client)

    milliseconds = asyncio.run(admissions.round_trip(recorded, name))

    changes = [call.get("UpdateExpression", "") for call in recorded.calls]
    placed = [change for change in changes if change.startswith("SET holds.#")]
    assert milliseconds > 0
    assert len(placed) > admissions.ADMISSIONS
    (day,) = [item for item in client.scan(TableName=name)["Items"] if "holds" in item]
    assert day["holds"] == {"M": {}}


def test_each_round_is_less_its_own_write_and_the_relays_median() -> None:
    found = {
        FIRST.name: {"Losi": [7.0, 9.0], "bare relay": [1.0, 2.0, 3.0], "Portkey": [30.0]},
        ADMISSION: {"Losi": [4.0, 5.0]},
    }

    add_over(found)

    assert found[OVER] == {"Losi": [1.0, 2.0]}


def test_without_the_bare_relay_nothing_is_compared() -> None:
    found = {FIRST.name: {"Losi": [7.0]}, ADMISSION: {"Losi": [4.0]}}

    add_over(found)

    assert OVER not in found
