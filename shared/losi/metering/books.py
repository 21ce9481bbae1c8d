"""Reads usage from the day items, and writes into them what management changes. Calls block.

Admission and settlement, the hot path, are in losi.metering.ledger.
"""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from losi.config import USAGE_DAYS
from losi.errors import StoreUnavailableError
from losi.identity.values import MINUTE_SECONDS
from losi.metering import expressions
from losi.metering.day_item import (
    CLOCK_SKEW_SECONDS,
    DayItem,
    DayUsage,
    day_usage,
    days_around,
    folded_sort_key,
    last_uses,
    sort_key,
)
from losi.store.client import Item, partition, store_errors
from losi.store.table import Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: How often `forget_key` tries: a request that runs meanwhile changes the rows to be moved.
FOLDING_TRIES = 20


class Books:
    """Usage and last uses of an account. Every method may raise StoreUnavailableError (503)."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        clock: Callable[[], float] = time.time,
        *,
        kept_days: int = USAGE_DAYS,
    ) -> None:
        self._client = client
        self._name = table
        self._table = Table(client, table)
        self._clock = clock
        self._kept_days = kept_days

    def usage(
        self, account_id: str, start: date, end: date, *, test: bool = False
    ) -> list[DayUsage]:
        """The usage of each day from `start` to `end` (both included), without days that have none.

        `test`: usage by test keys, which is billed to nobody, instead of live keys.
        """
        now = self._clock()
        days = self._days(account_id, sort_key(start, test=test), sort_key(end, test=test))
        folded = {
            day.day: day
            for day in self._days(
                account_id, folded_sort_key(start, test=test), folded_sort_key(end, test=test)
            )
        }
        used = [day_usage(day, folded.get(day.day), now) for day in days if not day.is_past(now)]
        return [usage for usage in used if usage.requests]

    def last_used(self, account_id: str) -> dict[str, datetime]:
        """Key id -> time of its last admitted request, to the minute, for live and test keys."""
        days = [day for test in (False, True) for day in self._latest(account_id, test=test)]
        return {
            key_id: datetime.fromtimestamp(minute * MINUTE_SECONDS, UTC)
            for key_id, minute in last_uses(days).items()
        }

    def mark_changed(
        self, account_id: str, record: str, version: int, *, test: bool | None = None
    ) -> None:
        """From now on refuse authentications that read the record before `version`.

        `record` is a key id, or `PROFILE_RECORD`. `test` says which kind of key it is; None
        marks both kinds of day items.
        """
        for day in days_around(self._clock(), CLOCK_SKEW_SECONDS):
            for kind in (False, True) if test is None else (test,):
                marking = expressions.marking(
                    account_id, day, record, version, self._kept_days, test=kind
                )
                self._table.change(marking)

    def forget_key(self, account_id: str, key_id: str) -> None:
        """Remove a deleted key from the day items: drop its last use, which would otherwise be
        copied from day to day for ever, and move its counters to a side item.

        Call it after `mark_changed`, so that no later request brings them back.
        """
        for test in (False, True):
            for day in self._latest(account_id, test=test):
                self._fold(day, key_id)

    def _fold(self, day: DayItem, key_id: str) -> None:
        where = (day.account_id, day.day)
        for _ in range(FOLDING_TRIES):
            rows = day.key_rows(key_id)
            if rows is None:
                self._table.change(expressions.forgetting(*where, key_id, test=day.test))
                return
            updates = expressions.folding(*where, key_id, rows, self._kept_days, test=day.test)
            if self._table.transact(*(("Update", update) for update in updates)):
                return
            item = self._table.get(day.account_id, sort_key(day.day, test=day.test))
            if item is None:
                return
            day = DayItem.from_item(item)
        raise StoreUnavailableError

    def _latest(self, account_id: str, *, test: bool) -> list[DayItem]:
        """The last two days that were opened, newest first.

        Two, because shortly after midnight a slower clock still writes to the older one.
        """
        latest: list[DayItem] = []
        first, last = sort_key(date.min, test=test), sort_key(date.max, test=test)
        for day in self._days(account_id, first, last, ScanIndexForward=False, Limit=2):
            if day.is_open:
                latest.append(day)
            if len(latest) == 2:
                break
        return latest

    def _days(self, account_id: str, first: str, last: str, **options: Any) -> Iterator[DayItem]:
        """The account's day items. Reads are consistent: a request is seen as soon as it is
        settled.
        """
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression="pk = :account AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues={
                ":account": {"S": partition(account_id)},
                ":first": {"S": first},
                ":last": {"S": last},
            },
            ConsistentRead=True,
            **options,
        )
        items: Iterator[Item] = (item for page in pages for item in page["Items"])
        with store_errors():
            yield from map(DayItem.from_item, items)
