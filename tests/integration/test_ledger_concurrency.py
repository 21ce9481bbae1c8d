"""The ledger's promises under concurrency and retries, on Amazon's own DynamoDB Local."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from losi.errors import StaleAuthenticationError, StoreUnansweredError
from losi.http1 import ConnectionLostError
from losi.metering.ledger import AbandonedError, Ledger
from losi.metering.settler import Settler
from losi.metering.usage import Usage
from losi.store.dynamodb import DynamoDB, DynamoDBError
from losi.store.writes import DynamoDBWrites, Update, Written
from tests.dynamodb_local import PATIENCE, LeanDynamoDB
from tests.ledger_invariants import check_invariants
from tests.ledger_world import (
    ACCOUNT,
    KEY,
    MODEL,
    BlockingLedger,
    Clock,
    NoQueue,
    admit,
    admit_all,
    caller,
    make_plan,
    mark_changed,
    run_all,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

PROCESSES = 4
TODAY = date(2026, 11, 23)


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=context) as pool:
        yield pool


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(
    dynamodb: DynamoDBClient, lean_dynamodb: DynamoDB, losi_table: str, clock: Clock
) -> Iterator[BlockingLedger]:
    yield BlockingLedger(dynamodb, losi_table, clock, dynamodb=lean_dynamodb)
    check_invariants(dynamodb, losi_table)


def shares(requests: int) -> list[list[str]]:
    """Request ids, dealt to the processes."""
    ids = [f"request{number:09}" for number in range(requests)]
    return [ids[process::PROCESSES] for process in range(PROCESSES)]


@pytest.mark.parametrize(
    ("limit", "refusal"),
    [
        ({"in_flight": 20}, "rate_limit_exceeded"),
        ({"requests_per_minute": 37}, "rate_limit_exceeded"),
        ({"tokens_per_minute": 99 * 500 + 499}, "rate_limit_exceeded"),
        ({"tokens_per_day": 99 * 500}, "rate_limit_exceeded"),
    ],
)
def test_200_requests_at_once_from_four_processes_are_admitted_exactly_to_the_limit(
    processes: ProcessPoolExecutor,
    dynamodb_endpoint: str,
    losi_table: str,
    ledger: BlockingLedger,
    clock: Clock,
    limit: dict[str, int],
    refusal: str,
) -> None:
    plan = make_plan(**limit)
    running = [
        processes.submit(admit_all, dynamodb_endpoint, losi_table, clock.now, plan, share)
        for share in shares(200)
    ]

    outcomes = Counter(outcome for process in running for outcome in process.result())

    (most,) = limit.values()
    admitted = most // 500 if most > 1_000 else most
    assert outcomes == {"admitted": admitted, refusal: 200 - admitted}


def test_no_token_is_lost_or_counted_twice_when_four_processes_settle_at_once(
    processes: ProcessPoolExecutor,
    dynamodb_endpoint: str,
    losi_table: str,
    dynamodb: DynamoDBClient,
    ledger: BlockingLedger,
    clock: Clock,
) -> None:
    plan = make_plan()
    running = [
        processes.submit(run_all, dynamodb_endpoint, losi_table, clock.now, plan, share)
        for share in shares(200)
    ]

    settled = sum(process.result() for process in running)

    (day,) = ledger.usage(ACCOUNT, TODAY, TODAY)
    assert (day.requests, day.total.total_tokens) == (160, settled)
    check_invariants(dynamodb, losi_table, all_settled=True)


def test_of_many_settlements_of_one_hold_one_counts(ledger: BlockingLedger, clock: Clock) -> None:
    holds = [admit(ledger, caller(), clock).hold for _ in range(10)]

    with ThreadPoolExecutor(32) as pool:
        for hold in holds:
            usages = [Usage(100, number) for number in range(16)]
            outcomes = list(pool.map(lambda usage, hold=hold: ledger.settle(hold, usage), usages))
            assert outcomes.count(True) == 1

    (day,) = ledger.usage(ACCOUNT, TODAY, TODAY)
    assert day.requests == 10


def test_settling_and_expiry_at_once_count_the_request_once(
    ledger: BlockingLedger, clock: Clock
) -> None:
    holds = [admit(ledger, caller(), clock).hold for _ in range(8)]
    clock.advance(901)

    with ThreadPoolExecutor(32) as pool:
        late = [pool.submit(ledger.settle, hold, Usage(120, 80)) for hold in holds]
        others = [pool.submit(admit, ledger, caller(), clock) for _ in range(8)]
        in_time = sum(settlement.result() for settlement in late)
        assert [other.result() for other in others]

    (day,) = ledger.usage(ACCOUNT, TODAY, TODAY)
    assert day.requests == 8
    assert day.total == Usage(100 * 8 + 20 * in_time, 80 * in_time)


@pytest.mark.parametrize("what", [KEY, "p"])
def test_a_change_made_by_another_process_fails_the_very_next_request(
    processes: ProcessPoolExecutor,
    dynamodb_endpoint: str,
    losi_table: str,
    ledger: BlockingLedger,
    clock: Clock,
    what: str,
) -> None:
    admit(ledger, caller(), clock)

    processes.submit(mark_changed, dynamodb_endpoint, losi_table, clock.now, what, 2).result()

    with pytest.raises(StaleAuthenticationError):
        admit(ledger, caller(), clock)
    admit(ledger, replace(caller(), key_version=2, profile_version=2), clock)


class LostAnswers(LeanDynamoDB):
    """The store does what it is asked, and the answer is lost on its way back."""

    left = 0

    async def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        if not (self.left and operation == "UpdateItem"):
            return await super().call(operation, request)
        self.left -= 1
        with suppress(DynamoDBError):
            await super().call(operation, request)
        raise ConnectionLostError("the answer was lost")


@pytest.fixture
def lean_dynamodb(lean_dynamodb: LeanDynamoDB, dynamodb_endpoint: str) -> LostAnswers:
    return LostAnswers(dynamodb_endpoint)


def test_an_admission_whose_answer_was_lost_is_retried_and_counts_once(
    lean_dynamodb: LostAnswers, ledger: BlockingLedger, clock: Clock
) -> None:
    plan = make_plan(in_flight=2, requests_per_minute=10)
    admit(ledger, caller(plan), clock)
    lean_dynamodb.left = 1

    admission = admit(ledger, caller(plan), clock)

    assert admission.limits.remaining_requests == 8
    assert ledger.settle(admission.hold, Usage(100, 10))


def test_the_first_admission_of_the_day_may_lose_every_answer_once(
    lean_dynamodb: LostAnswers, ledger: BlockingLedger, clock: Clock
) -> None:
    lean_dynamodb.left = 3

    assert admit(ledger, caller(), clock).limits.remaining_requests == 999


@pytest.fixture
async def here(lean_dynamodb: LostAnswers) -> AsyncIterator[LostAnswers]:
    """On the loop of the test itself."""
    yield lean_dynamodb
    lean_dynamodb.close()
    await asyncio.sleep(0)  # lets the transports end


async def test_a_settlement_whose_answer_was_lost_is_retried_and_counts_once(
    here: LostAnswers, losi_table: str, ledger: BlockingLedger, clock: Clock
) -> None:
    writes = DynamoDBWrites(here, losi_table)
    its_ledger = Ledger(writes, writes, clock)
    admission = await its_ledger.admit(
        caller(), MODEL, "request1", input_tokens=100, hold_tokens=500, expires_at=clock.now + 900
    )
    here.left = 1

    soon = asyncio.get_running_loop().time() + PATIENCE
    await Settler(its_ledger, NoQueue()).start(admission.hold, Usage(100, 10), soon)

    (day,) = ledger.usage(ACCOUNT, TODAY, TODAY)
    assert (day.requests, day.total, here.left) == (1, Usage(100, 10), 0)


async def test_an_admission_that_never_got_an_answer_leaves_nothing_to_pay(
    here: DynamoDB, losi_table: str, ledger: BlockingLedger, clock: Clock
) -> None:
    class AnswersAreLost(DynamoDBWrites):
        async def update(self, update: Update) -> Written:
            await super().update(update)
            raise StoreUnansweredError

    well = DynamoDBWrites(here, losi_table)
    opened = await Ledger(well, well, clock).admit(
        caller(), MODEL, "opens", input_tokens=100, hold_tokens=500, expires_at=clock.now
    )
    await Ledger(well, well, clock).close(opened.hold, None)
    ill = Ledger(AnswersAreLost(here, losi_table), well, clock, patience=0.5)

    with pytest.raises(AbandonedError) as abandoned:
        await ill.admit(
            caller(),
            MODEL,
            "abandoned",
            input_tokens=100,
            hold_tokens=500,
            expires_at=clock.now + 900,
        )
    await ill.close(abandoned.value.hold, None)

    clock.advance(901)
    assert ledger.usage(ACCOUNT, TODAY, TODAY) == []


async def test_a_try_that_lands_late_holds_nothing(
    here: DynamoDB, losi_table: str, ledger: BlockingLedger, clock: Clock
) -> None:
    """The first try hangs on its way, the second is answered; then the first one arrives."""

    class FirstIsLate(DynamoDBWrites):
        late: Update | None = None

        async def update(self, update: Update) -> Written:
            if self.late is None and "holds.#request = :hold" in update["UpdateExpression"]:
                self.late = update
                raise StoreUnansweredError
            return await super().update(update)

    writes = FirstIsLate(here, losi_table)
    its_ledger = Ledger(writes, writes, clock)

    admission = await its_ledger.admit(
        caller(), MODEL, "request1", input_tokens=100, hold_tokens=500, expires_at=clock.now + 900
    )
    await its_ledger.close(admission.hold, Usage(120, 30))
    assert writes.late is not None
    assert not (await writes.update(writes.late)).landed

    clock.advance(901)
    (day,) = ledger.usage(ACCOUNT, TODAY, TODAY)
    assert (day.requests, day.total) == (1, Usage(120, 30))
