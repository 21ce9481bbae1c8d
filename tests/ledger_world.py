"""What tests of the ledger need around it: a clock they set, callers, a meter, other processes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from losi.catalogue.plans import Plan
from losi.errors import LosiError
from losi.identity.principal import Principal
from losi.metering.ledger import Admission, Ledger
from losi.metering.usage import Usage
from tests.dynamodb_local import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

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
    ledger: Ledger,
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
    return ledger.admit(principal, model, request_id, input_tokens, tokens, clock.now + LIFETIME)


@cache
def _process_client(endpoint: str) -> DynamoDBClient:
    """One for all tasks of a worker process: making one takes longer than a hundred requests."""
    return connect(endpoint)


def refused(ledger: Ledger, clock: Clock, principal: Principal, **how: Any) -> LosiError:
    """The refusal of a request like `admit`'s."""
    with pytest.raises(LosiError) as refusal:
        admit(ledger, principal, clock, **how)
    return refusal.value


def admit_all(endpoint: str, table: str, now: float, plan: Plan, ids: Sequence[str]) -> list[str]:
    """In a process of its own: admit these requests all at once; what became of each."""
    ledger = Ledger(_process_client(endpoint), table, lambda: now)

    def attempt(request_id: str) -> str:
        try:
            ledger.admit(caller(plan), MODEL, request_id, 100, 500, now + LIFETIME)
        except LosiError as error:
            return error.code or ""
        return "admitted"

    with ThreadPoolExecutor(len(ids)) as pool:
        return list(pool.map(attempt, ids))


def run_all(endpoint: str, table: str, now: float, plan: Plan, ids: Sequence[str]) -> int:
    """In a process of its own: admit, then settle twice or release; the tokens settled."""
    ledger = Ledger(_process_client(endpoint), table, lambda: now)

    def run(number: int, request_id: str) -> int:
        key_id = f"Key{number % 3:05}"
        hold = ledger.admit(caller(plan, key_id), MODEL, request_id, 100, 500, now + LIFETIME).hold
        if number % 5 == 0:
            return 0 if ledger.release(hold) else -1
        usage = Usage(90 + number, 200, cached_tokens=number)
        settled = [ledger.settle(hold, usage), ledger.settle(hold, usage)]
        return usage.total_tokens * sum(settled)

    with ThreadPoolExecutor(8) as pool:
        return sum(pool.map(run, range(len(ids)), ids))


def mark_changed(endpoint: str, table: str, now: float, what: str, version: int) -> None:
    """In a process of its own: what revoking a key or changing a plan does to the ledger."""
    Ledger(_process_client(endpoint), table, lambda: now).mark_changed(ACCOUNT, what, version)


@dataclass
class Meter:
    """Calls to DynamoDB, and the capacity units they took."""

    calls: list[str] = field(default_factory=list)
    units: float = 0.0


@contextmanager
def metered(client: DynamoDBClient) -> Iterator[Meter]:
    meter = Meter()

    def ask(params: dict[str, Any], **_: Any) -> None:
        params["ReturnConsumedCapacity"] = "TOTAL"

    def count(model: Any, parsed: dict[str, Any], **_: Any) -> None:
        meter.calls.append(model.name)
        meter.units += parsed.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0)

    events = client.meta.events
    events.register("provide-client-params.dynamodb.*", ask)
    events.register("after-call.dynamodb.*", count)
    try:
        yield meter
    finally:
        events.unregister("provide-client-params.dynamodb.*", ask)
        events.unregister("after-call.dynamodb.*", count)


def item_bytes(item: dict[str, Any]) -> int:
    """An item's size by DynamoDB's published rule."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: dict[str, Any]) -> int:
    if "S" in value:
        return len(value["S"].encode())
    if "M" in value:
        return 3 + sum(1 + len(name) + _value_bytes(inner) for name, inner in value["M"].items())
    digits = value["N"].lstrip("-").rstrip("0")
    return (len(digits) + 1) // 2 + 1 + int(value["N"].startswith("-"))
