"""ConverseStream over real sockets: what Bedrock sends, when, and how it can break off."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any

import pytest
from openai.types.chat import ChatCompletionChunk

from losi.catalogue.models import Route
from losi.errors import InvalidRequestError, Remedy, UpstreamError
from losi.upstream.bedrock.client import READ_AHEAD, BedrockConverse
from losi.upstream.format import UpstreamCall
from tests.catalogue import PROVIDERS
from tests.contract.bedrock_server import BedrockServer, event_frame, exception_frame
from tests.fake_format import chunks_of
from tests.loose import loose

Json = dict[str, Any]
MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"

START: Json = {"messageStart": {"role": "assistant"}}
METADATA: Json = {
    "metadata": {
        "usage": {"inputTokens": 7, "outputTokens": 5, "totalTokens": 12},
        "metrics": {"latencyMs": 321},
    }
}


def text(piece: str, index: int = 0) -> Json:
    return {"contentBlockDelta": {"delta": {"text": piece}, "contentBlockIndex": index}}


def tool(index: int, call_id: str, name: str) -> Json:
    start = {"toolUse": {"toolUseId": call_id, "name": name}}
    return {"contentBlockStart": {"start": start, "contentBlockIndex": index}}


def arguments(index: int, piece: str) -> Json:
    delta = {"toolUse": {"input": piece}}
    return {"contentBlockDelta": {"delta": delta, "contentBlockIndex": index}}


def stop(index: int) -> Json:
    return {"contentBlockStop": {"contentBlockIndex": index}}


def end(reason: str = "end_turn") -> Json:
    return {"messageStop": {"stopReason": reason}}


def call(**body: Any) -> UpstreamCall:
    messages = [{"role": "user", "content": "hello"}]
    route = Route(provider=PROVIDERS["bedrock"], model=MODEL)
    return UpstreamCall(loose({"model": MODEL, "messages": messages, **body}), route, "r1")


@pytest.fixture
async def bedrock() -> AsyncGenerator[BedrockServer]:
    async with BedrockServer.running() as server:
        yield server


@pytest.fixture
def provider(bedrock: BedrockServer) -> BedrockConverse:
    return BedrockConverse(lambda: bedrock.client)


async def collect(
    provider: BedrockConverse,
    bedrock: BedrockServer,
    *events: Json | bytes,
    into: list[Json] | None = None,
) -> list[Json]:
    """All chunks of a stream of these events; `into` keeps them when it fails half-way."""
    chunks = [] if into is None else into
    playing = asyncio.create_task(bedrock.play(*events))
    try:
        async for chunk in chunks_of(provider.prepare(call()).stream()):
            ChatCompletionChunk.model_validate(chunk, strict=True)
            chunks.append(chunk)
    finally:
        await playing
    return chunks


def deltas(chunks: list[Json]) -> list[Json]:
    return [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]


class TestWhatIsStreamed:
    async def test_text_then_finish_then_usage(
        self, provider: BedrockConverse, bedrock: BedrockServer
    ) -> None:
        chunks = await collect(
            provider, bedrock, START, text("Hel"), text("lo"), stop(0), end(), METADATA
        )

        assert deltas(chunks) == [
            {"role": "assistant", "content": "Hel"},
            {"content": "lo"},
            {},
        ]
        assert chunks[2]["choices"][0]["finish_reason"] == "stop"
        assert chunks[3]["choices"] == []
        assert chunks[3]["usage"]["total_tokens"] == 12
        assert len({(chunk["id"], chunk["created"]) for chunk in chunks}) == 1

    async def test_parallel_tools_are_numbered_among_themselves(
        self, provider: BedrockConverse, bedrock: BedrockServer
    ) -> None:
        # given: text is content block 0, so the tools are blocks 1 and 2
        chunks = await collect(
            provider,
            bedrock,
            START,
            text("Looking."),
            stop(0),
            tool(1, "tooluse_a", "weather"),
            arguments(1, '{"city":'),
            arguments(1, '"Rome"}'),
            stop(1),
            tool(2, "tooluse_b", "now"),
            arguments(2, ""),
            stop(2),
            end("tool_use"),
            METADATA,
        )

        # then: calls 0 and 1, and the one without arguments says {}
        calls = [c for delta in deltas(chunks) for c in delta.get("tool_calls", [])]
        assert [(c["index"], c.get("id"), c["function"]["arguments"]) for c in calls] == [
            (0, "tooluse_a", ""),
            (0, None, '{"city":'),
            (0, None, '"Rome"}'),
            (1, "tooluse_b", ""),
            (1, None, "{}"),
        ]
        assert chunks[-2]["choices"][0]["finish_reason"] == "tool_calls"

    async def test_every_event_arrives_before_the_next_is_sent(
        self, provider: BedrockConverse, bedrock: BedrockServer
    ) -> None:
        async with aclosing(chunks_of(provider.prepare(call()).stream())) as chunks:
            first = asyncio.ensure_future(anext(chunks))
            exchange = await bedrock.exchange()
            await exchange.begin()
            await exchange.send(START, text("one"))
            assert (await first)["choices"][0]["delta"]["content"] == "one"

            await exchange.send(text("two"))
            assert (await anext(chunks))["choices"][0]["delta"]["content"] == "two"

            await exchange.send(end())
            await exchange.end()
            assert (await anext(chunks))["choices"][0]["finish_reason"] == "stop"
            assert await anext(chunks, None) is None

    async def test_events_split_anywhere_are_put_together(
        self, provider: BedrockConverse, bedrock: BedrockServer
    ) -> None:
        # given: network chunks that do not end where events end
        data = b"".join(map(event_frame, (START, text("héllo"), end(), METADATA)))
        split = [data[at : at + 7] for at in range(0, len(data), 7)]

        chunks = await collect(provider, bedrock, *split)

        assert deltas(chunks)[0]["content"] == "héllo"

    async def test_more_events_than_are_read_ahead_lose_nothing(
        self, provider: BedrockConverse, bedrock: BedrockServer
    ) -> None:
        pieces = [str(number) for number in range(READ_AHEAD * 3)]
        chunks = await collect(provider, bedrock, START, *map(text, pieces), end(), METADATA)
        assert "".join(d.get("content", "") for d in deltas(chunks)) == "".join(pieces)

    async def test_no_more_is_read_ahead_than_agreed(self) -> None:
        # given: events without end, which count how many were taken
        taken = 0

        class Endless:
            def __iter__(self) -> Iterator[Json]:
                nonlocal taken
                while True:
                    taken += 1
                    yield text("x")

            def close(self) -> None:
                pass

        fake: Any = SimpleNamespace(converse_stream=lambda **_: {"stream": Endless()})

        # then: however the threads are scheduled, the lead over the reader is bounded
        exchange = BedrockConverse(lambda: fake).prepare(call())
        async with aclosing(chunks_of(exchange.stream())) as chunks:
            for seen in range(1, READ_AHEAD * 3):
                await anext(chunks)
                assert taken <= seen + READ_AHEAD + 1

    async def test_the_request_goes_to_the_model_of_the_route(
        self, provider: BedrockConverse, bedrock: BedrockServer
    ) -> None:
        playing = asyncio.create_task(bedrock.play(START, text("x"), end(), METADATA))
        async for _ in chunks_of(provider.prepare(call(max_tokens=5, stop="END")).stream()):
            pass
        sent = await playing
        assert sent["messages"] == [{"role": "user", "content": [{"text": "hello"}]}]
        assert sent["inferenceConfig"] == {"maxTokens": 5, "stopSequences": ["END"]}


class TestHowItBreaks:
    @pytest.mark.parametrize(
        ("kind", "status", "code"),
        [
            ("throttlingException", 503, "upstream_rate_limited"),
            ("serviceUnavailableException", 503, "upstream_overloaded"),
            ("modelStreamErrorException", 502, "upstream_error"),
            ("internalServerException", 502, "upstream_error"),
            ("validationException", 400, None),
        ],
    )
    async def test_an_exception_event_after_text(
        self,
        provider: BedrockConverse,
        bedrock: BedrockServer,
        kind: str,
        status: int,
        code: str | None,
    ) -> None:
        seen: list[Json] = []
        failure = exception_frame(kind, "Too many of something")
        with pytest.raises((UpstreamError, InvalidRequestError)) as caught:
            await collect(provider, bedrock, START, text("half"), failure, into=seen)
        assert [delta["content"] for delta in deltas(seen)] == ["half"]
        assert (caught.value.status, caught.value.code) == (status, code)

    async def test_an_exception_before_any_text_leaves_no_chunk_behind(
        self, provider: BedrockConverse, bedrock: BedrockServer
    ) -> None:
        # so that the router may still fall over to another route
        seen: list[Json] = []
        failure = exception_frame("throttlingException", "slow down")
        with pytest.raises(UpstreamError) as caught:
            await collect(provider, bedrock, START, failure, into=seen)
        assert seen == []
        assert caught.value.remedy is Remedy.SAME_ROUTE

    @pytest.mark.parametrize("clean", [True, False], ids=["clean end", "cut off"])
    async def test_a_stream_without_its_end_is_incomplete(
        self, provider: BedrockConverse, bedrock: BedrockServer, clean: bool
    ) -> None:
        async def play() -> None:
            exchange = await bedrock.exchange()
            await exchange.begin()
            await exchange.send(START, text("half"), stop(0))
            if clean:
                await exchange.end()
            else:
                exchange.cut()

        playing = asyncio.create_task(play())
        with pytest.raises(UpstreamError) as caught:
            async for _ in chunks_of(provider.prepare(call()).stream()):
                pass
        await playing
        assert caught.value.code == "upstream_incomplete"

    @pytest.mark.parametrize("reason", ["malformed_model_output", "malformed_tool_use"])
    async def test_a_malformed_answer_is_an_error_and_its_usage_is_told(
        self, provider: BedrockConverse, bedrock: BedrockServer, reason: str
    ) -> None:
        seen: list[Json] = []
        with pytest.raises(UpstreamError) as caught:
            await collect(provider, bedrock, START, text("{"), end(reason), METADATA, into=seen)
        assert caught.value.code == "upstream_malformed"
        assert seen[-1]["usage"]["total_tokens"] == 12
        assert all(not c["finish_reason"] for chunk in seen for c in chunk["choices"])

    @pytest.mark.parametrize(
        "garbage",
        [
            b"<html>not an event stream at all</html>",
            event_frame(START)[:-4] + b"\0\0\0\0",
            event_frame(arguments(3, "{}")),
        ],
        ids=["html", "checksum", "arguments of no call"],
    )
    async def test_garbage_is_malformed(
        self, provider: BedrockConverse, bedrock: BedrockServer, garbage: bytes
    ) -> None:
        with pytest.raises(UpstreamError) as caught:
            await collect(provider, bedrock, garbage)
        assert caught.value.code == "upstream_malformed"

    async def test_a_bad_request_is_refused_before_anything_is_sent(
        self, provider: BedrockConverse
    ) -> None:
        with pytest.raises(InvalidRequestError) as caught:
            await anext(chunks_of(provider.prepare(call(tools=[{"type": "custom"}])).stream()))
        assert caught.value.param == "tools[0].type"


class TestHangingUp:
    async def test_closing_the_stream_closes_the_connection_of_a_silent_bedrock(
        self, provider: BedrockConverse, bedrock: BedrockServer
    ) -> None:
        # given: one chunk was read, and Bedrock says nothing more
        chunks = chunks_of(provider.prepare(call()).stream())
        first = asyncio.ensure_future(anext(chunks))
        exchange = await bedrock.exchange()
        await exchange.begin()
        await exchange.send(START, text("one"))
        await first

        # when: the caller has had enough
        await chunks.aclose()

        # then: Bedrock's side sees the connection end, and no event had to come for that
        await exchange.hung_up()

    async def test_cancelling_a_wait_for_the_first_chunk(
        self, provider: BedrockConverse, bedrock: BedrockServer
    ) -> None:
        waiting = asyncio.ensure_future(anext(chunks_of(provider.prepare(call()).stream())))
        exchange = await bedrock.exchange()
        await exchange.begin()
        await exchange.send(START)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await exchange.hung_up()

    async def test_hanging_up_while_bedrock_is_still_being_called(
        self, provider: BedrockConverse, bedrock: BedrockServer
    ) -> None:
        # given: the request is out and no byte of the answer is there
        waiting = asyncio.ensure_future(anext(chunks_of(provider.prepare(call()).stream())))
        exchange = await bedrock.exchange()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

        # then: the answer, when it begins, is not read
        await exchange.begin()
        await exchange.hung_up()

    async def test_a_stream_that_cannot_be_woken_is_closed_after_its_next_event(self) -> None:
        # given: botocore's stream without the means to wake its reader
        more, closed = threading.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        class Deaf:
            def __iter__(self) -> Iterator[Json]:
                yield text("one")
                more.wait()
                yield text("two")

            def close(self) -> None:
                loop.call_soon_threadsafe(closed.set)

        fake: Any = SimpleNamespace(converse_stream=lambda **_: {"stream": Deaf()})
        chunks = chunks_of(BedrockConverse(lambda: fake).prepare(call()).stream())
        await anext(chunks)

        # then: the caller is free at once, and the stream is closed when it moves
        await chunks.aclose()
        more.set()
        await closed.wait()

    async def test_a_stream_read_to_its_end_leaves_the_connection_for_the_next(
        self, provider: BedrockConverse, bedrock: BedrockServer
    ) -> None:
        for _ in range(2):
            chunks = await collect(provider, bedrock, START, text("x"), end(), METADATA)
            assert len(chunks) == 3
        assert bedrock.connections == 1
