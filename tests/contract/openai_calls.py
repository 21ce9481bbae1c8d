"""Calls of our provider of OpenAI's format, and what such providers really sent."""

from contextlib import aclosing

import orjson

from losi.catalogue.models import Route
from losi.chat.chunks import ChunkStream, TokenBounds
from losi.upstream.format import UpstreamCall
from losi.upstream.openai.chat import OpenAIChat
from losi.upstream.registry import Settings
from tests.catalogue import PROVIDERS
from tests.contract.cassettes import Cassette, load
from tests.fake_format import chunks_of
from tests.fake_upstream import FakeUpstream, Reply
from tests.loose import Json

STREAMS = load("openai", "stream-*") + load("dialects", "*-stream*")

ANSWERS = load("openai", "json-*") + [
    c for c in load("dialects", "*-json-*") if "azure" not in c.name
]

REQUESTS = [c for c in load("openai", "*") if c.request and "error" not in c.name]

CALL: UpstreamCall = UpstreamCall(
    {"model": "m", "messages": [{"role": "user", "content": "Hi"}]},
    Route(provider=PROVIDERS["openai"], model="m"),
    "req_1",
)


def named(cassette: Cassette) -> str:
    return cassette.name


def provider(upstream: FakeUpstream, provider: str = "openai") -> OpenAIChat:
    return OpenAIChat(PROVIDERS[provider], Settings(upstream.url + "/v1", "sk-upstream"))


def relay() -> ChunkStream:
    return ChunkStream("chatcmpl-1", 1, "gpt-4o", include_usage=True, bounds=TokenBounds(1))


async def streamed(upstream: FakeUpstream, reply: Reply) -> list[Json]:
    upstream.replies = [reply]
    async with aclosing(chunks_of(provider(upstream).prepare(CALL).stream())) as chunks:
        return [chunk async for chunk in chunks]


def event(text: str, *, index: int = 0, finish: str | None = None) -> bytes:
    choice = {"index": index, "delta": {"content": text}, "finish_reason": finish}
    return b"data: " + orjson.dumps({"choices": [choice]}) + b"\n\n"
