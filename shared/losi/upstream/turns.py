"""OpenAI's messages as turns that Claude takes, at Anthropic and on Bedrock alike. Pure.

OpenAI answers system messages alone, in the middle and last, blank user messages, conversations
that end with an assistant's message, and ids of tool calls that are used again later. Claude
refuses each of these, so each is said the way it takes:
https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from losi.upstream.conversation import Named, content_parts, is_system

if TYPE_CHECKING:
    from losi.wire.chat import GivenCall, Message, Part

#: Sent in place of a user's empty message.
EMPTY = "(empty message)"
CONTINUE = "Continue your last message exactly where it ends, without repeating any of it."


@dataclass(frozen=True, slots=True)
class Turns:
    #: The system messages before the conversation, with their names in the request.
    system: list[Named]
    #: User, assistant and tool messages.
    turns: list[Named]


def as_turns(messages: list[Message], *, prefill: bool) -> Turns:
    """Sort messages into turns. `prefill`: whether the model accepts a conversation that ends with
    an assistant's message.
    """
    named = [(f"messages[{position}]", message) for position, message in enumerate(messages)]
    first = next((i for i, (_, m) in enumerate(named) if not is_system(m)), len(named))
    system, turns = named[:first], named[first:]
    if not turns:  # the last one is all there is to answer
        system, turns = named[:-1], [(named[-1][0], {**named[-1][1], "role": "user"})]
    turns = _ids_once([_as_user(one) for one in after_results(turns)])
    turns = without_blanks(turns)
    if not prefill and _ends_with_answer(turns):
        turns.append((turns[-1][0], {"role": "user", "content": CONTINUE}))
    return Turns(system, turns)


def after_results(turns: list[Named]) -> list[Named]:
    """System messages between tool calls and their results, moved after the results: at
    every provider, the results must follow the calls at once.
    """
    ordered: list[Named] = []
    waiting: list[Named] = []
    pending: set[str] = set()
    for named in turns:
        message = named[1]
        if message["role"] == "tool":
            pending.discard(message["tool_call_id"])
        elif pending and is_system(message):
            waiting.append(named)
            continue
        ordered.append(named)
        pending |= {call["id"] for call in message.get("tool_calls") or ()}
        if not pending:
            ordered += waiting
            waiting = []
    return ordered + waiting


def _as_user(named: Named) -> Named:
    """A system message between turns, in the user's turn: moved to the front, it would mean
    something else, and change what caches and earlier thinking hang on.
    """
    where, message = named
    if not is_system(message):
        return named
    parts: list[Part] = [part for _, part in content_parts(where, message)]
    if parts:
        opening: Part = {"type": "text", "text": "<system_message>"}
        parts = [opening, *parts, {"type": "text", "text": "</system_message>"}]
    return where, {"role": "user", "content": parts}


def _ids_once(turns: list[Named]) -> list[Named]:
    """Give ids of tool calls that were used before new ids, in calls and results alike."""
    used: dict[str, int] = {}
    current: dict[str, str] = {}
    renamed: list[Named] = []
    for where, message in turns:
        calls = message.get("tool_calls") or ()
        if calls:
            current = {}
            for call in calls:
                count = used[call["id"]] = used.get(call["id"], 0) + (call["id"] not in current)
                current[call["id"]] = call["id"] if count == 1 else f"{call['id']}-{count}"
            renamed_calls: list[GivenCall] = [{**call, "id": current[call["id"]]} for call in calls]
            message = {**message, "tool_calls": renamed_calls}
        elif message["role"] == "tool":
            call_id = message["tool_call_id"]
            message = {**message, "tool_call_id": current.get(call_id, call_id)}
        renamed.append((where, message))
    return renamed


def without_blanks(turns: list[Named]) -> list[Named]:
    """Without user messages that say nothing; where nobody else speaks in their turn, it is said
    that they are empty, as no turn may be.
    """
    kept: list[Named] = []
    for position, (where, message) in enumerate(turns):
        if message["role"] != "user" or content_parts(where, message):
            kept.append((where, message))
        elif not _is_user(kept[-1:]) and not _speaks_next(turns[position + 1 :]):
            kept.append((where, {**message, "content": EMPTY}))
    return kept


def _is_user(last: list[Named]) -> bool:
    return bool(last) and last[0][1]["role"] in ("user", "tool")


def _speaks_next(following: list[Named]) -> bool:
    """Whether the user's turn goes on with a message that is not blank."""
    for where, message in following:
        if message["role"] != "user":
            return False
        if content_parts(where, message):
            return True
    return False


def _ends_with_answer(turns: list[Named]) -> bool:
    """Whether the conversation ends with an assistant's message. Blank ones are left out and do not
    count.
    """
    for where, message in reversed(turns):
        if message["role"] != "assistant":
            return False
        if content_parts(where, message) or message.get("refusal"):
            return True
    return bool(turns)
