"""What a streamed event may cost: counted in calls, blocks of memory and writes, never timed.

From the bytes of one read of the provider to the bytes that a client gets, without sockets and
ledger. Each bound is about half as much again as what was counted; `test_the_bounds_can_be_broken`
takes one shortcut away, and the same count breaks its bound.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from types import FrameType, TracebackType
from typing import Any

import pytest

from losi.catalogue.models import Route
from losi.chat.chunks import ChunkStream, TokenBounds
from losi.chat.completions import End
from losi.config import Config
from losi.dialects import openai_chat
from losi.dialects.openai import EVENT_STREAM
from losi.upstream import http, sse
from losi.upstream.batch import Batch
from losi.upstream.format import Format
from losi.upstream.openai.chat import OpenAIChat
from losi.upstream.registry import Registry, Settings
from losi.upstream.routing import ChatRouter, Job, Prepared
from losi.web.relay import Opened, Pieces, RelayResponse
from losi.web.responses import render
from tests.catalogue import PROVIDERS
from tests.loose import Json

EVENTS = 1_000
READ = 32_768
ROUTE = Route(provider=PROVIDERS["openai"], model="m")
BODY: Json = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}

#: Calls of functions, Python's and C's, for an event.
MOST_CALLS = {"text": 2.7, "escaped text": 2.7, "tool calls": 4.5}
#: Blocks of memory that an event needs until it is written.
MOST_BLOCKS = 4.5
#: Blocks of memory that are still held when a stream has ended.
MOST_BLOCKS_HELD = 200


def chunk(delta: Json, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    told = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return b"data: " + json.dumps({**told, "choices": [choice]}).encode() + b"\n\n"


def arguments(text: str, **begun: Any) -> Json:
    function = {"arguments": text, **begun.pop("function", {})}
    return {"tool_calls": [{"index": 0, **begun, "function": function}]}


DELTAS: dict[str, list[Json]] = {
    "text": [{"content": "one two three "}] * EVENTS,
    "escaped text": [{"content": '"one"\n\tü '}] * EVENTS,
    "tool calls": [
        arguments('{"a":', id="call_1", function={"name": "f"}),
        *[arguments("1, ")] * (EVENTS - 1),
    ],
}


def stream(kind: str) -> bytes:
    events = [chunk({"role": "assistant", "content": ""}), *map(chunk, DELTAS[kind])]
    return b"".join([*events, chunk({}, "stop"), b"data: [DONE]\n\n"])


class Answer:
    """The provider's answer, in reads of a size."""

    status = 200
    headers: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, body: bytes, size: int) -> None:
        self.reads = [body[at : at + size] for at in range(0, len(body), size)]

    async def request(self, *_: object) -> Answer:
        return self

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for read in self.reads:
            yield read
            await asyncio.sleep(0)

    async def __aenter__(self) -> Answer:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class OneFormat(Registry[Format]):
    def __init__(self) -> None:
        settings = Settings("http://provider", "sk")
        super().__init__({"openai": lambda provider, _: OpenAIChat(provider, settings)}, Config())

    def upstream(self, provider: Any, *, refresh: bool = False) -> Format:
        return self._formats["openai"](provider, Settings())


async def opened() -> Opened:
    deadline = asyncio.get_running_loop().time() + 60
    job = Job("m", [ROUTE], lambda _: Prepared(BODY, ()), BODY.keys(), "req_1", deadline)
    batches, _ = await ChatRouter(OneFormat()).stream(job)
    relay = ChunkStream("ours", 1, "gpt-4o", include_usage=False, bounds=TokenBounds(1))

    async def events() -> AsyncGenerator[Batch | End]:
        async for batch in batches:
            yield relay.batch(batch)
        yield End(relay.usage_chunk())

    return Pieces(events(), openai_chat.EventStream(include_usage=False).written), {}


async def relayed(at_write: Callable[[], None] = lambda: None) -> list[bytes]:
    """What was written to the client, write by write."""
    written: list[bytes] = []

    async def send(message: Any) -> None:
        at_write()
        if message.get("body"):
            written.append(message["body"])

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    response = RelayResponse(opened(), render, EVENT_STREAM, 60)
    await response({"type": "http"}, receive, send)
    return written


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Any:
    def answers(kind: str, size: int = READ) -> Answer:
        answer = Answer(stream(kind), size)
        monkeypatch.setattr(http, "http_client", lambda: answer)
        return answer

    return answers


async def calls_for_an_event() -> float:
    await relayed()  # what is made once is not an event's
    count = 0

    def counted(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        await relayed()
    finally:
        sys.setprofile(before)
    return count / EVENTS


@pytest.mark.parametrize("kind", DELTAS)
async def test_what_is_relayed_is_whole(provider: Any, kind: str) -> None:
    provider(kind)

    events = b"".join(await relayed()).decode().strip().split("\n\n")

    assert events[-1] == "data: [DONE]"
    chunks = [json.loads(event.removeprefix("data: ")) for event in events[:-1]]
    assert len(chunks) == EVENTS + 2
    assert {one["id"] for one in chunks} == {"ours"}
    said = [one["choices"][0]["delta"] for one in chunks[1:-1]]
    assert said[1:] == DELTAS[kind][1:]


@pytest.mark.parametrize("kind", DELTAS)
async def test_what_one_read_brings_is_one_write(provider: Any, kind: str) -> None:
    answer = provider(kind)

    written = await relayed()

    assert len(written) <= len(answer.reads) + 1  # [DONE] comes when all is settled


@pytest.mark.parametrize("kind", DELTAS)
async def test_an_event_takes_few_calls(provider: Any, kind: str) -> None:
    provider(kind)

    assert await calls_for_an_event() <= MOST_CALLS[kind]


async def test_text_cut_anywhere_takes_few_calls_for_a_read(provider: Any) -> None:
    answer = provider("text", size=100)

    calls = await calls_for_an_event() * EVENTS / len(answer.reads)

    assert calls <= 105


async def blocks_for_an_event(kind: str) -> float:
    """The most that are there at any write, for each event of a read."""
    await relayed()
    before, most = sys.getallocatedblocks(), 0

    def look() -> None:
        nonlocal most
        most = max(most, sys.getallocatedblocks() - before)

    await relayed(look)
    return most / (READ / len(chunk(DELTAS[kind][1])))


@pytest.mark.parametrize("kind", DELTAS)
async def test_an_event_allocates_little(provider: Any, kind: str) -> None:
    provider(kind)

    assert await blocks_for_an_event(kind) <= MOST_BLOCKS


async def test_a_stream_holds_nothing_when_it_has_ended(provider: Any) -> None:
    provider("text")
    await relayed()
    before = sys.getallocatedblocks()

    await relayed()

    assert sys.getallocatedblocks() - before <= MOST_BLOCKS_HELD


async def test_the_bounds_can_be_broken(provider: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    provider("text")
    monkeypatch.setattr(sse._Pattern, "of", lambda *_: None)

    assert await calls_for_an_event() > MOST_CALLS["text"]
    assert await blocks_for_an_event("text") > MOST_BLOCKS
