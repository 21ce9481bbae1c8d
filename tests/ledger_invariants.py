"""What must be true of every day item at any moment, whatever happened before.

Tests that drive requests end with `check_invariants(client, table)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from losi.metering.day_item import REQUESTS, USAGE_COUNTERS, DayItem

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


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
    for page in client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
        for item in page["Items"]:
            if item["sk"]["S"].startswith(("DAY#", "TEST#")):
                check_day_item(item, expired_at=expired_at, all_settled=all_settled)


def check_day_item(
    item: dict[str, Any], *, expired_at: float | None = None, all_settled: bool = False
) -> None:
    where = f"{item['pk']['S']} {item['sk']['S']}"
    day = DayItem.from_item(item)
    held = sum(hold.tokens for hold in day.holds().values())
    assert day.committed == day.settled + held, f"{where}: committed is not settled + held"
    assert day.committed >= 0, f"{where}: committed is negative"
    for counter in (REQUESTS, *USAGE_COUNTERS):
        parts = [day.number(name) for name in item if name.endswith(f".{counter}")]
        assert all(part > 0 for part in parts), f"{where}: a counter that is not positive"
        assert sum(parts) == day.number(counter), f"{where}: '{counter}' of the keys do not add up"
    total = day.usage().total
    assert total.cached_tokens + total.cache_write_tokens <= total.input_tokens, where
    assert total.reasoning_tokens <= total.output_tokens, where
    if expired_at is not None:
        expired = [name for name, hold in day.holds().items() if hold.expires < expired_at]
        assert not expired, f"{where}: expired holds {expired} were not settled"
    if all_settled:
        assert not day.holds(), f"{where}: holds {list(day.holds())} were not settled"
