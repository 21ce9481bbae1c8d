"""What the day items say: usage, last use; and the marks that end authentications."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from losi.errors import (
    StaleAuthenticationError,
)
from losi.metering.usage import Usage
from tests.ledger_world import (
    ACCOUNT,
    KEY,
    OTHER_KEY,
    BlockingLedger,
    Clock,
    admit,
    caller,
    day_item,
    metered,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


TODAY, TOMORROW = date(2026, 11, 23), date(2026, 11, 24)
ALMOST_MIDNIGHT, AFTER_MIDNIGHT = "2026-11-23T23:59:50", "2026-11-24T00:00:10"


class TestLastUse:
    def test_is_true_to_the_minute(self, ledger: BlockingLedger, clock: Clock) -> None:
        admit(ledger, caller(), clock)
        clock.advance(120)
        admit(ledger, caller(key_id=OTHER_KEY, test=True), clock)

        assert ledger.last_used(ACCOUNT) == {
            KEY: datetime(2026, 11, 23, 12, 0, tzinfo=UTC),
            OTHER_KEY: datetime(2026, 11, 23, 12, 2, tzinfo=UTC),
        }

    def test_is_carried_from_day_to_day(self, ledger: BlockingLedger, clock: Clock) -> None:
        admit(ledger, caller(), clock)
        for day in (24, 25, 26):
            clock.set(f"2026-11-{day}T08:00:00")
            admit(ledger, caller(key_id=OTHER_KEY), clock)
        ledger.mark_changed(ACCOUNT, OTHER_KEY, 2)

        assert ledger.last_used(ACCOUNT) == {
            KEY: datetime(2026, 11, 23, 12, 0, tzinfo=UTC),
            OTHER_KEY: datetime(2026, 11, 26, 8, 0, tzinfo=UTC),
        }

    def test_of_a_deleted_key_is_forgotten(self, ledger: BlockingLedger, clock: Clock) -> None:
        admit(ledger, caller(), clock)
        admit(ledger, caller(key_id=OTHER_KEY), clock)

        ledger.forget_key(ACCOUNT, KEY)

        assert set(ledger.last_used(ACCOUNT)) == {OTHER_KEY}

    def test_of_an_account_without_requests_is_empty(self, ledger: BlockingLedger) -> None:
        ledger.mark_changed(ACCOUNT, KEY, 2)

        assert ledger.last_used(ACCOUNT) == {}


class TestMarks:
    @pytest.mark.parametrize(
        ("marked", "other"), [(ALMOST_MIDNIGHT, AFTER_MIDNIGHT), (AFTER_MIDNIGHT, ALMOST_MIDNIGHT)]
    )
    def test_reach_a_process_whose_clock_shows_another_day(
        self, ledger: BlockingLedger, clock: Clock, marked: str, other: str
    ) -> None:
        clock.set(marked)
        ledger.mark_changed(ACCOUNT, KEY, 2, test=False)
        clock.set(other)

        with pytest.raises(StaleAuthenticationError):
            admit(ledger, caller(), clock)

    def test_that_come_late_do_not_undo_newer_ones(
        self, ledger: BlockingLedger, clock: Clock
    ) -> None:
        ledger.mark_changed(ACCOUNT, KEY, 3)
        ledger.mark_changed(ACCOUNT, KEY, 2)

        with pytest.raises(StaleAuthenticationError):
            admit(ledger, replace(caller(), key_version=2), clock)

    def test_of_a_test_key_reach_its_own_day_item(
        self, ledger: BlockingLedger, clock: Clock, table: tuple[DynamoDBClient, str]
    ) -> None:
        ledger.mark_changed(ACCOUNT, KEY, 2, test=True)

        with pytest.raises(StaleAuthenticationError):
            admit(ledger, caller(test=True), clock)
        assert day_item(table) == {}


class TestUsage:
    def test_lists_only_days_with_usage_within_the_range(
        self, ledger: BlockingLedger, clock: Clock
    ) -> None:
        for day in (20, 22, 24):
            clock.set(f"2026-11-{day}T08:00:00")
            ledger.settle(admit(ledger, caller(), clock).hold, Usage(day, 1))
        clock.set("2026-11-23T08:00:00")
        ledger.release(admit(ledger, caller(), clock).hold)

        days = ledger.usage(ACCOUNT, date(2026, 11, 21), TOMORROW)

        assert [(day.day, day.total) for day in days] == [
            (date(2026, 11, 22), Usage(22, 1)),
            (date(2026, 11, 24), Usage(24, 1)),
        ]

    def test_is_a_query_of_days_and_one_of_deleted_keys(
        self, ledger: BlockingLedger, table: tuple[DynamoDBClient, str]
    ) -> None:
        with metered(table[0]) as meter:
            ledger.usage(ACCOUNT, date(2025, 10, 20), TODAY)

        assert meter.calls == ["Query", "Query"]
