"""What is done to a server and its store, and how much of what was answered is in the books."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai
from openai import AsyncOpenAI

from losi.identity.key import NewKey
from losi.identity.principal import PERMISSIONS
from losi.management.accounts import Accounts
from losi.metering.books import Books
from tests.catalogue import CATALOGUE
from tests.dynamodb_local import dynamodb_environment, free_port
from tests.e2e.server import running_server
from tests.e2e.world import END, MESSAGES, REPORTED, word
from tests.fake_upstream import FakeUpstream, Reply
from tests.faults.proxy import Store
from tests.front_door import FrontDoor, template_routes

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: How long a settlement may take to land once the store is well again.
LANDED_WITHIN = 60
#: All that a client, a process or a small machine can do at once is not what is tried here.
OPENED_AT_ONCE = 8


@dataclass
class Place:
    """One account on one server, with a provider and a store that fail on demand."""

    store: Store
    upstream: FakeUpstream
    sdk: AsyncOpenAI
    books: Books
    account_id: str
    #: Sends a signal to all of the server's processes.
    signal: Callable[[int], None]
    #: Waits until all invocations are over.
    idle: Callable[[], None]
    #: From now on an invocation may take so many seconds.
    limit: Callable[[float], None]

    def billed(self) -> int:
        """Answers in the books with the figures that the provider told."""
        today = datetime.now(UTC).date()
        days = self.books.usage(self.account_id, today, today)
        used = days[0].total if days else None
        each = (REPORTED["prompt_tokens"], REPORTED["completion_tokens"])
        if used is None or used.output_tokens % each[1]:
            return 0
        count = used.output_tokens // each[1]
        return count if used.input_tokens == count * each[0] else 0

    async def billed_in_time(self, expected: int) -> int:
        until = time.monotonic() + LANDED_WITHIN
        while (found := await asyncio.to_thread(self.billed)) < expected:
            if time.monotonic() > until:
                break
            await asyncio.sleep(0.2)
        return found

    async def streams(self, count: int, at_their_end: Callable[[], None]) -> int:
        """So many at once, all read to their end; how many said that they were whole."""
        going_on, opening = asyncio.Event(), asyncio.Semaphore(OPENED_AT_ONCE)
        begun = asyncio.Semaphore(0)

        async def body() -> AsyncIterator[bytes]:
            yield word("Once ")
            await going_on.wait()
            for event in END:
                yield event

        async def read() -> bool:
            try:
                async with opening:
                    stream = await self.sdk.chat.completions.create(
                        model="gpt-4o", messages=MESSAGES, stream=True
                    )
            except openai.APIStatusError:  # refused: it got nothing
                begun.release()
                return False
            finish = None
            async for chunk in stream:
                begun.release()
                finish = (chunk.choices[0].finish_reason if chunk.choices else None) or finish
            return finish == "stop"

        self.upstream.replies = [Reply.sse(body()) for _ in range(count + 1)]
        reading = [asyncio.create_task(read()) for _ in range(count)]
        for _ in range(count):
            await begun.acquire()
        at_their_end()
        going_on.set()
        return sum(await asyncio.gather(*reading))


@asynccontextmanager
async def make_run(dynamodb: DynamoDBClient, table: str, folder: Path) -> AsyncIterator[Place]:
    """`make run`: one process for all."""
    async with _around(dynamodb, table, folder) as around:
        with ExitStack() as stack:
            running = running_server(folder, free_port(), **around.environment)
            # in a thread, because it meets the store, which is ours to serve
            server = await asyncio.to_thread(stack.enter_context, running)
            async with around.sdk(server.base_url) as sdk:
                yield around.place(sdk, server.process.send_signal, lambda: None, lambda _: None)
            await asyncio.to_thread(stack.close)


@asynccontextmanager
async def front_door(
    dynamodb: DynamoDBClient, table: str, folder: Path, *, processes: int = 2
) -> AsyncIterator[Place]:
    """The deployed shape: each process has one invocation at a time."""
    async with _around(dynamodb, table, folder) as around:
        routes = template_routes()
        with FrontDoor(routes, around.environment, concurrency=processes) as door:
            async with around.sdk(f"{door.url}/api/v1") as sdk:

                def send_signal(number: int) -> None:
                    door.kill("chat_completions", number)

                yield around.place(sdk, send_signal, door.wait_idle, door.limit)


@dataclass
class _Around:
    store: Store
    upstream: FakeUpstream
    books: Books
    account_id: str
    secret: str
    environment: dict[str, str]

    def sdk(self, base_url: str) -> AsyncOpenAI:
        return AsyncOpenAI(base_url=base_url, api_key=self.secret, max_retries=0, timeout=120)

    def place(self, sdk: AsyncOpenAI, *process: Any) -> Place:
        return Place(self.store, self.upstream, sdk, self.books, self.account_id, *process)


@asynccontextmanager
async def _around(dynamodb: DynamoDBClient, table: str, folder: Path) -> AsyncIterator[_Around]:
    books = Books(dynamodb, table)
    accounts = Accounts(dynamodb, table, books, CATALOGUE.plans)
    account = accounts.create_account("ultra")
    _, secret = accounts.create_key(account.id, NewKey("key", frozenset(PERMISSIONS)))
    async with FakeUpstream() as upstream, Store(dynamodb.meta.endpoint_url) as store:
        environment = {
            **dynamodb_environment(store.url, table),
            "LOSI_SETTLEMENTS_FOLDER": str(folder / "settlements"),
            "LOSI_OPENAI_API_KEY": "sk-upstream",
            "LOSI_OPENAI_BASE_URL": f"{upstream.url}/v1",
        }
        yield _Around(store, upstream, books, account.id, secret.text, environment)


async def blip_at_the_end(place: Place, times: int, seconds: float = 0.2) -> tuple[int, int]:
    """Connections to the store are reset from the moment in which a stream ends."""
    whole = 0
    for _ in range(times):
        whole += await place.streams(1, lambda: place.store.reset_for(seconds))
        await asyncio.sleep(seconds)
    return whole, await place.billed_in_time(whole)


async def resets_under(place: Place, streams: int, seconds: float = 1) -> tuple[int, int]:
    """The same while many streams end at once."""
    whole = await place.streams(1, lambda: None)  # the process is up, and the day open
    whole += await place.streams(streams, lambda: place.store.reset_for(seconds))
    return whole, await place.billed_in_time(whole)


async def half_the_writes_throttled(place: Place, streams: int, at_once: int) -> tuple[int, int]:
    """Only what is asked here counts: earlier answers are in the books by now."""
    before = await asyncio.to_thread(place.billed)
    place.store.fail("throttles", share=0.5)
    whole = 0
    for _ in range(streams // at_once):
        whole += await place.streams(at_once, lambda: None)
    await place.store.well()
    return whole, await place.billed_in_time(before + whole) - before


async def seconds_to_refuse_while_the_store_hangs(place: Place) -> float:
    """After a first answer, so that the process is up and knows the key."""
    await place.streams(1, lambda: None)
    place.store.fail("hangs")
    began = time.monotonic()
    try:
        await place.sdk.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    except openai.APIStatusError as refusal:
        assert refusal.status_code == 503, refusal
        return time.monotonic() - began
    finally:
        await place.store.well()
    raise AssertionError("it was answered, though nothing was written")


async def killed_after_handing_over(place: Place, streams: int) -> tuple[int, int]:
    """The store is gone until the invocations end, then all processes are killed; what they handed
    over is counted by the next ones, after a request of their own.
    """

    def gone() -> None:
        place.store.fail("resets the connection")

    before = await place.streams(streams, lambda: None)  # all processes are up
    place.limit(8)
    whole = before + await place.streams(streams, gone)
    await asyncio.to_thread(place.idle)
    place.limit(60)
    assert await asyncio.to_thread(place.billed) == before < whole, "the store was not gone"
    place.signal(signal.SIGKILL)
    await place.store.well()
    settled = 0
    for _ in range(5):  # new processes have to start, and the first may be refused meanwhile
        if settled := await place.streams(1, lambda: None):
            break
    whole += settled
    return whole, await place.billed_in_time(whole)
