"""Anthropic's event stream as OpenAI's chunks: one state, no I/O.

https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from losi.upstream.anthropic import shapes
from losi.upstream.anthropic.response import (
    Parts,
    arguments,
    finish_reason,
    refusal,
    tool_call,
    usage,
)
from losi.upstream.anthropic.shapes import Block, Event, MessageDelta, MessageHead
from losi.upstream.reading import ShapeError

if TYPE_CHECKING:
    from losi.wire import JsonObject
    from losi.wire.chat import CallPiece, Chunk, ChunkChoice, Delta


@dataclass(slots=True)
class _Block:
    """A content block that has started and not yet stopped."""

    start: Block
    pieces: list[str] = field(default_factory=list)
    signature: str = ""
    citations: list[object] = field(default_factory=list)


class StreamState:
    """The state of a stream. `feed` takes one event and returns its chunks. Raises ShapeError for
    an order of events that Anthropic never sends.
    """

    def __init__(self, *, created: int) -> None:
        self.finished = False
        self._created = created
        self._identity: Chunk | None = None
        self._started = False
        self._blocks: dict[int, _Block] = {}
        #: The pieces of the block that came last.
        self._speaking: list[str] = []
        self._parts = Parts()
        self._stop_reason: str | None = None
        self._stop_details: object = None
        self._usage: JsonObject = {}
        self._usage_final = False

    def feed(self, event: Event) -> list[Chunk]:
        if event["type"] == "message_start":
            return self._message_start(event["message"])
        if event["type"] == "content_block_start":
            return self._block_start(event["index"], event["content_block"])
        if event["type"] == "content_block_delta":
            return self._block_delta(self._open(event["index"]), event["delta"])
        if event["type"] == "content_block_stop":
            block = self._open(event["index"])
            del self._blocks[event["index"]]
            return self._block_stop(block)
        if event["type"] == "message_delta":
            return self._message_delta(event)
        return self._message_stop()

    def more_text(self, texts: list[str]) -> int:
        """Add more text of the kind that the last event brought."""
        self._speaking.extend(texts)
        return len(texts)

    def usage_chunks(self) -> list[Chunk]:
        """The figures that Anthropic has reported so far. The first ones lack the output."""
        known = usage(self._usage if self._usage_final else {**self._usage, "output_tokens": 0})
        if known is None or self._identity is None:
            return []
        return [{**self._base(), "usage": known}]

    def _open(self, index: int) -> _Block:
        if index not in self._blocks:
            raise ShapeError("index: of no block that has started")
        return self._blocks[index]

    def _message_start(self, message: MessageHead) -> list[Chunk]:
        self._identity = {
            "choices": [],
            "id": message["id"],
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": message["model"],
        }
        self._update_usage(message.get("usage"))
        # nothing to send yet: until there is content, an overload can still fall over elsewhere
        return []

    def _block_start(self, index: int, start: Block) -> list[Chunk]:
        block = self._blocks[index] = _Block(start)
        if start["type"] == "text":
            return self._block_delta(block, {"type": "text_delta", "text": start["text"]})
        if start["type"] == "thinking":
            return self._block_delta(
                block, {"type": "thinking_delta", "thinking": start["thinking"]}
            )
        if start["type"] == "tool_use":
            call = tool_call(start, "")
            self._parts.tool_calls.append(call)
            return [self._tool_chunk({"index": self._call, **call})]
        return []

    def _block_delta(self, block: _Block, delta: shapes.Delta) -> list[Chunk]:
        of, self._speaking = block.start["type"], block.pieces
        if delta["type"] == "text_delta" and of == "text" and delta["text"]:
            block.pieces.append(delta["text"])
            return [self._chunk({"content": delta["text"]})]
        if delta["type"] == "thinking_delta" and of == "thinking" and delta["thinking"]:
            block.pieces.append(delta["thinking"])
            return [self._chunk({"reasoning_content": delta["thinking"]})]
        if delta["type"] == "input_json_delta" and of == "tool_use" and delta["partial_json"]:
            block.pieces.append(delta["partial_json"])
            return [self._arguments(delta["partial_json"])]
        if delta["type"] == "signature_delta":
            block.signature += delta["signature"]
        elif delta["type"] == "citations_delta":
            block.citations.append(delta["citation"])
        return []

    def _block_stop(self, block: _Block) -> list[Chunk]:
        start, content = block.start, "".join(block.pieces)
        if start["type"] == "text":
            self._parts.add_text(content, block.citations)
        elif start["type"] == "thinking":
            self._parts.add_thinking(content, block.signature or start.get("signature", ""))
        elif start["type"] == "redacted_thinking":
            self._parts.add(start)
        elif start["type"] == "tool_use" and not content:
            # a tool call without arguments may bring none later: they are in its start, mostly {}
            piece = arguments(start["input"])
            return [self._arguments(piece)]
        return []

    def _message_delta(self, event: MessageDelta) -> list[Chunk]:
        self._stop_reason = event["delta"].get("stop_reason") or self._stop_reason
        self._stop_details = event["delta"].get("stop_details") or self._stop_details
        self._update_usage(event.get("usage"))
        self._usage_final = True
        return []

    def _message_stop(self) -> list[Chunk]:
        if self._stop_reason is None:
            raise ShapeError("stop_reason: missing")
        reason = finish_reason(self._stop_reason)
        delta: Delta = {}
        self._parts.add_extras(delta)
        delta.pop("reasoning_content", None)  # it was streamed already
        if (why := refusal(self._stop_details)) is not None:
            delta["refusal"] = why
        if not self._parts.length and not self._parts.tool_calls:
            delta["content"] = ""
        self.finished = True
        return [self._chunk(delta, reason), *self.usage_chunks()]

    def _update_usage(self, reported: object) -> None:
        """Figures are cumulative: a later one replaces an earlier one."""
        if isinstance(reported, dict):
            self._usage.update({k: v for k, v in reported.items() if v is not None})

    @property
    def _call(self) -> int:
        """The call's number among the tool calls: a block's own index counts texts and thinking
        too.
        """
        return len(self._parts.tool_calls) - 1

    def _arguments(self, piece: str) -> Chunk:
        return self._tool_chunk({"index": self._call, "function": {"arguments": piece}})

    def _tool_chunk(self, call: CallPiece) -> Chunk:
        return self._chunk({"tool_calls": [call]})

    def _chunk(self, delta: Delta, reason: str | None = None) -> Chunk:
        if not self._started:
            self._started = True
            delta = {"role": "assistant", "content": None, **delta}
        choice: ChunkChoice = {
            "index": 0,
            "delta": delta,
            "logprobs": None,
            "finish_reason": reason,
        }
        return {**self._base(), "choices": [choice]}

    def _base(self) -> Chunk:
        if self._identity is None:
            raise ShapeError("message_start: missing")
        return self._identity
