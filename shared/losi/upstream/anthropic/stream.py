"""Anthropic's event stream as OpenAI's chunks: one state, no I/O.

https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from dataclasses import dataclass, field
from typing import Any

from losi.upstream.anthropic.response import (
    Parts,
    arguments,
    finish_reason,
    refusal,
    text,
    usage,
)
from losi.upstream.format import Json


@dataclass(slots=True)
class _Block:
    """A content block that has started and not yet stopped."""

    start: Json
    pieces: list[str] = field(default_factory=list)
    signature: str = ""
    citations: list[Any] = field(default_factory=list)


class StreamState:
    """What a stream has said so far.

    `feed` takes one event and gives the chunks it makes. It raises KeyError, TypeError or
    ValueError for what Anthropic never sends.
    """

    def __init__(self, *, created: int, legacy_functions: bool = False) -> None:
        self.finished = False
        self._created = created
        self._legacy = legacy_functions
        self._identity: Json | None = None
        self._started = False
        self._blocks: dict[int, _Block] = {}
        self._parts = Parts()
        self._stop: Json = {}
        self._usage: Json = {}
        self._usage_final = False

    def feed(self, event: Json) -> list[Json]:
        kind = event["type"]
        if kind == "message_start":
            return self._message_start(event["message"])
        if kind == "content_block_start":
            return self._block_start(event["index"], event["content_block"])
        if kind == "content_block_delta":
            return self._block_delta(self._blocks[event["index"]], event["delta"])
        if kind == "content_block_stop":
            return self._block_stop(self._blocks.pop(event["index"]))
        if kind == "message_delta":
            return self._message_delta(event)
        if kind == "message_stop":
            return self._message_stop()
        return []  # ping, and events that are yet to come

    def usage_chunks(self) -> list[Json]:
        """The usage chunk once Anthropic has told the final figures, even if the end is cut off."""
        counted = usage(self._usage) if self._usage_final else None
        return [{**self._base(), "choices": [], "usage": counted.to_openai()}] if counted else []

    def _message_start(self, message: Json) -> list[Json]:
        self._identity = {
            "id": text(message["id"]),
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": text(message["model"]),
        }
        self._update_usage(message.get("usage"))
        # nothing to send yet: until there is content, an overload can still fall over elsewhere
        return []

    def _block_start(self, index: int, start: Json) -> list[Json]:
        block = self._blocks[index] = _Block(start)
        kind = start["type"]
        if kind == "text" and start["text"]:
            return self._block_delta(block, {"type": "text_delta", "text": start["text"]})
        if kind == "thinking" and start["thinking"]:
            return self._block_delta(
                block, {"type": "thinking_delta", "thinking": start["thinking"]}
            )
        if kind == "tool_use":
            call = {
                "id": text(start["id"]),
                "type": "function",
                "function": {"name": text(start["name"]), "arguments": ""},
            }
            self._parts.tool_calls.append(call)
            return [self._tool_chunk(call)]
        return []

    def _block_delta(self, block: _Block, delta: Json) -> list[Json]:
        kind, of = delta["type"], block.start["type"]
        if kind == "text_delta" and of == "text" and (piece := text(delta["text"])):
            block.pieces.append(piece)
            return [self._chunk({"content": piece})]
        if kind == "thinking_delta" and of == "thinking" and (piece := text(delta["thinking"])):
            block.pieces.append(piece)
            return [self._chunk({"reasoning_content": piece})]
        if kind == "input_json_delta" and of == "tool_use" and (piece := delta["partial_json"]):
            block.pieces.append(text(piece))
            return [self._tool_chunk({"function": {"arguments": piece}})]
        if kind == "signature_delta":
            block.signature += text(delta["signature"])
        elif kind == "citations_delta":
            block.citations.append(delta["citation"])
        return []

    def _block_stop(self, block: _Block) -> list[Json]:
        kind, content = block.start["type"], "".join(block.pieces)
        if kind == "text":
            self._parts.add_text(content, block.citations)
        elif kind == "thinking":
            signature = block.signature or text(block.start.get("signature", ""))
            self._parts.add_thinking(content, signature)
        elif kind == "redacted_thinking":
            self._parts.add(block.start)
        elif kind == "tool_use" and not content:
            # a tool without arguments may send none: what stands at its start, mostly {}
            piece = arguments(block.start.get("input", {}))
            return [self._tool_chunk({"function": {"arguments": piece}})]
        return []

    def _message_delta(self, event: Json) -> list[Json]:
        self._stop.update({k: v for k, v in event["delta"].items() if v is not None})
        self._update_usage(event.get("usage"))
        self._usage_final = True
        return []

    def _message_stop(self) -> list[Json]:
        reason = finish_reason(self._stop["stop_reason"])
        if reason == "tool_calls" and self._legacy:
            reason = "function_call"
        delta = self._parts.extras()
        delta.pop("reasoning_content", None)  # streamed as it came
        if (why := refusal(self._stop)) is not None:
            delta["refusal"] = why
        if not self._parts.length and not self._parts.tool_calls:
            delta["content"] = ""
        self.finished = True
        return [self._chunk(delta, reason), *self.usage_chunks()]

    def _update_usage(self, reported: Any) -> None:
        """Figures are cumulative: a later one takes the place of an earlier one."""
        if isinstance(reported, dict):
            self._usage.update({k: v for k, v in reported.items() if v is not None})

    def _tool_chunk(self, call: Json) -> Json:
        if not self._legacy:
            # numbered among the tools alone: a block's own index counts texts and thinking too
            index = len(self._parts.tool_calls) - 1
            return self._chunk({"tool_calls": [{"index": index, **call}]})
        return self._chunk({"function_call": call["function"]})

    def _chunk(self, delta: Json, reason: str | None = None) -> Json:
        if not self._started:
            self._started = True
            delta = {"role": "assistant", "content": None, **delta}
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return {**self._base(), "choices": [choice]}

    def _base(self) -> Json:
        if self._identity is None:
            raise ValueError("content before message_start")
        return self._identity
