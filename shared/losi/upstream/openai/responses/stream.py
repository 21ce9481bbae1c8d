"""The events of OpenAI's Responses API as chunks of a chat completion. Pure.

https://platform.openai.com/docs/api-reference/responses-streaming: there is no [DONE]; the last
event is `response.completed`, `.incomplete`, `.failed` or `error`.
"""

from collections.abc import Callable
from typing import Any

from losi.upstream.format import malformed
from losi.upstream.openai.responses import answer
from losi.wire import Json


class StreamState:
    """One streamed response: `feed` each event; `finished` once the upstream said that it is."""

    def __init__(self, provider: str, *, legacy_functions: bool) -> None:
        self._provider = provider
        self._legacy = legacy_functions
        self._model = ""
        self._identity: Json | None = None
        self._role: Json = {"role": "assistant"}
        #: The upstream's index of an output item -> our index of the call, and what was sent of it.
        self._calls: dict[Any, _Call] = {}
        self._summaries = 0
        self.finished = False
        self._feeds: dict[str, Callable[[Json], list[Json]]] = {
            "response.created": self._created,
            "response.output_text.delta": self._text,
            "response.refusal.delta": self._refusal,
            "response.reasoning_summary_part.added": self._summary_part,
            "response.reasoning_summary_text.delta": self._summary,
            "response.output_item.added": self._item_added,
            "response.function_call_arguments.delta": self._arguments,
            "response.custom_tool_call_input.delta": self._arguments,
            "response.output_item.done": self._item_done,
            "response.completed": self._end,
            "response.incomplete": self._end,
            "response.failed": self._failed,
            "error": self._failed,
        }

    def feed(self, event: Json) -> list[Json]:
        """The chunks that the event becomes. Raises a LosiError when it says that the run failed.

        Events of other kinds repeat what the deltas said, or speak of tools that we do not send.
        """
        feed = self._feeds.get(str(event.get("type")))
        return feed(event) if feed else []

    def _created(self, event: Json) -> list[Json]:
        response = self._object(event, "response")
        self._model = str(response.get("model"))
        self._identity = answer.identity(response, "chat.completion.chunk")
        return []

    def _refusal(self, event: Json) -> list[Json]:
        return [self._chunk({"refusal": self._delta(event)})]

    def _text(self, event: Json) -> list[Json]:
        tokens = event.get("logprobs")
        logprobs = {"content": tokens, "refusal": None} if tokens else None
        return [self._chunk({"content": self._delta(event)}, logprobs=logprobs)]

    def _summary_part(self, event: Json) -> list[Json]:
        self._summaries += 1
        return [self._chunk({"reasoning_content": "\n\n"})] if self._summaries > 1 else []

    def _summary(self, event: Json) -> list[Json]:
        return [self._chunk({"reasoning_content": self._delta(event)})]

    def _item_added(self, event: Json) -> list[Json]:
        call = answer.tool_call(self._object(event, "item"))
        if call is None:
            return []
        known = self._calls[event.get("output_index")] = _Call(len(self._calls), call["type"])
        return [self._call_chunk({"index": known.index, **call})]

    def _arguments(self, event: Json) -> list[Json]:
        known = self._calls.get(event.get("output_index"))
        if known is None:
            raise malformed(self._provider)
        return self._more(known, self._delta(event))

    def _item_done(self, event: Json) -> list[Json]:
        item = self._object(event, "item")
        if item.get("type") == "reasoning":
            block = answer.thinking_block(item, self._model)
            return [self._chunk({"thinking_blocks": [block]})] if block else []
        whole = answer.tool_call(item)
        known = self._calls.get(event.get("output_index"))
        if whole is None or known is None:
            return []
        function = whole[known.kind]
        text = function.get("arguments") or function.get("input") or ""
        return self._more(known, text[known.sent :])  # where an upstream sends no deltas

    def _delta(self, event: Json) -> str:
        delta = event.get("delta")
        if not isinstance(delta, str):
            raise malformed(self._provider)
        return delta

    def _object(self, event: Json, name: str) -> Json:
        value = event.get(name)
        if not isinstance(value, dict):
            raise malformed(self._provider)
        return value

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
        if self._legacy:
            return self._chunk({"function_call": call["function"]})
        return self._chunk({"tool_calls": [call]})

    def _end(self, event: Json) -> list[Json]:
        response = self._object(event, "response")
        if response.get("error"):
            raise answer.failure(response["error"], self._provider)
        self.finished = True
        called = ("function_call" if self._legacy else "tool_calls") if self._calls else None
        last = self._chunk({}, finish=answer.finish_reason(response, called=called))
        if tier := response.get("service_tier"):
            last["service_tier"] = tier
        return [last, *({**last, **chunk} for chunk in self.usage_chunks(event))]

    def usage_chunks(self, event: Json) -> list[Json]:
        """The figures that an event tells, if any."""
        response = event.get("response")
        reported = answer.usage(response.get("usage")) if isinstance(response, dict) else None
        identity = self._identity or {}
        return [{**identity, "choices": [], "usage": reported}] if reported else []

    def _failed(self, event: Json) -> list[Json]:
        response = event.get("response")
        error = response.get("error") if isinstance(response, dict) else event
        raise answer.failure(error, self._provider)


class _Call:
    def __init__(self, index: int, kind: str) -> None:
        self.index = index
        self.kind = kind
        #: Characters of the arguments that were passed on.
        self.sent = 0
