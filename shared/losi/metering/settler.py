"""Settles or releases every admitted request, however long the store is away.

A settlement is tried until it lands or its invocation ends; then it is handed over to a queue,
which `drain` empties. A settlement that arrives twice, late or out of order counts once: the
ledger's conditions ensure it.
"""

import asyncio
import json
import logging
import random
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cache

from pydantic import TypeAdapter

from losi.errors import StoreUnansweredError, StoreUnavailableError
from losi.metering.day_item import Hold
from losi.metering.ledger import Closed, Ledger
from losi.metering.usage import Usage, clamped
from losi.observe.request import Event, count
from losi.store.queue import Queue, QueueUnavailableError
from losi.time_limit import within

logger = logging.getLogger("losi.settler")

#: The time limit of one attempt.
TRY_SECONDS = 4.0
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 5.0
#: Time for handing over, reserved before the end of the invocation.
HANDOVER_SECONDS = 2.0
#: Fields that only the hot path uses: closing the hold later does not need them.
_NOT_SENT = {"windows", "tombstones", "minute"}


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a request ended: its hold, and its usage; None if it is free."""

    hold: Hold
    usage: Usage | None

    def to_text(self) -> str:
        hold = {name: value for name, value in asdict(self.hold).items() if name not in _NOT_SENT}
        hold["day"] = self.hold.day.isoformat()
        return json.dumps({"hold": hold, "usage": self.usage and asdict(self.usage)})

    @classmethod
    def from_text(cls, text: str) -> "Settlement":
        """Parse what `to_text` wrote. Raises ValueError if the text is no settlement; fields that
        a later version added are ignored.
        """
        return _form().validate_json(text)


@cache
def _form() -> TypeAdapter[Settlement]:
    return TypeAdapter(Settlement)  # of letters only: no cold start needs it


class Settler:
    def __init__(self, ledger: Ledger, queue: Queue) -> None:
        self._ledger = ledger
        self._queue = queue
        self._running: set[asyncio.Task[None]] = set()
        #: Whether letters may wait that only this process will settle: its own, or of an earlier
        #: one.
        self._must_drain = not queue.has_consumer

    def start(self, hold: Hold, usage: Usage | None, until: float) -> asyncio.Task[None]:
        """Settle the hold, or release it if `usage` is None; never raises. At `until` (the event
        loop's time), or when the task is cancelled, the settlement is handed over.
        """
        task = asyncio.ensure_future(self._close(Settlement(hold, usage), until))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def _close(self, settlement: Settlement, until: float) -> None:
        usage = settlement.usage
        if usage and (counted := clamped(usage)) != usage:
            logger.warning(
                "%s usage clamped: %s counts as %s", settlement.hold.request_id, usage, counted
            )
            settlement = replace(settlement, usage=counted)
        try:
            if await self._try_until(settlement, until):
                await self._drain()
                return
        except asyncio.CancelledError:  # the process is being stopped
            await self._hand_over(settlement)
            raise
        await self._hand_over(settlement)

    async def _try_until(self, settlement: Settlement, until: float) -> bool:
        """Try to settle until `until`. Returns whether it is in the books."""
        loop, pause, unanswered = asyncio.get_running_loop(), FIRST_PAUSE, False
        while True:
            try:
                with within(TRY_SECONDS):
                    closed = await self._ledger.close(settlement.hold, settlement.usage)
            except (StoreUnansweredError, TimeoutError):
                unanswered = True
            except StoreUnavailableError:
                pass
            else:
                _log(settlement, closed, repeated=unanswered)
                return True
            if loop.time() + pause >= until:
                return False
            count(Event.LEDGER_RETRY)
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _drain(self) -> None:
        """Settle what this process handed over, if nothing else will. The store works just now."""
        if self._must_drain:
            self._must_drain = False
            with suppress(QueueUnavailableError):
                await drain(self._queue, self._ledger)

    async def _hand_over(self, settlement: Settlement) -> None:
        try:
            with within(HANDOVER_SECONDS):
                await self._queue.put(settlement.to_text())
        except (QueueUnavailableError, TimeoutError):
            count(Event.SETTLEMENT_LOST)
            logger.error(
                "%s is neither in the books nor handed over: its hold is billed by estimate when "
                "it expires; used: %s",
                settlement.hold.request_id,
                settlement.usage,
            )
        else:
            self._must_drain = not self._queue.has_consumer
            count(Event.SETTLEMENT_QUEUED)
            logger.warning("%s was handed over to be settled later", settlement.hold.request_id)


async def drain(queue: Queue, ledger: Ledger, until: float = float("inf")) -> int:
    """Settle what is in the queue, until it is empty or `until` (the event loop's time) has come.

    Letters that the store refuses stay in the queue; letters that are no settlement move to the
    dead letters. Returns how many were settled. Raises QueueUnavailableError.
    """
    settled, loop = 0, asyncio.get_running_loop()
    while loop.time() < until and (letters := await queue.take()):
        before = settled
        for letter in letters:
            outcome = await settle_letter(letter.text, ledger)
            if outcome is None:
                await queue.bury(letter)
                count(Event.SETTLEMENT_BURIED)
            elif outcome:
                await queue.done(letter)
                settled += 1
        if settled == before:
            break  # the store is away: stop asking
    return settled


async def settle_letter(text: str, ledger: Ledger) -> bool | None:
    """Whether the letter's settlement is in the books now; None if it is no settlement."""
    try:
        settlement = Settlement.from_text(text)
    except ValueError:
        logger.error("a letter that is no settlement goes to the dead letters")
        return None
    try:
        closed = await ledger.close(settlement.hold, settlement.usage)
    except StoreUnavailableError:
        return False
    _log(settlement, closed, repeated=True)
    return True


def _log(settlement: Settlement, closed: Closed, *, repeated: bool) -> None:
    """Log the outcome. `repeated`: an earlier try may have landed, so finding nothing to close is
    fine.
    """
    request_id, usage = settlement.hold.request_id, settlement.usage
    if closed is Closed.CORRECTED:
        logger.info("%s came after its hold had expired: its estimate became %s", request_id, usage)
    elif closed is Closed.BEFORE and not repeated:
        logger.warning("%s was closed before; nothing was counted now: %s", request_id, usage)
    elif usage and usage.estimated:
        logger.info("%s usage estimated: %s", request_id, usage)
