"""What callers are told when Anthropic refuses, fails or answers garbage, over real sockets."""

import json

import pytest

from losi.errors import InvalidRequestError, LosiError, UpstreamError, UpstreamUnavailableError
from losi.upstream.anthropic.client import AnthropicMessages
from tests.contract.anthropic_calls import call, cassette, provider
from tests.fake_format import chunks_of
from tests.fake_upstream import FakeUpstream, Reply


class TestRefusals:
    async def test_a_wrong_key_is_ours_to_mend_and_not_told(self, upstream: FakeUpstream) -> None:
        recorded = cassette("error-401-01")
        upstream.replies = [Reply.json(recorded.json, 401)]

        with pytest.raises(UpstreamUnavailableError) as caught:
            await provider(upstream).prepare(call()).complete()

        assert caught.value.code == "upstream_credentials"
        assert "x-api-key" not in caught.value.message

    async def test_an_unknown_model_is_the_catalogues_mistake(self, upstream: FakeUpstream) -> None:
        recorded = cassette("error-404-01")
        upstream.replies = [Reply.json(recorded.json, 404)]

        with pytest.raises(UpstreamError) as caught:
            await anext(chunks_of(provider(upstream).prepare(call()).stream()))

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
            await provider(upstream).prepare(call(messages=messages)).complete()

        assert caught.value.param == "messages[1].content"
        assert caught.value.message == (
            "messages[1].content: Input does not match the expected shape."
        )

    @pytest.mark.parametrize(
        ("status", "kind", "code"),
        [
            (429, "rate_limit_error", "upstream_rate_limited"),
            (529, "overloaded_error", "upstream_overloaded"),
            (401, "authentication_error", "upstream_credentials"),
            (402, "billing_error", "upstream_account"),
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
        """So that the router can still take the next route (LiteLLM#6532). What the prompt cost was
        told, and is recorded.
        """
        start = cassette("stream-text-02").body.split(b"event: content_block_start")[0]
        error = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n'
        upstream.replies = [Reply.sse([start, error])]

        chunks = []

        with pytest.raises(UpstreamUnavailableError):
            async for chunk in chunks_of(provider(upstream).prepare(call()).stream()):
                chunks.append(chunk)

        (told,) = chunks
        assert told["choices"] == [] and told["usage"]["prompt_tokens"] > 0

    @pytest.mark.parametrize("cut", [True, False], ids=["connection lost", "clean end"])
    async def test_a_stream_without_its_end_is_incomplete(
        self, upstream: FakeUpstream, cut: bool
    ) -> None:
        body = cassette("stream-text-02").body.split(b"event: message_delta")[0]
        upstream.replies = [Reply.sse([body], cut=cut)]
        chunks = []

        with pytest.raises(UpstreamError) as caught:
            async for chunk in chunks_of(provider(upstream).prepare(call()).stream()):
                chunks.append(chunk)

        assert caught.value.code == "upstream_incomplete"
        assert chunks[0]["choices"][0]["delta"]["content"] == "1, 2, 3"

    async def test_usage_that_was_told_before_the_cut_is_kept(self, upstream: FakeUpstream) -> None:
        body = cassette("stream-text-02").body.split(b"event: message_stop")[0]
        upstream.replies = [Reply.sse([body])]
        chunks = []

        with pytest.raises(UpstreamError):
            async for chunk in chunks_of(provider(upstream).prepare(call()).stream()):
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
            await provider(upstream).prepare(call()).complete()
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


async def failure(provider: AnthropicMessages) -> LosiError:
    with pytest.raises(LosiError) as caught:
        async for _ in chunks_of(provider.prepare(call()).stream()):
            pass
    return caught.value
