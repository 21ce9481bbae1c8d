"""Many streams in one process, as Lambda Managed Instances call it."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI

from losi.identity.key import NewKey
from losi.identity.principal import PERMISSIONS
from losi.management.accounts import Accounts
from losi.metering.books import Books
from losi.metering.usage import Usage
from tests.catalogue import CATALOGUE
from tests.dynamodb_local import dynamodb_environment
from tests.e2e.world import END, event, expire_holds, usage_today, word
from tests.fake_upstream import FakeUpstream, Received, Reply
from tests.front_door import FrontDoor, Function, Upstream, template_routes
from tests.ledger_invariants import check_invariants

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MANY = 64
STREAMING = Function(
    "streaming",
    Path(__file__).parents[1] / "front_door/handlers/streaming",
    streaming=True,
    at_once=MANY,
)


@pytest.fixture
def door() -> Iterator[FrontDoor]:
    with FrontDoor({"ANY /{path}": STREAMING}, concurrency=1) as door:
        yield door


async def test_streams_are_interleaved_and_know_nothing_of_each_other(door: FrontDoor) -> None:
    async with httpx.AsyncClient(base_url=door.url, timeout=60) as client:

        async def events(caller: int) -> list[dict[str, Any]]:
            text = (await client.get(f"/in-step?many={MANY}&caller={caller}")).text
            return [json.loads(data.removeprefix("data: ")) for data in text.split("\n\n")[:-1]]

        # no event is sent before all streams are as far: one after another, they would never end
        streams = await asyncio.gather(*(events(caller) for caller in range(MANY)))

    door.wait_idle()
    invocations = {
        json.loads(each.event)["queryStringParameters"]["caller"]: each
        for each in door.invocations("streaming")
    }
    pids = {seen["pid"] for stream in streams for seen in stream}
    assert len(pids) == 1
    for caller, stream in enumerate(streams):
        trace = f"Root=1-5bef4de7-{invocations[str(caller)].trace}"
        assert [(seen["caller"], seen["trace_id"]) for seen in stream] == [(str(caller), trace)] * 3

    traces = {each.request_id: each.trace for each in invocations.values()}
    lines = [json.loads(line) for line in door.logs("streaming")]
    lines = [line for line in lines if line["logger"] == "app"]
    assert len(lines) == 3 * MANY
    for line in lines:
        assert line["requestId"] == line["message"].split(",")[0]
        assert line["traceId"].endswith(traces[line["requestId"]])


def test_one_stream_that_waits_holds_up_no_other(door: FrontDoor) -> None:
    with (
        Upstream() as upstream,
        httpx.Client(base_url=door.url, timeout=30) as client,
        client.stream("GET", f"/relay?port={upstream.port}") as slow,
    ):
        events = slow.iter_text()
        upstream.release("one")
        assert next(events) == "data: one\n\n"
        pids = {client.get("/echo").json()["pid"] for _ in range(20)}
        upstream.close()
        assert list(events) == []

    assert pids == {door.pids("streaming")[0]}


def test_the_deadline_of_one_is_its_own(door: FrontDoor) -> None:
    """Not even an app that does not stop takes the others with it: Lambda ends no process here."""
    with (
        Upstream() as upstream,
        httpx.Client(base_url=door.url, timeout=30) as client,
        client.stream("GET", f"/relay?port={upstream.port}") as patient,
    ):
        events = patient.iter_text()
        upstream.release("one")
        assert next(events) == "data: one\n\n"
        door.limit(1)
        assert client.get("/hang").status_code == 504
        assert client.get("/hang-deaf").status_code == 504
        door.limit(60)
        assert client.get("/echo").json()["pid"] == door.pids("streaming")[0]
        upstream.release("two")
        assert next(events) == "data: two\n\n"
        upstream.close()
        assert list(events) == []


def test_sigterm_ends_the_process_after_all_that_were_busy(door: FrontDoor) -> None:
    with Upstream() as first, Upstream() as second, httpx.Client(base_url=door.url) as client:
        with (
            client.stream("GET", f"/relay?port={first.port}") as one,
            client.stream("GET", f"/relay?port={second.port}") as other,
        ):
            streams = [(first, one.iter_text()), (second, other.iter_text())]
            for upstream, events in streams:
                upstream.release("before")
                assert next(events) == "data: before\n\n"
            door.kill("streaming", signal.SIGTERM)
            for upstream, events in streams:
                upstream.release("after")
                assert next(events) == "data: after\n\n"
                upstream.close()
                assert list(events) == []

        assert door.wait_exit("streaming") == 0


@dataclass
class Caller:
    account_id: str
    sdk: AsyncOpenAI


@dataclass
class Fleet:
    """Four accounts, with as many streams together as one process has."""

    door: FrontDoor
    upstream: FakeUpstream
    callers: list[Caller]

    async def stream(self, caller: Caller, number: int) -> Any:
        return await caller.sdk.chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": f"{number}"}], stream=True
        )

    @asynccontextmanager
    async def raw_stream(self, prompt: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """The bytes that the first caller gets, which nobody parses."""
        sdk = self.callers[0].sdk
        asked = {"role": "user", "content": prompt}
        async with (
            httpx.AsyncClient(timeout=60) as http,
            http.stream(
                "POST",
                f"{sdk.base_url}chat/completions",
                json={"model": "gpt-4o", "messages": [asked], "stream": True},
                headers={"authorization": f"Bearer {sdk.api_key}"},
            ) as response,
        ):
            yield response.aiter_raw()


@pytest.fixture
async def fleet(dynamodb: "DynamoDBClient", losi_table: str) -> AsyncIterator[Fleet]:
    accounts = Accounts(dynamodb, losi_table, Books(dynamodb, losi_table), CATALOGUE.plans)
    async with FakeUpstream() as upstream:
        environment = {
            **dynamodb_environment(dynamodb.meta.endpoint_url, losi_table),
            "LOSI_OPENAI_API_KEY": "sk-upstream",
            "LOSI_OPENAI_BASE_URL": f"{upstream.url}/v1",
            # the first 64 at once are more than a small machine's store answers in its 2.5 seconds
            "LOSI_STORE_SECONDS": "30",
        }
        with FrontDoor(template_routes(at_once=MANY), environment, concurrency=1) as door:
            callers = []
            for _ in range(4):
                account = accounts.create_account("ultra")
                _, key = accounts.create_key(account.id, NewKey("key", frozenset(PERMISSIONS)))
                sdk = AsyncOpenAI(
                    base_url=f"{door.url}/api/v1", api_key=key.text, max_retries=0, timeout=60
                )
                callers.append(Caller(account.id, sdk))
            yield Fleet(door, upstream, callers)
            for caller in callers:
                await caller.sdk.close()


def echo(request: Received, going_on: asyncio.Barrier | asyncio.Event) -> Reply:
    """The prompt, which is a number, as text and as the tokens that it cost."""
    number = int(request.json["messages"][-1]["content"])
    usage = {"prompt_tokens": number, "completion_tokens": 1, "total_tokens": number + 1}

    async def body() -> AsyncIterator[bytes]:
        yield word(f"{number}")
        await going_on.wait()
        yield END[0]
        yield event({"choices": [], "usage": usage})
        yield END[2]

    return Reply.sse(body())


async def test_each_account_gets_and_pays_its_own(
    fleet: Fleet, dynamodb: "DynamoDBClient", losi_table: str
) -> None:
    together = asyncio.Barrier(MANY)
    fleet.upstream.answer = lambda request: echo(request, together)

    async def answered(number: int) -> str:
        stream = await fleet.stream(fleet.callers[number % 4], number)
        chunks = [chunk async for chunk in stream]
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)

    answers = await asyncio.gather(*(answered(number) for number in range(MANY)))

    assert answers == [f"{number}" for number in range(MANY)]
    await asyncio.to_thread(fleet.door.wait_idle)
    for index, caller in enumerate(fleet.callers):
        requests, usage = await usage_today(dynamodb, losi_table, caller.account_id)
        assert (requests, usage) == (16, Usage(sum(range(index, MANY, 4)), 16))
    assert len(fleet.door.pids("chat_completions")) == 1
    check_invariants(dynamodb, losi_table, all_settled=True)


async def test_a_stream_that_never_pauses_leaves_room_for_the_others(fleet: Fleet) -> None:
    """It goes on until all the others have ended, so if it held them up none of them would."""
    others_ended, at_once = asyncio.Event(), asyncio.Event()
    at_once.set()

    async def without_pause() -> AsyncIterator[bytes]:
        while not others_ended.is_set():
            yield word("on and on ") * 1_000
            await asyncio.sleep(0.005)  # or this process, which is all others too, had no time
        for end in END:
            yield end

    greedy = "0"
    fleet.upstream.answer = lambda request: (
        Reply.sse(without_pause())
        if request.json["messages"][-1]["content"] == greedy
        else echo(request, at_once)
    )
    async with fleet.raw_stream(greedy) as flood:
        await anext(flood)
        reading = asyncio.create_task(_last(flood))

        streams = [fleet.stream(caller, number) for number, caller in enumerate(fleet.callers, 1)]
        for stream in await asyncio.gather(*streams):
            assert [chunk async for chunk in stream]

        assert not reading.done()
        others_ended.set()
        assert (await reading).endswith(END[2])


async def _last(pieces: AsyncIterator[bytes]) -> bytes:
    last = b""
    async for piece in pieces:
        last = piece
    return last


async def test_after_kill_9_every_hold_is_settled_once(
    fleet: Fleet, dynamodb: "DynamoDBClient", losi_table: str
) -> None:
    never, at_once = asyncio.Event(), asyncio.Event()
    at_once.set()
    fleet.upstream.answer = lambda request: echo(request, never)
    streams = await asyncio.gather(
        *(fleet.stream(fleet.callers[number % 4], 7) for number in range(MANY))
    )
    for stream in streams:
        await anext(stream)

    await asyncio.to_thread(fleet.door.kill, "chat_completions")
    for stream in streams:
        with pytest.raises((openai.APIError, httpx.HTTPError)):
            await anext(stream)
    for caller in fleet.callers:
        expire_holds(dynamodb, losi_table, caller.account_id)

    fleet.upstream.answer = lambda request: echo(request, at_once)
    for _ in range(2):  # a second look finds nothing more to bill
        for caller in fleet.callers:
            assert [chunk async for chunk in await fleet.stream(caller, 7)]
    await asyncio.to_thread(fleet.door.wait_idle)
    for caller in fleet.callers:
        requests, usage = await usage_today(dynamodb, losi_table, caller.account_id)
        assert requests == 16 + 2
        assert usage.output_tokens == 2
        dead = usage.input_tokens - 2 * 7  # billed at what their prompts were estimated at
        assert dead > 0 and dead % 16 == 0
    check_invariants(dynamodb, losi_table)
