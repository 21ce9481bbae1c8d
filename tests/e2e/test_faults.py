"""A short form of `make faults`: real processes lose nothing when the store fails."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.e2e.world import REPORTED
from tests.faults import scenarios
from tests.faults.page import rows

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

HANDED_OVER = rows("e2e/test_faults.py::test_what_was_handed_over_survives_kill_9")
#: What `Place.billed` looks for in the books, of each answer.
TOLD = REPORTED["prompt_tokens"], REPORTED["completion_tokens"]


async def test_a_blip_at_the_end_of_a_stream_loses_nothing(
    dynamodb: DynamoDBClient, losi_table: str, tmp_path: Path
) -> None:
    async with scenarios.front_door(dynamodb, losi_table, tmp_path) as place:
        assert await scenarios.blip_at_the_end(place, 3) == (3, 3)


async def test_resets_and_throttling_under_many_streams_lose_nothing(
    dynamodb: DynamoDBClient, losi_table: str, tmp_path: Path
) -> None:
    async with scenarios.make_run(dynamodb, losi_table, tmp_path) as place:
        answered, billed = await scenarios.resets_under(place, 20)
        assert answered == billed >= 15

        throttled, billed = await scenarios.half_the_writes_throttled(place, 20, 10)
        assert billed == throttled >= 15


async def test_a_store_that_hangs_refuses_with_503(
    dynamodb: DynamoDBClient, losi_table: str, tmp_path: Path
) -> None:
    async with scenarios.make_run(dynamodb, losi_table, tmp_path) as place:
        await scenarios.seconds_to_refuse_while_the_store_hangs(place)


async def test_what_was_handed_over_survives_kill_9(
    dynamodb: DynamoDBClient, losi_table: str, tmp_path: Path
) -> None:
    (row,) = HANDED_OVER
    assert (row.sees, row.billed) == ("the answer", f"{TOLD[0]} + {TOLD[1]}")
    async with scenarios.front_door(dynamodb, losi_table, tmp_path) as place:
        answered, billed = await scenarios.killed_after_handing_over(place, 2)
        assert answered == billed >= 4
