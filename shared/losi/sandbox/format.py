"""The sandbox: the product's test mode, a deterministic model for callers' own tests.

It streams, calls tools, follows schemas and limits, and fails on demand, without a model and
without state. docs/sandbox.md describes it for callers.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import TYPE_CHECKING

from losi.sandbox.answers import Answer, Choice, answer, last_user_text
from losi.sandbox.directives import Directives, read
from losi.sandbox.errors import broken_stream, directed_error
from losi.sandbox.logprobs import logprobs
from losi.sandbox.tools import ToolCall
from losi.upstream.batch import Batch
from losi.upstream.format import UpstreamCall

if TYPE_CHECKING:
    from losi.wire.chat import (
        AnswerMessage,
        Call,
        CallPiece,
        Chunk,
        ChunkChoice,
        Completion,
        Delta,
        FunctionCall,
        Logprobs,
        Request,
    )
    from losi.wire.chat import Choice as WholeChoice

#: The first second of 2026: a time of the answer's own would make every answer different.
_CREATED = 1_767_225_600
_WORDS = re.compile(r"\S+\s*|\s+")
_FRAGMENT = 12
_FINGERPRINT = "fp_sandbox"


Sleep = Callable[[float], Awaitable[None]]


class Sandbox:
    """Answers depend only on the request; delay directives wait with `sleep`."""

    def __init__(self, sleep: Sleep = asyncio.sleep) -> None:
        self._sleep = sleep

    def prepare(self, call: UpstreamCall) -> SandboxExchange:
        return SandboxExchange(call, self._sleep)


@dataclass(frozen=True, slots=True)
class SandboxExchange:
    _call: UpstreamCall
    _sleep: Sleep
    left_out: frozenset[str] = frozenset()
    mapped: frozenset[str] = frozenset()

    async def complete(self) -> Completion:
        call = self._call
        directives = read(last_user_text(call.body))
        await self._sleep(directives.first_chunk_delay + directives.delay)
        if directives.break_after is not None:
            raise broken_stream()
        if directives.error is not None or directives.error_after is not None:
            raise _directed(directives)
        made = answer(call.body, directives)
        completion: Completion = {
            "id": _id(made),
            "object": "chat.completion",
            "created": _CREATED,
            "model": call.route.model,
            "system_fingerprint": _FINGERPRINT,
            "choices": [
                _whole_choice(call.body, made, index) for index in range(len(made.choices))
            ],
        }
        if made.usage:
            completion["usage"] = made.usage.to_openai()
        return completion

    async def stream(self) -> AsyncGenerator[Batch]:
        call = self._call
        directives = read(last_user_text(call.body))
        await self._sleep(directives.first_chunk_delay)
        if directives.error is not None and directives.error_after is None:
            raise _directed(directives)
        made = answer(call.body, directives)
        envelope: Chunk = {
            "id": _id(made),
            "object": "chat.completion.chunk",
            "created": _CREATED,
            "model": call.route.model,
            "system_fingerprint": _FINGERPRINT,
            "choices": [],
        }
        usage: Chunk = {**envelope, "usage": made.usage.to_openai()} if made.usage else envelope
        if made.usage:
            envelope["usage"] = None
        for number, choice in enumerate(_deltas(call.body, made)):
            await self._sleep(directives.delay)
            finished = choice["finish_reason"] is not None
            if _is_due(directives.break_after, number, finished):
                raise broken_stream()
            if _is_due(directives.error_after, number, finished):
                raise _directed(directives)
            yield [{**envelope, "choices": [choice]}]
        if made.usage:
            yield [usage]


def _is_due(after: int | None, number: int, finished: bool) -> bool:
    """Whether the stream fails here: after that many chunks, and before it is complete."""
    return after is not None and (number >= after or finished)


def _directed(directives: Directives) -> Exception:
    return directed_error(directives.error or "502", directives.retry_after)


def _id(made: Answer) -> str:
    return f"chatcmpl-{made.seed[:24]}"


def _whole_choice(body: Request, made: Answer, index: int) -> WholeChoice:
    choice = made.choices[index]
    message: AnswerMessage = {
        "role": "assistant",
        "content": choice.content,
        "refusal": choice.refusal,
    }
    if choice.calls and made.legacy:
        message["function_call"] = {"name": choice.calls[0].name, "arguments": choice.calls[0].text}
    elif choice.calls:
        message["tool_calls"] = [_whole_call(call) for call in choice.calls]
    return {
        "index": index,
        "message": message,
        "logprobs": logprobs(body, _WORDS.findall(choice.content or "")),
        "finish_reason": choice.finish_reason,
    }


def _deltas(body: Request, made: Answer) -> Iterator[ChunkChoice]:
    """The choices' chunks in turn: roles first, then one piece of each, until all have ended."""
    streams = [_choice_deltas(body, made, index) for index in range(len(made.choices))]
    turns = zip_longest(*streams)
    return (choice for choice in chain.from_iterable(turns) if choice is not None)


def _choice_deltas(body: Request, made: Answer, index: int) -> Iterator[ChunkChoice]:
    choice = made.choices[index]
    spoken = choice.content is not None
    opening: Delta = {"role": "assistant", "content": "" if spoken else None, "refusal": None}
    yield _delta(index, opening)
    for piece in _WORDS.findall(choice.content or ""):
        yield _delta(index, {"content": piece}, logprobs(body, [piece]))
    for piece in _WORDS.findall(choice.refusal or ""):
        yield _delta(index, {"refusal": piece})
    called = _legacy_deltas(choice) if made.legacy else _tool_deltas(choice)
    for delta in called:
        yield _delta(index, delta)
    yield _delta(index, {}, finish_reason=choice.finish_reason)


def _tool_deltas(choice: Choice) -> Iterator[Delta]:
    for place, call in enumerate(choice.calls):
        begun: CallPiece = {"index": place, "id": call.id, "type": call.kind}
        begun[call.kind] = _call_content(call, "")
        yield {"tool_calls": [begun]}
        for fragment in _fragments(call.text):
            # the id, the type and the name come once: SDKs append what comes again
            added: CallPiece = {"index": place}
            added[call.kind] = (
                {"input": fragment} if call.kind == "custom" else {"arguments": fragment}
            )
            yield {"tool_calls": [added]}


def _legacy_deltas(choice: Choice) -> Iterator[Delta]:
    for call in choice.calls:
        yield {"function_call": {"name": call.name, "arguments": ""}}
        for fragment in _fragments(call.text):
            yield {"function_call": {"arguments": fragment}}


def _fragments(text: str) -> Iterator[str]:
    return (text[start : start + _FRAGMENT] for start in range(0, len(text), _FRAGMENT))


def _call_content(call: ToolCall, text: str) -> FunctionCall:
    if call.kind == "custom":
        return {"name": call.name, "input": text}
    return {"name": call.name, "arguments": text}


def _whole_call(call: ToolCall) -> Call:
    whole: Call = {"id": call.id, "type": call.kind}
    whole[call.kind] = _call_content(call, call.text)
    return whole


def _delta(
    index: int, delta: Delta, odds: Logprobs | None = None, finish_reason: str | None = None
) -> ChunkChoice:
    return {"index": index, "delta": delta, "logprobs": odds, "finish_reason": finish_reason}
