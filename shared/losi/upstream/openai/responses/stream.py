"""The events of OpenAI's Responses API as chunks of a chat completion. Pure.

https://platform.openai.com/docs/api-reference/responses-streaming: there is no [DONE]; the last
event is `response.completed`, `.incomplete`, `.failed` or `error`.
"""

from typing import Any

from losi.upstream.format import malformed
from losi.upstream.openai.responses import answer, shapes
from losi.upstream.openai.responses.shapes import Ended, Event, Head, Item, TextDelta
from losi.upstream.shape import ShapeError
from losi.wire import Json


class StreamState:
    """One streamed response: `feed` each event; `finished` once the upstream said that it is."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._model = ""
        self._identity: Json | None = None
        self._role: Json = {"role": "assistant"}
        #: The upstream's index of an output item -> our index of the call, and what was sent of it.
        self._calls: dict[int | None, _Call] = {}
        self._summaries = 0
        self.finished = False

    def feed(self, value: Json) -> list[Json]:
        """The chunks that an event becomes. Raises a LosiError when it says that the run failed.

        Events of other kinds repeat what the deltas said, or speak of tools that we do not send.
        """
        try:
            event = shapes.event(value)
        except ShapeError as error:
            raise malformed(self._provider) from error
        return [] if event is None else self._chunks(event)

    def _chunks(self, event: Event) -> list[Json]:
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

    def _created(self, response: Head) -> list[Json]:
        self._model = str(response.get("model"))
        self._identity = answer.identity(response, "chat.completion.chunk")
        return []

    def _text(self, event: TextDelta) -> list[Json]:
        tokens = event.get("logprobs")
        logprobs = {"content": tokens, "refusal": None} if tokens else None
        return [self._chunk({"content": event["delta"]}, logprobs=logprobs)]

    def _summary_part(self) -> list[Json]:
        self._summaries += 1
        return [self._chunk({"reasoning_content": "\n\n"})] if self._summaries > 1 else []

    def _item_added(self, index: int | None, item: Item) -> list[Json]:
        call = answer.tool_call(item)
        if call is None:
            return []
        known = self._calls[index] = _Call(len(self._calls), call["type"])
        return [self._call_chunk({"index": known.index, **call})]

    def _arguments(self, index: int | None, text: str) -> list[Json]:
        if index not in self._calls:
            raise malformed(self._provider)
        return self._more(self._calls[index], text)

    def _item_done(self, index: int | None, item: Item) -> list[Json]:
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
        return self._more(known, text[known.sent :])  # where an upstream sends no deltas

    def _more(self, known: "_Call", text: str) -> list[Json]:
        if not text:
            return []
        known.sent += len(text)
        name = "input" if known.kind == "custom" else "arguments"
        return [self._call_chunk({"index": known.index, known.kind: {name: text}})]

    def _chunk(
        self, delta: Json, *, finish: str | None = None, logprobs: Json | None = None
    ) -> Json:
        if self._identity is None:
            raise malformed(self._provider)  # content before response.created
        delta, self._role = {**self._role, **delta}, {}
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        return {**self._identity, "choices": [choice]}

    def _call_chunk(self, call: Json) -> Json:
        return self._chunk({"tool_calls": [call]})

    def _end(self, ended: Ended) -> list[Json]:
        if ended.get("error"):
            raise answer.failure(ended["error"], self._provider)
        self.finished = True
        last = self._chunk({}, finish=answer.finish_reason(ended, called=bool(self._calls)))
        if tier := ended.get("service_tier"):
            last["service_tier"] = tier
        return [last, *({**last, **chunk} for chunk in self._usage_chunks(ended.get("usage")))]

    def usage_chunks(self, event: Json) -> list[Json]:
        """The figures that an event tells, if any."""
        response = event.get("response")
        return self._usage_chunks(response.get("usage") if isinstance(response, dict) else None)

    def _usage_chunks(self, told: Any) -> list[Json]:
        reported = answer.usage(told)
        identity = self._identity or {}
        return [{**identity, "choices": [], "usage": reported}] if reported else []


class _Call:
    def __init__(self, index: int, kind: str) -> None:
        self.index = index
        self.kind = kind
        #: Characters of the arguments that were passed on.
        self.sent = 0
