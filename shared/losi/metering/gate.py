"""The gate of every metered request: authenticate, admit, and settle or release exactly once.

An endpoint says what a request would hold (`Demand`). The gate asks the ledger, a second time with
fresh records if the cached ones were out of date, and returns a `Metered` that must be settled.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from losi.catalogue.models import Model, Prices
from losi.errors import (
    InvalidRequestError,
    LosiError,
    ModelNotInPlanError,
    StaleAuthenticationError,
    StoreUnavailableError,
)
from losi.identity.audit import note_caller
from losi.identity.authenticator import Callers
from losi.identity.principal import Principal
from losi.identity.session import Credential
from losi.metering.day_item import CLOCK_SKEW_SECONDS
from losi.metering.ledger import AbandonedError, Admission, Hold, Ledger
from losi.metering.settler import Settler
from losi.metering.usage import Usage, cost
from losi.observe.request import Event, count, note
from losi.time_limit import within

#: How long an answer waits for its settlement. It takes longer only if the store is sick; then the
#: settlement goes on after the answer.
SETTLED_WITHIN_SECONDS = 1.0
#: How long after its request's deadline a settlement is tried, before it is handed over.
SETTLING_SECONDS = 3.0
#: How long a process tries to release the hold of a request refused because the store is sick.
GIVING_BACK_SECONDS = 30.0

W = TypeVar("W")


@dataclass(frozen=True, slots=True)
class Caller:
    """One request at the gate: its credential, and how long it may run (seconds)."""

    credential: Credential
    permission: str
    request_id: str
    seconds: float
    #: Settlements that outlast the answer. Await them before the process may stop.
    unfinished: list[asyncio.Task[None]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Demand(Generic[W]):
    """What a request would hold: tokens of input, and of input and output together."""

    model: Model
    #: The name in the day's counters: the model's code, or the sandbox's.
    model_code: str
    input_tokens: int
    hold_tokens: int
    #: What the endpoint continues with after the admission.
    work: W


class Metered(Generic[W]):
    """An admitted request. Must be settled, or released with `settle(None)`."""

    def __init__(
        self,
        settler: Settler,
        caller: Caller,
        admission: Admission,
        demand: Demand[W],
        deadline: float,
        *,
        free: bool,
    ) -> None:
        self._settler = settler
        self._unfinished = caller.unfinished
        self._hold: Hold | None = admission.hold
        self.account_id = admission.hold.account_id
        self.limits = admission.limits
        self.work = demand.work
        self._prices = None if free else demand.model.prices
        #: By the event loop's clock.
        self.deadline = deadline

    async def settle(self, usage: Usage | None) -> None:
        """Count the usage, or release the hold; only the first call has an effect.

        Returns when the settlement is in the books, or after a second; then its task is in the
        caller's `unfinished`. Shielded: a cancelled request is metered too.
        """
        hold, self._hold = self._hold, None
        if hold is None:
            return
        _note_usage(usage, self._prices)
        task = self._settler.start(hold, usage, self.deadline + SETTLING_SECONDS)
        with contextlib.suppress(TimeoutError), within(SETTLED_WITHIN_SECONDS):
            await asyncio.wait({task})
        if not task.done():
            count(Event.SETTLED_LATE)
            self._unfinished.append(task)


def _note_usage(usage: Usage | None, prices: Prices | None) -> None:
    """Note what the account is billed; a request without prices costs nothing."""
    if usage is not None:
        note(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cached_tokens=usage.cached_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            estimated=usage.estimated,
            micro_usd=round(cost(prices, usage) * 1_000_000) if prices else 0,
        )


class Gate:
    def __init__(
        self,
        callers: Callers,
        ledger: Ledger,
        settler: Settler,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._callers = callers
        self._ledger = ledger
        self._settler = settler
        self._clock = clock

    async def authenticate(
        self, credential: Credential, permission: str, *, fresh: bool = False
    ) -> Principal:
        """Return the caller. Raises AuthenticationError or PermissionDeniedError."""
        principal = await self._callers.authenticate(credential, fresh=fresh)
        if not fresh and permission not in principal.permissions:
            # the cached record may be out of date: the permission may have been granted since
            principal = await self._callers.authenticate(credential, fresh=True)
        note_caller(principal)
        await self._callers.permit(principal, permission)
        return principal

    async def admit(
        self, caller: Caller, principal: Principal, demand: Callable[[Principal], Demand[W]]
    ) -> Metered[W]:
        """Hold what `demand` asks for this principal. Raises a LosiError if it is refused."""
        deadline = asyncio.get_running_loop().time() + caller.seconds
        try:
            return await self._hold(caller, principal, demand(principal), deadline)
        except (StaleAuthenticationError, InvalidRequestError, ModelNotInPlanError):
            # The cached key or plan has changed, or may have: fresh records decide. No refusal may
            # name the plan before the key is known to be good.
            principal = await self.authenticate(caller.credential, caller.permission, fresh=True)
        try:
            return await self._hold(caller, principal, demand(principal), deadline)
        except StaleAuthenticationError as error:  # it changed again, during this very request
            raise StoreUnavailableError from error

    async def _hold(
        self, caller: Caller, principal: Principal, demand: Demand[W], deadline: float
    ) -> Metered[W]:
        note(model=demand.model.id)
        lasts = caller.seconds + SETTLING_SECONDS + CLOCK_SKEW_SECONDS
        try:
            admission = await self._ledger.admit(
                principal,
                demand.model_code,
                caller.request_id.removeprefix("req_"),
                input_tokens=demand.input_tokens,
                hold_tokens=demand.hold_tokens,
                expires_at=self._clock() + lasts,
            )
        except AbandonedError as error:
            until = asyncio.get_running_loop().time() + GIVING_BACK_SECONDS
            caller.unfinished.append(self._settler.start(error.hold, None, until))
            if isinstance(error.reason, LosiError):
                raise error.reason from error
            raise StoreUnavailableError from error
        free = principal.test or demand.model_code != demand.model.code
        return Metered(self._settler, caller, admission, demand, deadline, free=free)
