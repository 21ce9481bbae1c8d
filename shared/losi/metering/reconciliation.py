"""Checks the books of every day that is over, account by account, and ends its stale holds.

The register says which accounts used the API on a day. The work is done in steps, and a cursor in
the table says how far it has come: a run that is stopped is continued by the next one, and a
million accounts take several (docs/ledger.md).
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import astuple, dataclass, replace
from datetime import date, timedelta

from losi.metering import register
from losi.metering.day_item import DayItem, folded_sort_key, sort_key, utc_day
from losi.metering.invariants import drift, mistakes
from losi.metering.ledger import Ledger
from losi.store.client import Item, primary_key
from losi.store.reads import Reads
from losi.store.writes import Update, Writes

logger = logging.getLogger("losi.reconciliation")

#: After midnight, when the longest request of the day before must have ended, whatever the clocks.
ENDED_SECONDS = 1200
#: A step: what one BatchGetItem takes, so many times at once.
BATCH, AT_ONCE = 100, 4
#: An item that seems wrong is looked at so often: its side item may change between two reads.
LOOKS, PAUSE = 3, 0.2
STATE = {"pk": {"S": "RECONCILIATION"}, "sk": {"S": "STATE"}}


@dataclass(frozen=True, slots=True)
class Found:
    """What was found among a day's items."""

    items: int = 0
    #: Holds of dead processes that were billed their estimate.
    expired: int = 0
    #: Items with a mistake, and how many tokens are missing or too many in them.
    wrong: int = 0
    drift: int = 0

    def __add__(self, other: "Found") -> "Found":
        return Found(*(one + more for one, more in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True, slots=True)
class Progress:
    """Of a day: in which partition of the register, and after which account, the next step begins.
    A day is done when there is no partition left.
    """

    day: date
    place: int = 0
    after: str = ""
    found: Found = Found()
    #: Steps that were ever made: of two runs at once only one makes a step.
    step: int = 0

    @property
    def is_done(self) -> bool:
        return self.place == len(_places(self.day))

    def saving(self) -> Update:
        numbers = zip(
            ("place", "items", "expired", "wrong", "drift", "step"),
            (self.place, *astuple(self.found), self.step),
            strict=True,
        )
        sets: dict[str, Item] = {name: {"N": str(number)} for name, number in numbers}
        sets |= {"day": {"S": self.day.isoformat()}, "after": {"S": self.after or " "}}
        return {
            "Key": STATE,
            "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in sets),
            "ConditionExpression": "attribute_not_exists(pk) OR #step < :step",
            "ExpressionAttributeNames": {f"#{name}": name for name in sets},
            "ExpressionAttributeValues": {f":{name}": value for name, value in sets.items()},
        }

    @classmethod
    def from_item(cls, item: Item) -> "Progress":
        def number(name: str) -> int:
            return int(item[name]["N"])

        found = Found(*map(number, ("items", "expired", "wrong", "drift")))
        day, after = date.fromisoformat(item["day"]["S"]), item["after"]["S"].strip()
        return cls(day, number("place"), after, found, number("step"))


class Reconciliation:
    def __init__(
        self,
        reads: Reads,
        writes: Writes,
        ledger: Ledger,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._reads = reads
        self._writes = writes
        self._ledger = ledger
        self._clock = clock

    async def run(self, has_time: Callable[[], bool]) -> list[Progress]:
        """Go on while there is time and yesterday is not done. Returns the days that were
        finished. Raises StoreUnavailableError: the steps that were made stay made.
        """
        finished: list[Progress] = []
        last = utc_day(self._clock() - ENDED_SECONDS) - timedelta(1)
        progress = await self._progress(last)
        while has_time():
            if progress.is_done:
                if progress.day >= last:
                    break
                progress = Progress(progress.day + timedelta(1), step=progress.step)
            progress = await self._step(progress)
            if not (await self._writes.update(progress.saving())).landed:
                break  # another run has made this step
            if progress.is_done:
                finished.append(progress)
        return finished

    async def _progress(self, first: date) -> Progress:
        stored = await self._reads.items([STATE])
        return Progress.from_item(stored[0]) if stored else Progress(first)

    async def _step(self, progress: Progress) -> Progress:
        partition, test = _places(progress.day)[progress.place]
        limit = BATCH * AT_ONCE
        entries = await self._reads.page(partition, progress.after, limit)
        ids = [entry["sk"]["S"] for entry in entries]
        batches = (ids[start : start + BATCH] for start in range(0, len(ids), BATCH))
        found = await asyncio.gather(
            *(self._check(batch, progress.day, test=test) for batch in batches)
        )
        more = len(ids) == limit
        return replace(
            progress,
            found=sum(found, progress.found),
            after=ids[-1] if more else "",
            place=progress.place if more else progress.place + 1,
            step=progress.step + 1,
        )

    async def _check(self, account_ids: list[str], day: date, *, test: bool) -> Found:
        sort = sort_key(day, test=test)
        items = await self._reads.items([primary_key(id, sort) for id in account_ids])
        found = Found()
        for item in items:
            found += await self._check_item(item)
        return found

    async def _check_item(self, item: Item) -> Found:
        try:
            day = DayItem.from_item(item)
            expired = await self._ledger.settle_expired(day)
            off = await self._drift(day) if mistakes(day) else None
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            where = f"{item['pk']['S']} {item['sk']['S']}"
            logger.error("%s cannot be read: %s", where, type(error).__name__)
            return Found(items=1, wrong=1)
        return Found(1, expired, int(off is not None), abs(off or 0))

    async def _drift(self, day: DayItem) -> int | None:
        """By how many tokens the books are off; None when all is well after all."""
        sort, side = (make(day.day, test=day.test) for make in (sort_key, folded_sort_key))
        for look in range(LOOKS):
            if look:
                await asyncio.sleep(PAUSE)
            items = await self._reads.get_all(day.account_id, [sort, side])
            if sort not in items:  # the account was deleted
                return None
            now = DayItem.from_item(items[sort])
            folded = DayItem.from_item(items[side]) if side in items else None
            wrong = mistakes(now, folded)
            if not wrong:
                return None
        logger.error("acct_%s %s: %s", day.account_id, sort, "; ".join(wrong))
        return drift(now, folded)


def _places(day: date) -> list[tuple[str, bool]]:
    """The partitions of a day's register, and whether they are of test keys."""
    return [(each, test) for test in (False, True) for each in register.partitions(day, test=test)]
