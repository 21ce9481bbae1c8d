"""The Anthropic provider against recorded real traffic, over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from anthropic.lib.streaming._messages import accumulate_event

from losi.catalog import Route
from losi.errors import InvalidRequestError, LosiError, UpstreamError, UpstreamUnavailableError
from losi.providers.anthropic import AnthropicProvider
from losi.providers.anthropic_response import completion
from losi.providers.base import Json, ProviderCall
from tests.contract.anthropic_types import (
    accumulate,
    check_completion,
    check_request,
    comparable,
)
from tests.contract.cassettes import Cassette, load
from tests.fake_upstream import FakeUpstream, Reply

ROUTE = Route(provider="anthropic", model="claude-sonnet-4-5")
STREAMS = load("anthropic", "stream-*")
ANSWERS = load("anthropic", "json-*")


@pytest.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    async with FakeUpstream() as server:
        yield server


def provider(upstream: FakeUpstream) -> AnthropicProvider:
    return AnthropicProvider("Anthropic", upstream.url, "sk-test")


def call(**body: Any) -> ProviderCall:
    request = {"model": ROUTE.model, "messages": [{"role": "user", "content": "Hi"}], **body}
    return ProviderCall(request, ROUTE, "req_1")


def cassette(name: str) -> Cassette:
    return load("anthropic", f"{name}.json")[0]


def named(recording: Cassette) -> str:
    return recording.name


class TestAnswers:
    @pytest.mark.parametrize("recorded", ANSWERS, ids=named)
    async def test_every_recorded_answer_is_a_chat_completion(
        self, upstream: FakeUpstream, recorded: Cassette
    ) -> None:
        upstream.replies = [Reply.json(recorded.json)]

        answer = await provider(upstream).complete(call())

        check_completion(answer)
        blocks = recorded.json["content"]
        texts = [block["text"] for block in blocks if block["type"] == "text"]
        assert (answer["choices"][0]["message"]["content"] or "") == "".join(texts)
        usage = recorded.json["usage"]
        assert answer["usage"]["completion_tokens"] == usage["output_tokens"]

    async def test_the_request_goes_out_as_anthropic_wants_it(self, upstream: FakeUpstream) -> None:
        upstream.replies = [Reply.json(cassette("json-plain-02").json)]

        await provider(upstream).complete(call(max_tokens=15))

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

        await provider(upstream).complete(call(messages=history))

        sent = json.loads(upstream.requests[0].body)
        assert sent["messages"][1]["content"][0]["input"] == {"a": value}

    async def test_parallel_tool_calls_keep_ids_and_order(self, upstream: FakeUpstream) -> None:
        upstream.replies = [Reply.json(cassette("json-parallel-tools-01").json)]

        choice = (await provider(upstream).complete(call()))["choices"][0]

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

        message = (await provider(upstream).complete(call()))["choices"][0]["message"]

        assert message["content"] == "I'll check the current weather in Paris for you."
        assert message["tool_calls"][0]["function"]["arguments"] == '{"location":"Paris"}'

    async def test_citations_of_web_pages_are_annotations_of_the_text(
        self, upstream: FakeUpstream
    ) -> None:
        upstream.replies = [Reply.json(cassette("json-citations-02").json)]

        message = (await provider(upstream).complete(call()))["choices"][0]["message"]

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

        answer = await provider(upstream).complete(call())

        assert answer["choices"][0]["finish_reason"] == reason


class TestStreams:
    @pytest.mark.parametrize("recorded", STREAMS, ids=named)
    async def test_a_stream_adds_up_to_the_plain_answer(
        self, upstream: FakeUpstream, recorded: Cassette
    ) -> None:
        upstream.replies = [recorded.reply()]

        chunks = [chunk async for chunk in provider(upstream).stream(call())]

        plain = completion(assembled_by_anthropic(recorded), created=0)
        assert comparable(accumulate(chunks)) == comparable(plain)
        assert upstream.requests[0].json["stream"] is True

    @pytest.mark.parametrize("recorded", STREAMS, ids=named)
    async def test_a_stream_has_the_shape_that_clients_rely_on(
        self, upstream: FakeUpstream, recorded: Cassette
    ) -> None:
        upstream.replies = [recorded.reply()]

        chunks = [chunk async for chunk in provider(upstream).stream(call())]

        deltas = [chunk["choices"][0]["delta"] for chunk in chunks[:-1]]
        assert ["role" in delta for delta in deltas] == [True] + [False] * (len(deltas) - 1)
        finished = [chunk["choices"][0]["finish_reason"] for chunk in chunks[:-1]]
        assert finished[-1] and not any(finished[:-1])
        assert chunks[-1]["choices"] == []
        assert len({chunk["id"] for chunk in chunks}) == 1

    async def test_tool_calls_are_numbered_among_themselves(self, upstream: FakeUpstream) -> None:
        recorded = cassette("stream-parallel-tools-03")
        upstream.replies = [recorded.reply()]

        chunks = [chunk async for chunk in provider(upstream).stream(call())]

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

        chunks = [chunk async for chunk in provider(upstream).stream(call())]

        assert chunks[-1]["usage"]["prompt_tokens"] == 2411  # 1128 at the start
        assert chunks[-1]["usage"]["completion_tokens"] == 145
        assert chunks[-1]["usage"]["completion_tokens_details"] == {"reasoning_tokens": 47}

    async def test_cache_tokens_are_part_of_the_prompt(self, upstream: FakeUpstream) -> None:
        recorded = cassette("stream-maxtokens-01")
        upstream.replies = [recorded.reply()]

        chunks = [chunk async for chunk in provider(upstream).stream(call())]

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

        async for chunk in provider(upstream).stream(call()):
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
        answer = await provider(upstream).complete(call())
        message = answer["choices"][0]["message"]
        assert message["reasoning_content"].startswith("Let me count")

        history = [{"role": "user", "content": "r?"}, message, {"role": "user", "content": "Sure?"}]
        await provider(upstream).complete(call(messages=history))

        assert upstream.requests[1].json["messages"][1]["content"] == recorded["content"]

    async def test_redacted_thinking_is_passed_on_to_be_sent_back(
        self, upstream: FakeUpstream
    ) -> None:
        recorded = cassette("stream-redacted-thinking-01")
        upstream.replies = [recorded.reply()]

        chunks = [chunk async for chunk in provider(upstream).stream(call())]

        message = accumulate(chunks)["choices"][0]["message"]
        kinds = [block["type"] for block in message["thinking_blocks"]]
        assert kinds == ["redacted_thinking", "redacted_thinking"]
        assert "reasoning_content" not in message


class TestRefusals:
    async def test_a_wrong_key_is_ours_to_mend_and_not_told(self, upstream: FakeUpstream) -> None:
        recorded = cassette("error-401-01")
        upstream.replies = [Reply.json(recorded.json, 401)]

        with pytest.raises(UpstreamUnavailableError) as caught:
            await provider(upstream).complete(call())

        assert caught.value.code == "upstream_credentials"
        assert "x-api-key" not in caught.value.message

    async def test_an_unknown_model_is_the_catalogues_mistake(self, upstream: FakeUpstream) -> None:
        recorded = cassette("error-404-01")
        upstream.replies = [Reply.json(recorded.json, 404)]

        with pytest.raises(UpstreamError) as caught:
            await anext(provider(upstream).stream(call()))

        assert caught.value.code == "upstream_model_not_found"

    async def test_the_callers_mistake_is_told_with_their_own_parameter(
        self, upstream: FakeUpstream
    ) -> None:
        recorded = cassette("error-400-01")
        upstream.replies = [Reply.json(recorded.json, 400)]
        messages = [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Invalid content"},
        ]

        with pytest.raises(InvalidRequestError) as caught:
            await provider(upstream).complete(call(messages=messages))

        assert caught.value.param == "messages[1].content"
        assert caught.value.message == (
            "messages[1].content: Input does not match the expected shape."
        )

    @pytest.mark.parametrize(
        ("status", "kind", "code"),
        [
            (429, "rate_limit_error", "upstream_rate_limited"),
            (529, "overloaded_error", "upstream_overloaded"),
            (402, "billing_error", "upstream_credentials"),
            (500, "api_error", "upstream_error"),
            (504, "timeout_error", "upstream_timeout"),
        ],
    )
    async def test_anthropics_own_troubles(
        self, upstream: FakeUpstream, status: int, kind: str, code: str
    ) -> None:
        """Both ways they come: as a status, and as an event in a stream that began with 200."""
        told = {"type": "error", "error": {"type": kind, "message": "our account sk-secret"}}
        upstream.replies = [Reply.json(told, status, retry_after="7")]
        over_http = await failure(provider(upstream))
        upstream.replies = [
            Reply.sse([b"event: error\ndata: ", json.dumps(told).encode(), b"\n\n"])
        ]
        in_stream = await failure(provider(upstream))

        assert over_http.code == in_stream.code == code
        assert "sk-secret" not in over_http.message + in_stream.message
        if status in (429, 529):
            assert over_http.headers["retry-after"] == "7"

    async def test_an_overload_before_any_content_leaves_nothing_sent(
        self, upstream: FakeUpstream
    ) -> None:
        """So that the router can still take the next route (LiteLLM#6532)."""
        start = cassette("stream-text-02").body.split(b"event: content_block_start")[0]
        error = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n'
        upstream.replies = [Reply.sse([start, error])]

        with pytest.raises(UpstreamUnavailableError):
            await anext(provider(upstream).stream(call()))

    @pytest.mark.parametrize("cut", [True, False], ids=["connection lost", "clean end"])
    async def test_a_stream_without_its_end_is_incomplete(
        self, upstream: FakeUpstream, cut: bool
    ) -> None:
        body = cassette("stream-text-02").body.split(b"event: message_delta")[0]
        upstream.replies = [Reply.sse([body], cut=cut)]
        chunks = []

        with pytest.raises(UpstreamError) as caught:
            async for chunk in provider(upstream).stream(call()):
                chunks.append(chunk)

        assert caught.value.code == "upstream_incomplete"
        assert chunks[0]["choices"][0]["delta"]["content"] == "1, 2, 3"

    async def test_usage_that_was_told_before_the_cut_is_kept(self, upstream: FakeUpstream) -> None:
        body = cassette("stream-text-02").body.split(b"event: message_stop")[0]
        upstream.replies = [Reply.sse([body])]
        chunks = []

        with pytest.raises(UpstreamError):
            async for chunk in provider(upstream).stream(call()):
                chunks.append(chunk)

        assert chunks[-1]["usage"]["total_tokens"] == 22

    @pytest.mark.parametrize(
        "reply",
        [
            Reply([b"<html>"], headers={"content-type": "text/html"}),
            Reply([b'{"content": [{"ty'], headers={"content-type": "application/json"}),
            Reply.json({"choices": []}),
            Reply.json({"content": [{"type": "text", "text": 5}], "stop_reason": "end_turn"}),
            Reply.json([]),
        ],
        ids=["html", "half a JSON", "another format", "wrong type", "no object"],
    )
    async def test_garbage_is_the_upstreams_fault(
        self, upstream: FakeUpstream, reply: Reply
    ) -> None:
        upstream.replies = [reply]

        with pytest.raises(UpstreamError) as plain:
            await provider(upstream).complete(call())
        streamed = await failure(provider(upstream))

        assert plain.value.code == streamed.code == "upstream_malformed"

    @pytest.mark.parametrize(
        "data",
        [
            "{",
            "[]",
            '{"type":"content_block_stop","index":0}',
            '{"type":"message_start","message":{}}',
            '{"type":"content_block_delta","index":3,"delta":{"type":"text_delta","text":"x"}}',
        ],
    )
    async def test_garbage_in_a_stream_is_the_upstreams_fault(
        self, upstream: FakeUpstream, data: str
    ) -> None:
        upstream.replies = [Reply.sse([f"data: {data}\n\n".encode()])]

        error = await failure(provider(upstream))

        assert error.code == "upstream_malformed"


async def failure(provider: AnthropicProvider) -> LosiError:
    with pytest.raises(LosiError) as caught:
        async for _ in provider.stream(call()):
            pass
    return caught.value


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
