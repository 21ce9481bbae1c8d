"""Many requests at once on a day that none of them finds open."""

import asyncio
from collections.abc import Sequence
from typing import Any

from losi.errors import StoreUnavailableError
from losi.metering.ledger import Admission, Ledger
from losi.store.writes import Update, Written
from tests.dynamodb_items import Item
from tests.dynamodb_model import Table
from tests.ledger_world import KEY, MODEL, OTHER_KEY, Clock, caller

MANY = 50


class CountedWrites:
    """Every call is answered after all that were sent with it have been sent."""

    def __init__(self, failing_openings: int = 0) -> None:
        self._table = Table()
        self._failing = failing_openings
        self.updates = self.queries = 0

    async def update(self, update: Update) -> Written:
        self.updates += 1
        await asyncio.sleep(0)
        return self._table.update(update)

    async def transact(self, updates: Sequence[Update]) -> Written:
        raise AssertionError("nothing here needs a transaction")

    async def newest(self, account_id: str, first: str, last: str) -> list[Item]:
        self.queries += 1
        await asyncio.sleep(0)
        if self._failing:
            self._failing -= 1
            raise StoreUnavailableError
        return self._table.newest(account_id, first, last)


async def admitted_at_once(writes: CountedWrites, keys: Sequence[str]) -> list[Any]:
    clock = Clock("2026-11-23T12:00:00")
    ledger = Ledger(writes, writes, clock)
    attempts = [
        ledger.admit(
            caller(key_id=keys[number % len(keys)]),
            MODEL,
            f"r{number}",
            input_tokens=1,
            hold_tokens=10,
            expires_at=clock() + 60,
        )
        for number in range(MANY)
    ]
    return await asyncio.gather(*attempts, return_exceptions=True)


async def test_one_opens_it_for_all() -> None:
    writes = CountedWrites()

    admissions = await admitted_at_once(writes, [KEY])

    assert all(isinstance(one, Admission) for one in admissions)
    # each asked, one entered it into the register and opened it, each asked again
    assert (writes.queries, writes.updates) == (1, MANY + 2 + MANY)


async def test_one_makes_a_keys_place_in_it_for_all() -> None:
    writes = CountedWrites()

    admissions = await admitted_at_once(writes, [KEY, OTHER_KEY])

    assert all(isinstance(one, Admission) for one in admissions)
    # the opening held the first key; half of them needed one place more, and asked once more
    assert (writes.queries, writes.updates) == (1, MANY + 2 + MANY + 1 + MANY // 2)


async def test_a_failure_is_of_the_one_who_tried() -> None:
    writes = CountedWrites(failing_openings=2)

    outcomes = await admitted_at_once(writes, [KEY])

    refused = [one for one in outcomes if isinstance(one, StoreUnavailableError)]
    assert (len(refused), writes.queries) == (2, 3)
    assert all(isinstance(one, Admission) for one in outcomes if one not in refused)
