"""The ledger: admits a request within its plan's limits, and settles its usage once.

Each takes one conditional UpdateItem on the account's day item. Its layout is in
losi.metering.day_item, the proofs are in docs/ledger.md.
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
from losi.time_limit import within

if TYPE_CHECKING:
    from losi.catalogue.plans import Plan

__all__ = ["Admission", "Closed", "DayUsage", "Hold", "Ledger", "RateLimits"]

logger = logging.getLogger("losi.ledger")

#: If the store hangs, a request is refused within three seconds.
ADMISSION_SECONDS = 2.5
#: An admission may find its day not open, then its key's map missing, then expired holds in its
#: way.
ADMISSION_STEPS = 5
#: Pause (seconds) before an admission is tried again: the first one, and the longest.
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.5


@dataclass(frozen=True, slots=True)
class Admission:
    """Permission to call a provider. Its hold must be settled or released."""

    hold: Hold
    limits: RateLimits


class Closed(Enum):
    """The result of an attempt to settle or release."""

    #: The hold was there; the usage is in the books.
    NOW = "now"
    #: The hold had expired; the usage replaced its estimate.
    CORRECTED = "corrected"
    #: There was no hold and no estimate: it was closed before.
    BEFORE = "before"


class AbandonedError(Exception):
    """An admission whose answer was lost: it may hold tokens, now or soon, and must be released."""

    def __init__(self, hold: Hold, reason: Exception) -> None:
        super().__init__(str(reason))
        self.hold = hold
        self.reason = reason


class Ledger:
    """Admits and closes requests. Every method may raise StoreUnavailableError (503)."""

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
        """Settlements have a client of their own, so that failing admissions cannot block them.

        `plans`: the plans that a refusal may recommend. `patience`: how long (seconds) the store
        may take to admit a request before it is refused. `kept_days`: how long day items are kept.
        """
        self._patience = patience
        self.kept_days = kept_days
        self.plans = plans
        self._admissions = admissions
        self._settlements = settlements
        self._clock = clock
        #: Days that version 0.1 opened: account id and sort key.
        self.flat_days: set[tuple[str, str]] = set()
        #: What is being made at this moment, by name: a day, or a key's map in it.
        self._making: dict[tuple[str, ...], asyncio.Task[None]] = {}

    async def admit(
        self,
        principal: Principal,
        model_code: str,
        request_id: str,
        *,
        input_tokens: int,
        hold_tokens: int,
        expires_at: float,
    ) -> Admission:
        """Hold `hold_tokens` (estimated input plus the cap on output) for a request about to run.

        `request_id` must be unique; a repeated call with equal arguments is the same admission.
        `expires_at` (epoch seconds) must be later than the process can still settle. Raises
        RateLimitError, QuotaExceededError or StaleAuthenticationError. If a try may still land,
        raises an AbandonedError with one of these or StoreUnavailableError as its reason.
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
            with within(self._patience):
                return await attempt.run()
        except TimeoutError as error:
            raise attempt.given_up(StoreUnavailableError()) from error
        except Exception as error:
            raise attempt.given_up(error) from error

    async def close(self, hold: Hold, usage: Usage | None) -> Closed:
        """Replace the request's hold by its usage, or release the hold if `usage` is None.

        Makes one attempt. Repeat it after StoreUnavailableError: it counts only once.
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
        """Run `make` once for all requests that need it at the same moment.

        If that run fails, each of those that wait tries in turn.
        """
        while (making := self._making.get(name)) is not None:
            with contextlib.suppress(StoreUnavailableError):
                return await asyncio.shield(making)
        making = self._making[name] = asyncio.create_task(make())
        making.add_done_callback(lambda task: self._made(name, task))
        await asyncio.shield(making)  # if this caller is cancelled, the others still get it

    def _made(self, name: tuple[str, ...], task: asyncio.Task[None]) -> None:
        del self._making[name]
        if not task.cancelled():
            task.exception()  # marks the exception as retrieved, in case nobody waits any more

    async def settle_expired(self, day: DayItem) -> int:
        """Bill the estimates of holds whose processes are dead. Returns how many there were."""
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
        """For a request without a hold: whether no try of its admission can land any more."""
        if hold.late_until <= self._clock() or tombstone(hold.request_id) in day.tombstones():
            return True
        return (await self._settlements.update(expressions.burying(hold, self.kept_days))).landed

    async def _change(
        self,
        hold: Hold,
        update: Callable[[bool], Update],
        figures: tuple[int, ...],
    ) -> Written:
        """Make a change that counts usage. If the key's counters have left the day item, count on
        the side item, in one transaction with the change.
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
    """The admission of one request, in as many writes as it takes."""

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
        #: Whether a try was sent that was never answered.
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
            self.unanswered = True  # too many lost answers: release what this one took
            raise StoreUnavailableError
        return Admission(hold, rate_limits(day, self._principal.plan, self._now))

    async def _prepare(self, day: DayItem) -> bool:
        """Make what the day item lacks for the hold. Returns whether it lacked anything."""
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
                # until it is answered it counts as unanswered: this task may be cancelled
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
