"""The gate of every metered request: authenticate, admit, and settle or release exactly once.

An endpoint says what a request would hold (`Demand`); the gate asks the ledger, once more with
fresh records where the cached ones were out of date, and hands back what must be settled.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import anyio
import anyio.to_thread

from losi.errors import ModelNotInPlanError, StaleAuthenticationError, StoreUnavailableError
from losi.identity.authenticator import Authenticator
from losi.identity.principal import Principal
from losi.identity.session import Credential
from losi.metering.ledger import Hold, Ledger, RateLimits
from losi.metering.usage import Usage

logger = logging.getLogger("losi.gate")

#: A hold outlives its request's deadline by this much, so that clocks may differ by seconds.
HOLD_GRACE_SECONDS = 10.0

W = TypeVar("W")


@dataclass(frozen=True, slots=True)
class Caller:
    """One request at the gate: who says to call, and for how long it may run (seconds)."""

    credential: Credential
    permission: str
    request_id: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Demand(Generic[W]):
    """What a request would hold: tokens of input, and of input and output together."""

    model_code: str
    input_tokens: int
    hold_tokens: int
    #: What the endpoint goes on with once the request is admitted.
    work: W


class Metered(Generic[W]):
    """An admitted request. Must be settled, or released with `settle(None)`."""

    def __init__(
        self, ledger: Ledger, hold: Hold, limits: RateLimits, work: W, deadline: float
    ) -> None:
        self._ledger = ledger
        self._hold: Hold | None = hold
        self.account_id = hold.account_id
        self.limits = limits
        self.work = work
        #: In the loop's time.
        self.deadline = deadline

    async def settle(self, usage: Usage | None, request_id: str) -> None:
        """Count the usage, or give the hold back; only the first call does anything.

        Shielded: a cancelled request is metered too.
        """
        hold, self._hold = self._hold, None
        if hold is None:
            return
        with anyio.CancelScope(shield=True):
            try:
                if usage is None:
                    await anyio.to_thread.run_sync(self._ledger.release, hold)
                else:
                    await anyio.to_thread.run_sync(self._ledger.settle, hold, usage)
            except StoreUnavailableError:
                # the hold stays and is settled at its estimate once it expires; the answer is
                # the caller's, and this line lets the operator set the bill right
                logger.error("%s could not be settled: %s", request_id, usage)


class Gate:
    def __init__(
        self,
        authenticator: Authenticator,
        ledger: Ledger,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._authenticator = authenticator
        self._ledger = ledger
        self._clock = clock

    async def authenticate(
        self, credential: Credential, permission: str, *, fresh: bool = False
    ) -> Principal:
        """Who calls. Raises AuthenticationError or PermissionDeniedError."""
        principal = await anyio.to_thread.run_sync(
            lambda: self._authenticator.authenticate(credential, fresh=fresh)
        )
        if not fresh and permission not in principal.permissions:
            # what is cached may be out of date: the permission may have been given since
            return await self.authenticate(credential, permission, fresh=True)
        principal.require(permission)
        return principal

    async def admit(
        self, caller: Caller, principal: Principal, demand: Callable[[Principal], Demand[W]]
    ) -> Metered[W]:
        """Hold what `demand` names for this principal. Raises a LosiError when refused."""
        deadline = asyncio.get_running_loop().time() + caller.seconds
        try:
            return await self._hold(caller, principal, demand(principal), deadline)
        except (StaleAuthenticationError, ModelNotInPlanError):
            # the key or plan changed, or may have, since it was cached: what it is now decides
            principal = await self.authenticate(caller.credential, caller.permission, fresh=True)
        try:
            return await self._hold(caller, principal, demand(principal), deadline)
        except StaleAuthenticationError as error:  # it changed again, within this very request
            raise StoreUnavailableError from error

    async def _hold(
        self, caller: Caller, principal: Principal, demand: Demand[W], deadline: float
    ) -> Metered[W]:
        expires_at = self._clock() + caller.seconds + HOLD_GRACE_SECONDS
        admission = await anyio.to_thread.run_sync(
            lambda: self._ledger.admit(
                principal,
                demand.model_code,
                caller.request_id.removeprefix("req_"),
                demand.input_tokens,
                demand.hold_tokens,
                expires_at,
            )
        )
        return Metered(self._ledger, admission.hold, admission.limits, demand.work, deadline)
