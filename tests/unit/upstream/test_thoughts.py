"""Thoughts that another model signed do not end a conversation."""

from collections.abc import AsyncGenerator

import pytest

from losi.catalogue.loader import SHIPPED, load
from losi.catalogue.models import Route
from losi.errors import InvalidRequestError
from losi.upstream.batch import Batch
from losi.upstream.format import UpstreamCall
from losi.upstream.thoughts import prepare
from tests.fake_format import chunks_of
from tests.loose import Json, loose

ROUTE = Route(provider=load(SHIPPED).providers["anthropic"], model="claude-sonnet-5-5")
THOUGHT = {"type": "thinking", "thinking": "I", "signature": "c2ln"}
#: How Claude says it, at Anthropic and on Bedrock:
#: https://github.com/BerriAI/litellm/issues/23047
REFUSALS = (
    "messages.1.content.0: Invalid `signature` in `thinking` block",
    "Invalid `signature` in `thinking` block",
    "invalid signature in redacted_thinking block",
    "`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified",
    "thinking block: signature: Field required",
)


class Signing:
    """A format that refuses thoughts, and its exchange."""

    left_out = frozenset[str]()
    mapped = frozenset[str]()

    def __init__(self, words: str, *, always: bool = False) -> None:
        self.words, self.always = words, always
        self.sent: list[Json] = []

    def prepare(self, call: UpstreamCall) -> "Signing":
        self.body = call.body
        return self

    def _judge(self) -> None:
        self.sent.append(self.body)
        blocks = [b for m in self.body["messages"] for b in m.get("thinking_blocks") or ()]
        if self.always or THOUGHT in blocks:
            raise InvalidRequestError(self.words, param="messages[1].thinking_blocks[0]")

    async def complete(self) -> Json:
        self._judge()
        return {"choices": []}

    async def stream(self) -> AsyncGenerator[Batch]:
        self._judge()
        yield [{"choices": []}]


def conversation(*blocks: Json) -> UpstreamCall:
    answer = {"role": "assistant", "content": "I am.", "thinking_blocks": list(blocks)}
    messages = [{"role": "user", "content": "Are you?"}, answer, {"role": "user", "content": "Go"}]
    return UpstreamCall({"model": ROUTE.model, "messages": loose(messages)}, ROUTE, "req_1")


@pytest.mark.parametrize("words", REFUSALS)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
async def test_they_are_left_out_where_they_are_refused(words: str, stream: bool) -> None:
    upstream = Signing(words)
    exchange = prepare(upstream.prepare, conversation(THOUGHT))

    chunks = chunks_of(exchange.stream())
    answers = [c async for c in chunks] if stream else [await exchange.complete()]

    assert answers == [{"choices": []}]
    assert len(upstream.sent) == 2
    assert "thinking_blocks" not in upstream.sent[1]["messages"][1]
    assert upstream.sent[1]["messages"][1]["content"] == "I am."
    assert exchange.mapped == {"messages"}


async def test_the_providers_own_are_sent() -> None:
    upstream = Signing("never said")
    exchange = prepare(upstream.prepare, conversation({**THOUGHT, "signature": "its own"}))

    await exchange.complete()

    assert exchange.mapped == frozenset()
    assert "thinking_blocks" in upstream.sent[0]["messages"][1]
    assert len(upstream.sent) == 1


@pytest.mark.parametrize("words", ["max_tokens: too large", REFUSALS[0]])
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
async def test_another_refusal_stays_one_and_none_is_tried_thrice(words: str, stream: bool) -> None:
    upstream = Signing(words, always=True)
    exchange = prepare(upstream.prepare, conversation(THOUGHT))

    with pytest.raises(InvalidRequestError, match=words.split()[0]):
        _ = [c async for c in chunks_of(exchange.stream())] if stream else await exchange.complete()

    assert len(upstream.sent) == (2 if words == REFUSALS[0] else 1)


async def test_what_has_begun_is_not_said_twice() -> None:
    upstream = Signing(REFUSALS[0])

    async def broken() -> AsyncGenerator[Batch]:
        upstream.sent.append(upstream.body)
        yield [{"choices": []}]
        raise InvalidRequestError(REFUSALS[0])

    upstream.stream = broken  # type: ignore[method-assign]
    chunks: list[Json] = []

    with pytest.raises(InvalidRequestError):
        async for chunk in chunks_of(prepare(upstream.prepare, conversation(THOUGHT)).stream()):
            chunks.append(chunk)

    assert chunks == [{"choices": []}]
    assert len(upstream.sent) == 1
