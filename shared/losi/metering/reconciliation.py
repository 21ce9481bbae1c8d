"""Checks the books of every past day, account by account, and settles its stale holds.

The register lists the accounts that used the API on a day. The work is done in steps, and a cursor
in the table records the progress: the next run continues one that was stopped, and a million
accounts take several runs (docs/ledger.md).
"""

import asyncio
import logging
import operator
import time
from collections.abc import Callable
from dataclasses import asdict, astuple, dataclass, replace
from datetime import date, timedelta

from losi.metering import register
from losi.metering.day_item import DayItem, folded_sort_key, sort_key, utc_day
from losi.metering.invariants import drift, mistakes
from losi.metering.ledger import Ledger
from losi.store.client import Item, primary_key
from losi.store.reads import Reads
from losi.store.writes import Update, Writes

logger = logging.getLogger("losi.reconciliation")

#: Seconds after midnight when the day's longest request has ended, whatever the clocks show.
ENDED_SECONDS = 1200
#: A step checks AT_ONCE batches at the same time; a BatchGetItem takes up to 100 keys.
BATCH, AT_ONCE = 100, 4
#: How often an item that seems wrong is read again: its side item may change between two reads.
LOOKS, PAUSE = 3, 0.2
STATE = {"pk": {"S": "RECONCILIATION"}, "sk": {"S": "STATE"}}


@dataclass(frozen=True, slots=True)
class Found:
    """Findings among a day's items."""

    items: int = 0
    #: Holds of dead processes whose estimates were billed.
    expired: int = 0
    #: Items with a mistake, and the tokens missing from or surplus in them.
    wrong: int = 0
    drift: int = 0

    def __add__(self, other: "Found") -> "Found":
        return Found(*map(operator.add, astuple(self), astuple(other)))


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a day: the next step begins in this partition of its register, after this
    account. The day is done when no partition is left.
    """

    day: date
    place: int = 0
    after: str = ""
    found: Found = Found()
    #: Number of steps ever made: if two runs overlap, only one of them makes each step.
    step: int = 0

    @property
    def is_done(self) -> bool:
        return self.place == len(_places(self.day))

    def saving(self) -> Update:
        numbers = {"place": self.place, **asdict(self.found), "step": self.step}
        sets: dict[str, Item] = {name: {"N": str(n)} for name, n in numbers.items()}
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
        """Check days until there is no time left or yesterday is done. Returns the days that were
        finished. Raises StoreUnavailableError; the steps made before it are kept.
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
            wrong = mistakes(day)  # reads all of it
        except (KeyError, ValueError) as error:  # another type, or no whole number
            where = f"{item['pk']['S']} {item['sk']['S']}"
            logger.error("%s cannot be read: %s", where, type(error).__name__)
            return Found(items=1, wrong=1)
        expired = await self._ledger.settle_expired(day)
        off = await self._drift(day) if wrong else None
        return Found(1, expired, int(off is not None), abs(off or 0))

    async def _drift(self, day: DayItem) -> int | None:
        """By how many tokens the books are off; None if a later read finds no mistake."""
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
    """The partitions of a day's register, each with whether it is of test keys."""
    return [(each, test) for test in (False, True) for each in register.partitions(day, test=test)]
