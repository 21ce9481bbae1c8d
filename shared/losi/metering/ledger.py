"""The ledger: admits a request within its plan's limits, and settles what it used, once.

One conditional UpdateItem each, on the account's day item. The item's layout is in
losi.metering.day_item, the proofs in docs/ledger.md.
"""

import asyncio
import contextlib
import logging
import math
import random
import time
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum
from typing import TYPE_CHECKING

from losi.config import USAGE_DAYS
from losi.errors import StaleAuthenticationError, StoreUnansweredError, StoreUnavailableError
from losi.identity.principal import Principal
from losi.metering import expressions, register
from losi.metering.day_item import (
    MAX_TOMBSTONES,
    DayItem,
    DayUsage,
    Hold,
    counted,
    last_uses,
    minute_of_day,
    sort_key,
    tombstone,
    utc_day,
    yesterday,
)
from losi.metering.refusals import RateLimits, is_stale, rate_limits, refusal
from losi.metering.usage import Usage, clamped
from losi.observe.request import Event, count
from losi.store.writes import Update, Writes, Written

if TYPE_CHECKING:
    from losi.catalogue.plans import Plan

__all__ = ["Admission", "Closed", "DayUsage", "Hold", "Ledger", "RateLimits"]

logger = logging.getLogger("losi.ledger")

#: So that a store that hangs refuses within three seconds.
ADMISSION_SECONDS = 2.5
#: An admission may find the day not open, then its key's map missing, then expired holds in its
#: way, then none of these.
ADMISSION_STEPS = 5
#: Pauses between two tries of an admission, and their growth.
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.5


@dataclass(frozen=True, slots=True)
class Admission:
    """Leave to call a provider. Its hold must be settled or released."""

    hold: Hold
    limits: RateLimits


class Closed(Enum):
    """What an attempt to settle or release found."""

    #: The hold was there, and what was said is in the books.
    NOW = "now"
    #: It had expired: its estimate was replaced by what was said.
    CORRECTED = "corrected"
    #: There is no hold and no estimate: it was closed before.
    BEFORE = "before"


class AbandonedError(Exception):
    """An admission without an answer: it may hold tokens, now or soon, and must be released."""

    def __init__(self, hold: Hold, reason: Exception) -> None:
        super().__init__(str(reason))
        self.hold = hold
        self.reason = reason


class Ledger:
    """Admits and closes. Every method may raise StoreUnavailableError (503)."""

    def __init__(
        self,
        admissions: Writes,
        settlements: Writes,
        clock: Callable[[], float] = time.time,
        plans: Collection["Plan"] = (),
        *,
        patience: float = ADMISSION_SECONDS,
        kept_days: int = USAGE_DAYS,
    ) -> None:
        """Settlements come over a client of their own: admissions that fail take none of it.

        `plans` are those that a refusal may recommend.
        `patience`: seconds that the store may take to admit a request, before it is refused.
        `kept_days`: how long days are kept.
        """
        self._patience = patience
        self.kept_days = kept_days
        self.plans = plans
        self._admissions = admissions
        self._settlements = settlements
        self._clock = clock
        #: Days that version 0.1 opened: account and sort key.
        self.flat_days: set[tuple[str, str]] = set()
        #: What is being made at this moment, by its name: a day, or a key's map in one.
        self._making: dict[tuple[str, ...], asyncio.Task[None]] = {}

    async def admit(
        self,
        principal: Principal,
        model_code: str,
        request_id: str,
        input_tokens: int,
        hold_tokens: int,
        expires_at: float,
    ) -> Admission:
        """Hold `hold_tokens` (input estimate and capped output) for a request about to run.

        `request_id` is unique; a repetition of the very same admission is the same admission.
        `expires_at` lies beyond the moment until which the request's process can settle.
        Raises RateLimitError, QuotaExceededError or StaleAuthenticationError; AbandonedError
        around any of them or around StoreUnavailableError, when a try may land yet.
        """
        now = self._clock()
        day = utc_day(now)
        sort = sort_key(day, test=principal.test)
        hold = Hold(
            principal.account_id,
            day,
            principal.test,
            request_id,
            tokens=hold_tokens,
            input_tokens=input_tokens,
            expires=math.ceil(expires_at),
            key_id=principal.key_id,
            model_code=model_code,
            nested=(principal.account_id, sort) not in self.flat_days,
            minute=minute_of_day(day, now),
        )
        attempt = _Attempt(self, self._admissions, hold, principal, self._clock)
        try:
            async with asyncio.timeout(self._patience):
                return await attempt.run()
        except TimeoutError as error:
            raise attempt.given_up(StoreUnavailableError()) from error
        except Exception as error:
            raise attempt.given_up(error) from error

    async def close(self, hold: Hold, usage: Usage | None) -> Closed:
        """Count what the request used in place of its hold, or give the hold back.

        One attempt. Repeat it after StoreUnavailableError: only one will ever count.
        """
        usage = None if usage is None else clamped(usage)
        while True:
            written = await self._change(
                hold,
                lambda elsewhere: expressions.closing(
                    hold, usage, self._clock(), elsewhere=elsewhere
                ),
                counted(usage),
            )
            if written.landed:
                return Closed.NOW
            day = self._day(hold, written)
            if day.was_expired(hold.request_id):
                corrected = await self._change(
                    hold,
                    lambda elsewhere: expressions.correction(
                        hold, usage, self._clock(), elsewhere=elsewhere
                    ),
                    expressions.correcting(hold, usage),
                )
                if corrected.landed:
                    return Closed.CORRECTED
            elif hold.request_id not in day.holds() and await self._is_buried(hold, day):
                return Closed.BEFORE

    async def make_once(
        self, name: tuple[str, ...], make: Callable[[], Coroutine[None, None, None]]
    ) -> None:
        """Make what many requests may lack at the same moment, for all of them.

        Where somebody else's try fails, the next who waits makes one of their own.
        """
        while (making := self._making.get(name)) is not None:
            with contextlib.suppress(StoreUnavailableError):
                return await asyncio.shield(making)
        making = self._making[name] = asyncio.create_task(make())
        making.add_done_callback(lambda task: self._made(name, task))
        await asyncio.shield(making)  # whoever waits with us gets it, if we are cancelled or not

    def _made(self, name: tuple[str, ...], task: asyncio.Task[None]) -> None:
        del self._making[name]
        if not task.cancelled():
            task.exception()  # seen, should nobody wait any more

    async def settle_expired(self, day: DayItem) -> int:
        """Bill the holds of dead processes their estimate; how many there were."""
        gone = day.expired_holds(self._clock())
        await asyncio.gather(*map(self._expire, gone))
        return len(gone)

    async def _expire(self, hold: Hold) -> None:
        written = await self._change(
            hold,
            lambda elsewhere: expressions.expiring(hold, elsewhere=elsewhere),
            counted(hold.estimate),
        )
        if written.landed:
            count(Event.HOLD_EXPIRED)
            logger.warning("%s expired: billed by estimate: %s", hold.request_id, hold.estimate)

    async def _is_buried(self, hold: Hold, day: DayItem) -> bool:
        """Whether no try of the admission can land any more, given that there is no hold."""
        if hold.late_until <= self._clock() or tombstone(hold.request_id) in day.tombstones():
            return True
        return (await self._settlements.update(expressions.burying(hold, self.kept_days))).landed

    async def _change(
        self,
        hold: Hold,
        update: Callable[[bool], Update],
        figures: tuple[int, ...],
    ) -> Written:
        """Make a change that counts; where the key's counters have left the day item, with it on
        the side item, in one transaction.
        """
        written = await self._settlements.update(update(False))
        if written.landed or not hold.nested or not any(figures):
            return written
        day = self._day(hold, written)
        if not day.is_open or day.has_row(hold.key_id, hold.model_code):
            return written
        elsewhere = [update(True), expressions.folded_count(hold, figures, self.kept_days)]
        return await self._settlements.transact(elsewhere)

    def _day(self, hold: Hold, written: Written) -> DayItem:
        return DayItem(hold.account_id, hold.day, test=hold.test, item=written.item)


class _Attempt:
    """One request's way into the books: as many writes as it takes."""

    def __init__(
        self,
        ledger: Ledger,
        writes: Writes,
        hold: Hold,
        principal: Principal,
        clock: Callable[[], float],
    ) -> None:
        self._ledger = ledger
        self._writes = writes
        self._hold = hold
        self._principal = principal
        self._clock = clock
        self._now = self._sent = clock()
        #: A try was sent whose answer never came.
        self.unanswered = False

    async def run(self) -> Admission:
        for _ in range(ADMISSION_STEPS):
            written = await self._place()
            hold = self._hold
            day = DayItem(hold.account_id, hold.day, test=hold.test, item=written.item)
            if written.landed or _is_same(day.holds().get(hold.request_id), hold):
                return self._admitted(day)
            if is_stale(day, self._principal):
                raise StaleAuthenticationError
            expired = await self._ledger.settle_expired(day)
            if not await self._prepare(day) and not expired:
                break
        raise refusal(day, self._hold, self._principal, self._now, self._ledger.plans)

    def given_up(self, reason: Exception) -> Exception:
        return AbandonedError(self._late_hold(), reason) if self.unanswered else reason

    def _late_hold(self) -> Hold:
        return replace(self._hold, late_until=expressions.late_until(self._sent))

    def _admitted(self, day: DayItem) -> Admission:
        hold = replace(
            self._late_hold() if self.unanswered else self._hold,
            windows=day.windows(),
            tombstones=day.tombstones(),
        )
        if sum(until > self._now for until in hold.tombstones.values()) >= MAX_TOMBSTONES:
            self.unanswered = True  # so many answers were lost: what is taken must be given back
            raise StoreUnavailableError
        return Admission(hold, rate_limits(day, self._principal.plan, self._now))

    async def _prepare(self, day: DayItem) -> bool:
        """Make what the day item lacks for the hold; whether it lacked anything."""
        hold = self._hold
        where = (hold.account_id, hold.sort)
        if not day.is_open:
            await self._ledger.make_once(where, self._open_day)
        elif hold.nested and not day.is_nested:
            self._ledger.flat_days.add(where)
            self._hold = replace(hold, nested=False)
        elif hold.nested and not day.has_key(hold.key_id):
            await self._ledger.make_once((*where, hold.key_id), self._open_key)
        else:
            return False
        return True

    async def _open_day(self) -> None:
        hold = self._hold
        first, last = (sort_key(day, test=hold.test) for day in (date.min, yesterday(hold.day)))
        items = await self._writes.newest(hold.account_id, first, last)
        earlier = [day for day in map(DayItem.from_item, items) if day.is_open][:2]
        for day in earlier:
            await self._ledger.settle_expired(day)
        await self._writes.update(register.entry(hold))
        opening = expressions.opening(
            hold, self._principal, last_uses(earlier), self._ledger.kept_days
        )
        await self._writes.update(opening)

    async def _open_key(self) -> None:
        await self._writes.update(expressions.key_opening(self._hold, self._principal))

    async def _place(self) -> Written:
        """Send the admission until it is answered."""
        pause = FIRST_PAUSE
        while True:
            self._sent = self._clock()
            try:
                # until the answer is there it counts as lost: this may be cancelled
                before, self.unanswered = self.unanswered, True
                written = await self._writes.update(
                    expressions.admission(self._hold, self._principal, self._now)
                )
                self.unanswered = before
                return written
            except StoreUnansweredError:
                pass
            except StoreUnavailableError:
                self.unanswered = before
            count(Event.LEDGER_RETRY)
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(2 * pause, LONGEST_PAUSE)


def _is_same(known: Hold | None, hold: Hold) -> bool:
    """Whether the hold exists already: an earlier try landed, and only its answer was lost."""
    return known is not None and known.to_attribute() == hold.to_attribute()
