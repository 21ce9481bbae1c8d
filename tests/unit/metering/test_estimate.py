"""Estimates: what a hold is made of, and what is billed where a provider tells no usage."""

from typing import Any

import pytest

from losi.metering.estimate import (
    MEDIA_TOKENS,
    MESSAGE_TOKENS,
    estimated,
    input_tokens,
    produced_characters,
)
from losi.metering.usage import Usage

TEN = "0123456789"


def call(**fields: Any) -> dict[str, Any]:
    return {"tool_calls": [{"index": 0, "id": "call_1", **fields}]}


@pytest.mark.parametrize(
    ("part", "characters"),
    [
        ({"role": "assistant"}, 0),
        ({"content": None}, 0),
        ({"content": TEN}, 10),
        ({"reasoning_content": TEN, "content": TEN}, 20),
        ({"reasoning": TEN}, 10),
        ({"refusal": TEN}, 10),
        (call(type="function", function={"name": "f", "arguments": TEN}), 11),
        (call(type="function", function={"arguments": TEN}), 10),
        (call(type="custom", custom={"name": "f", "input": TEN}), 11),
        ({"function_call": {"name": "f", "arguments": TEN}}, 11),
        ({**call(function={"name": "f", "arguments": TEN}), "content": TEN}, 21),
    ],
)
def test_everything_that_a_model_says_counts(part: dict[str, Any], characters: int) -> None:
    assert produced_characters(part) == characters


@pytest.mark.parametrize(
    "part",
    [
        {"content": 5, "refusal": [TEN]},
        {"tool_calls": "none"},
        {"tool_calls": [None, 5, {"function": "f"}, {"custom": None}]},
        {"function_call": TEN},
        call(function={"name": None, "arguments": {"a": 1}}),
    ],
)
def test_what_has_another_form_counts_nothing(part: dict[str, Any]) -> None:
    assert produced_characters(part) == 0


def test_a_prompt_counts_its_text_tools_and_schema() -> None:
    message = {"role": "user", "content": TEN * 4}
    plain = input_tokens({"messages": [message]})
    with_tools = input_tokens({"messages": [message], "tools": [{"type": "function"}]})
    with_both = input_tokens(
        {
            "messages": [message],
            "tools": [{"type": "function"}],
            "response_format": {"type": "json_object"},
        }
    )

    assert plain == 10 + MESSAGE_TOKENS
    assert plain < with_tools < with_both


def test_the_calls_and_results_of_earlier_turns_are_part_of_the_prompt() -> None:
    asked = {"role": "user", "content": TEN * 4}
    called = {"role": "assistant", **call(function={"name": TEN, "arguments": TEN * 3})}
    told = {"role": "tool", "tool_call_id": "call_1", "content": TEN * 4}

    assert input_tokens({"messages": [asked, called, told]}) == 30 + 3 * MESSAGE_TOKENS


def test_an_image_counts_as_one_and_not_as_its_base64() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}}
    text = {"type": "text", "text": TEN * 4}

    tokens = input_tokens({"messages": [{"role": "user", "content": [text, image, image]}]})

    assert tokens == 10 + 2 * MEDIA_TOKENS + MESSAGE_TOKENS


def test_no_more_is_billed_than_the_answer_was_allowed() -> None:
    assert estimated(7, 40, 100) == Usage(7, 10, estimated=True)
    assert estimated(7, 4_000, 100) == Usage(7, 100, estimated=True)
