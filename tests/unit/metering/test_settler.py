"""Settlements reach the books or the queue, and the log says which."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from losi.errors import RateLimitError, StoreUnavailableError
from losi.metering.day_item import Hold
from losi.metering.ledger import Ledger
from losi.metering.settler import Settlement, Settler, drain, settle_letter
from losi.metering.usage import Usage
from losi.store.client import Item
from losi.store.queue import FolderQueue, Letter, QueueUnavailableError
from losi.store.writes import DynamoDBWrites, Update, Written
from tests.ledger_world import ACCOUNT, KEY, Clock, admit, caller, make_plan
from tests.over_boto3 import OverBoto3

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from tests.ledger_world import BlockingLedger

TODAY = date(2026, 11, 23)
USED = Usage(120, 30, 20, 10, 5)


@pytest.fixture
def queue(tmp_path: Path) -> FolderQueue:
    return FolderQueue(tmp_path / "settlements")


@pytest.fixture
def its_ledger(client: DynamoDBClient, clock: Clock) -> Ledger:
    writes = DynamoDBWrites(OverBoto3(client), "losi")
    return Ledger(writes, writes, clock)


def billed(ledger: BlockingLedger) -> Usage:
    return sum((day.total for day in ledger.usage(ACCOUNT, TODAY, TODAY)), Usage(0, 0))


async def hold_of(its_ledger: Ledger, clock: Clock, request_id: str = "request1") -> Settlement:
    admission = await its_ledger.admit(
        caller(), "4om", request_id, input_tokens=100, hold_tokens=500, expires_at=clock.now + 900
    )
    return Settlement(admission.hold, USED)


def test_a_settlement_survives_its_journey_as_text(ledger: BlockingLedger, clock: Clock) -> None:
    hold = replace(admit(ledger, caller(), clock).hold, late_until=1_795_436_000)
    sent = Settlement(hold, USED)

    arrived = Settlement.from_text(sent.to_text())

    assert arrived.usage == USED
    assert arrived.hold == replace(hold, windows=frozenset(), tombstones={}, minute=None)


def test_a_letter_of_a_later_version_may_say_more(ledger: BlockingLedger, clock: Clock) -> None:
    hold = admit(ledger, caller(), clock).hold
    letter = json.loads(Settlement(hold, USED).to_text())
    more = {name: {**part, "later": [1]} for name, part in letter.items()}

    assert Settlement.from_text(json.dumps({**more, "later": 1})) == Settlement.from_text(
        json.dumps(letter)
    )
    released = Settlement.from_text(Settlement(hold, None).to_text())
    assert (released.hold.request_id, released.usage) == (hold.request_id, None)


#: A whole one, and the names of what it cannot do without.
LETTER = json.loads(
    Settlement(Hold(ACCOUNT, TODAY, False, "one", 500, 100, 0, KEY, "4om"), USED).to_text()
)
NEEDED = ("account_id", "day", "test", "request_id", "tokens", "input_tokens", "expires", "key_id")


@pytest.mark.parametrize(
    "text",
    [
        *("", "7", "{}", "[]", "null", '{"hold": {}, "usage": null}', '{"hold": 3}'),
        json.dumps({"hold": LETTER["hold"]}),
        json.dumps({"usage": LETTER["usage"]}),
        json.dumps({**LETTER, "usage": 5}),
        json.dumps({**LETTER, "usage": {"input_tokens": 5}}),
        json.dumps({**LETTER, "hold": {**LETTER["hold"], "day": "today"}}),
        json.dumps({**LETTER, "hold": {**LETTER["hold"], "tokens": "many"}}),
        *(
            json.dumps({**LETTER, "hold": {n: v for n, v in LETTER["hold"].items() if n != name}})
            for name in NEEDED
        ),
    ],
)
def test_what_is_no_settlement_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Settlement.from_text(text)


async def test_letters_are_settled_once_whatever_comes_twice(
    its_ledger: Ledger, ledger: BlockingLedger, queue: FolderQueue, clock: Clock
) -> None:
    settlement = await hold_of(its_ledger, clock)
    for _ in range(2):
        await queue.put(settlement.to_text())

    assert await drain(queue, its_ledger) == 2

    assert billed(ledger) == USED
    assert await queue.take() == []


async def test_what_is_no_settlement_goes_to_the_dead_letters_and_holds_up_nothing(
    its_ledger: Ledger, ledger: BlockingLedger, queue: FolderQueue, clock: Clock, tmp_path: Path
) -> None:
    await queue.put("no settlement")
    await queue.put((await hold_of(its_ledger, clock)).to_text())

    assert await drain(queue, its_ledger) == 1

    assert billed(ledger) == USED
    assert len(os.listdir(tmp_path / "settlements")) == 1
    assert await queue.take() == []


class Store:
    """A store that refuses, or takes a request and never answers it."""

    def __init__(self, *, answers: bool) -> None:
        self.asked = 0
        self.is_asked = asyncio.Event()
        self._answers = answers

    async def update(self, _: Update) -> Written:
        self.asked += 1
        self.is_asked.set()
        if self._answers:
            raise StoreUnavailableError
        await asyncio.Event().wait()
        raise AssertionError

    async def transact(self, _: Sequence[Update]) -> Written:
        raise AssertionError

    async def newest(self, *_: str) -> list[Item]:
        raise AssertionError


def away(clock: Clock, *, answers: bool = True) -> tuple[Store, Ledger]:
    store = Store(answers=answers)
    return store, Ledger(store, store, clock)


HOLD = Hold(ACCOUNT, TODAY, False, "one", 500, 100, 0, KEY, "4om")


async def test_a_process_that_is_stopped_hands_over_once_what_it_could_not_settle(
    queue: FolderQueue, clock: Clock
) -> None:
    store, ledger = away(clock, answers=False)
    task = Settler(ledger, queue).start(HOLD, USED, until=float("inf"))
    await store.is_asked.wait()

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert [Settlement.from_text(letter.text) for letter in await queue.take()] == [
        Settlement(HOLD, USED)
    ]


class TestDraining:
    async def test_while_the_store_is_away_letters_stay_and_it_is_asked_once_for_each(
        self, queue: FolderQueue, clock: Clock
    ) -> None:
        store, ledger = away(clock)
        for _ in range(2):
            await queue.put(Settlement(HOLD, USED).to_text())

        assert await drain(queue, ledger) == 0

        assert store.asked == 2
        assert len(await queue.take()) == 2

    async def test_it_ends_when_its_time_is_over(
        self, its_ledger: Ledger, queue: FolderQueue, clock: Clock
    ) -> None:
        await queue.put((await hold_of(its_ledger, clock)).to_text())
        now = asyncio.get_running_loop().time()

        assert await drain(queue, its_ledger, until=now) == 0
        assert await drain(queue, its_ledger, until=now + 60) == 1

    async def test_what_a_letter_is(self, its_ledger: Ledger, clock: Clock) -> None:
        text = (await hold_of(its_ledger, clock)).to_text()

        assert await settle_letter("no settlement", its_ledger) is None
        assert await settle_letter(text, away(clock)[1]) is False
        assert await settle_letter(text, its_ledger) is True

    @pytest.mark.parametrize("scheduled", [False, True])
    async def test_a_queue_that_no_schedule_empties_is_emptied_once_the_store_is_back(
        self,
        its_ledger: Ledger,
        queue: FolderQueue,
        clock: Clock,
        monkeypatch: pytest.MonkeyPatch,
        scheduled: bool,
    ) -> None:
        monkeypatch.setattr(queue, "has_consumer", scheduled)
        settler = Settler(its_ledger, queue)

        async def settle(name: str) -> None:
            await settler.start((await hold_of(its_ledger, clock, name)).hold, USED, until=0)

        await queue.put((await hold_of(its_ledger, clock, "of an earlier process")).to_text())
        await settle("first")
        assert len(await queue.take()) == int(scheduled)

        await queue.put((await hold_of(its_ledger, clock, "of another process")).to_text())
        await settle("second")
        assert len(await queue.take()) == 1 + int(scheduled)

        broken = (await hold_of(its_ledger, clock, "handed over")).hold
        monkeypatch.setattr(settler, "_ledger", away(clock)[1])
        await settler.start(broken, USED, until=0)
        monkeypatch.setattr(settler, "_ledger", its_ledger)
        await settle("third")
        assert len(await queue.take()) == (3 if scheduled else 0)

    async def test_a_queue_that_is_away_too_is_no_matter(
        self, its_ledger: Ledger, ledger: BlockingLedger, clock: Clock, tmp_path: Path
    ) -> None:
        class Away(FolderQueue):
            async def take(self) -> list[Letter]:
                raise QueueUnavailableError

        settlement = await hold_of(its_ledger, clock)

        await Settler(its_ledger, Away(tmp_path)).start(settlement.hold, USED, until=0)

        assert billed(ledger) == USED


class TestLog:
    """The lines say what is in the books: an operator who bills by them bills once."""

    @pytest.fixture(autouse=True)
    def _all(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, "losi.settler")

    async def test_figures_that_were_clamped_or_estimated(
        self, its_ledger: Ledger, queue: FolderQueue, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        settler = Settler(its_ledger, queue)
        absurd = await hold_of(its_ledger, clock, "absurd")
        guessed = await hold_of(its_ledger, clock, "guessed")

        await settler.start(absurd.hold, Usage(-5, 10**18), until=0)
        await settler.start(guessed.hold, Usage(100, 10, estimated=True), until=0)

        assert "absurd usage clamped" in caplog.text
        assert "guessed usage estimated" in caplog.text

    async def test_what_is_neither_in_the_books_nor_in_the_queue(
        self,
        client: DynamoDBClient,
        its_ledger: Ledger,
        clock: Clock,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        class Full(FolderQueue):
            async def put(self, text: str) -> None:
                raise QueueUnavailableError

        settlement = await hold_of(its_ledger, clock, "lost")
        gone = Ledger(*2 * (DynamoDBWrites(OverBoto3(client), "no-such-table"),), clock)

        await Settler(gone, Full(tmp_path)).start(settlement.hold, USED, until=0)

        (line,) = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert "lost is neither in the books nor handed over" in line.message
        assert "output_tokens=30" in line.message

    async def test_what_waits_in_the_queue_is_no_error(
        self, queue: FolderQueue, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        await Settler(away(clock)[1], queue).start(HOLD, USED, until=0)

        [line] = caplog.records
        assert (line.levelno, line.message) == (
            logging.WARNING,
            "one was handed over to be settled later",
        )

    async def test_a_settlement_that_came_after_its_estimate_was_billed(
        self,
        its_ledger: Ledger,
        ledger: BlockingLedger,
        queue: FolderQueue,
        clock: Clock,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        settlement = await hold_of(its_ledger, clock, "late")
        clock.advance(901)
        await hold_of(its_ledger, clock, "other")
        # an admission that finds no room settles what has expired
        with pytest.raises(RateLimitError):
            full = caller(make_plan(in_flight=1))
            await its_ledger.admit(
                full,
                "4om",
                "refused",
                input_tokens=100,
                hold_tokens=500,
                expires_at=clock.now + 900,
            )
        assert billed(ledger) == Usage(100, 0)

        await Settler(its_ledger, queue).start(settlement.hold, USED, until=0)

        assert billed(ledger) == USED
        assert "late came after its hold had expired" in caplog.text

    async def test_a_second_settlement_is_told_as_one(
        self, its_ledger: Ledger, queue: FolderQueue, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        settler, settlement = Settler(its_ledger, queue), await hold_of(its_ledger, clock)
        await asyncio.wait({settler.start(settlement.hold, USED, until=0)})
        assert caplog.text == ""

        await asyncio.wait({settler.start(settlement.hold, USED, until=0)})

        assert "was closed before; nothing was counted now" in caplog.text
