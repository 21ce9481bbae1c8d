"""What tests of the ledger need around it: a clock they set, callers, a meter, other processes."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import Callable, Collection, Coroutine, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from losi.catalogue.plans import Plan
from losi.errors import LosiError
from losi.identity.authenticator import Authenticator, Callers
from losi.identity.principal import Principal
from losi.metering.books import Books
from losi.metering.day_item import Hold
from losi.metering.gate import Gate
from losi.metering.ledger import AbandonedError, Admission, Closed, Ledger
from losi.metering.settler import Settler
from losi.metering.usage import Usage
from losi.store.dynamodb import DynamoDB
from losi.store.queue import FolderQueue, QueueUnavailableError
from losi.store.reads import Reads
from losi.store.writes import DynamoDBWrites
from tests.dynamodb_local import PATIENCE, LeanDynamoDB, connect, dynamodb_environment
from tests.over_boto3 import OverBoto3

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

T = TypeVar("T")

ACCOUNT = "Account001"
KEY = "Key00001"
OTHER_KEY = "Key00002"
MODEL = "4om"
LIFETIME = 900.0

_request_numbers = itertools.count()


class Clock:
    """Shows what it is set to."""

    def __init__(self, time: str = "2026-11-23T12:00:10") -> None:
        self.set(time)

    def __call__(self) -> float:
        return self.now

    def set(self, time: str) -> None:
        self.now = datetime.fromisoformat(time).replace(tzinfo=UTC).timestamp()

    def advance(self, seconds: float) -> None:
        self.now += seconds


class BlockingLedger(Books):
    """The ledger and the books in one, for tests that are not asynchronous."""

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        clock: Callable[[], float] = time.time,
        plans: Collection[Plan] = (),
        *,
        patience: float = PATIENCE,
        dynamodb: DynamoDB | None = None,
    ) -> None:
        """`dynamodb`: the lean client, for tests on DynamoDB Local; the model has boto3's only."""
        super().__init__(client, table, clock)
        self.client, self._name = client, table
        self._dynamodb = dynamodb or OverBoto3(client)
        self._patience = patience
        self._plans = plans

    @property
    def ledger(self) -> Ledger:
        writes = DynamoDBWrites(self._dynamodb, self._name)
        return Ledger(writes, writes, self._clock, self._plans, patience=self._patience)

    def admit(self, *args: Any, **held: Any) -> Admission:
        try:
            return self._run(self.ledger.admit(*args, **held))
        except AbandonedError as error:
            self._run(self.ledger.close(error.hold, None))
            raise error.reason from error

    def settle(self, hold: Hold, usage: Usage) -> bool:
        """Whether it counts by this call."""
        return self._run(self.ledger.close(hold, usage)) is not Closed.BEFORE

    def release(self, hold: Hold) -> bool:
        return self._run(self.ledger.close(hold, None)) is not Closed.BEFORE

    def _run(self, call: Coroutine[Any, Any, T]) -> T:
        """On a loop of its own, whose connections end with it."""

        async def to_its_end() -> T:
            try:
                return await call
            finally:
                self._dynamodb.close()
                await asyncio.sleep(0)  # lets the transports end

        return asyncio.run(to_its_end())


class NoQueue(FolderQueue):
    """For tests whose store never fails."""

    def __init__(self) -> None:
        super().__init__(Path("no-such-folder"))

    async def put(self, text: str) -> None:
        raise QueueUnavailableError


def make_callers(authenticator: Authenticator, client: DynamoDBClient) -> Callers:
    return Callers(authenticator, Reads(OverBoto3(client), "losi"))


def make_gate(
    authenticator: Authenticator,
    ledger: BlockingLedger,
    clock: Clock,
    queue: FolderQueue | None = None,
) -> Gate:
    return Gate(
        make_callers(authenticator, ledger.client),
        ledger.ledger,
        Settler(ledger.ledger, queue or NoQueue()),
        clock,
    )


def make_plan(**limits: Any) -> Plan:
    """A plan whose limits are out of the way, but for those given."""
    wide = Plan(
        name="tiny",
        keys=10,
        requests_per_minute=1_000,
        tokens_per_minute=10_000_000,
        tokens_per_day=100_000_000,
        in_flight=1_000,
        hold_output_tokens=1_000,
    )
    return wide.model_copy(update=limits)


def caller(
    plan: Plan | None = None, key_id: str = KEY, *, account_id: str = ACCOUNT, test: bool = False
) -> Principal:
    return Principal(
        account_id=account_id,
        key_id=key_id,
        permissions=frozenset({"chat.completions"}),
        plan=plan or make_plan(),
        test=test,
        key_version=1,
        profile_version=1,
    )


def admit(
    ledger: BlockingLedger,
    principal: Principal,
    clock: Clock,
    *,
    tokens: int = 500,
    input_tokens: int = 100,
    model: str = MODEL,
    request_id: str | None = None,
) -> Admission:
    """Admit a request that may run for fifteen minutes."""
    request_id = request_id or f"request{next(_request_numbers):09}"
    return ledger.admit(
        principal,
        model,
        request_id,
        input_tokens=input_tokens,
        hold_tokens=tokens,
        expires_at=clock.now + LIFETIME,
    )


@cache
def _process_client(endpoint: str) -> DynamoDBClient:
    """One for all tasks of a worker process: making one takes longer than a hundred requests."""
    return connect(endpoint)


def _of_this_process(endpoint: str, table: str, now: float) -> BlockingLedger:
    os.environ.update(dynamodb_environment(endpoint, table))
    lean = LeanDynamoDB(endpoint)
    return BlockingLedger(_process_client(endpoint), table, lambda: now, dynamodb=lean)


def refused(ledger: BlockingLedger, clock: Clock, principal: Principal, **how: Any) -> LosiError:
    """The refusal of a request like `admit`'s."""
    with pytest.raises(LosiError) as refusal:
        admit(ledger, principal, clock, **how)
    return refusal.value


def admit_all(endpoint: str, table: str, now: float, plan: Plan, ids: Sequence[str]) -> list[str]:
    """In a process of its own: admit these requests all at once; what became of each."""
    ledger = _of_this_process(endpoint, table, now).ledger

    async def attempt(request_id: str) -> str:
        try:
            await ledger.admit(
                caller(plan),
                MODEL,
                request_id,
                input_tokens=100,
                hold_tokens=500,
                expires_at=now + LIFETIME,
            )
        except LosiError as error:
            return error.code or ""
        return "admitted"

    async def attempts() -> list[str]:
        return await asyncio.gather(*map(attempt, ids))

    return asyncio.run(attempts())


def run_all(endpoint: str, table: str, now: float, plan: Plan, ids: Sequence[str]) -> int:
    """In a process of its own: admit, then settle twice or release; the tokens settled."""
    ledger = _of_this_process(endpoint, table, now).ledger

    async def run(number: int, request_id: str) -> int:
        principal = caller(plan, f"Key{number % 3:05}")
        expires = now + LIFETIME
        admission = await ledger.admit(
            principal, MODEL, request_id, input_tokens=100, hold_tokens=500, expires_at=expires
        )
        hold = admission.hold
        if number % 5 == 0:
            return 0 if await ledger.close(hold, None) is Closed.NOW else -1
        usage = Usage(90 + number, 200, cached_tokens=number)
        closed = [await ledger.close(hold, usage), await ledger.close(hold, usage)]
        return usage.total_tokens * closed.count(Closed.NOW)

    async def runs() -> int:
        return sum(await asyncio.gather(*map(run, range(len(ids)), ids)))

    return asyncio.run(runs())


def mark_changed(endpoint: str, table: str, now: float, what: str, version: int) -> None:
    """In a process of its own: what revoking a key or changing a plan does to the ledger."""
    _of_this_process(endpoint, table, now).mark_changed(ACCOUNT, what, version)


@dataclass
class Meter:
    """Calls to DynamoDB, and the capacity units they took."""

    calls: list[str] = field(default_factory=list)
    units: float = 0.0

    def count(self, operation: str, answer: dict[str, Any]) -> None:
        self.calls.append(operation)
        consumed = answer.get("ConsumedCapacity", [])  # of a batch: one for each table
        for one in consumed if isinstance(consumed, list) else [consumed]:
            self.units += one.get("CapacityUnits", 0.0)


@contextmanager
def metered(client: DynamoDBClient) -> Iterator[Meter]:
    meter = Meter()

    def ask(params: dict[str, Any], **_: Any) -> None:
        params["ReturnConsumedCapacity"] = "TOTAL"

    def count(model: Any, parsed: dict[str, Any], **_: Any) -> None:
        meter.count(model.name, parsed)

    events = client.meta.events
    events.register("provide-client-params.dynamodb.*", ask)
    events.register("after-call.dynamodb.*", count)
    try:
        yield meter
    finally:
        events.unregister("provide-client-params.dynamodb.*", ask)
        events.unregister("after-call.dynamodb.*", count)


def day_item(table: tuple[DynamoDBClient, str], sort: str = "DAY#2026-11-23") -> dict[str, Any]:
    """An item of `ACCOUNT` as stored; empty where there is none."""
    client, name = table
    key = {"pk": {"S": f"ACCOUNT#{ACCOUNT}"}, "sk": {"S": sort}}
    return client.get_item(TableName=name, Key=key).get("Item", {})
