"""How an upstream of each format says things on the wire: what test_every_format.py needs to know.

A new format gets all of its tests by one entry in `SUBJECTS`.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from losi.errors import Remedy
from losi.sandbox.format import Sandbox
from losi.upstream.anthropic.client import AnthropicMessages
from losi.upstream.bedrock.client import BedrockConverse
from losi.upstream.format import Format
from losi.upstream.openai.chat import OpenAIChat
from losi.upstream.openai.responses.client import OpenAIResponses
from losi.upstream.registry import Settings
from tests.catalogue import PROVIDERS
from tests.contract import bedrock_server
from tests.fake_upstream import Reply
from tests.loose import Json

#: What every upstream here answers.
PIECES = ("Hello", " world")
INPUT_TOKENS, OUTPUT_TOKENS = 5, 2
#: What every refusal here says: only refusals of the caller's own request may show it.
WORDS = "the words of the provider"


@dataclass(frozen=True)
class Scenario:
    """What the caller asks, and what the upstream replies (nothing, if there is no upstream)."""

    reply: Reply | None = None
    ask: str = "Hi"


#: status of the upstream -> status and code that our caller gets, and what helps
Refusals = dict[int, tuple[int, str | None, Remedy | None]]
REFUSALS: Refusals = {
    400: (400, None, None),
    401: (503, "upstream_credentials", Remedy.FRESH_CREDENTIALS),
    403: (503, "upstream_credentials", Remedy.FRESH_CREDENTIALS),
    404: (502, "upstream_model_not_found", Remedy.NEXT_ROUTE),
    413: (413, "request_too_large", None),
    429: (503, "upstream_rate_limited", Remedy.SAME_ROUTE),
    500: (502, "upstream_error", Remedy.SAME_ROUTE),
    503: (503, "upstream_overloaded", Remedy.SAME_ROUTE),
}


@dataclass(frozen=True)
class Subject:
    """A format whose upstream is reached by HTTP."""

    #: Of `FORMATS`.
    name: str
    #: A row of providers.toml that speaks it.
    provider: str
    #: The code of the format, for an upstream at this address.
    format: Callable[[str], Format]
    #: A plain answer with so many choices; formats that know no `n` are asked for one.
    answer: Callable[[int], Json]
    #: The same answer as the stream's body, event by event, for so many choices.
    events: Callable[[int], list[bytes]]
    content_type: str
    #: From how many events on the stream is complete.
    complete_from: int
    #: A refusal with this status, as the upstream writes it.
    refusal: Callable[[int], Reply]
    #: An event that the format does not know the meaning of, though it looks like one.
    malformed_event: bytes
    refusals: Refusals
    #: Whether unknown parameters are sent on as they come.
    passes_on: bool = False

    def answered(self, n: int = 1) -> Scenario:
        return Scenario(Reply.json(self.answer(n)))

    def streamed(self, n: int = 1) -> Scenario:
        return self._stream(self.events(n))

    def truncated(self, after: int, *, cut: bool) -> Scenario:
        return self._stream(self.events(1)[:after], cut=cut)

    def refused(self, status: int) -> Scenario:
        return Scenario(self.refusal(status))

    def unfinished(self) -> Scenario:
        """Sends the first piece and never goes on."""

        async def body() -> AsyncIterator[bytes]:
            for event in self.events(1):
                yield event
                if PIECES[0].encode() in event:
                    await asyncio.Event().wait()

        return self._stream(body())

    def _stream(self, body: Any, *, cut: bool = False) -> Scenario:
        return Scenario(Reply(body, headers={"content-type": self.content_type}, cut=cut))


@dataclass(frozen=True)
class SandboxSubject:
    """The sandbox has no upstream: directives make it answer and fail."""

    refusals: Refusals
    name: str = "sandbox"
    provider: str = "sandbox"
    complete_from: int = len(PIECES) + 2
    passes_on: bool = True

    def format(self, _: str) -> Format:
        return Sandbox()

    def answered(self, n: int = 1) -> Scenario:
        usage = f"{INPUT_TOKENS}:{n * OUTPUT_TOKENS}"
        text = "".join(PIECES)
        return Scenario(ask=f"[[sandbox:say={text}]] [[sandbox:usage={usage}]]")

    streamed = answered

    def truncated(self, after: int, *, cut: bool) -> Scenario:
        return Scenario(ask=f"{self.answered().ask} [[sandbox:break_after={after}]]")

    def refused(self, status: int) -> Scenario:
        return Scenario(ask=f"[[sandbox:error={status}]]")

    def unfinished(self) -> Scenario:
        return Scenario(ask="Hi [[sandbox:delay=60s]]")


def _sse(*events: Json | str, named: bool = False) -> list[bytes]:
    written = []
    for event in events:
        data = event if isinstance(event, str) else json.dumps(event)
        name = f"event: {event['type']}\n" if named and isinstance(event, dict) else ""
        written.append(f"{name}data: {data}\n\n".encode())
    return written


# OpenAI: https://platform.openai.com/docs/api-reference/chat


def _openai_usage(n: int) -> Json:
    output = n * OUTPUT_TOKENS
    total = INPUT_TOKENS + output
    return {"prompt_tokens": INPUT_TOKENS, "completion_tokens": output, "total_tokens": total}


def _openai_answer(n: int) -> Json:
    message = {"role": "assistant", "content": "".join(PIECES), "refusal": None}
    choices = [
        {"index": index, "message": message, "finish_reason": "stop", "logprobs": None}
        for index in range(n)
    ]
    identity = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m"}
    return {**identity, "choices": choices, "usage": _openai_usage(n)}


def _openai_events(n: int) -> list[bytes]:
    identity = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}

    def chunk(index: int, delta: Json, reason: str | None = None) -> Json:
        choice = {"index": index, "delta": delta, "finish_reason": reason, "logprobs": None}
        return {**identity, "choices": [choice], "usage": None}

    deltas: list[Json] = [{"role": "assistant", "content": ""}, *({"content": p} for p in PIECES)]
    said = [chunk(index, delta) for delta in deltas for index in range(n)]
    ends = [chunk(index, {}, "stop") for index in range(n)]
    usage = {**identity, "choices": [], "usage": _openai_usage(n)}
    return _sse(*said, *ends, usage, "[DONE]")


def _openai_refusal(status: int) -> Reply:
    fault = {"message": WORDS, "type": "an_error", "param": None, "code": None}
    return Reply.json({"error": fault}, status, retry_after="3")


# OpenAI's Responses API: https://platform.openai.com/docs/api-reference/responses-streaming


def _responses_answer(_: int) -> Json:
    text = {"type": "output_text", "text": "".join(PIECES), "annotations": []}
    said = {"type": "message", "id": "msg_1", "role": "assistant", "content": [text]}
    total = INPUT_TOKENS + OUTPUT_TOKENS
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": "m",
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "output": [said],
        "usage": {
            "input_tokens": INPUT_TOKENS,
            "output_tokens": OUTPUT_TOKENS,
            "total_tokens": total,
        },
    }


def _responses_events(_: int) -> list[bytes]:
    whole = _responses_answer(1)
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    [said] = whole["output"]
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    pieces = [
        {"type": "response.output_text.delta", **place, "delta": piece, "logprobs": []}
        for piece in PIECES
    ]
    return _sse(
        {"type": "response.created", "response": begun},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {**said, "content": []},
        },
        *pieces,
        {"type": "response.output_item.done", "output_index": 0, "item": said},
        {"type": "response.completed", "response": whole},
        named=True,
    )


# Anthropic: https://platform.claude.com/docs/en/api/messages, .../build-with-claude/streaming


def _anthropic_answer(_: int) -> Json:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": [{"type": "text", "text": "".join(PIECES)}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS},
    }


def _anthropic_events(_: int) -> list[bytes]:
    usage = {"input_tokens": INPUT_TOKENS, "output_tokens": 1}
    message = {**_anthropic_answer(1), "content": [], "stop_reason": None, "usage": usage}
    pieces = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
        for piece in PIECES
    ]
    return _sse(
        {"type": "message_start", "message": message},
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "text", "text": ""},
        },
        *pieces,
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": OUTPUT_TOKENS},
        },
        {"type": "message_stop"},
        named=True,
    )


def _anthropic_refusal(status: int) -> Reply:
    fault = {"type": "error", "error": {"type": "some_error", "message": WORDS}}
    return Reply.json(fault, status, retry_after="3")


# Bedrock: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html

_BEDROCK_USAGE = {
    "inputTokens": INPUT_TOKENS,
    "outputTokens": OUTPUT_TOKENS,
    "totalTokens": INPUT_TOKENS + OUTPUT_TOKENS,
}
_BEDROCK_ERRORS = {
    400: "ValidationException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}


def _bedrock_answer(_: int) -> Json:
    message = {"role": "assistant", "content": [{"text": "".join(PIECES)}]}
    return {"output": {"message": message}, "stopReason": "end_turn", "usage": _BEDROCK_USAGE}


def _bedrock_events(_: int) -> list[bytes]:
    events: list[Json] = [
        {"messageStart": {"role": "assistant"}},
        *(
            {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": piece}}}
            for piece in PIECES
        ),
        {"contentBlockStop": {"contentBlockIndex": 0}},
        {"messageStop": {"stopReason": "end_turn"}},
        {"metadata": {"usage": _BEDROCK_USAGE, "metrics": {"latencyMs": 1}}},
    ]
    return [bedrock_server.event_frame(event) for event in events]


def _bedrock_refusal(status: int) -> Reply:
    kind = {"x_amzn_errortype": _BEDROCK_ERRORS[status]}
    return Reply.json({"message": WORDS}, status, **kind)


def _bedrock(url: str) -> Format:
    client = bedrock_server.client(url)
    return BedrockConverse(lambda: client)


SUBJECTS: list[Subject | SandboxSubject] = [
    Subject(
        name="openai",
        provider="openai",
        format=lambda url: OpenAIChat(PROVIDERS["openai"], Settings(f"{url}/v1", "sk-1")),
        answer=_openai_answer,
        events=_openai_events,
        content_type="text/event-stream",
        complete_from=4,  # some providers send neither usage nor [DONE]
        refusal=_openai_refusal,
        malformed_event=b'data: {"choices": 7}\n\n',
        refusals=REFUSALS,
        passes_on=True,
    ),
    Subject(
        name="openai-responses",
        provider="openai-responses",
        format=lambda url: OpenAIResponses(
            PROVIDERS["openai-responses"], Settings(f"{url}/v1", "sk-1")
        ),
        answer=_responses_answer,
        events=_responses_events,
        content_type="text/event-stream",
        complete_from=6,
        refusal=_openai_refusal,
        malformed_event=b'data: {"type": "response.output_text.delta", "delta": 7}\n\n',
        refusals=REFUSALS,
    ),
    Subject(
        name="anthropic",
        provider="anthropic",
        format=lambda url: AnthropicMessages(PROVIDERS["anthropic"], Settings(url, "sk-1")),
        answer=_anthropic_answer,
        events=_anthropic_events,
        content_type="text/event-stream",
        complete_from=7,
        refusal=_anthropic_refusal,
        malformed_event=b'data: {"type": "content_block_delta", "index": 0, "delta": 7}\n\n',
        refusals={**REFUSALS, 529: (503, "upstream_overloaded", Remedy.SAME_ROUTE)},
    ),
    Subject(
        name="bedrock",
        provider="bedrock",
        format=_bedrock,
        answer=_bedrock_answer,
        events=_bedrock_events,
        content_type="application/vnd.amazon.eventstream",
        complete_from=5,
        refusal=_bedrock_refusal,
        malformed_event=bedrock_server.event_frame({"messageStop": {}}),
        refusals={status: REFUSALS[status] for status in _BEDROCK_ERRORS},
    ),
    SandboxSubject(
        # it plays the API's own refusals, and nothing helps against what the caller asked for
        refusals={
            400: (400, "invalid_value", None),
            401: (401, "invalid_api_key", None),
            403: (403, "missing_permission", None),
            404: (404, "model_not_found", None),
            413: (413, "request_too_large", None),
            429: (429, "rate_limit_exceeded", None),
            500: (500, "internal_error", None),
            502: (502, "upstream_error", Remedy.NOTHING),
            503: (503, "upstream_overloaded", Remedy.NOTHING),
        },
    ),
]
