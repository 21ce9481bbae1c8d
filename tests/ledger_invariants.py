"""What must be true of every day item at any moment, whatever happened before.

Tests that drive requests end with `check_invariants(client, table)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from losi.metering.day_item import REQUESTS, USAGE_COUNTERS, DayItem
from losi.metering.usage import Usage

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]


def check_invariants(
    client: DynamoDBClient,
    table: str,
    *,
    expired_at: float | None = None,
    all_settled: bool = False,
) -> None:
    """Check every day item of the table, live and test.

    With `expired_at`, no hold may be left that had expired by then; with `all_settled`, none.
    """
    pages = client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    check_items(
        [item for page in pages for item in page["Items"]],
        expired_at=expired_at,
        all_settled=all_settled,
    )


def check_items(
    items: list[Item], *, expired_at: float | None = None, all_settled: bool = False
) -> None:
    folded = {
        (item["pk"]["S"], item["sk"]["S"].removeprefix("FOLDED-")): item
        for item in items
        if item["sk"]["S"].startswith("FOLDED-")
    }
    for item in items:
        if item["sk"]["S"].startswith(("DAY#", "TEST#")):
            side = folded.get((item["pk"]["S"], item["sk"]["S"]))
            check_day_item(item, side, expired_at=expired_at, all_settled=all_settled)


def check_day_item(
    item: Item,
    folded: Item | None = None,
    *,
    expired_at: float | None = None,
    all_settled: bool = False,
) -> None:
    where = f"{item['pk']['S']} {item['sk']['S']}"
    day = DayItem.from_item(item)
    rows = list(day.rows().values())
    check_flat_totals(item, where)
    if folded is not None:
        rows += DayItem.from_item(folded).rows().values()
    total = sum((usage for _, usage in rows), Usage(0, 0))
    held = sum(hold.tokens for hold in day.holds().values())
    assert day.committed == total.total_tokens + held, f"{where}: committed is not settled + held"
    assert day.committed >= 0, f"{where}: committed is negative"
    assert total.cached_tokens + total.cache_write_tokens <= total.input_tokens, where
    assert total.reasoning_tokens <= total.output_tokens, where
    if expired_at is not None:
        expired = [name for name, hold in day.holds().items() if hold.expires < expired_at]
        assert not expired, f"{where}: expired holds {expired} were not settled"
    if all_settled:
        assert not day.holds(), f"{where}: holds {list(day.holds())} were not settled"


def check_flat_totals(item: Item, where: str) -> None:
    """Version 0.1 counts everything twice: under the key and model, and for the day."""
    day = DayItem.from_item(item)
    for counter in (REQUESTS, *USAGE_COUNTERS):
        parts = [day.number(name) for name in item if name.endswith(f".{counter}")]
        assert sum(parts) == day.number(counter), f"{where}: '{counter}' of the keys do not add up"
