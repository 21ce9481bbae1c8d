"""Claude's thoughts go back where they stood: among texts and calls, whatever their order."""

from typing import Any

import pytest

from losi.upstream.anthropic.messages import Conversation
from losi.upstream.anthropic.response import Parts, completion
from losi.upstream.bedrock.messages import convert_messages
from tests.loose import Json, loose

TEXT, CALL = "text", "tool_use"


def thought(number: int) -> Json:
    return {"type": "thinking", "thinking": f"T{number}", "signature": f"s{number}"}


def redacted(number: int) -> Json:
    return {"type": "redacted_thinking", "data": f"r{number}"}


def text(words: str) -> Json:
    return {"type": "text", "text": words}


def use(number: int) -> Json:
    return {"type": "tool_use", "id": f"toolu_{number}", "name": "f", "input": {"a": number}}


ORDERS = [
    [thought(1), text("I look."), thought(2), use(1)],
    [thought(1), text("I look."), use(1)],
    [thought(1), thought(2), use(1)],
    [thought(1), use(1), thought(2), use(2)],
    [text("First."), thought(1), use(1)],
    [thought(1), text("A"), redacted(2), text("B"), thought(3), use(1), use(2)],
    [redacted(1), text("Ä 😀"), thought(2), use(1)],
    [thought(1), text("A"), thought(2), use(1), thought(3), use(2)],
]


def results(blocks: list[Json]) -> list[Json]:
    uses = [block for block in blocks if block["type"] == CALL]
    return [{"role": "tool", "tool_call_id": one["id"], "content": "ok"} for one in uses]


def sent_back(blocks: list[Json]) -> list[Json]:
    """A conversation whose answer was these blocks of Claude's, as a caller sends it back."""
    parts = Parts()
    for block in blocks:
        parts.add(block)
    message: Json = {
        "role": "assistant",
        "content": parts.content,
        "tool_calls": parts.tool_calls,
    }
    parts.add_extras(message)
    return [
        {"role": "user", "content": "Hi"},
        message,
        *results(blocks),
    ]


@pytest.mark.parametrize("blocks", ORDERS)
def test_blocks_come_back_in_their_order(blocks: list[Json]) -> None:
    turns = Conversation(sent_back(blocks)).turns

    assert [turn.role for turn in turns] == ["user", "assistant", "user"]
    assert turns[1].blocks == blocks


def in_converse(block: Json) -> Json:
    if block["type"] == "thinking":
        text = {"text": block["thinking"], "signature": block["signature"]}
        return {"reasoningContent": {"reasoningText": text}}
    if block["type"] == CALL:
        return {"toolUse": {"toolUseId": block["id"], "name": "f", "input": block["input"]}}
    return {"text": block["text"]}


@pytest.mark.parametrize("blocks", [order for order in ORDERS if "redacted" not in str(order)])
def test_so_they_do_on_bedrock(blocks: list[Json]) -> None:
    model = "us.anthropic.claude-sonnet-4-6"

    _, converted = convert_messages(sent_back(blocks), model, thinking=True)

    assert converted[1]["content"] == [in_converse(block) for block in blocks]


@pytest.mark.parametrize("content", ["", "I", [{"type": "text", "text": "I look."}], None])
def test_a_text_that_the_caller_changed_loses_no_thought(content: Any) -> None:
    blocks = [thought(1), {**thought(2), "after_text": 7}]
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"content": content, "thinking_blocks": blocks, "tool_calls": [call]}
    history = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", **message},
        {"role": "tool", "tool_call_id": "c", "content": "ok"},
    ]

    sent = Conversation(loose(history)).turns[1].blocks

    assert [block["signature"] for block in sent if block["type"] == "thinking"] == ["s1", "s2"]
    assert sent[-1]["type"] == CALL


def test_the_usual_order_needs_no_word() -> None:
    content = [thought(1), text("Hello."), use(1)]
    message = {
        "id": "m",
        "model": "claude",
        "content": content,
        "stop_reason": "tool_use",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }

    answer = completion(message, created=1)  # type: ignore[arg-type]

    assert answer["choices"][0]["message"]["thinking_blocks"] == [thought(1)]
