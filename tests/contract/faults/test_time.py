"""Deadlines, midnight, the end of a month, clocks that differ: what a caller sees, and what is
billed on which day (docs/reliability.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import date
from typing import Any

import pytest

from losi.identity.authenticator import Authenticator, Callers
from losi.metering.day_item import CLOCK_SKEW_SECONDS, DayItem, sort_key
from losi.metering.gate import SETTLING_SECONDS, Gate
from losi.metering.ledger import Ledger
from losi.metering.settler import Settler
from losi.store.client import primary_key
from losi.store.queue import settlements
from losi.store.reads import Reads
from losi.store.writes import DynamoDBWrites
from losi.web.dependencies import Services
from tests.fake_upstream import FakeUpstream, Received, Reply
from tests.faults import broken
from tests.faults.api import Api
from tests.faults.page import Row, rows
from tests.ledger_world import Clock
from tests.virtual_time import Jumps

DEADLINES = rows("contract/faults/test_time.py::test_its_time_is_over")
ENDS = rows("contract/faults/test_time.py::test_a_day_ends")
CLOCKS = rows("contract/faults/test_time.py::test_clocks_differ")
#: Less than until a heartbeat.
SECONDS = 10.0


@pytest.mark.parametrize("row", DEADLINES, ids=[row.id for row in DEADLINES])
async def test_its_time_is_over(row: Row, api: Any) -> None:
    time, says = Jumps(), "in mid-stream" in row.fault

    def is_over() -> None:
        time.by(SECONDS)

    def answer(asked: Received) -> Reply:
        if not says:
            is_over()
        return Reply.sse(body())

    async def body() -> AsyncIterator[bytes]:
        if says:
            yield broken.word(broken.WORDS)
        await asyncio.Event().wait()

    async with (
        FakeUpstream() as upstream,
        api(providers={"openai": upstream.url}, seconds=SECONDS, patience=2 * SECONDS) as here,
    ):
        upstream.answer = answer
        saw = await here.sees(stream=row.streams, begun=is_over if says else lambda: None)
        assert saw == row.sees
        assert await here.billed() == row.billed
        assert len(upstream.requests) == 1, "at the end of its time it is not asked again"


def by(clock: Callable[[], float]) -> Callable[[Services], None]:
    """Makes the services of a process that has this clock."""

    def prepare(services: Services) -> None:
        table, queue = services.config.table, settlements(services.config)
        writes = DynamoDBWrites(services.dynamodb, table)
        plans = services.catalogue.plans
        services.ledger = Ledger(writes, writes, clock, plans.values())
        services.authenticator = Authenticator(services.client, table, plans, clock)
        callers = Callers(services.authenticator, Reads(services.dynamodb, table))
        settler = Settler(services.ledger, queue)
        services.gate = Gate(callers, services.ledger, settler, clock)

    return prepare


#: Until when its request runs: the next day has begun.
OVER = {
    "midnight passes while it runs": ("2030-11-25T23:59:50", "2030-11-26T00:00:10"),
    "the month ends while it runs": ("2030-11-30T23:59:50", "2030-12-01T00:00:10"),
    "the year ends while it runs": ("2030-12-31T23:59:50", "2031-01-01T00:00:10"),
}


@pytest.mark.parametrize("row", ENDS, ids=[row.id for row in ENDS])
async def test_a_day_ends(row: Row, api: Any) -> None:
    """It counts on the day on which it was admitted."""
    begins, ends = OVER[row.fault]
    clock = Clock(begins)

    def answer(asked: Received) -> Reply:
        clock.set(ends)
        return broken.whole(asked)

    before, after = (date.fromisoformat(time[:10]) for time in OVER[row.fault])
    async with FakeUpstream() as upstream:
        upstream.answer = answer
        async with api(providers={"openai": upstream.url}, prepare=by(clock)) as here:
            here.forget(before, after)
            assert await here.sees(stream=row.streams) == row.sees
            assert await here.billed(before) == row.billed
            assert await here.billed(after) == "nothing"


AHEAD, BEHIND = CLOCK_SKEW_SECONDS - 1, 1 - CLOCK_SKEW_SECONDS


@pytest.mark.parametrize("row", CLOCKS, ids=[row.id for row in CLOCKS])
async def test_clocks_differ(row: Row, api: Any) -> None:
    """Midnight is one second away, and a process with a good clock looks for holds of the dead at
    the last moment at which the request may still be settled.
    """
    true = Clock("2030-10-14T23:59:59")
    skew = AHEAD if "ahead" in row.fault else BEHIND
    days = date(2030, 10, 14), date(2030, 10, 15)
    looked = []

    async with (
        FakeUpstream() as upstream,
        api(
            providers={"openai": upstream.url}, prepare=by(lambda: true() + skew), seconds=1.0
        ) as here,
    ):

        def answer(asked: Received) -> Reply:
            true.advance(1.0 + SETTLING_SECONDS)
            return Reply.sse(body()) if row.streams else Reply(body())

        async def body() -> AsyncIterator[bytes]:
            looked.append(await expired(here, true, days))
            for event in [broken.word(broken.WORDS), *broken.END] if row.streams else []:
                yield event
            if not row.streams:
                yield broken.WHOLE

        upstream.answer = answer
        here.forget(*days)
        assert await here.sees(stream=row.streams) == row.sees
        assert await here.billed(*days) == row.billed
        assert await here.billed(days["ahead" in row.fault]) == row.billed
    assert looked == [0]


async def expired(here: Api, clock: Callable[[], float], days: tuple[date, ...]) -> int:
    """How many holds another process bills by estimate."""
    table, account = here.services.config.table, here.caller.account_id
    writes = DynamoDBWrites(here.services.dynamodb, table)
    found = 0
    for day in days:
        key = primary_key(account, sort_key(day, test=False))
        item = here.client.get_item(TableName=table, Key=key).get("Item")
        if item is not None:
            found += await Ledger(writes, writes, clock).settle_expired(DayItem.from_item(item))
    return found
