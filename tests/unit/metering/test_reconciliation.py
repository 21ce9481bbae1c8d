"""The books of days that are over: mistakes are found, stale holds end, nothing is done twice."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from losi.metering import reconciliation, register
from losi.metering.day_item import DayItem
from losi.metering.invariants import mistakes
from losi.metering.reconciliation import STATE, Found, Progress, Reconciliation
from losi.metering.usage import Usage
from losi.store.client import primary_key
from losi.store.reads import Reads
from losi.store.writes import DynamoDBWrites
from tests.ledger_world import ACCOUNT, KEY, MODEL, BlockingLedger, Clock, admit, caller, day_item
from tests.over_boto3 import OverBoto3

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TODAY = date(2026, 11, 23)
NEXT_DAY = "2026-11-24T00:30:00"
SORT = "DAY#2026-11-23"
USED = Usage(120, 30, cached_tokens=50, reasoning_tokens=10)


def always() -> bool:
    return True


@pytest.fixture
def books(table: tuple[DynamoDBClient, str], clock: Clock) -> BlockingLedger:
    """A ledger whose items tests may spoil."""
    return BlockingLedger(*table, clock)


@pytest.fixture
def reconciliation_(
    table: tuple[DynamoDBClient, str], books: BlockingLedger, clock: Clock
) -> Reconciliation:
    return made(table, books, clock)


def made(table: tuple[DynamoDBClient, str], books: BlockingLedger, clock: Clock) -> Reconciliation:
    dynamodb = OverBoto3(table[0])
    return Reconciliation(
        Reads(dynamodb, table[1]), DynamoDBWrites(dynamodb, table[1]), books.ledger, clock
    )


def run(reconciliation: Reconciliation) -> dict[str, Found]:
    days = asyncio.run(reconciliation.run(always))
    return {day.day.isoformat(): day.found for day in days}


def used(books: BlockingLedger, clock: Clock, *, account_id: str = ACCOUNT, **who: Any) -> None:
    hold = admit(books, caller(account_id=account_id, **who), clock).hold
    books.settle(hold, USED)


def spoil(table: tuple[DynamoDBClient, str], **attributes: Any) -> None:
    client, name = table
    item = {**day_item(table, SORT), **attributes}
    client.put_item(TableName=name, Item=item)


class TestTheRegister:
    def test_whoever_opens_a_day_is_in_it(
        self, table: tuple[DynamoDBClient, str], books: BlockingLedger, clock: Clock
    ) -> None:
        used(books, clock)
        used(books, clock, test=True)

        for test in (False, True):
            key = register.key(ACCOUNT, TODAY, test=test)
            item = table[0].get_item(TableName=table[1], Key=key)["Item"]
            assert key["pk"]["S"] in register.partitions(TODAY, test=test)
            assert int(item["ttl"]["N"]) > clock.now + 90 * 86_400

    def test_accounts_are_spread_over_its_partitions(self) -> None:
        ids = [f"account{number:03}" for number in range(1000)]

        places = [register.partition(each, TODAY, test=False) for each in ids]

        assert set(places) == set(register.partitions(TODAY, test=False))
        assert max(map(places.count, set(places))) < 2 * len(ids) / register.SHARDS


class TestAWholeDay:
    def test_all_accounts_are_checked_once(
        self, reconciliation_: Reconciliation, books: BlockingLedger, clock: Clock
    ) -> None:
        for number in range(30):
            used(books, clock, account_id=f"account{number:03}")
        used(books, clock, test=True)
        clock.set(NEXT_DAY)

        assert run(reconciliation_) == {"2026-11-23": Found(items=31)}
        assert run(reconciliation_) == {}

    def test_a_day_is_not_over_while_its_last_request_may_run(
        self, reconciliation_: Reconciliation, books: BlockingLedger, clock: Clock
    ) -> None:
        used(books, clock)
        clock.set("2026-11-24T00:19:00")
        assert list(run(reconciliation_)) == ["2026-11-22"]

        clock.set("2026-11-24T00:20:00")

        assert run(reconciliation_) == {"2026-11-23": Found(items=1)}

    def test_days_on_which_it_did_not_run_are_made_up_for(
        self, reconciliation_: Reconciliation, books: BlockingLedger, clock: Clock
    ) -> None:
        clock.set("2026-11-20T12:00:00")
        run(reconciliation_)
        clock.set("2026-11-21T12:00:00")
        used(books, clock)
        clock.set(NEXT_DAY)

        found = run(reconciliation_)

        assert list(found) == ["2026-11-20", "2026-11-21", "2026-11-22", "2026-11-23"]
        assert found["2026-11-21"] == Found(items=1)

    def test_a_stale_hold_is_billed_its_estimate_and_may_still_be_corrected(
        self,
        reconciliation_: Reconciliation,
        table: tuple[DynamoDBClient, str],
        books: BlockingLedger,
        clock: Clock,
    ) -> None:
        hold = admit(books, caller(), clock).hold
        clock.set(NEXT_DAY)

        assert run(reconciliation_) == {"2026-11-23": Found(items=1, expired=1)}

        assert day_item(table, SORT)["holds"] == {"M": {}}
        assert books.usage(ACCOUNT, TODAY, TODAY)[0].total == Usage(100, 0)
        assert books.settle(hold, USED)
        assert books.usage(ACCOUNT, TODAY, TODAY)[0].total == USED

    def test_rows_of_deleted_keys_count(
        self, reconciliation_: Reconciliation, books: BlockingLedger, clock: Clock
    ) -> None:
        used(books, clock)
        books.forget_key(ACCOUNT, KEY)
        clock.set(NEXT_DAY)

        assert run(reconciliation_) == {"2026-11-23": Found(items=1)}

    def test_an_account_that_was_deleted_is_no_mistake(
        self,
        reconciliation_: Reconciliation,
        table: tuple[DynamoDBClient, str],
        books: BlockingLedger,
        clock: Clock,
    ) -> None:
        used(books, clock)
        table[0].delete_item(TableName=table[1], Key=primary_key(ACCOUNT, SORT))
        clock.set(NEXT_DAY)

        assert run(reconciliation_) == {"2026-11-23": Found()}


class TestMistakes:
    @pytest.mark.parametrize(("committed", "drift"), [(151, 1), (100, 50), (-1, 151)])
    def test_drift_is_counted_and_logged_with_account_and_day(
        self,
        reconciliation_: Reconciliation,
        table: tuple[DynamoDBClient, str],
        books: BlockingLedger,
        clock: Clock,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
        committed: int,
        drift: int,
    ) -> None:
        monkeypatch.setattr(reconciliation, "PAUSE", 0.0)
        used(books, clock)
        spoil(table, committed={"N": str(committed)})
        clock.set(NEXT_DAY)

        assert run(reconciliation_) == {"2026-11-23": Found(items=1, wrong=1, drift=drift)}
        assert f"acct_{ACCOUNT} {SORT}: committed is {committed}" in caplog.text

    def test_an_item_that_cannot_be_read_stops_nothing(
        self,
        reconciliation_: Reconciliation,
        table: tuple[DynamoDBClient, str],
        books: BlockingLedger,
        clock: Clock,
    ) -> None:
        used(books, clock)
        used(books, clock, account_id="account002")
        spoil(table, holds={"S": "no map"})
        clock.set(NEXT_DAY)

        assert run(reconciliation_) == {"2026-11-23": Found(items=2, wrong=1)}

    def test_what_a_write_between_two_reads_makes_look_wrong_is_right(
        self, table: tuple[DynamoDBClient, str], books: BlockingLedger, clock: Clock
    ) -> None:
        """Its key is deleted while the item is on its way to us."""
        used(books, clock)
        clock.set(NEXT_DAY)
        work = made(table, books, clock)
        reads = work._reads
        page = reads.page

        async def then_delete_the_key(pk: str, after: str, limit: int) -> list[Any]:
            found = await page(pk, after, limit)
            stale = await reads.items([primary_key(ACCOUNT, SORT)])
            if found:
                books.forget_key(ACCOUNT, KEY)
                spoil(table, committed=stale[0]["committed"])
            return found

        reads.page = then_delete_the_key  # type: ignore[method-assign]

        assert run(work) == {"2026-11-23": Found(items=1)}

    @pytest.mark.parametrize(
        ("row", "said"),
        [
            ([1, 10, 5, 11, 0, 0, 0], "cache"),
            ([1, 10, 5, 0, 3, 0, 4], "for an hour"),
            ([1, 10, 5, 0, 0, 6, 0], "reasoning"),
        ],
    )
    def test_what_no_provider_can_have_told_is_one(self, row: list[int], said: str) -> None:
        counters = {"L": [{"N": str(number)} for number in row]}
        item = {
            **primary_key(ACCOUNT, SORT),
            "committed": {"N": "15"},
            "k": {"M": {KEY: {"M": {MODEL: counters}}}},
        }

        (mistake,) = mistakes(DayItem.from_item(item))

        assert said in mistake


class TestGoingOn:
    def test_a_run_that_ends_early_is_continued_where_it_stopped(
        self,
        reconciliation_: Reconciliation,
        books: BlockingLedger,
        clock: Clock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(reconciliation, "BATCH", 2)
        monkeypatch.setattr(reconciliation, "AT_ONCE", 1)
        for number in range(9):
            used(books, clock, account_id=f"account{number:03}")
        clock.set(NEXT_DAY)

        finished: list[Progress] = []
        runs = 0
        while not finished:
            runs += 1
            time = iter([True, False])
            finished = asyncio.run(reconciliation_.run(lambda time=time: next(time)))  # type: ignore[misc]

        assert runs >= 2 * register.SHARDS
        assert finished[0].found == Found(items=9)

    def test_of_two_runs_at_once_one_goes_on(
        self, table: tuple[DynamoDBClient, str], books: BlockingLedger, clock: Clock
    ) -> None:
        for number in range(9):
            used(books, clock, account_id=f"account{number:03}")
        clock.set(NEXT_DAY)

        async def both() -> list[list[Progress]]:
            runs = (made(table, books, clock).run(always) for _ in range(2))
            return await asyncio.gather(*runs)

        finished = [day for days in asyncio.run(both()) for day in days]

        assert [day.found for day in finished] == [Found(items=9)]

    def test_a_step_takes_four_hundred_accounts_a_hundred_in_each_read(
        self,
        reconciliation_: Reconciliation,
        books: BlockingLedger,
        clock: Clock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        pages: list[int] = []
        reads: list[int] = []

        async def page(_: Reads, pk: str, after: str, limit: int) -> list[Any]:
            pages.append(limit)
            return [{"sk": {"S": f"{n:03}"}} for n in range(limit)] if len(pages) == 1 else []

        async def items(_: Reads, keys: list[Any]) -> list[Any]:
            reads.append(len(keys))
            return []

        monkeypatch.setattr(Reads, "page", page)
        monkeypatch.setattr(Reads, "items", items)
        clock.set(NEXT_DAY)

        [day] = asyncio.run(reconciliation_.run(always))

        assert set(pages) == {400}
        assert reads == [1, 100, 100, 100, 100]  # the first is of the state
        assert len(pages) == day.step == 2 * register.SHARDS + 1

    def test_progress_is_what_was_stored(self) -> None:
        progress = Progress(TODAY, 7, "account001", Found(5, 4, 3, 2), step=9)

        values = progress.saving()["ExpressionAttributeValues"]
        item = {**STATE, **{name.removeprefix(":"): value for name, value in values.items()}}

        assert Progress.from_item(item) == progress
        assert Progress.from_item({**item, "after": {"S": " "}}) == replace(progress, after="")
