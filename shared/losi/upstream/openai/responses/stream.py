"""The events of OpenAI's Responses API as chunks of a chat completion. Pure.

https://platform.openai.com/docs/api-reference/responses-streaming: there is no [DONE]; the last
event is `response.completed`, `.incomplete`, `.failed` or `error`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from losi.upstream.format import malformed
from losi.upstream.openai.responses import answer, shapes
from losi.upstream.openai.responses.shapes import Ended, Event, Head, Item, TextDelta
from losi.upstream.reading import ShapeError

if TYPE_CHECKING:
    from losi.wire import JsonObject
    from losi.wire.chat import CallPiece, Chunk, ChunkChoice, Delta, Kind, Logprobs


class StreamState:
    """One streamed response: `feed` it each event; it is `finished` when the upstream said so."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._model = ""
        self._identity: Chunk | None = None
        self._role: Delta = {"role": "assistant"}
        #: The upstream's index of an output item -> our index of the call, and what was sent of it.
        self._calls: dict[int | None, _Call] = {}
        self._summaries = 0
        self.finished = False

    def feed(self, value: JsonObject) -> list[Chunk]:
        """Return the chunks of an event. Raises a LosiError if the event says that the run failed.
        Events of other kinds repeat the deltas, or concern tools that we do not send.
        """
        try:
            event = shapes.event(value)
        except ShapeError as error:
            raise malformed(self._provider) from error
        return [] if event is None else self._chunks(event)

    def _chunks(self, event: Event) -> list[Chunk]:
        if event["type"] == "response.created":
            return self._created(event["response"])
        if event["type"] == "response.output_text.delta":
            return self._text(event)
        if event["type"] == "response.refusal.delta":
            return [self._chunk({"refusal": event["delta"]})]
        if event["type"] == "response.reasoning_summary_part.added":
            return self._summary_part()
        if event["type"] == "response.reasoning_summary_text.delta":
            return [self._chunk({"reasoning_content": event["delta"]})]
        if event["type"] == "response.output_item.added":
            return self._item_added(event.get("output_index"), event["item"])
        if event["type"] == "response.output_item.done":
            return self._item_done(event.get("output_index"), event["item"])
        if event["type"] == "response.failed":
            raise answer.failure(event["response"].get("error"), self._provider)
        if event["type"] == "error":
            raise answer.failure(event, self._provider)
        if event["type"] == "response.completed" or event["type"] == "response.incomplete":
            return self._end(event["response"])
        return self._arguments(event.get("output_index"), event["delta"])

    def _created(self, response: Head) -> list[Chunk]:
        self._model = str(response.get("model"))
        self._identity = {
            "id": str(response.get("id")),
            "object": "chat.completion.chunk",
            "created": answer.created(response),
            "model": self._model,
            "choices": [],
        }
        return []

    def _text(self, event: TextDelta) -> list[Chunk]:
        logprobs = answer.logprobs(event.get("logprobs"))
        return [self._chunk({"content": event["delta"]}, logprobs=logprobs)]

    def _summary_part(self) -> list[Chunk]:
        self._summaries += 1
        return [self._chunk({"reasoning_content": "\n\n"})] if self._summaries > 1 else []

    def _item_added(self, index: int | None, item: Item) -> list[Chunk]:
        call = answer.tool_call(item)
        if call is None:
            return []
        known = self._calls[index] = _Call(len(self._calls), call["type"])
        return [self._call_chunk({"index": known.index, **call})]

    def _arguments(self, index: int | None, text: str) -> list[Chunk]:
        if index not in self._calls:
            raise malformed(self._provider)
        return self._more(self._calls[index], text)

    def _item_done(self, index: int | None, item: Item) -> list[Chunk]:
        if item["type"] == "reasoning":
            block = answer.thinking_block(item, self._model)
            return [self._chunk({"thinking_blocks": [block]})] if block else []
        known = self._calls.get(index)
        if known is None:
            return []
        text = ""
        if item["type"] == "function_call":
            text = item.get("arguments") or ""
        elif item["type"] == "custom_tool_call":
            text = item.get("input") or ""
        return self._more(known, text[known.sent :])  # some upstreams send no deltas

    def _more(self, known: _Call, text: str) -> list[Chunk]:
        if not text:
            return []
        known.sent += len(text)
        piece: CallPiece = {"index": known.index}
        piece[known.kind] = {"input": text} if known.kind == "custom" else {"arguments": text}
        return [self._call_chunk(piece)]

    def _chunk(
        self, delta: Delta, *, finish: str | None = None, logprobs: Logprobs | None = None
    ) -> Chunk:
        if self._identity is None:
            raise malformed(self._provider)  # content came before response.created
        delta, self._role = {**self._role, **delta}, {}
        choice: ChunkChoice = {
            "index": 0,
            "delta": delta,
            "logprobs": logprobs,
            "finish_reason": finish,
        }
        return {**self._identity, "choices": [choice]}

    def _call_chunk(self, call: CallPiece) -> Chunk:
        return self._chunk({"tool_calls": [call]})

    def _end(self, ended: Ended) -> list[Chunk]:
        if ended.get("error"):
            raise answer.failure(ended["error"], self._provider)
        self.finished = True
        last = self._chunk({}, finish=answer.finish_reason(ended, called=bool(self._calls)))
        if tier := ended.get("service_tier"):
            last["service_tier"] = tier
        if (reported := answer.usage(ended.get("usage"))) is None:
            return [last]
        return [last, {**last, "choices": [], "usage": reported}]

    def usage_chunks(self, event: JsonObject) -> list[Chunk]:
        """The chunk with the usage of an event, if it has any."""
        response = event.get("response")
        reported = answer.usage(response.get("usage")) if isinstance(response, dict) else None
        identity: Chunk = self._identity or {"choices": []}
        return [{**identity, "usage": reported}] if reported else []


class _Call:
    def __init__(self, index: int, kind: Kind) -> None:
        self.index = index
        self.kind = kind
        #: The number of characters of the arguments that were passed on.
        self.sent = 0
