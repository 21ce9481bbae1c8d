"""The sandbox's answer to a request, whole: `complete` renders it and `stream` cuts it up.

Everything follows from the request, so that the same request always gets the same answer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from losi.errors import InvalidRequestError
from losi.json_schema.limits import Budget
from losi.metering.usage import CHARACTERS_PER_TOKEN, Usage, estimate_tokens
from losi.sandbox.directives import MAX_TOKENS, QUOTED, Directives, collapsed, without
from losi.sandbox.tools import ToolCall, calls, is_legacy, json_instance

if TYPE_CHECKING:
    from losi.wire.chat import Message, Part, Request

#: What an image costs, whatever its size, and what one with `"detail": "low"` costs (tokens).
IMAGE_TOKENS = 765
LOW_DETAIL_IMAGE_TOKENS = 85
#: What thinking costs (tokens), by `reasoning_effort`.
REASONING_TOKENS = {"minimal": 16, "low": 64, "medium": 256, "high": 1024, "xhigh": 2048}

_OPENINGS = (
    "Hello from the Losi sandbox.",
    "This is the Losi sandbox, no real model was asked.",
    "The Losi sandbox received your message.",
    "Greetings from the deterministic Losi sandbox.",
)
_REFUSAL = "The Losi sandbox was asked to refuse, so it cannot help with that."


@dataclass(frozen=True, slots=True)
class Choice:
    content: str | None
    finish_reason: str
    refusal: str | None = None
    calls: tuple[ToolCall, ...] = ()

    @property
    def characters(self) -> int:
        named = sum(len(call.name) + len(call.text) for call in self.calls)
        return len(self.content or "") + len(self.refusal or "") + named


@dataclass(frozen=True, slots=True)
class Answer:
    seed: str
    choices: tuple[Choice, ...]
    legacy: bool
    usage: Usage | None


def answer(body: Request, directives: Directives) -> Answer:
    # of the messages alone: a changed limit or format leaves the words as they are
    messages = json.dumps(body.get("messages"), sort_keys=True)
    seed = hashlib.sha256(messages.encode()).hexdigest()
    wanted = body.get("n")
    number = wanted if isinstance(wanted, int) and wanted > 0 else 1
    _check_size(body, (directives.tokens or 0) * number)
    limit = _token_limit(body)
    thinking = REASONING_TOKENS.get(str(body.get("reasoning_effort")), 0)
    reasoning = thinking if limit is None else min(thinking, limit)
    room = None if limit is None else (limit - reasoning) * CHARACTERS_PER_TOKEN
    choices = tuple(
        _cut(choice, directives, room) for choice in _choices(body, directives, seed, number)
    )
    _check_size(body, sum(estimate_tokens(choice.characters) for choice in choices))
    return Answer(seed, choices, is_legacy(body), _usage(body, directives, choices, reasoning))


def _check_size(body: Request, tokens: int) -> None:
    """Refuse an answer that is too large. Log probabilities multiply its size, so they count."""
    top = body.get("top_logprobs")
    if tokens * (1 + top if isinstance(top, int) else 1) > MAX_TOKENS:
        raise InvalidRequestError(
            f"The sandbox writes at most {MAX_TOKENS} tokens: ask for less by directive, 'n' or "
            "'top_logprobs'.",
            param="messages",
            code="invalid_value",
        )


def last_user_text(body: Request) -> str:
    """The last user message's text, which holds the directives."""
    for message in reversed(_messages(body)):
        if message.get("role") == "user":
            return _text(message)
    return ""


def prompt_tokens(body: Request) -> int:
    """The specification's four characters a token over all that a model would read."""
    characters = sum(_message_characters(message) for message in _messages(body))
    for key in ("tools", "functions"):
        if body.get(key):
            characters += len(json.dumps(body[key], ensure_ascii=False, separators=(",", ":")))
    images = [image for message in _messages(body) for image in _images(message)]
    return max(1, estimate_tokens(characters)) + sum(map(_image_tokens, images))


def _choices(body: Request, directives: Directives, seed: str, number: int) -> Iterator[Choice]:
    budget = Budget()
    if directives.empty:
        yield from [Choice("", "stop")] * number
        return
    if directives.refusal:
        yield from [Choice(None, "stop", refusal=_REFUSAL)] * number
        return
    finish = "function_call" if is_legacy(body) else "tool_calls"
    first = calls(body, directives, seed, budget)
    structured = None if first else _structured(body, directives, budget)
    about = _about_request(body)
    for index in range(number):
        if first:
            own = _calls_of_choice(first, index)
            yield Choice(None, finish, calls=own)
        else:
            content = (
                structured
                if structured is not None
                else _answer_text(body, directives, _sentences(about, seed, index))
            )
            yield Choice(_until_stop(content, body.get("stop")), "stop")


def _calls_of_choice(first: list[ToolCall], index: int) -> tuple[ToolCall, ...]:
    """The calls with ids of this choice: ids must be unique across choices."""
    return tuple(
        replace(call, id=f"{call.id[:-4]}{index:04x}") if index else call for call in first
    )


def _structured(body: Request, directives: Directives, budget: Budget) -> str | None:
    """The answer that a `json_schema` format asks for, unless a directive sets the text."""
    form = body.get("response_format")
    described = form.get("json_schema") if isinstance(form, dict) else None
    schema = described.get("schema") if isinstance(described, dict) else None
    if schema is None or directives.say is not None:
        return None
    return json_instance(schema, "response_format.json_schema.schema", budget, root_type=None)


def _answer_text(body: Request, directives: Directives, text: str) -> str:
    if directives.say is not None:
        return directives.say
    if directives.tokens is not None:
        text = _long_text(text, directives.tokens * CHARACTERS_PER_TOKEN)
    form = body.get("response_format")
    if isinstance(form, dict) and form.get("type") in ("json_object", "json_schema"):
        return json.dumps({"model": "losi sandbox", "message": text}, ensure_ascii=False)
    return text


def _sentences(about: list[str], seed: str, index: int) -> str:
    opening = _OPENINGS[(int(seed[:8], 16) + index) % len(_OPENINGS)]
    return " ".join([opening, *about, *([f"This is choice {index + 1}."] if index else [])])


def _about_request(body: Request) -> list[str]:
    """What the answer says about the request; computed once for all choices."""
    parts = []
    results = _tool_results(body)
    text = without(last_user_text(body))
    if results:
        parts.append(f'The tool answered: "{_quoted(results)}".')
    elif text:
        parts.append(f'You said: "{_quoted(text)}".')
    images = sum(len(_images(message)) for message in _messages(body))
    if images:
        parts.append(f"You sent {images} image{'s' if images > 1 else ''}.")
    return parts


def _long_text(text: str, characters: int) -> str:
    lines = [text]
    size, number = len(text), 1
    while size < characters:
        lines.append(f" This is sentence {number} of a long answer from the sandbox.")
        size += len(lines[-1])
        number += 1
    return "".join(lines)[:characters]


def _cut(choice: Choice, directives: Directives, room: int | None) -> Choice:
    """The choice within the caller's token limit."""
    if room is not None and choice.characters > room:
        content, refusal = choice.content, choice.refusal
        choice = replace(
            choice,
            content=content[:room] if content is not None else None,
            refusal=refusal[:room] if refusal is not None else None,
            calls=_cut_calls(choice.calls, room),
            finish_reason="length",
        )
        if choice.refusal is None and choice.content is None and not choice.calls:
            choice = replace(choice, content="")
    return replace(choice, finish_reason=directives.finish) if directives.finish else choice


def _cut_calls(whole: tuple[ToolCall, ...], room: int) -> tuple[ToolCall, ...]:
    kept = []
    for call in whole:
        room -= len(call.name)
        if room < 0:
            break
        kept.append(replace(call, text=call.text[:room]))
        room -= len(kept[-1].text)
    return tuple(kept)


def _until_stop(text: str, stop: str | list[str] | None) -> str:
    sequences = [stop] if isinstance(stop, str) else stop if isinstance(stop, list) else []
    found = [text.find(s) for s in sequences if isinstance(s, str) and s and s in text]
    return text[: min(found)] if found else text


def _token_limit(body: Request) -> int | None:
    for key in ("max_completion_tokens", "max_tokens"):
        limit = body.get(key)
        if isinstance(limit, int) and not isinstance(limit, bool):
            return max(0, limit)
    return None


def _usage(
    body: Request, directives: Directives, choices: tuple[Choice, ...], reasoning: int
) -> Usage | None:
    if directives.no_usage:
        return None
    if directives.usage is not None:
        return Usage(*directives.usage)
    spoken = sum(estimate_tokens(choice.characters) for choice in choices)
    thought = reasoning * len(choices)
    return Usage(prompt_tokens(body), spoken + thought, reasoning_tokens=thought)


def _messages(body: Request) -> list[Message]:
    messages = body.get("messages")
    return [m for m in messages if isinstance(m, dict)] if isinstance(messages, list) else []


def _parts(message: Message) -> list[Part]:
    content = message.get("content")
    return [p for p in content if isinstance(p, dict)] if isinstance(content, list) else []


def _text(message: Message) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = (part.get("text") or part.get("refusal") for part in _parts(message))
    return "\n".join(text for text in parts if isinstance(text, str))


def _images(message: Message) -> list[Part]:
    return [part for part in _parts(message) if part.get("type") == "image_url"]


def _image_tokens(part: Part) -> int:
    image = part.get("image_url")
    low = isinstance(image, dict) and image.get("detail") == "low"
    return LOW_DETAIL_IMAGE_TOKENS if low else IMAGE_TOKENS


def _message_characters(message: Message) -> int:
    calls_made = message.get("tool_calls") or message.get("function_call")
    called = len(json.dumps(calls_made, ensure_ascii=False)) if calls_made else 0
    return len(_text(message)) + len(str(message.get("name") or "")) + called


def _tool_results(body: Request) -> str:
    """The texts of the tool messages at the end of the conversation."""
    results: list[str] = []
    for message in reversed(_messages(body)):
        if message.get("role") not in ("tool", "function"):
            break
        results.append(collapsed(_text(message)))
    return "; ".join(reversed(results))


def _quoted(text: str) -> str:
    return text if len(text) <= QUOTED else f"{text[:QUOTED]}..."
