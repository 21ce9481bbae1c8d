"""What providers of OpenAI's format really sent, through our provider, into OpenAI's own types."""

import asyncio
import copy
import gc
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import orjson
import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from losi.catalogue.models import Route
from losi.chat.chunks import Asked, ChunkStream, completion_usage, public_completion
from losi.chat.request import parse_chat_request
from losi.dialects.openai import envelope
from losi.errors import InvalidRequestError, LosiError, UpstreamError
from losi.upstream.format import UpstreamCall
from losi.upstream.openai.chat import OpenAIChat
from losi.upstream.openai.request import request_body
from losi.upstream.registry import Settings
from losi.wire import Json
from tests.catalogue import PROVIDERS
from tests.contract.cassettes import Cassette, load
from tests.fake_upstream import FakeUpstream, Reply

STREAMS = load("openai", "stream-*") + load("dialects", "*-stream*")
ANSWERS = load("openai", "json-*") + [
    c for c in load("dialects", "*-json-*") if "azure" not in c.name
]
REQUESTS = [c for c in load("openai", "*") if c.request and "error" not in c.name]
CALL = UpstreamCall(
    {"model": "m", "messages": [{"role": "user", "content": "Hi"}]},
    Route(provider=PROVIDERS["openai"], model="m"),
    "req_1",
)


def named(cassette: Cassette) -> str:
    return cassette.name


@pytest.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    async with FakeUpstream() as server:
        yield server


def provider(upstream: FakeUpstream, provider: str = "openai") -> OpenAIChat:
    return OpenAIChat(PROVIDERS[provider], Settings(upstream.url + "/v1", "sk-upstream"))


def relay() -> ChunkStream:
    return ChunkStream("chatcmpl-1", 1, "gpt-4o", include_usage=True, asked=Asked(1))


async def streamed(upstream: FakeUpstream, reply: Reply) -> list[Json]:
    upstream.replies = [reply]
    async with aclosing(provider(upstream).prepare(CALL).stream()) as chunks:
        return [chunk async for chunk in chunks]


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
    usage = completion_usage(answer, Asked(1))
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


async def test_the_request_asks_for_usage_and_carries_our_key(upstream: FakeUpstream) -> None:
    await streamed(upstream, STREAMS[0].reply())

    sent = upstream.requests[0]
    assert sent.path == "/v1/chat/completions"
    assert sent.headers["authorization"] == "Bearer sk-upstream"
    assert sent.json["stream"] is True
    assert sent.json["stream_options"] == {"include_usage": True}


async def test_a_provider_that_needs_no_key_is_sent_none(upstream: FakeUpstream) -> None:
    upstream.replies = [STREAMS[0].reply()]
    local = OpenAIChat(PROVIDERS["openai"], Settings(upstream.url))

    async with aclosing(local.prepare(CALL).stream()) as chunks:
        [chunk async for chunk in chunks]

    assert "authorization" not in upstream.requests[0].headers


@pytest.mark.parametrize("error", ["Too long.", {"message": "Too long."}])
async def test_a_refusal_in_another_form_keeps_its_words(
    error: Any, upstream: FakeUpstream
) -> None:
    upstream.replies = [Reply.json({"error": error}, 400)]

    with pytest.raises(InvalidRequestError, match=r"Too long\."):
        await provider(upstream).prepare(CALL).complete()


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({"status": 429}, 503),
        ({"code": "400"}, 400),
        ({"code": 200}, 502),  # no status of an error, whatever it is
        ({"code": 1000}, 502),
        ({"status": "RESOURCE_EXHAUSTED"}, 502),
    ],
)
async def test_an_error_behind_a_200_may_name_its_status(
    told: Json, status: int, upstream: FakeUpstream
) -> None:
    upstream.replies = [Reply.json({"error": {"message": "No.", **told}})]

    with pytest.raises(LosiError) as caught:
        await provider(upstream).prepare(CALL).complete()

    assert caught.value.status == status


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply.json({"hello": "there"}), "upstream_malformed"),
        (
            Reply([b"<html>busy</html>"], headers={"content-type": "text/html"}),
            "upstream_malformed",
        ),
        (Reply.json({"error": {"message": "boom"}}, status=500), "upstream_error"),
        (Reply.sse([b"data: {not json}\n\n"]), "upstream_malformed"),
        (Reply.sse([b"data: [1]\n\n"]), "upstream_malformed"),
        (Reply.sse([b'data: {"object": "x"}\n\n']), "upstream_incomplete"),
        (Reply.sse([b'data: {"error": {"message": "x", "code": 529}}\n\n']), "upstream_overloaded"),
        (Reply.sse([b'data: {"choices": []}\n\n']), "upstream_incomplete"),
        (Reply.sse([b'data: {"choices": []}\n\n'], cut=True), "upstream_incomplete"),
        (Reply.sse([]), "upstream_incomplete"),
        (Reply.sse([b"data: " + b"x" * 17_000_000]), "upstream_too_large"),
    ],
)
async def test_garbage_is_the_upstreams_fault(
    reply: Reply, code: str, upstream: FakeUpstream
) -> None:
    with pytest.raises(UpstreamError) as caught:
        await streamed(upstream, reply)

    assert caught.value.code == code


def event(text: str, *, index: int = 0, finish: str | None = None) -> bytes:
    choice = {"index": index, "delta": {"content": text}, "finish_reason": finish}
    return b"data: " + orjson.dumps({"choices": [choice]}) + b"\n\n"


async def test_an_end_without_done_is_an_end_once_every_choice_is_finished(
    upstream: FakeUpstream,
) -> None:
    both = [event("a"), event("b", index=1), event("", finish="stop")]

    with pytest.raises(UpstreamError, match="before it was complete"):
        await streamed(upstream, Reply.sse(both))

    assert await streamed(upstream, Reply.sse([*both, event("", index=1, finish="stop")]))


async def test_a_connection_that_breaks_behind_the_end_mark_breaks_nothing(
    upstream: FakeUpstream,
) -> None:
    events = [event("a", finish="stop"), b"data: [DONE]\n\n"]

    assert len(await streamed(upstream, Reply.sse(events, cut=True))) == 1


@pytest.mark.parametrize("reason", ["error", "abort", "insufficient_system_resource"])
async def test_an_answer_that_failed_half_way_never_looks_whole(
    reason: str, upstream: FakeUpstream
) -> None:
    with pytest.raises(UpstreamError, match="before it was complete"):
        await streamed(upstream, Reply.sse([event("a", finish=reason), b"data: [DONE]\n\n"]))

    upstream.replies = [Reply.json({"choices": [{"message": {}, "finish_reason": reason}]})]
    with pytest.raises(UpstreamError, match="before it was complete"):
        await provider(upstream).prepare(CALL).complete()


@pytest.mark.parametrize(
    ("message", "status"),
    [("API key not valid. Please pass a valid API key.", 503), ("Unknown name: x", 400)],
)
async def test_geminis_errors_stand_in_a_list_and_a_bad_key_is_a_400(
    message: str, status: int, upstream: FakeUpstream
) -> None:
    error = {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}
    upstream.replies = [Reply.json([{"error": error}], status=400)]

    with pytest.raises(LosiError) as caught:
        await provider(upstream, "gemini").prepare(CALL).complete()

    assert caught.value.status == status
    assert (message in caught.value.message) == (status == 400)


@pytest.mark.parametrize(
    "reply",
    [
        Reply.json([1]),
        Reply.json({"choices": []}),
        Reply.json({"choices": [{"text": "x"}]}),
        Reply([b'{"choices": [{"mess'], headers={"content-type": "application/json"}),
        Reply([b'{"choices": [{"mess'], cut=True, headers={"content-type": "application/json"}),
    ],
)
async def test_half_an_answer_is_the_upstreams_fault(reply: Reply, upstream: FakeUpstream) -> None:
    upstream.replies = [reply]

    with pytest.raises(UpstreamError):
        await provider(upstream).prepare(CALL).complete()


async def test_a_provider_that_is_not_there_is_unavailable() -> None:
    nowhere = OpenAIChat(PROVIDERS["openai"], Settings("http://127.0.0.1:1/v1", "k"))

    with pytest.raises(UpstreamError) as caught:
        await nowhere.prepare(CALL).complete()

    assert (caught.value.status, caught.value.code) == (503, "upstream_unreachable")


async def test_the_wait_that_a_provider_asks_for_is_kept(upstream: FakeUpstream) -> None:
    upstream.replies = [Reply.json({"error": {}}, status=429, retry_after="7")]

    with pytest.raises(UpstreamError) as caught:
        await provider(upstream).prepare(CALL).complete()

    assert caught.value.retry_after == 7
    assert caught.value.headers["retry-after"] == "7"


async def test_the_callers_own_mistake_keeps_the_providers_words(upstream: FakeUpstream) -> None:
    error = {"message": "too hot", "param": "temperature", "code": "invalid_value", "type": "x"}
    upstream.replies = [Reply.json({"error": error}, status=400)]

    with pytest.raises(InvalidRequestError) as caught:
        await provider(upstream).prepare(CALL).complete()

    assert (caught.value.message, caught.value.param) == ("too hot", "temperature")


async def test_a_code_that_is_a_number_and_none_written_out_are_not_passed_on(
    upstream: FakeUpstream,
) -> None:
    error = {"message": "no", "param": None, "code": 400, "type": "x"}
    upstream.replies = [Reply.json({"error": error}, status=400)]

    with pytest.raises(InvalidRequestError) as caught:
        await provider(upstream).prepare(CALL).complete()

    assert envelope(caught.value)["error"] == {
        "message": "no",
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }


async def test_closing_the_stream_hangs_up_on_the_provider(upstream: FakeUpstream) -> None:
    async def silent_after_one() -> AsyncIterator[bytes]:
        yield event("a")
        await asyncio.Event().wait()

    upstream.replies = [Reply.sse(silent_after_one())]
    chunks = provider(upstream).prepare(CALL).stream()
    await anext(chunks)
    await chunks.aclose()

    async with asyncio.timeout(10):
        await upstream.abandoned.wait()


async def test_nothing_grows_from_request_to_request(upstream: FakeUpstream) -> None:
    async def objects_after(requests: int) -> int:
        for _ in range(requests):
            stream = relay()
            for chunk in await streamed(upstream, STREAMS[0].reply()):
                stream.public(chunk)
            upstream.requests.clear()
        gc.collect()
        return len(gc.get_objects())

    before = await objects_after(10)

    assert await objects_after(50) - before < 50  # less than one for each request


def test_each_provider_gets_the_output_limit_under_the_name_it_knows() -> None:
    body = {"messages": [], "max_tokens": 5, "max_completion_tokens": 7}

    assert request_body(PROVIDERS["openai"], body)["max_completion_tokens"] == 7
    assert request_body(PROVIDERS["mistral"], body) == {"messages": [], "max_tokens": 7}


def test_providers_that_know_no_developer_get_a_system_message() -> None:
    body = {"messages": [{"role": "developer", "content": "x"}]}

    assert request_body(PROVIDERS["mistral"], body)["messages"][0]["role"] == "system"
    assert request_body(PROVIDERS["openai"], body)["messages"][0]["role"] == "developer"


def test_what_another_provider_answered_and_this_one_refuses_is_not_sent_back_to_it() -> None:
    answered = {"role": "assistant", "content": "Hi", "reasoning_content": "hm", "refusal": None}
    body = {"messages": [answered]}

    assert request_body(PROVIDERS["openai"], body)["messages"] == [
        {"role": "assistant", "content": "Hi", "refusal": None}
    ]
    assert request_body(PROVIDERS["vllm"], body)["messages"] == [answered]


def test_names_of_participants_are_not_sent_to_groq_which_refuses_them() -> None:
    body = {"messages": [{"role": "user", "content": "Hi", "name": "ann"}]}

    assert request_body(PROVIDERS["groq"], body)["messages"] == [{"role": "user", "content": "Hi"}]


async def test_azure_gets_its_key_in_its_own_header(upstream: FakeUpstream) -> None:
    upstream.replies = [ANSWERS[0].reply()]

    await provider(upstream, "azure").prepare(CALL).complete()

    assert upstream.requests[0].headers["api-key"] == "sk-upstream"
    assert "authorization" not in upstream.requests[0].headers
