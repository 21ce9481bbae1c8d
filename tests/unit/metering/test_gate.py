"""The gate: whose cached records are believed, when they are read anew, and that all is settled."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from losi.errors import (
    LosiError,
    ModelNotInPlanError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    StaleAuthenticationError,
    StoreUnavailableError,
)
from losi.identity.authenticator import Authenticator
from losi.identity.key import NewKey
from losi.identity.principal import Principal
from losi.identity.secret import Secret
from losi.management.accounts import Accounts
from losi.metering.day_item import CLOCK_SKEW_SECONDS
from losi.metering.gate import SETTLING_SECONDS, Caller, Demand, Gate, Metered
from losi.metering.ledger import AbandonedError, Ledger
from losi.metering.settler import Settler
from losi.metering.usage import Usage
from losi.store.writes import DynamoDBWrites
from tests.catalogue import CATALOGUE
from tests.dynamodb_client import TABLE
from tests.ledger_world import BlockingLedger, Clock, NoQueue, make_callers, make_gate, metered
from tests.over_boto3 import OverBoto3

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CHAT = "chat.completions"
MODEL = CATALOGUE.models["gpt-4o-mini"]
SECONDS = 60.0
#: So much longer a hold lasts than its request may.
GRACE = SETTLING_SECONDS + CLOCK_SKEW_SECONDS


@pytest.fixture
def gate(authenticator: Authenticator, ledger: BlockingLedger, clock: Clock) -> Gate:
    return make_gate(authenticator, ledger, clock)


@pytest.fixture
def secret(accounts: Accounts) -> Secret:
    account = accounts.create_account("free")
    return accounts.create_key(account.id, NewKey("key", frozenset({CHAT})))[1]


def small(principal: Principal) -> Demand[str]:
    """What any plan allows."""
    return Demand(MODEL, "4om", 10, 100, principal.plan.name)


def of_a_larger_plan(principal: Principal) -> Demand[str]:
    """A model that the free plan does not have, as a catalogue refuses it."""
    if principal.plan.name == "free":
        raise ModelNotInPlanError("Not in your plan.")
    return small(principal)


async def admit(gate: Gate, secret: Secret, demand: Any = small) -> Metered[str]:
    caller = Caller(secret, CHAT, "req_1", SECONDS)
    return await gate.admit(caller, await gate.authenticate(secret, CHAT), demand)


async def refused(gate: Gate, secret: Secret, demand: Any = small) -> LosiError:
    with pytest.raises(LosiError) as caught:
        await admit(gate, secret, demand)
    return caught.value


def used(ledger: BlockingLedger, secret: Secret) -> tuple[int, Usage]:
    days = ledger.usage(secret.account_id, date(2026, 1, 1), date(2026, 12, 31))
    return (days[0].requests, days[0].total) if days else (0, Usage(0, 0))


class TestCachedRecords:
    async def test_a_known_caller_costs_no_read(
        self, gate: Gate, secret: Secret, client: DynamoDBClient
    ) -> None:
        await (await admit(gate, secret)).settle(Usage(1, 2))

        with metered(client) as meter:
            await (await admit(gate, secret)).settle(Usage(1, 2))

        assert meter.calls == ["UpdateItem", "UpdateItem"]

    async def test_many_at_once_with_a_key_that_is_new_here_cost_one_read(
        self, gate: Gate, secret: Secret, client: DynamoDBClient
    ) -> None:
        with metered(client) as meter:
            await asyncio.gather(*(gate.authenticate(secret, CHAT) for _ in range(200)))

        assert meter.calls == ["BatchGetItem"]

    async def test_a_key_that_was_revoked_elsewhere_fails_at_once(
        self, gate: Gate, secret: Secret, accounts: Accounts
    ) -> None:
        await (await admit(gate, secret)).settle(None)

        accounts.delete_key(secret.account_id, secret.key_id)

        assert (await refused(gate, secret)).code == "invalid_api_key"

    async def test_a_larger_plan_counts_at_once(
        self, gate: Gate, secret: Secret, accounts: Accounts
    ) -> None:
        assert isinstance(await refused(gate, secret, of_a_larger_plan), ModelNotInPlanError)

        accounts.set_plan(secret.account_id, "pro")

        assert (await admit(gate, secret, of_a_larger_plan)).work == "pro"

    async def test_a_model_that_the_plan_still_lacks_is_refused_after_one_more_read(
        self, gate: Gate, secret: Secret, client: DynamoDBClient
    ) -> None:
        await gate.authenticate(secret, CHAT)

        with metered(client) as meter:
            await refused(gate, secret, of_a_larger_plan)

        assert meter.calls == ["BatchGetItem"]

    async def test_a_permission_that_was_given_since_counts(
        self, gate: Gate, secret: Secret, client: DynamoDBClient
    ) -> None:
        with pytest.raises(PermissionDeniedError):
            await gate.authenticate(secret, "usage.read")
        with metered(client) as meter, pytest.raises(PermissionDeniedError):
            await gate.authenticate(secret, "usage.read")

        assert meter.calls == ["BatchGetItem"]  # what is cached is not believed when it refuses

    async def test_records_that_change_with_every_try_are_not_chased(
        self, authenticator: Authenticator, secret: Secret, clock: Clock, client: DynamoDBClient
    ) -> None:
        class AlwaysOutOfDate(Ledger):
            tries = 0

            async def admit(self, *_: Any, **held: Any) -> Any:
                self.tries += 1
                raise StaleAuthenticationError

        writes = DynamoDBWrites(OverBoto3(client), TABLE)
        ledger = AlwaysOutOfDate(writes, writes, clock, ())
        gate = Gate(make_callers(authenticator, client), ledger, Settler(ledger, NoQueue()), clock)

        error = await refused(gate, secret)

        assert isinstance(error, StoreUnavailableError)
        assert ledger.tries == 2


class TestAnAbandonedAdmission:
    """An answer of the store was lost, so the hold may be there: it is released, whatever comes."""

    def gate(
        self,
        reason: Exception,
        authenticator: Authenticator,
        client: DynamoDBClient,
        clock: Clock,
    ) -> Gate:
        class Abandoning(Ledger):
            abandoned = False

            async def admit(self, *given: Any, **held: Any) -> Any:
                admission = await super().admit(*given, **held)
                if self.abandoned:
                    return admission
                self.abandoned = True
                raise AbandonedError(admission.hold, reason)

        writes = DynamoDBWrites(OverBoto3(client), TABLE)
        ledger = Abandoning(writes, writes, clock, ())
        return Gate(make_callers(authenticator, client), ledger, Settler(ledger, NoQueue()), clock)

    @pytest.mark.parametrize(
        ("reason", "said"),
        [
            (RateLimitError("Slow down.", retry_after=1), RateLimitError),
            (StoreUnavailableError(), StoreUnavailableError),
            (OSError("reset"), StoreUnavailableError),
        ],
    )
    async def test_is_refused_with_its_reason_and_its_hold_is_released(
        self,
        authenticator: Authenticator,
        secret: Secret,
        client: DynamoDBClient,
        ledger: BlockingLedger,
        clock: Clock,
        reason: Exception,
        said: type[LosiError],
    ) -> None:
        gate = self.gate(reason, authenticator, client, clock)
        caller = Caller(secret, CHAT, "req_1", SECONDS)
        principal = await gate.authenticate(secret, CHAT)

        with pytest.raises(said):
            await gate.admit(caller, principal, small)

        await asyncio.wait(caller.unfinished)
        clock.advance(10_000)  # a hold that were still there would now be billed
        assert used(ledger, secret) == (0, Usage(0, 0))


class TestSettling:
    async def test_what_was_used_is_counted_once(
        self, gate: Gate, secret: Secret, ledger: BlockingLedger, client: DynamoDBClient
    ) -> None:
        admitted = await admit(gate, secret)

        with metered(client) as meter:
            await admitted.settle(Usage(3, 4))
            await admitted.settle(Usage(30, 40))
            await admitted.settle(None)

        assert meter.calls == ["UpdateItem"], "not left to the ledger, which would refuse the rest"
        assert used(ledger, secret) == (1, Usage(3, 4))

    async def test_without_usage_the_hold_is_given_back(
        self, gate: Gate, secret: Secret, ledger: BlockingLedger, clock: Clock
    ) -> None:
        await (await admit(gate, secret)).settle(None)

        clock.advance(10_000)  # a hold that were still there would now be billed
        assert used(ledger, secret) == (0, Usage(0, 0))

    async def test_a_cancelled_request_is_settled_all_the_same(
        self, gate: Gate, secret: Secret, ledger: BlockingLedger
    ) -> None:
        admitted = await admit(gate, secret)

        async def answers() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await admitted.settle(Usage(3, 4))

        request = asyncio.ensure_future(answers())
        await asyncio.sleep(0)
        request.cancel()
        await asyncio.wait({request})

        assert request.cancelled()
        assert used(ledger, secret) == (1, Usage(3, 4))

    async def test_a_request_that_is_cancelled_while_it_settles_is_settled(
        self, gate: Gate, secret: Secret, ledger: BlockingLedger
    ) -> None:
        admitted = await admit(gate, secret)

        before = asyncio.all_tasks()
        request = asyncio.ensure_future(admitted.settle(Usage(3, 4)))
        await asyncio.sleep(0)
        settling = asyncio.all_tasks() - before - {request}
        request.cancel()
        await asyncio.wait({request, *settling})

        assert request.cancelled()
        assert used(ledger, secret) == (1, Usage(3, 4))

    async def test_what_fails_after_a_settlement_does_not_break_its_answer(
        self, authenticator: Authenticator, secret: Secret, ledger: BlockingLedger, clock: Clock
    ) -> None:
        class Unreadable(NoQueue):
            has_consumer = False

            async def take(self) -> Any:
                raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "a letter that is no text")

        admitted = await admit(make_gate(authenticator, ledger, clock, Unreadable()), secret)

        await admitted.settle(Usage(3, 4))

        assert used(ledger, secret) == (1, Usage(3, 4))

    async def test_a_hold_outlives_its_request_by_a_grace(
        self, gate: Gate, secret: Secret, ledger: BlockingLedger, clock: Clock
    ) -> None:
        await admit(gate, secret)

        clock.advance(SECONDS + GRACE - 1)
        before = used(ledger, secret)
        clock.advance(2)

        assert before == (0, Usage(0, 0))
        assert used(ledger, secret)[0] == 1

    async def test_the_deadline_is_the_callers(self, gate: Gate, secret: Secret) -> None:
        begun = asyncio.get_running_loop().time()

        admitted = await admit(gate, secret)

        assert admitted.deadline >= begun + SECONDS


async def test_a_limit_that_is_reached_is_no_reason_to_read_anew(
    gate: Gate, secret: Secret, client: DynamoDBClient
) -> None:
    def huge(principal: Principal) -> Demand[None]:
        return Demand(MODEL, "4om", 10, principal.plan.tokens_per_day + 1, None)

    await gate.authenticate(secret, CHAT)
    with metered(client) as meter:
        error = await refused(gate, secret, huge)

    assert isinstance(error, QuotaExceededError | RateLimitError)
    assert "BatchGetItem" not in meter.calls
