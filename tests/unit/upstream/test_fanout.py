"""`n` completions from providers that give one at a time: merged, indexed, their usage summed."""

import asyncio
from collections.abc import AsyncGenerator, Collection
from typing import Any

import pytest

from losi.catalogue.models import Route
from losi.chat.chunks import ChunkStream, TokenBounds
from losi.errors import Remedy, UpstreamError
from losi.metering.usage import Usage
from losi.upstream.fanout import prepare
from losi.upstream.format import UpstreamCall, finished
from tests.catalogue import PROVIDERS
from tests.fake_format import FakeExchange, chunks_of
from tests.loose import Json, loose

USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}


class OneAtATime:
    """Answers "answer 0", "answer 1", ... in the order of the calls; those of `broken` fail.

    A broken call waits until `others` are done, and a stream breaks after its first words.
    """

    def __init__(
        self,
        *,
        broken: Collection[int] = (),
        usage: bool = True,
        error: UpstreamError | None = None,
        others: int = 0,
        silent: bool = False,
    ) -> None:
        self.bodies: list[Json] = []
        self._broken, self._usage, self._silent = broken, usage, silent
        self._error = error or UpstreamError("broken")
        self._others, self._all_done = others, asyncio.Event()
        self._finish(0)

    def prepare(self, call: UpstreamCall) -> FakeExchange:
        return FakeExchange(self, call)

    async def _fail(self) -> None:
        await self._all_done.wait()
        raise self._error

    def _finish(self, count: int) -> None:
        self._others -= count
        if self._others <= 0:
            self._all_done.set()

    async def complete(self, call: UpstreamCall) -> Json:
        number = self._number(call)
        if number in self._broken:
            await self._fail()
        self._finish(1)
        message = {"role": "assistant", "content": f"answer {number}"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return {"choices": [choice], "usage": USAGE if self._usage else None}

    def _number(self, call: UpstreamCall) -> int:
        self.bodies.append(call.body)
        return len(self.bodies) - 1

    async def stream(self, call: UpstreamCall) -> AsyncGenerator[Json]:
        number = self._number(call)
        if self._silent and number in self._broken:
            await self._fail()
        for piece in ("answer ", str(number)):
            yield {"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]}
            await asyncio.sleep(0)
            if number in self._broken:
                await self._fail()
        yield {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        if self._usage:
            yield {"choices": [], "usage": USAGE}
        self._finish(1)


async def no_pause(seconds: float) -> None:
    """Its length is tested with the routes."""


def call(n: int = 3) -> UpstreamCall:
    return UpstreamCall(
        loose({"messages": [], "n": n}), Route(provider=PROVIDERS["anthropic"], model="m"), "req_1"
    )


async def test_plain_answers_are_merged() -> None:
    provider = OneAtATime()

    answer = await prepare(provider.prepare, call()).complete()

    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]
    said = [choice["message"]["content"] for choice in answer["choices"]]
    assert said == ["answer 0", "answer 1", "answer 2"]
    assert answer["usage"]["prompt_tokens"] == 15 and answer["usage"]["total_tokens"] == 21
    assert all("n" not in body for body in provider.bodies)


async def test_streams_are_merged_with_their_own_index() -> None:
    relay = ChunkStream("chatcmpl-1", 1, "m", include_usage=True, bounds=TokenBounds(1))
    said: dict[int, str] = {}
    async for chunk in chunks_of(prepare(OneAtATime().prepare, call()).stream()):
        public: Any = relay.public(chunk)
        for choice in public["choices"] if public else ():
            said[choice["index"]] = said.get(choice["index"], "") + choice["delta"].get(
                "content", ""
            )

    assert said == {0: "answer 0", 1: "answer 1", 2: "answer 2"}
    assert relay.usage == Usage(15, 6)


class Telling(OneAtATime):
    """Pads its chunks, and counts what it thought."""

    async def complete(self, call: UpstreamCall) -> Json:
        counted = {**USAGE, "completion_tokens_details": {"reasoning_tokens": 0}}
        return {**await super().complete(call), "usage": counted}

    async def stream(self, call: UpstreamCall) -> AsyncGenerator[Json]:
        async for chunk in super().stream(call):
            if chunk.get("usage"):
                yield {**chunk, "usage": {**USAGE, "prompt_tokens_details": {"cached_tokens": 2}}}
            else:
                yield {**chunk, "obfuscation": "xyz", "system_fingerprint": "fp"}


async def test_a_sum_has_the_details_that_were_told_and_no_others() -> None:
    answer = await prepare(OneAtATime().prepare, call(2)).complete()
    assert answer["usage"].keys() == {"prompt_tokens", "completion_tokens", "total_tokens"}

    answer = await prepare(Telling().prepare, call(2)).complete()
    assert "prompt_tokens_details" not in answer["usage"]
    assert answer["usage"]["completion_tokens_details"] == {"reasoning_tokens": 0}


async def test_the_usage_of_merged_streams_is_not_padded() -> None:
    chunks = [chunk async for chunk in chunks_of(prepare(Telling().prepare, call(2)).stream())]

    assert chunks[-1]["usage"]["prompt_tokens_details"] == {"cached_tokens": 4}
    assert "completion_tokens_details" not in chunks[-1]["usage"]
    assert chunks[-1]["system_fingerprint"] == "fp"
    assert not {"obfuscation"} & (chunks[0].keys() | chunks[-1].keys())


async def test_where_a_call_told_no_usage_each_ones_is_given() -> None:
    answer = await prepare(OneAtATime(usage=False).prepare, call(2)).complete()

    assert "usage" not in answer
    assert answer["usages"] == [None, None]


class TestAChoiceThatFails:
    async def test_is_alone_asked_for_again(self) -> None:
        provider = OneAtATime(broken=[1])

        pauses: list[float] = []

        async def pause(seconds: float) -> None:
            pauses.append(seconds)

        answer = await prepare(provider.prepare, call(), pause).complete()

        assert (len(provider.bodies), len(pauses)) == (4, 1)
        said = {choice["message"]["content"] for choice in answer["choices"]}
        assert said == {"answer 0", "answer 2", "answer 3"}

    async def test_for_good_ends_all_and_names_what_finished(self) -> None:
        provider = OneAtATime(broken=[1, 3], others=2)

        exchange = prepare(provider.prepare, call(), no_pause)

        with pytest.raises(UpstreamError) as caught:
            await exchange.complete()

        assert len(provider.bodies) == 4
        assert caught.value.remedy is Remedy.NOTHING  # no route is asked for all of them again
        assert [answer["usage"] for answer in finished(exchange)] == [USAGE, USAGE]

    async def test_with_all_others_leads_to_the_next_route(self) -> None:
        with pytest.raises(UpstreamError) as caught:
            await prepare(OneAtATime(broken=range(9)).prepare, call(), no_pause).complete()

        assert caught.value.remedy is Remedy.NEXT_ROUTE

    async def test_before_it_spoke_is_asked_for_again_in_a_stream(self) -> None:
        provider = OneAtATime(broken=[1], silent=True)

        chunks = [
            chunk async for chunk in chunks_of(prepare(provider.prepare, call(), no_pause).stream())
        ]

        assert len(provider.bodies) == 4
        assert chunks[-1]["usage"]["prompt_tokens"] == 15

    async def test_after_it_spoke_breaks_the_stream_and_keeps_what_the_others_told(self) -> None:
        relay = ChunkStream("c", 1, "m", include_usage=True, bounds=TokenBounds(100), prompts=3)

        with pytest.raises(UpstreamError):
            exchange = prepare(OneAtATime(broken=[1], others=2).prepare, call())
            async for chunk in chunks_of(exchange.stream()):
                relay.public(chunk)

        told, estimate = Usage(5 + 5, 2 + 2), Usage(100, 2, estimated=True)  # "answer " is 7 long
        assert relay.broken_off_usage == told + estimate


async def test_a_stream_that_breaks_ends_all_of_them() -> None:
    with pytest.raises(UpstreamError):
        async for _ in chunks_of(prepare(OneAtATime(broken=[2]).prepare, call()).stream()):
            pass

    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_reader_that_stops_early_leaves_nothing_running() -> None:
    chunks = chunks_of(prepare(OneAtATime().prepare, call()).stream())
    await anext(chunks)
    await chunks.aclose()

    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("n", [2, 8])
async def test_a_slow_reader_slows_the_providers_down(n: int) -> None:
    made = 0

    class Talks(OneAtATime):
        async def stream(self, call: UpstreamCall) -> AsyncGenerator[Json]:
            nonlocal made
            for _ in range(1_000):
                made += 1
                choice = {"index": 0, "delta": {"content": "word "}, "finish_reason": None}
                yield {"choices": [choice]}

    chunks = chunks_of(prepare(Talks().prepare, call(n)).stream())
    await anext(chunks)
    for _ in range(1_000):  # the providers could make all their words meanwhile
        await asyncio.sleep(0)
    await chunks.aclose()

    assert 4 * n <= made <= 6 * n + 1
