"""Answers of providers that speak OpenAI's chat completions, in the types that OpenAI gives them.

Clients are made for OpenAI's types: what has no place in them breaks some. Other fields pass
through. Pure. https://platform.openai.com/docs/api-reference/chat/object
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from losi.upstream.openai.shapes import (
    Answer,
    Choice,
    ReceivedMessage,
    TextField,
    choices,
    received_function,
    received_message,
)
from losi.upstream.openai.tool_calls import ToolCalls, arguments_text, whole_calls
from losi.upstream.reading import is_high_surrogate, joined, without_halves

if TYPE_CHECKING:
    from losi.wire import JsonObject
    from losi.wire.chat import Chunk, Completion

_SERVICE_TIERS = {"auto", "default", "flex", "scale", "priority"}
_FINISH_REASONS = ("stop", "length", "tool_calls", "content_filter", "function_call")
#: Words of providers for OpenAI's: https://docs.mistral.ai/api (model_length),
#: https://docs.together.ai/reference/chat-completions-1 (eos), Anthropic's and Cohere's own, and
#: Gemini's, https://ai.google.dev/api/generate-content#FinishReason
_FOREIGN_FINISH_REASONS = {
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "complete": "stop",
    "completed": "stop",
    "finished": "stop",
    "end": "stop",
    "done": "stop",
    "model_length": "length",
    "max_tokens": "length",
    "max_length": "length",
    "token_limit": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "tool_call": "tool_calls",
    "safety": "content_filter",
    "refusal": "content_filter",
    "recitation": "content_filter",
    "blocklist": "content_filter",
    "prohibited_content": "content_filter",
    "spii": "content_filter",
    "sensitive": "content_filter",
}
_TEXTS: tuple[TextField, ...] = ("content", "reasoning_content", "reasoning", "refusal")


def completion(answer: JsonObject, *, named: bool) -> Completion:
    """Return a plain answer, whose choices are known to have messages. `named`: a tool was forced
    by its name, for which OpenAI itself says `stop`.
    """
    received = cast(Answer, answer)
    _hoist_usage(received)
    _keep_known_tier(received)
    for choice in received["choices"]:
        message = choice["message"]
        _only_texts(message)
        _complete_calls(message)
        word = finish_reason(choice.get("finish_reason")) or "stop"
        calls = bool(message.get("tool_calls"))
        choice["finish_reason"] = _fitting(word, called=calls, named=named)
    return cast("Completion", received)  # it was just built as one


class Chunks:
    """Brings the chunks of one stream to OpenAI's types."""

    def __init__(self, *, named: bool) -> None:
        self._named = named
        self._choices: dict[int, _Choice] = {}
        self._latest = _Choice()

    @property
    def is_finished(self) -> bool:
        """Whether every choice that began has said why it ended."""
        return bool(self._choices) and all(one.finished for one in self._choices.values())

    def read(self, chunk: JsonObject) -> Chunk:
        received = cast(Answer, chunk)
        _hoist_usage(received)
        _keep_known_tier(received)
        received["choices"] = choices(received)
        for position, choice in enumerate(received["choices"]):
            index = choice.get("index")
            if not isinstance(index, int) or isinstance(index, bool):
                index = choice["index"] = position
            self._latest = self._choices.setdefault(index, _Choice())
            self._latest.read(choice, named=self._named)
        return cast("Chunk", received)  # it was just built as one

    def more_text(self, texts: list[str]) -> int:
        """Return how many of the texts that follow the last chunk's only text were accepted."""
        return self._latest.more_text(texts)


class _Choice:
    def __init__(self) -> None:
        self.finished = False
        self._calls = ToolCalls()
        self._calling = False  # in its last piece
        self._called_function = False
        self._halves: dict[TextField, str] = {}  # of a character, by the field of its text

    def read(self, choice: Choice, *, named: bool) -> None:
        delta = choice["delta"] = received_message(choice.get("delta"))
        _only_texts(delta)
        word = finish_reason(choice.get("finish_reason"))
        for field in _TEXTS:
            if field in delta or field in self._halves:
                self._join(delta, field, last=word is not None)
        calls = self._calls.feed(delta.pop("tool_calls", None))
        self._calling = bool(calls)
        if (function := received_function(delta.get("function_call"))) is not None:
            self._called_function = True
            function["arguments"] = arguments_text(function.get("arguments"))
        if word is not None:
            self.finished = True
            calls += self._calls.finish()
            if not self._called_function:
                word = _fitting(word, called=self._calls.begun, named=named)
        if calls:
            delta["tool_calls"] = calls
        choice["finish_reason"] = word

    def more_text(self, texts: list[str]) -> int:
        return self._calls.more_arguments(texts) if self._calling else len(texts)

    def _join(self, delta: ReceivedMessage, field: TextField, *, last: bool) -> None:
        """Hold back the first half of a character until the next piece brings the second."""
        held, text = self._halves.pop(field, ""), delta.get(field)
        if not held and isinstance(text, str) and text.isascii():  # most are, and have no halves
            return
        if not isinstance(text, str):
            if held:
                self._halves[field] = held
            if not (held and last):
                return
            text = ""
        text = joined(held + text)
        if text and is_high_surrogate(text[-1]) and not last:
            self._halves[field] = text[-1]
            text = text[:-1]
        delta[field] = without_halves(text)


def finish_reason(word: object) -> str | None:
    """One of OpenAI's five words; None for a word that does not end an answer."""
    if isinstance(word, list) and len(word) == 1:
        word = word[0]
    if not isinstance(word, str):
        return None
    word = word.lower()
    return word if word in _FINISH_REASONS else _FOREIGN_FINISH_REASONS.get(word)


def _fitting(word: str, *, called: bool, named: bool) -> str:
    """Agents go on after `tool_calls` and end at `stop`, so the reason must match the answer."""
    if word == "stop" and called and not named:
        return "tool_calls"
    return "stop" if word == "tool_calls" and not called else word


def hoist_usage(answer: JsonObject) -> None:
    """Move usage to OpenAI's place, under OpenAI's names. Moonshot reports it in a choice."""
    _hoist_usage(cast(Answer, answer))


def _hoist_usage(answer: Answer) -> None:
    received = choices(answer)
    inside = [place for one in received for place in (one.get("delta"), one.get("message"))]
    places: list[object] = [answer, answer.get("x_groq"), *received, *inside]
    found = [place.pop("usage") for place in places if isinstance(place, dict) and "usage" in place]
    if usage := next((one for one in found if isinstance(one, dict) and one), None):
        answer["usage"] = _in_openais_names(usage)


def _in_openais_names(usage: JsonObject) -> JsonObject:
    others = {"input_tokens": "prompt_tokens", "output_tokens": "completion_tokens"}
    named = {others.get(name, name): value for name, value in usage.items()}
    return {
        name: int(value) if isinstance(value, str) and value.isdecimal() else value
        for name, value in {**named, **usage}.items()
        if name not in others
    }


def _keep_known_tier(answer: Answer) -> None:
    if str(answer.get("service_tier", "auto")) not in _SERVICE_TIERS:
        del answer["service_tier"]


def _only_texts(message: ReceivedMessage) -> None:
    """Join content parts into one text; thoughts go into a separate field.

    Mistral: https://docs.mistral.ai/capabilities/reasoning
    """
    content = message.get("content")
    if content is None or isinstance(content, str):
        return
    parts = content if isinstance(content, list) else [content]
    message["content"] = "".join(_text(part) for part in parts if not _is_thought(part))
    if thought := "".join(_text(part) for part in parts if _is_thought(part)):
        message["reasoning_content"] = f"{message.get('reasoning_content') or ''}{thought}"


def _is_thought(part: object) -> bool:
    return isinstance(part, dict) and part.get("type") in ("thinking", "reasoning")


def _text(part: object) -> str:
    """The words of a part, at any depth."""
    if isinstance(part, str):
        return part
    if isinstance(part, list):
        return "".join(map(_text, part))
    if not isinstance(part, dict):
        return ""
    named = (part.get(name) for name in ("text", "thinking", "reasoning", "content"))
    return next((_text(value) for value in named if value), "")


def _complete_calls(message: ReceivedMessage) -> None:
    if calls := whole_calls(message.pop("tool_calls", None)):
        message["tool_calls"] = calls
    if (function := received_function(message.get("function_call"))) is not None:
        function["arguments"] = arguments_text(function.get("arguments")) or "{}"
