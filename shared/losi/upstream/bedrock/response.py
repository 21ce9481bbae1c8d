"""Converse's answers and stream events as OpenAI's completions and chunks. Pure.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html
"""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING

from losi.metering.usage import HOUR_WRITES, from_openai
from losi.upstream.bedrock.errors import PROVIDER
from losi.upstream.bedrock.shapes import (
    Answer,
    Block,
    BlockDelta,
    BlockStart,
    Event,
    Reasoning,
    ReasoningDelta,
    ToolUse,
)
from losi.upstream.claude import placed
from losi.upstream.format import UpstreamCall, incomplete, malformed

if TYPE_CHECKING:
    from losi.wire.chat import (
        AnswerMessage,
        Call,
        CallPiece,
        Choice,
        Chunk,
        ChunkChoice,
        Completion,
        Delta,
        FunctionCall,
        ThinkingBlock,
        Usage,
    )

FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
}
#: The model broke off in the middle of its own format, so the answer is unusable.
_BROKEN = frozenset({"malformed_model_output", "malformed_tool_use"})


def completion(answer: Answer, call: UpstreamCall) -> Completion:
    """Return a whole completion. Raises UpstreamError if the model broke off."""
    reason = answer["stopReason"]
    message = _message(answer["output"]["message"]["content"])
    if reason in _BROKEN:
        raise malformed(PROVIDER)
    choice: Choice = {
        "index": 0,
        "message": message,
        "finish_reason": FINISH_REASONS.get(reason, "stop"),
        "logprobs": None,
    }
    result: Completion = {
        "id": f"chatcmpl-{call.request_id}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": call.body["model"],
        "choices": [choice],
    }
    if used := usage(answer.get("usage")):
        result["usage"] = used
    return result


def usage(raw: object) -> Usage | None:
    """OpenAI's usage: what was read from or written to the cache is part of the prompt."""
    if not isinstance(raw, dict) or raw.get("inputTokens") is None:
        return None
    parts = ("inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens")
    fresh, read, written = (n if isinstance(n := raw.get(part), int) else 0 for part in parts)
    known = from_openai(
        {
            "prompt_tokens": fresh + read + written,
            "completion_tokens": raw.get("outputTokens"),
            "prompt_tokens_details": {
                "cached_tokens": read,
                "cache_write_tokens": written,
                HOUR_WRITES: _for_an_hour(raw.get("cacheDetails")),
            },
        }
    )
    if known is None:
        return None
    figures = {"cached_tokens": parts[1], "cache_write_tokens": parts[2]}
    return known.to_openai(
        {ours for ours, theirs in figures.items() if raw.get(theirs) is not None}
    )


def _for_an_hour(details: object) -> int:
    """https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CacheDetail.html"""
    given = details if isinstance(details, list) else []
    rows = [row for row in given if isinstance(row, dict) and row.get("ttl") == "1h"]
    return sum(row.get("inputTokens") or 0 for row in rows)


def _message(blocks: list[Block]) -> AnswerMessage:
    texts, thinking, calls = list[str](), list["ThinkingBlock"](), list["Call"]()
    for block in blocks:
        if "text" in block:
            texts.append(block["text"])
        elif "citationsContent" in block:
            texts += [part.get("text", "") for part in block["citationsContent"].get("content", [])]
        elif "reasoningContent" in block:
            thought = _thinking_block(block["reasoningContent"])
            thinking.append(placed(thought, text=sum(map(len, texts)), calls=len(calls)))
        elif "toolUse" in block:
            calls.append(_tool_call(block["toolUse"]))
    message: AnswerMessage = {
        "role": "assistant",
        "content": "".join(texts) or None,
        "refusal": None,
    }
    if thinking:
        message["reasoning_content"] = "".join(block.get("thinking", "") for block in thinking)
        message["thinking_blocks"] = thinking
    if calls:
        message["tool_calls"] = calls
    elif message["content"] is None:
        message["content"] = ""
    return message


def _thinking_block(content: Reasoning) -> ThinkingBlock:
    """A thinking block in Anthropic's form, signed, to be sent back unchanged after tool calls."""
    if "redactedContent" in content:
        data = base64.b64encode(content["redactedContent"]).decode()
        return {"type": "redacted_thinking", "data": data}
    if "reasoningText" not in content:
        raise malformed(PROVIDER)
    text = content["reasoningText"]
    return {
        "type": "thinking",
        "thinking": text["text"],
        "signature": text.get("signature") or "",
    }


def _tool_call(use: ToolUse) -> Call:
    arguments = json.dumps(use["input"] or {}, ensure_ascii=False, separators=(",", ":"))
    function: FunctionCall = {"name": use["name"], "arguments": arguments}
    return {"id": use["toolUseId"], "type": "function", "function": function}


def _identity(call: UpstreamCall) -> Chunk:
    return {
        "choices": [],
        "id": f"chatcmpl-{call.request_id}",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": call.body["model"],
    }


class StreamState:
    """Turns the events of one stream into chunks: call `chunks(event)` for each, then `end()`. It
    sends nothing before the model has said something, so that an overload before that can still
    fall over to another route.
    """

    def __init__(self, call: UpstreamCall) -> None:
        self._identity = _identity(call)
        self._role_sent = False
        self._stop_reason: str | None = None
        self._tools: dict[int, _Tool] = {}  # by content block index, which counts texts too
        self._thinking: dict[int, ThinkingBlock] = {}
        self._length = 0  # of the text so far

    def end(self) -> None:
        """Raises UpstreamError unless the stream was complete and its content valid."""
        if self._stop_reason is None:
            raise incomplete(PROVIDER)
        if self._stop_reason in _BROKEN:
            raise malformed(PROVIDER)

    def chunks(self, event: Event) -> list[Chunk]:
        if "contentBlockStart" in event:
            return self._block_start(event["contentBlockStart"])
        if "contentBlockDelta" in event:
            return self._block_delta(event["contentBlockDelta"])
        if "contentBlockStop" in event:
            return self._block_stop(event["contentBlockStop"]["contentBlockIndex"])
        if "messageStop" in event:
            return self._message_stop(event["messageStop"]["stopReason"])
        if "metadata" in event and (used := usage(event["metadata"].get("usage"))):
            return [{**self._identity, "usage": used}]
        return []

    def _block_start(self, block: BlockStart) -> list[Chunk]:
        use = block["start"].get("toolUse")
        if use is None:
            return []
        tool = self._tools[block["contentBlockIndex"]] = _Tool(len(self._tools))
        opening: CallPiece = {
            "index": tool.index,
            "id": use["toolUseId"],
            "type": "function",
            "function": {"name": use["name"], "arguments": ""},
        }
        return [self._delta({"tool_calls": [opening]})]

    def _block_delta(self, block: BlockDelta) -> list[Chunk]:
        index, delta = block["contentBlockIndex"], block["delta"]
        if delta.get("text"):
            self._length += len(delta["text"])
            return [self._delta({"content": delta["text"]})]
        if "toolUse" in delta:
            return self._arguments(self._tool(index), delta["toolUse"]["input"])
        if "reasoningContent" in delta:
            return self._reasoning(index, delta["reasoningContent"])
        return []

    def _tool(self, index: int) -> _Tool:
        if index not in self._tools:
            raise malformed(PROVIDER)
        return self._tools[index]

    def _arguments(self, tool: _Tool, text: str) -> list[Chunk]:
        if not text:
            return []
        tool.has_arguments = True
        return [self._delta({"tool_calls": [tool.arguments(text)]})]

    def _reasoning(self, index: int, content: ReasoningDelta) -> list[Chunk]:
        if "redactedContent" in content:
            data = base64.b64encode(content["redactedContent"]).decode()
            self._thinking[index] = self._placed({"type": "redacted_thinking", "data": data})
            return []
        empty: ThinkingBlock = {"type": "thinking", "thinking": "", "signature": ""}
        block = self._thinking.setdefault(index, self._placed(empty))
        block["signature"] += content.get("signature", "")
        text = content.get("text", "")
        block["thinking"] += text
        return [self._delta({"reasoning_content": text})] if text else []

    def _placed(self, block: ThinkingBlock) -> ThinkingBlock:
        return placed(block, text=self._length, calls=len(self._tools))

    def _block_stop(self, index: int) -> list[Chunk]:
        tool = self._tools.get(index)
        if tool is not None and not tool.has_arguments:
            return self._arguments(tool, "{}")
        return []

    def _message_stop(self, reason: str) -> list[Chunk]:
        self._stop_reason = reason
        if reason in _BROKEN:
            return []  # end() sends it: the usage is still to come
        # sent whole: SDKs cannot join the parts of a list whose items have no index
        delta: Delta = {}
        if self._thinking:
            delta["thinking_blocks"] = list(self._thinking.values())
        chunk = self._delta(delta)
        chunk["choices"][0]["finish_reason"] = FINISH_REASONS.get(reason, "stop")
        return [chunk]

    def _delta(self, delta: Delta) -> Chunk:
        if not self._role_sent:
            delta = {"role": "assistant", **delta}
            self._role_sent = True
        choice: ChunkChoice = {"index": 0, "delta": delta, "finish_reason": None, "logprobs": None}
        return {**self._identity, "choices": [choice]}


class _Tool:
    """One tool call, numbered as OpenAI does: 0, 1, 2."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.has_arguments = False

    def arguments(self, text: str) -> CallPiece:
        return {"index": self.index, "function": {"arguments": text}}
