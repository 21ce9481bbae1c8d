"""Every documented parameter is checked for type and range, and the refusal names it."""

from typing import Any

import pytest

from losi.chat.request import parse_chat_request
from losi.errors import InvalidRequestError

USER = {"role": "user", "content": "Hi"}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def body(**fields: Any) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": [USER], **fields}


def said(*messages: Any) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": list(messages)}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"temperature": 0},
        {"temperature": 2.0, "top_p": 1, "n": 2, "max_tokens": 1},
        {"stop": "END"},
        {"stop": ["a", "b", "c", "d"]},
        {"stream": True, "stream_options": {"include_usage": True}},
        {"tools": [TOOL], "tool_choice": "required", "parallel_tool_calls": False},
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "f"}}},
        {"response_format": {"type": "json_object"}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {}}}},
        {"max_completion_tokens": 5, "reasoning_effort": "high", "verbosity": "low"},
        {"logprobs": True, "top_logprobs": 3, "logit_bias": {"50256": -100}},
        {"metadata": {"a": "b"}, "user": "u", "seed": 1, "store": False},
        {"temperature": None, "stop": None, "tools": None, "stream": None, "tool_choice": None},
        {"something_new": {"deep": [1]}},
    ],
)
def test_what_openai_takes_is_taken_and_sent_on_as_it_is(fields: dict[str, Any]) -> None:
    request = parse_chat_request(body(**fields))

    assert request.body == body(**fields)


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "developer", "content": "Be brief."}, USER],
        [{"role": "user", "content": [{"type": "text", "text": "Hi"}], "name": "ann"}],
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a/b"}}]}],
        [USER, {"role": "assistant", "content": None, "refusal": "No."}, USER],
        [
            USER,
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "4"},
        ],
        [USER, {"role": "assistant", "content": "", "reasoning_content": "hm"}],
    ],
)
def test_conversations_that_openai_takes_are_taken(messages: list[Any]) -> None:
    assert parse_chat_request(said(*messages)).body["messages"] == messages


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": 5}, "model"),
        ({"model": ""}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": [5]}, "messages[0]"),
        ({"temperature": 3}, "temperature"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"top_p": 1.1}, "top_p"),
        ({"n": 0}, "n"),
        ({"n": 129}, "n"),
        ({"n": 1.5}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": "10"}, "max_tokens"),
        ({"stream": "yes"}, "stream"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"stop": []}, "stop"),
        ({"stop": 5}, "stop"),
        ({"stop": [""]}, "stop"),
        ({"tools": {}}, "tools"),
        ({"tools": [{"type": "function"}]}, "tools[0]"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        (
            {"tools": [{"type": "function", "function": {"name": "bad name"}}]},
            "tools[0].function.name",
        ),
        ({"tool_choice": "auto!"}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"function": "f"}}, "tool_choice"),
        (
            {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "g"}}},
            "tool_choice",
        ),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "s", "schema": "x"},
                }
            },
            "response_format",
        ),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"top_logprobs": 21, "logprobs": True}, "top_logprobs"),
        ({"frequency_penalty": 3}, "frequency_penalty"),
        ({"logit_bias": {"1": 101}}, "logit_bias.1"),
        ({"metadata": {"a": 1}}, "metadata.a"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_chat_request(body(**fields))

    assert caught.value.param == param
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "wizard", "content": "Hi"}, "messages[0].role"),
        ({"content": "Hi"}, "messages[0].role"),
        ({"role": "user"}, "messages[0]"),
        ({"role": "user", "content": 5}, "messages[0].content"),
        ({"role": "user", "content": [5]}, "messages[0].content[0]"),
        ({"role": "user", "content": [{"text": "Hi"}]}, "messages[0].content[0].type"),
        ({"role": "user", "content": [{"type": "text"}]}, "messages[0].content[0]"),
        ({"role": "user", "content": [{"type": "image_url"}]}, "messages[0].content[0]"),
        ({"role": "assistant"}, "messages[0]"),
        ({"role": "tool", "content": "4"}, "messages[0]"),
        ({"role": "function", "content": "4"}, "messages[0]"),
        (
            {"role": "assistant", "content": "x", "thinking_blocks": 5},
            "messages[0].thinking_blocks",
        ),
        (
            {"role": "assistant", "tool_calls": [{"id": "c", "type": "function"}]},
            "messages[0].tool_calls[0]",
        ),
    ],
)
def test_what_is_wrong_in_a_message_is_named(message: Any, param: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_chat_request(said(message))

    assert caught.value.param == param


def test_a_missing_parameter_is_called_missing() -> None:
    with pytest.raises(InvalidRequestError, match="Missing required parameter: 'messages'"):
        parse_chat_request({"model": "gpt-4o"})


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"model": 5}, "it should be a string, and is 5."),
        ({"messages": "Hi"}, "it should be an array, and is 'Hi'."),
        ({"messages": []}, "it should hold 1 or more items, and is an empty array."),
        ({"messages": [5]}, "it should be an object, and is 5."),
        ({"stream": 1}, "it should be true or false, and is 1."),
        ({"temperature": 3}, "it should be less than or equal to 2, and is 3."),
        ({"model": ""}, "it should have 1 or more characters, and is ''."),
    ],
)
def test_a_refusal_speaks_of_json_not_of_python(fields: dict[str, Any], rule: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_chat_request(body(**fields))

    assert caught.value.message == f"Invalid value for '{caught.value.param}': {rule}"


def test_a_refusal_does_not_repeat_a_prompt() -> None:
    prompt = "my secret plan " * 10

    with pytest.raises(InvalidRequestError) as caught:
        parse_chat_request({"model": "gpt-4o", "messages": prompt})

    assert "secret" not in caught.value.message
