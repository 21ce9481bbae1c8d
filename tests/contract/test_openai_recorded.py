"""What providers of OpenAI's format really sent, through our provider, into OpenAI's own types."""

import copy
from typing import Any

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from losi.chat.chunks import TokenBounds, completion_usage, public_completion
from losi.chat.request import parse_chat_request
from losi.errors import LosiError
from tests.contract.cassettes import Cassette, load
from tests.contract.openai_calls import (
    ANSWERS,
    CALL,
    REQUESTS,
    STREAMS,
    named,
    provider,
    relay,
    streamed,
)
from tests.fake_upstream import FakeUpstream


def texts(chunks: list[Any]) -> dict[int, str]:
    """Choice -> everything it said, tool arguments included; as simple as can be."""
    said: dict[int, str] = {}
    for chunk in chunks:
        for choice in chunk["choices"]:
            delta = choice["delta"]
            parts = [delta.get("content"), delta.get("reasoning_content"), delta.get("refusal")]
            parts += [c["function"].get("arguments") for c in delta.get("tool_calls") or ()]
            said[choice["index"]] = said.get(choice["index"], "") + "".join(p for p in parts if p)
    return said


@pytest.mark.parametrize("cassette", STREAMS, ids=named)
async def test_a_recorded_stream_reaches_the_sdk_whole(
    cassette: Cassette, upstream: FakeUpstream
) -> None:
    stream, state = relay(), ChatCompletionStreamState()

    chunks = await streamed(upstream, cassette.reply())
    public = [copy.deepcopy(one) for chunk in chunks if (one := stream.public(chunk)) is not None]

    for chunk in public:
        assert chunk["choices"] and chunk["usage"] is None
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
    assert texts(public) == texts(cassette.events)
    final = state.current_completion_snapshot
    assert all(choice.message.role == "assistant" for choice in final.choices)
    recorded = [event["usage"] for event in cassette.events if event.get("usage")]
    if recorded:
        assert stream.usage.input_tokens == recorded[-1]["prompt_tokens"]
        assert stream.usage.output_tokens == recorded[-1]["completion_tokens"]
    else:
        assert stream.usage.estimated


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_how_the_network_cuts_a_stream_does_not_matter(
    size: int, upstream: FakeUpstream
) -> None:
    cassette = STREAMS[0]

    assert await streamed(upstream, cassette.reply(cut_into=size)) == cassette.events


@pytest.mark.parametrize("cassette", ANSWERS, ids=named)
async def test_a_recorded_answer_reaches_the_sdk_whole(
    cassette: Cassette, upstream: FakeUpstream
) -> None:
    upstream.replies = [cassette.reply()]

    answer = await provider(upstream).prepare(CALL).complete()
    usage = completion_usage(answer, TokenBounds(1))
    public = public_completion(answer, "chatcmpl-1", 1, "gpt-4o")

    parsed = ChatCompletion.model_validate(public)
    recorded = cassette.json
    assert usage.input_tokens == recorded["usage"]["prompt_tokens"]
    assert usage.total_tokens == recorded["usage"]["total_tokens"]
    for choice, original in zip(parsed.choices, recorded["choices"], strict=True):
        assert choice.finish_reason == original["finish_reason"]
        assert choice.message.content == original["message"].get("content")
        kept = public["choices"][choice.index]["message"]
        assert {
            k: v for k, v in original["message"].items() if v is not None
        }.items() <= kept.items()


@pytest.mark.parametrize("cassette", REQUESTS, ids=named)
def test_a_recorded_request_is_taken_and_passes_untouched(cassette: Cassette) -> None:
    request = parse_chat_request(cassette.request)

    assert request.body == cassette.request


@pytest.mark.parametrize(
    ("name", "status", "message"),
    [
        ("openai/error-400-05", 400, "Invalid 'messages[3]'"),
        ("openai/error-401-01", 503, "not available right now"),
        ("openai/error-404-01", 502, "does not know the model"),
        ("dialects/groq-error-01", 502, "does not know the model"),
        ("dialects/openrouter-error-02", 503, "rate limiting"),
        ("dialects/azure-json-01", 400, "Azure Content management policy"),
    ],
)
async def test_a_recorded_refusal_becomes_ours(
    name: str, status: int, message: str, upstream: FakeUpstream
) -> None:
    folder, stem = name.split("/")
    upstream.replies = [load(folder, f"{stem}.json")[0].reply()]

    with pytest.raises(LosiError) as caught:
        await provider(upstream).prepare(CALL).complete()

    assert caught.value.status == status
    assert message in caught.value.message
    assert "invalid_key" not in caught.value.message  # nothing about our own credentials
