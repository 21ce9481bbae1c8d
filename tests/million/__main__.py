"""Generates the day, reconciles it in runs as long as Lambda's, and reports what that took."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from local.table import create_table, load_template
from losi.aws.settlements import MARGIN_SECONDS
from losi.metering import register
from losi.metering.ledger import Ledger
from losi.metering.reconciliation import Found, Progress, Reconciliation
from losi.store.client import primary_key
from losi.store.dynamodb import DynamoDB, SendsToDynamoDB
from losi.store.reads import Reads
from losi.store.writes import DynamoDBWrites
from tests.dynamodb_local import connect, dynamodb_environment, running_dynamodb

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TABLE = "losi-million"
DAY = date(2026, 11, 25)
NOW = datetime(2026, 11, 26, 0, 30, tzinfo=UTC).timestamp()
#: One in so many accounts has a hold whose process died, and one in so many a wrong total.
STALE, WRONG = 1_000, 10_000
#: On demand, us-east-1: https://aws.amazon.com/dynamodb/pricing/on-demand/
READ_UNIT, WRITE_UNIT = 0.125 / 1e6, 0.625 / 1e6


@dataclass
class Metered:
    """A client that adds up the capacity it takes."""

    dynamodb: SendsToDynamoDB
    units: dict[str, float] = field(default_factory=lambda: {"read": 0.0, "write": 0.0})

    async def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        answer = await self.dynamodb.call(operation, {**request, "ReturnConsumedCapacity": "TOTAL"})
        consumed = answer.pop("ConsumedCapacity", [])
        kind = "write" if operation == "UpdateItem" else "read"
        for one in consumed if isinstance(consumed, list) else [consumed]:
            self.units[kind] += one["CapacityUnits"]
        return answer


def items(numbers: range) -> Iterator[dict[str, Any]]:
    """Of each account its entry in the register and its day: three keys, two models each."""
    for number in numbers:
        account_id = f"acct{number:06}"
        rows = {
            f"Key{key:05}": {"M": {model: row(number, key) for model in ("4o", "4om")}}
            for key in range(3)
        }
        settled = sum(
            int(counter["N"])
            for models in rows.values()
            for counters in models["M"].values()
            for counter in counters["L"][1:3]
        )
        holds = {}
        if number % STALE == 0:
            hold = {
                "t": {"N": "500"},
                "i": {"N": "100"},
                "x": {"N": "1"},
                "k": {"S": "Key00001.4o"},
            }
            holds = {f"request{number:09}": {"M": hold}}
        committed = settled + 500 * len(holds) + int(number % WRONG == 0)
        yield {**register.key(account_id, DAY, test=False), "ttl": {"N": "1803686400"}}
        yield {
            **primary_key(account_id, f"DAY#{DAY}"),
            "committed": {"N": str(committed)},
            "holds": {"M": holds},
            "k": {"M": rows},
            "ttl": {"N": "1863686400"},
            **{f"u_Key{key:05}": {"N": "29872345"} for key in range(3)},
        }


def row(number: int, key: int) -> dict[str, Any]:
    figures = (1 + number % 90, 40_000 + number % 977, 9_000 + key, 20_000, 0, 500, 0)
    return {"L": [{"N": str(figure)} for figure in figures]}


def load(client: DynamoDBClient, accounts: int) -> None:
    def write(start: int) -> None:
        requests: list[Any] = [
            {"PutRequest": {"Item": item}}
            for item in items(range(start, min(start + 12, accounts)))
        ]
        left: Any = {TABLE: requests}
        while left:
            left = client.batch_write_item(RequestItems=left)["UnprocessedItems"]

    with ThreadPoolExecutor(8) as pool:
        starts = range(0, accounts, 12)
        for done, _ in enumerate(pool.map(write, starts)):
            if done % 2000 == 0:
                say(f"{done * 12:,} of {accounts:,} accounts are generated")


async def reconcile(endpoint: str) -> None:
    metered = Metered(DynamoDB("us-east-1", endpoint, seconds=30))
    writes = DynamoDBWrites(metered, TABLE)
    work = Reconciliation(Reads(metered, TABLE), writes, Ledger(writes, writes), lambda: NOW)
    began, runs, days = time.process_time(), 0, list[Progress]()
    while not days:
        runs += 1
        days = await work.run(lasting(RUN_SECONDS))
        say(f"run {runs} is over, after {metered.units['read']:,.0f} read units")
    [day] = days
    report(day.found, metered, runs, time.process_time() - began)


def report(found: Found, metered: Metered, runs: int, cpu: float) -> None:
    dollars = metered.units["read"] * READ_UNIT + metered.units["write"] * WRITE_UNIT
    say(f"{found}")
    say(f"{runs} runs of {RUN_SECONDS:.0f} s at most, {cpu:,.0f} s of CPU")
    say(f"{metered.units}: {dollars:.3f} dollars at DynamoDB")


def lasting(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() < end


def say(text: str) -> None:
    print(f"{time.monotonic() - STARTED:6.0f} s  {text}", flush=True)


def main() -> None:
    accounts = int(os.environ.get("ACCOUNTS") or "1000000")
    with running_dynamodb() as endpoint:
        os.environ.update(dynamodb_environment(endpoint, TABLE))
        client = connect(endpoint)
        create_table(client, TABLE)
        load(client, accounts)
        say("reconciling")
        asyncio.run(reconcile(endpoint))


#: As long as a run of the function takes from the work.
RUN_SECONDS = (
    load_template()["Resources"]["SettlementsFunction"]["Properties"]["Timeout"] - MARGIN_SECONDS
)
STARTED = time.monotonic()

if __name__ == "__main__":
    main()
