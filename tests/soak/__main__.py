"""SOAK_MINUTES=5 STREAMS=200 SEED=1 make soak. Exit code 1: something was lost, doubled or grew."""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from local.table import create_table
from losi.identity.key import NewKey
from losi.management.accounts import Accounts
from losi.metering.books import Books
from losi.metering.usage import Usage
from tests.catalogue import CATALOGUE
from tests.dynamodb_local import connect, dynamodb_environment, free_port, running_dynamodb
from tests.e2e.server import Server, running_server
from tests.fake_upstream import FakeUpstream
from tests.ledger_invariants import check_invariants
from tests.soak.load import Account, Seen, ask_on
from tests.soak.provider import Provider

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TABLE = "losi-soak"
#: An account of the largest plan may have fifty.
STREAMS_OF_AN_ACCOUNT = 40
#: MiB of the server's process a minute, after the first third of the time. Ten hours of it would
#: be 3 GiB: more is a leak, less is the noise of a run of minutes.
MOST_GROWTH = 5.0
SETTLED_WITHIN = 60.0
PERMISSION = frozenset({"chat.completions"})


def accounts_for(streams: int, client: DynamoDBClient) -> list[Account]:
    accounts = Accounts(client, TABLE, Books(client, TABLE), CATALOGUE.plans)
    made = []
    for _ in range(-(-streams // STREAMS_OF_AN_ACCOUNT)):
        account_id = accounts.create_account("ultra").id
        _, key = accounts.create_key(account_id, NewKey("live", PERMISSION))
        _, test_key = accounts.create_key(account_id, NewKey("test", PERMISSION, test=True))
        made.append(Account(account_id, key.text, test_key.text))
    return made


def resident(pid: int) -> float:
    """MiB in memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def slope(points: Sequence[tuple[float, float]]) -> float:
    """A minute, by least squares, without the first third: a process grows until it is warm."""
    late = points[len(points) // 3 :]
    if len(late) < 3:
        return 0.0
    seconds, values = zip(*late, strict=True)
    return 60.0 * statistics.linear_regression(seconds, values).slope


async def watch(
    server: Server, seen: Seen, seconds: float, memory: list[tuple[float, float]]
) -> None:
    """Samples the memory each second, and shows how far it is."""
    began = time.monotonic()
    while True:
        passed = time.monotonic() - began
        memory.append((passed, resident(server.process.pid)))
        done = min(1.0, passed / seconds)
        bar = "#" * round(30 * done) + "." * (30 - round(30 * done))
        line = (
            f"[{bar}] {passed:4.0f} of {seconds:.0f} s, {sum(seen.asked.values()):,} requests, "
            f"{seen.open} open, {memory[-1][1]:.0f} MiB"
        )
        if sys.stdout.isatty():
            print(f"\r{line}", end="", flush=True)
        elif round(passed) % 15 == 0:
            print(line, flush=True)
        await asyncio.sleep(1)


@dataclass
class Run:
    seen: Seen = field(default_factory=Seen)
    #: Seconds since the beginning, and MiB.
    memory: list[tuple[float, float]] = field(default_factory=list)


async def drive(server: Server, accounts: list[Account], streams: int, seconds: float) -> Run:
    run, dice = Run(), random.Random(int(os.environ.get("SEED") or 1))
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(base_url=server.base_url, limits=limits, timeout=120) as http:
        watching = asyncio.create_task(watch(server, run.seen, seconds, run.memory))
        until = time.monotonic() + seconds
        await asyncio.gather(
            *(
                ask_on(http, accounts[n % len(accounts)], run.seen, dice, until)
                for n in range(streams)
            )
        )
        watching.cancel()
    return run


def booked(books: Books, account: Account, first: date) -> tuple[int, Usage]:
    days = books.usage(account.account_id, first, datetime.now(UTC).date())
    return sum(day.requests for day in days), sum((day.total for day in days), Usage(0, 0))


def owed(provider: Provider, seen: Seen, account: Account) -> tuple[int, Usage]:
    found = [
        used
        for number, used in provider.owed.items()
        if seen.account_of[number] == account.account_id
    ]
    return len(found), sum(found, Usage(0, 0))


async def settled(client: DynamoDBClient) -> None:
    """Until nothing is held; whoever hung up is settled when the provider has ended."""
    until = time.monotonic() + SETTLED_WITHIN
    while True:
        try:
            await asyncio.to_thread(check_invariants, client, TABLE, all_settled=True)
        except AssertionError:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(1)
        else:
            return


def report(run: Run, provider: Provider, accounts: list[Account], books: Books, day: date) -> int:
    """Prints it; the exit code."""
    seen, lost, doubled, wrong = run.seen, 0, 0, 0
    for account in accounts:
        must, is_ = owed(provider, seen, account), booked(books, account, day)
        lost += max(0, must[0] - is_[0])
        doubled += max(0, is_[0] - must[0])
        wrong += abs(must[1].input_tokens - is_[1].input_tokens)
        wrong += abs(must[1].output_tokens - is_[1].output_tokens)
    growth = slope(run.memory)
    waits = sorted(wait for _, wait in seen.first_bytes)
    told = sum((used for used in provider.owed.values()), Usage(0, 0))
    print(
        f"\n\n{sum(seen.asked.values()):,} requests of {len(accounts)} accounts: {dict(seen.asked)}"
    )
    print(f"they saw: {dict(seen.answers)}")
    print(f"the provider: {dict(provider.ends)}")
    print(f"owed: {len(provider.owed):,} requests, {told.total_tokens:,} tokens")
    print(f"lost {lost}, doubled {doubled}, tokens that differ {wrong}")
    print(
        f"memory {run.memory[0][1]:.0f} -> {run.memory[-1][1]:.0f} MiB, {growth:+.2f} MiB a minute"
    )
    print(
        f"first chunk: median {1000 * statistics.median(waits):.0f} ms, "
        f"p99 {1000 * waits[int(0.99 * len(waits))]:.0f} ms, "
        f"{1000 * slope(sorted(seen.first_bytes)):+.1f} ms a minute"
    )
    cut = {"cut", "ReadError", "RemoteProtocolError", "ConnectError", "ReadTimeout"} & {
        *seen.answers
    }
    bad = {
        "lost": lost,
        "doubled": doubled,
        "tokens differ": wrong,
        "grows": growth > MOST_GROWTH,
        "cut": cut,
    }
    failures = [name for name, is_bad in bad.items() if is_bad]
    print(f"FAILED: {', '.join(failures)}" if failures else "Nothing was lost, doubled or grew.")
    return 1 if failures else 0


async def main() -> int:
    seconds = 60 * float(os.environ.get("SOAK_MINUTES") or 5)
    streams, day = int(os.environ.get("STREAMS") or 200), datetime.now(UTC).date()
    provider = Provider(int(os.environ.get("SEED") or 1))
    with ExitStack() as stack:
        client = connect(stack.enter_context(running_dynamodb()))
        create_table(client, TABLE)
        accounts = accounts_for(streams, client)
        async with FakeUpstream() as upstream:
            upstream.answer = provider.answer
            environment = {
                **dynamodb_environment(client.meta.endpoint_url, TABLE),
                "LOSI_OPENAI_API_KEY": "sk-upstream",
                "LOSI_OPENAI_BASE_URL": f"{upstream.url}/v1",
            }
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            server = stack.enter_context(running_server(folder, free_port(), **environment))
            run = await drive(server, accounts, streams, seconds)
            await settled(client)
            return report(run, provider, accounts, Books(client, TABLE), day)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
