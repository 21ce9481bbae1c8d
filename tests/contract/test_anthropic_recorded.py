"""The Anthropic provider against recorded real traffic, over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from anthropic.lib.streaming._messages import accumulate_event

from losi.upstream.anthropic import shapes
from losi.upstream.anthropic.response import completion
from tests.contract.anthropic_calls import call, cassette, provider
from tests.contract.anthropic_types import (
    accumulate,
    check_completion,
    check_request,
    comparable,
)
from tests.contract.cassettes import Cassette, load
from tests.fake_format import chunks_of
from tests.fake_upstream import FakeUpstream, Reply
from tests.loose import Json, loose

STREAMS = load("anthropic", "stream-*")
ANSWERS = load("anthropic", "json-*")


def named(recording: Cassette) -> str:
    return recording.name


class TestAnswers:
    @pytest.mark.parametrize("recorded", ANSWERS, ids=named)
    async def test_every_recorded_answer_is_a_chat_completion(
        self, upstream: FakeUpstream, recorded: Cassette
    ) -> None:
        upstream.replies = [Reply.json(recorded.json)]

        answer = await provider(upstream).prepare(call()).complete()

        check_completion(answer)
        blocks = recorded.json["content"]
        texts = [block["text"] for block in blocks if block["type"] == "text"]
        assert (answer["choices"][0]["message"]["content"] or "") == "".join(texts)
        usage = recorded.json["usage"]
        assert answer["usage"]["completion_tokens"] == usage["output_tokens"]

    async def test_the_request_goes_out_as_anthropic_wants_it(self, upstream: FakeUpstream) -> None:
        upstream.replies = [Reply.json(cassette("json-plain-02").json)]

        await provider(upstream).prepare(call(max_tokens=15)).complete()

        sent = upstream.requests[0]
        assert (sent.method, sent.path) == ("POST", "/v1/messages")
        assert sent.headers["x-api-key"] == "sk-test"
        assert sent.headers["anthropic-version"] == "2023-06-01"
        check_request(sent.json)

    @pytest.mark.parametrize("value", [2**70, "\ud800"], ids=["huge integer", "half a character"])
    async def test_arguments_no_other_json_can_hold_are_sent_all_the_same(
        self, upstream: FakeUpstream, value: Any
    ) -> None:
        upstream.replies = [cassette("json-plain-02").reply()]
        function = {"name": "f", "arguments": json.dumps({"a": value})}
        call_made = {"id": "a", "type": "function", "function": function}
        history = [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "tool_calls": [call_made]},
            {"role": "tool", "tool_call_id": "a", "content": "1"},
        ]

        await provider(upstream).prepare(call(messages=history)).complete()

        sent = json.loads(upstream.requests[0].body)
        assert sent["messages"][1]["content"][0]["input"] == {"a": value}

    async def test_parallel_tool_calls_keep_ids_and_order(self, upstream: FakeUpstream) -> None:
        upstream.replies = [Reply.json(cassette("json-parallel-tools-01").json)]

        choice = (await provider(upstream).prepare(call()).complete())["choices"][0]

        assert choice["finish_reason"] == "tool_calls"
        assert choice["message"]["content"] is None
        assert [
            (tool["id"], tool["function"]["name"], json.loads(tool["function"]["arguments"]))
            for tool in choice["message"]["tool_calls"]
        ] == [
            ("toolu_01KWZYbjFVqYdpqBiJbw8zJB", "get_population", {"city": "London"}),
            ("toolu_01XTbK9b3Attg9LFsW4L6Fr5", "get_area", {"city": "London"}),
        ]

    async def test_text_beside_a_tool_call_is_kept(self, upstream: FakeUpstream) -> None:
        upstream.replies = [Reply.json(cassette("json-tool-05").json)]

        message = (await provider(upstream).prepare(call()).complete())["choices"][0]["message"]

        assert message["content"] == "I'll check the current weather in Paris for you."
        assert message["tool_calls"][0]["function"]["arguments"] == '{"location":"Paris"}'

    async def test_citations_of_web_pages_are_annotations_of_the_text(
        self, upstream: FakeUpstream
    ) -> None:
        upstream.replies = [Reply.json(cassette("json-citations-02").json)]

        answer = loose(await provider(upstream).prepare(call()).complete())

        message = answer["choices"][0]["message"]
        cited = message["annotations"][0]["url_citation"]
        assert cited["url"].startswith("https://www.cmegroup.com/")
        assert message["content"][cited["start_index"] : cited["end_index"]] == (
            "the duration of a 10-year Treasury note is approximately 8.95 years"
        )

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("json-stopseq-02", "stop"),
            ("json-maxtokens-01", "length"),
            ("json-structured-02", "stop"),
        ],
    )
    async def test_stop_reasons(self, upstream: FakeUpstream, name: str, reason: str) -> None:
        upstream.replies = [Reply.json(cassette(name).json)]

        answer = await provider(upstream).prepare(call()).complete()

        assert answer["choices"][0]["finish_reason"] == reason


class TestStreams:
    @pytest.mark.parametrize("recorded", STREAMS, ids=named)
    async def test_a_stream_adds_up_to_the_plain_answer(
        self, upstream: FakeUpstream, recorded: Cassette
    ) -> None:
        upstream.replies = [recorded.reply()]

        chunks = [chunk async for chunk in chunks_of(provider(upstream).prepare(call()).stream())]

        plain = completion(shapes.message(assembled_by_anthropic(recorded)), created=0)
        assert comparable(accumulate(chunks)) == comparable(plain)
        assert upstream.requests[0].json["stream"] is True

    @pytest.mark.parametrize("recorded", STREAMS, ids=named)
    async def test_a_stream_has_the_shape_that_clients_rely_on(
        self, upstream: FakeUpstream, recorded: Cassette
    ) -> None:
        upstream.replies = [recorded.reply()]

        chunks = [chunk async for chunk in chunks_of(provider(upstream).prepare(call()).stream())]

        deltas = [chunk["choices"][0]["delta"] for chunk in chunks[:-1]]
        assert ["role" in delta for delta in deltas] == [True] + [False] * (len(deltas) - 1)
        finished = [chunk["choices"][0]["finish_reason"] for chunk in chunks[:-1]]
        assert finished[-1] and not any(finished[:-1])
        assert chunks[-1]["choices"] == []
        assert len({chunk["id"] for chunk in chunks}) == 1

    async def test_tool_calls_are_numbered_among_themselves(self, upstream: FakeUpstream) -> None:
        recorded = cassette("stream-parallel-tools-03")
        upstream.replies = [recorded.reply()]

        chunks = [chunk async for chunk in chunks_of(provider(upstream).prepare(call()).stream())]

        calls = [
            tool
            for chunk in chunks[:-1]
            for tool in chunk["choices"][0]["delta"].get("tool_calls", ())
        ]
        assert [(tool["index"], tool["function"]["name"]) for tool in calls if "id" in tool] == [
            (0, "get_weather"),
            (1, "get_time"),
        ]

    async def test_final_figures_replace_those_of_the_start(self, upstream: FakeUpstream) -> None:
        recorded = cassette("stream-server-tool-01")
        upstream.replies = [recorded.reply()]

        chunks = [chunk async for chunk in chunks_of(provider(upstream).prepare(call()).stream())]

        assert chunks[-1]["usage"]["prompt_tokens"] == 2411  # 1128 at the start
        assert chunks[-1]["usage"]["completion_tokens"] == 145
        assert chunks[-1]["usage"]["completion_tokens_details"] == {"reasoning_tokens": 47}

    async def test_cache_tokens_are_part_of_the_prompt(self, upstream: FakeUpstream) -> None:
        recorded = cassette("stream-maxtokens-01")
        upstream.replies = [recorded.reply()]

        chunks = [chunk async for chunk in chunks_of(provider(upstream).prepare(call()).stream())]

        assert chunks[-1]["usage"]["prompt_tokens"] == 18 + 1031
        assert chunks[-1]["usage"]["prompt_tokens_details"]["cache_write_tokens"] == 1031

    async def test_chunks_arrive_as_they_are_sent(self, upstream: FakeUpstream) -> None:
        recorded = cassette("stream-text-02")
        before, after = recorded.body.split(b"event: content_block_stop", 1)
        taken, passed_on = [], asyncio.Event()

        async def body() -> AsyncIterator[bytes]:
            yield before
            await passed_on.wait()
            yield b"event: content_block_stop" + after

        upstream.replies = [Reply.sse(body())]

        async for chunk in chunks_of(provider(upstream).prepare(call()).stream()):
            taken.append(chunk)
            passed_on.set()

        assert taken[0]["choices"][0]["delta"]["content"] == "1, 2, 3"


class TestThinking:
    async def test_signed_thinking_goes_out_and_back_unchanged(
        self, upstream: FakeUpstream
    ) -> None:
        """Given an answer with thinking, when it is sent back, then Anthropic gets its blocks."""
        recorded = cassette("json-thinking-03").json
        upstream.replies = [Reply.json(recorded)]
        answer = await provider(upstream).prepare(call()).complete()
        message = answer["choices"][0]["message"]
        assert message["reasoning_content"].startswith("Let me count")

        history = [{"role": "user", "content": "r?"}, message, {"role": "user", "content": "Sure?"}]
        await provider(upstream).prepare(call(messages=history)).complete()

        assert upstream.requests[1].json["messages"][1]["content"] == recorded["content"]

    async def test_redacted_thinking_is_passed_on_to_be_sent_back(
        self, upstream: FakeUpstream
    ) -> None:
        recorded = cassette("stream-redacted-thinking-01")
        upstream.replies = [recorded.reply()]

        chunks = [chunk async for chunk in chunks_of(provider(upstream).prepare(call()).stream())]

        message = accumulate(chunks)["choices"][0]["message"]
        kinds = [block["type"] for block in message["thinking_blocks"]]
        assert kinds == ["redacted_thinking", "redacted_thinking"]
        assert "reasoning_content" not in message


def assembled_by_anthropic(recorded: Cassette) -> Json:
    """The message that Anthropic's own SDK makes of the stream."""
    snapshot: Any = None
    buffers: dict[int, bytes] = {}
    for event in recorded.events:
        if event["type"] == "ping":
            continue
        snapshot = accumulate_event(
            event=event,
            current_snapshot=snapshot,
            json_bufs=buffers,
        )
    message: Json = snapshot.to_dict(warnings=False)
    return message
