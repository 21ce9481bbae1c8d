"""`n` completions from providers that give one at a time: merged, indexed, their usage summed."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from losi.catalogue.models import Route
from losi.chat.chunks import ChunkStream
from losi.errors import UpstreamError
from losi.metering.usage import Usage
from losi.upstream.fanout import prepare
from losi.upstream.format import UpstreamCall
from losi.wire import Json
from tests.catalogue import PROVIDERS
from tests.fake_format import FakeExchange

USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}


class OneAtATime:
    """Answers "answer 0", "answer 1", ... in the order of the calls; call `broken` fails."""

    def __init__(self, *, broken: int | None = None, usage: bool = True) -> None:
        self.bodies: list[Json] = []
        self.cancelled = 0
        self._broken = broken
        self._usage = usage

    def prepare(self, call: UpstreamCall) -> FakeExchange:
        return FakeExchange(self, call)

    def _number(self, call: UpstreamCall) -> int:
        self.bodies.append(call.body)
        return len(self.bodies) - 1

    async def complete(self, call: UpstreamCall) -> Json:
        number = self._number(call)
        if number == self._broken:
            raise UpstreamError("broken")
        try:
            await asyncio.Event().wait() if self._broken is not None else await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        message = {"role": "assistant", "content": f"answer {number}"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return {"choices": [choice], "usage": USAGE if self._usage else None}

    async def stream(self, call: UpstreamCall) -> AsyncGenerator[Json]:
        number = self._number(call)
        for piece in ("answer ", str(number)):
            yield {"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]}
            await asyncio.sleep(0)
            if number == self._broken:
                raise UpstreamError("broken")
        yield {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        if self._usage:
            yield {"choices": [], "usage": USAGE}


def call(n: int = 3) -> UpstreamCall:
    return UpstreamCall(
        {"messages": [], "n": n}, Route(provider=PROVIDERS["anthropic"], model="m"), "req_1"
    )


async def test_plain_answers_are_merged() -> None:
    provider = OneAtATime()

    answer = await prepare(provider, call()).complete()

    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]
    said = [choice["message"]["content"] for choice in answer["choices"]]
    assert said == ["answer 0", "answer 1", "answer 2"]
    assert answer["usage"]["prompt_tokens"] == 15 and answer["usage"]["total_tokens"] == 21
    assert all("n" not in body for body in provider.bodies)


async def test_streams_are_merged_with_their_own_index() -> None:
    relay = ChunkStream("chatcmpl-1", 1, "m", include_usage=True, input_tokens=1)
    said: dict[int, str] = {}
    async for chunk in prepare(OneAtATime(), call()).stream():
        public: Any = relay.public(chunk)
        for choice in public["choices"] if public else ():
            said[choice["index"]] = said.get(choice["index"], "") + choice["delta"].get(
                "content", ""
            )

    assert said == {0: "answer 0", 1: "answer 1", 2: "answer 2"}
    assert relay.usage == Usage(15, 6)


async def test_without_the_usage_of_every_call_the_whole_is_estimated() -> None:
    answer = await prepare(OneAtATime(usage=False), call(2)).complete()

    assert answer["usage"] is None


async def test_when_one_call_fails_so_does_the_whole_and_the_others_are_stopped() -> None:
    provider = OneAtATime(broken=1)

    with pytest.raises(UpstreamError):
        await prepare(provider, call()).complete()

    assert provider.cancelled == 2


async def test_a_stream_that_breaks_ends_all_of_them() -> None:
    with pytest.raises(UpstreamError):
        async for _ in prepare(OneAtATime(broken=2), call()).stream():
            pass

    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_reader_that_stops_early_leaves_nothing_running() -> None:
    chunks = prepare(OneAtATime(), call()).stream()
    await anext(chunks)
    await chunks.aclose()

    assert asyncio.all_tasks() == {asyncio.current_task()}
