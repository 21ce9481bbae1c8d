"""Anthropic's answers and refusals in OpenAI's terms. Pure: no I/O.
https://platform.claude.com/docs/en/api/messages, https://platform.claude.com/docs/en/api/errors
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import orjson

from losi.errors import LosiError
from losi.metering.usage import MAX_TOKENS, Usage
from losi.upstream.anthropic.request import AnthropicRequest
from losi.upstream.anthropic.shapes import Block, Message, ToolUseBlock
from losi.upstream.claude import placed
from losi.upstream.format import retry_after_seconds, upstream_error

if TYPE_CHECKING:
    from losi.wire import JsonObject
    from losi.wire.chat import (
        Annotation,
        AnswerMessage,
        Call,
        Choice,
        Completion,
        FunctionCall,
        MessageFields,
        ThinkingBlock,
        UrlCitation,
    )
    from losi.wire.chat import Usage as OpenAIUsage

#: Any other reason (end_turn, stop_sequence, future ones) is a normal stop.
_FINISH_REASONS = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    # a server tool paused: the answer is incomplete, and the rest would need another request
    "pause_turn": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}

#: Statuses of errors within a stream, which began with HTTP status 200; other types are 500.
_STATUS_OF_TYPE = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "timeout_error": 504,
    "overloaded_error": 529,
}

#: 400s that concern the operator's account with Anthropic, not the request.
_ACCOUNT_MESSAGE = re.compile(
    r"credit balance|usage limits?\b|(organization|workspace) (has|is|does)\b", re.IGNORECASE
)

#: How Anthropic's refusals name a mistake: a dotted path in its own form of the request.
_PATH = re.compile(r"([a-z_]+(?:\.[\w-]+)*): (.+)", re.DOTALL)

_PARAMETERS = {
    "stop_sequences": "stop",
    "thinking": "reasoning_effort",
    "output_config.effort": "reasoning_effort",
    "output_config": "response_format",
    "metadata": "user",
    "system": "messages",
}


def completion(message: Message, *, created: int) -> Completion:
    """Return Anthropic's message as a chat completion."""
    parts = Parts()
    for block in message["content"]:
        parts.add(block)
    answer: AnswerMessage = {
        "role": "assistant",
        "content": parts.content,
        "refusal": refusal(message.get("stop_details")),
    }
    parts.add_extras(answer)
    reason = finish_reason(message["stop_reason"])
    if parts.tool_calls:
        answer["tool_calls"] = parts.tool_calls
    choice: Choice = {"index": 0, "message": answer, "logprobs": None, "finish_reason": reason}
    completed: Completion = {
        "id": message["id"],
        "object": "chat.completion",
        "created": created,
        "model": message["model"],
        "choices": [choice],
    }
    if counted := usage(message.get("usage")):
        completed["usage"] = counted
    return completed


class Parts:
    """The content blocks of an answer, sorted by their place in OpenAI's format."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.length = 0
        self.tool_calls: list[Call] = []
        self.thinking_blocks: list[ThinkingBlock] = []
        self.annotations: list[Annotation] = []

    @property
    def content(self) -> str | None:
        joined = "".join(self.texts)
        return joined or (None if self.tool_calls else "")

    def add(self, block: Block) -> None:
        if block["type"] == "text":
            self.add_text(block["text"], block.get("citations") or ())
        elif block["type"] == "thinking":
            self.add_thinking(block["thinking"], block.get("signature", ""))
        elif block["type"] == "redacted_thinking":
            self._add_thought({"type": "redacted_thinking", "data": block["data"]})
        elif block["type"] == "tool_use":
            self.tool_calls.append(tool_call(block, arguments(block["input"])))

    def add_text(self, piece: str, citations: Iterable[object]) -> None:
        start, self.length = self.length, self.length + len(piece)
        self.texts.append(piece)
        for citation in citations:
            # of citations, only those of web pages have a counterpart
            if isinstance(citation, dict) and isinstance(url := citation.get("url"), str):
                cited: UrlCitation = {
                    "start_index": start,
                    "end_index": self.length,
                    "url": url,
                    "title": citation.get("title") or url,
                }
                self.annotations.append({"type": "url_citation", "url_citation": cited})

    def add_thinking(self, thought: str, signature: str) -> None:
        block: ThinkingBlock = {"type": "thinking", "thinking": thought, "signature": signature}
        self._add_thought(block)

    def _add_thought(self, block: ThinkingBlock) -> None:
        block = placed(block, text=self.length, calls=len(self.tool_calls))
        self.thinking_blocks.append(block)

    def add_extras(self, message: MessageFields) -> None:
        """Fields beyond OpenAI's own, each only when there is something in it.

        `thinking_blocks` is what Anthropic wants back, signed, with the results of tool calls;
        `reasoning_content` is the same for people to read.
        """
        if thought := "".join(block.get("thinking", "") for block in self.thinking_blocks):
            message["reasoning_content"] = thought
        if self.thinking_blocks:
            message["thinking_blocks"] = self.thinking_blocks
        if self.annotations:
            message["annotations"] = self.annotations


def tool_call(block: ToolUseBlock, arguments: str) -> Call:
    function: FunctionCall = {"name": block["name"], "arguments": arguments}
    return {"id": block["id"], "type": "function", "function": function}


def arguments(value: JsonObject) -> str:
    return orjson.dumps(value).decode()


def finish_reason(stop_reason: str) -> str:
    return _FINISH_REASONS.get(stop_reason, "stop")


def refusal(details: object) -> str | None:
    """The model's reason for refusing, if `stop_details` has one."""
    explanation = details.get("explanation") if isinstance(details, dict) else None
    return explanation if isinstance(explanation, str) and explanation else None


def usage(reported: object) -> OpenAIUsage | None:
    """Anthropic counts input in three parts that do not overlap; OpenAI's total holds them all."""
    if not isinstance(reported, dict):
        return None
    if reported.get("input_tokens") is None or reported.get("output_tokens") is None:
        return None  # what is not reported would be free
    cached = _count(reported.get("cache_read_input_tokens"))
    written = _count(reported.get("cache_creation_input_tokens"))
    details = reported.get("output_tokens_details")
    thought = details.get("thinking_tokens") if isinstance(details, dict) else None
    output = _count(reported["output_tokens"])
    counted = Usage(
        hour_write_tokens=min(written, _for_an_hour(reported.get("cache_creation"))),
        input_tokens=_count(reported.get("input_tokens")) + cached + written,
        output_tokens=output,
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=min(output, _count(thought)),
    )
    figures = {
        "cached_tokens": reported.get("cache_read_input_tokens"),
        "cache_write_tokens": reported.get("cache_creation_input_tokens"),
        "reasoning_tokens": thought,
    }
    return counted.to_openai({name for name, figure in figures.items() if figure is not None})


def _for_an_hour(written: object) -> int:
    """https://platform.claude.com/docs/en/build-with-claude/prompt-caching#1-hour-cache-duration"""
    return _count(written.get("ephemeral_1h_input_tokens")) if isinstance(written, dict) else 0


def error(
    status: int,
    body: JsonObject | None,
    headers: Mapping[str, str],
    provider: str,
    request: AnthropicRequest,
) -> LosiError:
    """Translate a refusal. After HTTP status 200, the error itself names its status."""
    fault = body.get("error") if body else None
    fault = fault if isinstance(fault, dict) else {}
    message = fault["message"] if isinstance(fault.get("message"), str) else None
    if status < 400:
        status = _STATUS_OF_TYPE.get(str(fault.get("type")), 500)
    if status == 400 and _ACCOUNT_MESSAGE.search(message or ""):
        status = 402
    param, code = None, None
    if message:  # only refusals of the request itself pass it on
        param, code, message = _explain(message[:1000], request)
    return upstream_error(
        status,
        provider,
        message=message,
        param=param,
        code=code,
        retry_after=retry_after_seconds(headers),
    )


def _explain(message: str, request: AnthropicRequest) -> tuple[str | None, str | None, str]:
    """Anthropic's message, with the caller's parameter in place of Anthropic's path."""
    if message.startswith("prompt is too long") or "exceed context limit" in message:
        return "messages", "context_length_exceeded", message
    if (match := _PATH.fullmatch(message)) is None:
        return None, "invalid_value", message
    param = _parameter(match[1].split("."), request)
    return param, "invalid_value", f"{param}: {match[2]}"


def _parameter(path: list[str], request: AnthropicRequest) -> str:
    numbers = [int(part) for part in path if part.isdecimal()]
    if path[0] == "messages" and numbers:
        origins = dict(enumerate(request.origins)).get(numbers[0], [])
        block = numbers[1] if len(numbers) > 1 else 0
        return origins[block] if block < len(origins) else "messages"
    if path[0] == "tools" and numbers:
        field = {"input_schema": ".function.parameters", "name": ".function.name"}
        fields = [field[part] for part in path if part in field]
        return f"tools[{numbers[0]}]{fields[0] if fields else ''}"
    if path[0] == "max_tokens":
        return request.limit_param
    return _PARAMETERS.get(".".join(path[:2]), _PARAMETERS.get(path[0], path[0]))


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        return 0
    return min(max(value, 0), MAX_TOKENS)
