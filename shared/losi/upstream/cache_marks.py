"""Reduces prompt cache marks to those that Claude accepts, at Anthropic and on Bedrock. Pure.

A mark is Anthropic's `cache_control` on a tool, a content part or a message, and covers everything
before it. There are at most four, and none lasts longer than one before it.
https://platform.claude.com/docs/en/build-with-claude/prompt-caching
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Literal, Required, TypeAlias, TypedDict

from losi.metering import estimate
from losi.upstream.conversation import is_system

if TYPE_CHECKING:
    from losi.wire.chat import Message, Part, Request, Tool


class Mark(TypedDict, total=False):
    type: Required[Literal["ephemeral"]]
    ttl: Literal["5m", "1h"]


#: What may carry a mark.
Marked: TypeAlias = "Tool | Message | Part"

MARK: Final = "cache_control"
_MOST = 4
_RESULTS = ("tool", "function")
_SHORT: Mark = {"type": "ephemeral"}


def with_fitting_marks(body: Request, cache_from: int | None, *, whole: bool = True) -> Request:
    """The request with at most four marks, each where Claude accepts one: on a tool, a content part
    or a result. A request without marks gets ours after each stable prefix of `cache_from` tokens.

    `whole`: whether the provider accepts a mark of the whole request, which marks its end.
    """
    marked = _is_marked(body)
    ours = [] if marked or cache_from is None else _stable_prefixes(body, cache_from)
    return _with_marks(body, ours, whole=whole) if marked or ours else body


def _with_marks(body: Request, ours: list[int], *, whole: bool) -> Request:
    """The request with its marks in their places, and ours after so many messages."""
    tools: list[Tool] = [{**tool} for tool in body.get("tools") or ()]
    messages = [_on_parts(message) for message in body["messages"]]
    of_all = _clean(body.get(MARK))
    if of_all and not whole:
        _mark(messages[-1], of_all)
    for length in ours:
        if length:
            _mark(messages[length - 1], _SHORT)
        else:
            tools[-1][MARK] = _SHORT
    found = [one for one in _blocks(tools, messages) if MARK in one]
    if of_all and whole and found and found[-1] is _last_block(messages):
        del found.pop()[MARK]  # a place carries one mark
    _fit(found, _MOST - bool(of_all and whole))
    out: Request = {**body, "messages": messages}
    out.pop(MARK, None)
    if of_all and whole:
        out[MARK] = of_all
    if tools:
        out["tools"] = tools
    return out


def _is_marked(body: Request) -> bool:
    parts = (part for message in body["messages"] for part in _parts(message))
    return MARK in body or any(
        MARK in one for one in (*(body.get("tools") or ()), *body["messages"], *parts)
    )


def _parts(message: Message) -> list[Part]:
    content = message.get("content")
    return content if isinstance(content, list) else []


def _stable_prefixes(body: Request, cache_from: int) -> list[int]:
    """Lengths, in messages, of what the next request will repeat after its tools: the system
    prompt, and all messages if the conversation continues. Too short ones are left out.
    """
    messages = body["messages"]
    system = next((i for i, m in enumerate(messages) if not is_system(m)), len(messages))
    answered = any(message["role"] == "assistant" for message in messages[:-1])
    goes_on = answered and messages[-1]["role"] != "assistant"
    lengths = [system] if system or body.get("tools") else []
    lengths += [len(messages)] if goes_on else []
    return [length for length in lengths if _tokens(body, length) >= cache_from]


def _tokens(body: Request, length: int) -> int:
    return estimate.input_tokens(
        {
            "model": body["model"],
            "tools": body.get("tools"),
            "messages": body["messages"][:length],
        }
    )


def _on_parts(message: Message) -> Message:
    """A copy with the marks on its parts. For a tool result, the mark is on the message, because
    Bedrock accepts none inside a result.
    """
    message = {**message}
    own = message.pop(MARK, None)
    parts: list[Part] = [{**part} for part in _parts(message)]
    if message["role"] in _RESULTS:
        inner = [part.pop(MARK) for part in parts if MARK in part]
        own = own or (inner[-1] if inner else None)
    if parts:
        message["content"] = parts
    if own is not None:
        _mark(message, own)
    return message


def _mark(holder: Message, mark: object) -> None:
    """Mark a tool's result, or the end of another message."""
    if holder["role"] in _RESULTS:
        holder[MARK] = mark
        return
    if isinstance(text := holder.get("content"), str):
        holder["content"] = [{"type": "text", "text": text}]
    for part in _parts(holder)[-1:]:
        part.setdefault(MARK, mark)


def _blocks(tools: list[Tool], messages: list[Message]) -> Iterator[Marked]:
    """What may be marked, in the order of the prompt."""
    yield from tools
    for message in messages:
        yield from [message] if message["role"] in _RESULTS else _parts(message)


def _last_block(messages: list[Message]) -> Marked | None:
    return next(reversed(list(_blocks([], messages[-1:]))), None)


def _fit(found: list[Marked], room: int) -> None:
    """If there are too many, drop the earliest: later marks cover what is before them."""
    too_many = max(0, len(found) - room)
    for block in found[:too_many]:
        del block[MARK]
    short = False
    for block in found[too_many:]:
        mark = _clean(block[MARK])
        if mark is None:
            del block[MARK]
            continue
        short = short or mark.get("ttl") != "1h"
        block[MARK] = _SHORT if short else mark


def _clean(mark: object) -> Mark | None:
    """The mark, with the fields that both providers know."""
    if not isinstance(mark, dict):
        return None
    return {**_SHORT, "ttl": "1h"} if mark.get("ttl") == "1h" else _SHORT
