"""A conversation as items of OpenAI's Responses API."""

from typing import Any

import pytest

from losi.errors import InvalidRequestError
from losi.upstream.openai.responses.items import items
from tests.loose import loose

MODEL = "gpt-6.1-sol"


def converted(*messages: Any) -> Any:
    return list(items(loose(messages), MODEL))


@pytest.mark.parametrize("role", ["user", "system", "developer"])
@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ("Hi", ["Hi"]),
        ("", [""]),
        (None, [""]),
        ([{"type": "text", "text": "Hi"}, {"type": "text", "text": "there"}], ["Hi", "there"]),
    ],
)
def test_what_others_than_the_model_say(role: str, content: Any, texts: list[str]) -> None:
    parts = [{"type": "input_text", "text": text} for text in texts]

    assert converted({"role": role, "content": content}) == [
        {"type": "message", "role": role, "content": parts}
    ]


@pytest.mark.parametrize(
    ("message", "content"),
    [
        ({"content": "Hi"}, [("output_text", "text", "Hi")]),
        ({"content": None, "refusal": "No."}, [("refusal", "refusal", "No.")]),
        (
            {
                "content": [
                    {"type": "text", "text": "Hi"},
                    {"type": "text", "text": ""},
                    {"type": "refusal", "refusal": "No."},
                ],
                "refusal": "",
            },
            [("output_text", "text", "Hi")],
        ),
        ({"content": ""}, []),
        ({"content": []}, []),
        ({"refusal": None}, []),
    ],
)
def test_what_the_model_said_is_one_item_without_empty_texts(
    message: Any, content: list[tuple[str, str, str]]
) -> None:
    parts = [{"type": kind, field: words} for kind, field, words in content]
    item = {"type": "message", "role": "assistant", "content": parts}

    assert converted({"role": "assistant", **message}) == [item] * bool(parts)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [({"arguments": '{"a": 1}'}, '{"a": 1}'), ({"arguments": ""}, "{}"), ({}, "{}")],
)
def test_a_call_has_arguments_and_a_name_that_openai_takes(function: Any, arguments: str) -> None:
    call = {"id": "call_1", "function": {"name": "get.weather", **function}}

    [item] = converted({"role": "assistant", "tool_calls": [call]})

    name = item.pop("name")
    assert name.startswith("get_weather_") and name != "get.weather"
    assert item == {"type": "function_call", "call_id": "call_1", "arguments": arguments}


def test_results_belong_to_calls_of_their_kind_and_may_have_parts() -> None:
    long = "x" * 94
    call = {"id": long, "type": "custom", "custom": {"name": "run", "input": ""}}
    parts = [{"type": "text", "text": "2"}]
    results = [
        {"role": "tool", "tool_call_id": long, "content": parts},
        {"role": "tool", "tool_call_id": "call_2", "content": parts},
    ]

    custom, *outputs = converted({"role": "assistant", "tool_calls": [call]}, *results)

    assert len(custom["call_id"]) <= 64
    output = [{"type": "input_text", "text": "2"}]
    assert custom == {**custom, "type": "custom_tool_call", "name": "run", "input": ""}
    assert outputs == [
        {"type": "custom_tool_call_output", "call_id": custom["call_id"], "output": output},
        {"type": "function_call_output", "call_id": "call_2", "output": output},
    ]


def test_what_was_thought_stands_before_what_was_said() -> None:
    thought = {"type": "reasoning", "model": MODEL, "encrypted_content": "gAAAA", "summary": None}
    other = {**thought, "summary": [{"type": "summary_text", "text": "Think."}]}
    call = {"id": "call_1", "type": "function", "function": {"name": "now", "arguments": "{}"}}

    told = converted(
        {
            "role": "assistant",
            "content": "Hm.",
            "thinking_blocks": [thought, other],
            "tool_calls": [call],
        }
    )

    assert [item["type"] for item in told[2:]] == ["message", "function_call"]
    summaries = [[], other["summary"]]
    sent_on = {"type": "reasoning", "encrypted_content": "gAAAA"}
    assert told[:2] == [{**sent_on, "summary": summary} for summary in summaries]


@pytest.mark.parametrize(
    "block",
    [
        {"type": "thinking", "model": MODEL, "thinking": "Claude's"},
        {"type": "reasoning", "model": "another", "encrypted_content": "gAAAA"},
        {"type": "reasoning", "encrypted_content": "gAAAA"},
    ],
)
def test_thoughts_that_the_model_cannot_read_are_left_out(block: Any) -> None:
    assert converted({"role": "assistant", "content": None, "thinking_blocks": [block]}) == []


@pytest.mark.parametrize(
    ("image", "detail"), [({"detail": "low"}, "low"), ({"detail": None}, "auto"), ({}, "auto")]
)
def test_an_image_has_a_detail(image: Any, detail: str) -> None:
    url = "https://example.com/a.png"
    part = {"type": "image_url", "image_url": {"url": url, **image}}

    [message] = converted({"role": "user", "content": [part]})

    assert message["content"] == [{"type": "input_image", "image_url": url, "detail": detail}]


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ({"file_id": "file_1"}, {"file_id": "file_1"}),
        ({"file_id": None, "file_data": "data:", "filename": ""}, {"file_data": "data:"}),
    ],
)
def test_a_file_is_told_by_what_is_known_of_it(file: Any, told: Any) -> None:
    [message] = converted({"role": "user", "content": [{"type": "file", "file": file}]})

    assert message["content"] == [{"type": "input_file", **told}]


def test_results_of_functions_as_they_once_were_are_refused() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        converted(
            {"role": "user", "content": "Hi"}, {"role": "function", "name": "f", "content": "2"}
        )

    assert (caught.value.param, caught.value.code) == ("messages[1].role", "invalid_value")


@pytest.mark.parametrize(
    "custom", [{"name": 5, "input": ""}, {"name": "run"}, {"name": "run", "input": 5}, None]
)
def test_a_custom_call_without_name_or_input_is_refused(custom: Any) -> None:
    good = {"id": "call_1", "function": {"name": "f", "arguments": "{}"}}
    call = {"id": "call_2", "type": "custom", "custom": custom}

    with pytest.raises(InvalidRequestError) as caught:
        converted({"role": "assistant", "tool_calls": [good, call]})

    assert caught.value.param == "messages[0].tool_calls[1].custom"
