"""Settlements reach the books or the queue, and the log says which."""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from losi.metering.ledger import Ledger
from losi.metering.settler import Settlement, Settler, drain
from losi.metering.usage import Usage
from losi.store.queue import FolderQueue, QueueUnavailableError
from losi.store.writes import DynamoDBWrites
from tests.ledger_world import ACCOUNT, Clock, admit, caller
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
    admission = await its_ledger.admit(caller(), "4om", request_id, 100, 500, clock.now + 900)
    return Settlement(admission.hold, USED)


def test_a_settlement_survives_its_journey_as_text(ledger: BlockingLedger, clock: Clock) -> None:
    hold = replace(admit(ledger, caller(), clock).hold, late_until=1_795_436_000)
    sent = Settlement(hold, USED)

    arrived = Settlement.from_text(sent.to_text())

    assert arrived.usage == USED
    assert arrived.hold == replace(hold, windows=frozenset(), tombstones={}, minute=None)


@pytest.mark.parametrize("text", ["", "7", "{}", '{"hold": {}, "usage": null}', '{"hold": 3}'])
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

    async def test_a_second_settlement_is_told_as_one(
        self, its_ledger: Ledger, queue: FolderQueue, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        settler, settlement = Settler(its_ledger, queue), await hold_of(its_ledger, clock)
        await asyncio.wait({settler.start(settlement.hold, USED, until=0)})
        assert caplog.text == ""

        await asyncio.wait({settler.start(settlement.hold, USED, until=0)})

        assert "was closed before; nothing was counted now" in caplog.text
