"""What our provider of OpenAI's format sends, to whom."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import aclosing

from losi.upstream.openai.chat import OpenAIChat
from losi.upstream.openai.request import request_body
from losi.upstream.registry import Settings
from tests.catalogue import PROVIDERS
from tests.contract.openai_calls import (
    ANSWERS,
    CALL,
    STREAMS,
    event,
    provider,
    relay,
    streamed,
)
from tests.fake_format import chunks_of
from tests.fake_upstream import FakeUpstream, Reply
from tests.loose import loose


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

    async with aclosing(chunks_of(local.prepare(CALL).stream())) as chunks:
        [chunk async for chunk in chunks]

    assert "authorization" not in upstream.requests[0].headers


async def test_closing_the_stream_hangs_up_on_the_provider(upstream: FakeUpstream) -> None:
    async def silent_after_one() -> AsyncIterator[bytes]:
        yield event("a")
        await asyncio.Event().wait()

    upstream.replies = [Reply.sse(silent_after_one())]
    chunks = chunks_of(provider(upstream).prepare(CALL).stream())
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

    before = await objects_after(100)  # the loop keeps up to 100 timers that were cancelled

    assert await objects_after(400) - before < 400  # less than one for each request


def test_each_provider_gets_the_output_limit_under_the_name_it_knows() -> None:
    body = {"messages": [], "max_tokens": 5, "max_completion_tokens": 7}

    assert request_body(PROVIDERS["openai"], loose(body))["max_completion_tokens"] == 7
    assert request_body(PROVIDERS["mistral"], loose(body)) == {"messages": [], "max_tokens": 7}


def test_providers_that_know_no_developer_get_a_system_message() -> None:
    body = {"messages": [{"role": "developer", "content": "x"}]}

    assert request_body(PROVIDERS["mistral"], loose(body))["messages"][0]["role"] == "system"
    assert request_body(PROVIDERS["openai"], loose(body))["messages"][0]["role"] == "developer"


def test_what_another_provider_answered_and_this_one_refuses_is_not_sent_back_to_it() -> None:
    answered = {"role": "assistant", "content": "Hi", "reasoning_content": "hm", "refusal": None}
    body = {"messages": [answered]}

    assert request_body(PROVIDERS["openai"], loose(body))["messages"] == [
        {"role": "assistant", "content": "Hi", "refusal": None}
    ]
    assert request_body(PROVIDERS["vllm"], loose(body))["messages"] == [answered]


def test_names_of_participants_are_not_sent_to_groq_which_refuses_them() -> None:
    body = {"messages": [{"role": "user", "content": "Hi", "name": "ann"}]}

    assert request_body(PROVIDERS["groq"], loose(body))["messages"] == [
        {"role": "user", "content": "Hi"}
    ]


async def test_azure_gets_its_key_in_its_own_header(upstream: FakeUpstream) -> None:
    upstream.replies = [ANSWERS[0].reply()]

    await provider(upstream, "azure").prepare(CALL).complete()

    assert upstream.requests[0].headers["api-key"] == "sk-upstream"
    assert "authorization" not in upstream.requests[0].headers
