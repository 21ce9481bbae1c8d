"""A chat completion request as the Responses API takes it."""

from typing import Any

import pytest

from losi.errors import InvalidRequestError
from losi.upstream.conversation import JSON_INSTRUCTION
from losi.upstream.openai.responses.request import SMALLEST_LIMIT, translate
from tests.loose import Json, loose

PDF = "data:application/pdf;base64,QQ=="
USER = {"role": "user", "content": "Hi"}
USER_TEXT = {"type": "text", "text": "Hi"}
WEATHER: Json = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a place",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
    },
}
CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"place": "London"}'},
}


def sent(*messages: Any, **more: Any) -> Any:
    body = {"model": "gpt-6.1-sol", "messages": list(messages) or [USER], **more}
    return translate(loose(body)).body


def test_nothing_is_stored_and_what_was_thought_comes_back_encrypted() -> None:
    body = sent()

    assert body["store"] is False
    assert body["include"] == ["reasoning.encrypted_content"]
    assert body["input"] == [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
    ]


def test_tools_stand_flat_and_are_strict_only_where_the_caller_says_so() -> None:
    strict = {**WEATHER, "function": {**WEATHER["function"], "strict": True}}
    bare = {"type": "function", "function": {"name": "now"}}

    flat, also_strict, empty = sent(tools=[WEATHER, strict, bare])["tools"]

    assert flat == {"type": "function", **WEATHER["function"], "strict": False}
    assert also_strict["strict"] is True
    nothing = {"type": "object", "properties": {}}
    assert empty == {"type": "function", "name": "now", "parameters": nothing, "strict": False}


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("required", "required"),
        ("none", "none"),
        ("auto", "auto"),
        ({"type": "custom", "custom": {"name": "run"}}, {"type": "custom", "name": "run"}),
        (
            {"type": "function", "function": {"name": "get_weather"}},
            {"type": "function", "name": "get_weather"},
        ),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "auto",
                    "tools": [{"type": "function", "function": {"name": "get_weather"}}],
                },
            },
            {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [{"type": "function", "name": "get_weather"}],
            },
        ),
    ],
)
def test_which_tool_is_to_be_called(asked: Any, told: Any) -> None:
    assert sent(tools=[WEATHER], tool_choice=asked)["tool_choice"] == told


def test_a_call_and_its_result_are_items() -> None:
    assistant = {"role": "assistant", "content": "Let me look.", "tool_calls": [CALL]}
    result = {"role": "tool", "tool_call_id": "call_1", "content": "Rain"}

    _, said, call, output = sent(USER, assistant, result)["input"]

    assert said["content"] == [{"type": "output_text", "text": "Let me look."}]
    assert call == {
        "type": "function_call",
        "call_id": "call_1",
        "name": "get_weather",
        "arguments": '{"place": "London"}',
    }
    assert output == {"type": "function_call_output", "call_id": "call_1", "output": "Rain"}


def test_ids_that_are_too_long_get_the_same_stand_in_in_call_and_result() -> None:
    long = "x" * 94
    assistant = {"role": "assistant", "content": None, "tool_calls": [{**CALL, "id": long}]}
    result = {"role": "tool", "tool_call_id": long, "content": "Rain"}

    _, call, output = sent(USER, assistant, result)["input"]

    assert call["call_id"] == output["call_id"] and len(call["call_id"]) <= 64


@pytest.mark.parametrize(("model", "kept"), [("gpt-6.1-sol", True), ("gpt-6.2-sol", False)])
def test_what_was_thought_goes_back_to_the_model_that_thought_it(model: str, kept: bool) -> None:
    thought = {"type": "reasoning", "model": model, "encrypted_content": "gAAAA", "summary": []}
    signed = {"type": "thinking", "thinking": "Claude's", "signature": "s"}
    assistant = {"role": "assistant", "content": "Hm.", "thinking_blocks": [thought, signed]}

    items = sent(USER, assistant, USER)["input"]

    told = [item for item in items if item["type"] == "reasoning"]
    assert told == (
        [{"type": "reasoning", "summary": [], "encrypted_content": "gAAAA"}] if kept else []
    )


def test_images_and_files() -> None:
    content = [
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {
            "type": "file",
            "file": {"file_data": "data:application/pdf;base64,QQ==", "filename": "a"},
        },
    ]

    [message] = sent({"role": "user", "content": content})["input"]

    assert message["content"] == [
        {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "auto"},
        {
            "type": "input_file",
            "file_data": PDF,
            "filename": "a",
        },
    ]


def test_sound_is_refused_by_its_place() -> None:
    audio = {"type": "input_audio", "input_audio": {"data": "QQ==", "format": "wav"}}

    with pytest.raises(InvalidRequestError) as caught:
        sent(USER, {"role": "user", "content": [audio]})

    assert caught.value.param == "messages[1].content[0].type"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (
            {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}},
            {"type": "json_schema", "name": "a", "schema": {"type": "object"}},
        ),
        ({"type": "json_schema", "json_schema": {"name": "a"}}, {"type": "json_object"}),
        ({"type": "json_object"}, {"type": "json_object"}),
    ],
)
def test_the_form_of_the_answer(asked: Any, told: Any) -> None:
    assert sent(response_format=asked)["text"]["format"] == told


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"description": "A list", "strict": False}, {"description": "A list", "strict": False}),
        ({"description": "", "strict": True}, {"description": "", "strict": True}),
        ({"description": None, "strict": None}, {}),
    ],
)
def test_a_schema_is_described_and_strict_as_the_caller_says(more: Any, told: Any) -> None:
    asked = {"name": "a", "schema": {"type": "object"}}

    form = {"type": "json_schema", "json_schema": {**asked, **more}}

    assert sent(response_format=form)["text"]["format"] == {"type": "json_schema", **asked, **told}


@pytest.mark.parametrize("form", [None, {"type": "text"}])
def test_text_is_what_is_answered_where_nothing_is_asked_for(form: Any) -> None:
    assert "text" not in sent(response_format=form)


@pytest.mark.parametrize(
    ("words", "told"), [("In JSON, please", False), ("A list", True), ("Half: \ud83d", True)]
)
def test_json_is_asked_for_in_words_where_the_caller_does_not(words: str, told: bool) -> None:
    """OpenAI refuses json_object if the conversation does not say "json"."""
    user = {"role": "user", "content": words}

    [message] = sent(user, response_format={"type": "json_object"})["input"]
    [unasked] = sent(user)["input"]

    instruction = {"type": "input_text", "text": JSON_INSTRUCTION}
    assert unasked["content"] == [{"type": "input_text", "text": words}]
    assert message["content"] == [*unasked["content"], *([instruction] if told else [])]


def test_a_system_message_between_call_and_result_follows_the_result() -> None:
    assistant = {"role": "assistant", "tool_calls": [CALL]}
    result = {"role": "tool", "tool_call_id": "call_1", "content": "Rain"}

    told = sent(USER, assistant, {"role": "system", "content": "Be brief."}, result)["input"]

    assert [item["type"] for item in told[1:]] == [
        "function_call",
        "function_call_output",
        "message",
    ]


SAME = {
    "metadata": {"a": "b"},
    "parallel_tool_calls": False,
    "prompt_cache_key": "k",
    "prompt_cache_options": {"a": 1},
    "safety_identifier": "s",
    "service_tier": "flex",
    "temperature": 0,
    "top_logprobs": 2,
    "top_p": 0.5,
    "user": "u",
}


def test_what_both_have_is_passed_on_and_null_is_not() -> None:
    body = sent(**SAME)
    nothing = sent(**dict.fromkeys(SAME), seed=None)

    assert {name: body[name] for name in SAME} == SAME
    own = {"model": "gpt-6.1-sol", "reasoning": {"summary": "auto"}}
    assert body == {**nothing, **SAME} and nothing == {**nothing, **own}
    assert nothing.keys() == {"model", "store", "include", "input", "reasoning"}


def test_what_is_said_in_another_way_is_not_left_out() -> None:
    said: Json = {
        **SAME,
        "tools": [WEATHER],
        "tool_choice": "auto",
        "response_format": {"type": "text"},
        "reasoning_effort": "low",
        "verbosity": "low",
        "logprobs": True,
        "max_tokens": 20,
        "max_completion_tokens": 20,
    }

    body = loose({"model": "m", "messages": [USER], **said})
    assert translate(body).left_out == frozenset()


@pytest.mark.parametrize(
    ("asked", "included"),
    [
        ({"reasoning_effort": "none"}, []),
        ({"reasoning_effort": "none", "logprobs": True}, ["message.output_text.logprobs"]),
        ({"logprobs": False}, ["reasoning.encrypted_content"]),
    ],
)
def test_what_is_answered_beside_the_text(asked: Any, included: list[str]) -> None:
    assert sent(**asked)["include"] == included


@pytest.mark.parametrize(
    ("limits", "sent_on"),
    [
        ({"max_tokens": 17}, 17),
        ({"max_completion_tokens": 16}, 16),
        ({"max_completion_tokens": 15, "max_tokens": 100}, 16),
        ({"max_completion_tokens": 100, "max_tokens": 50}, 100),
        ({"max_completion_tokens": None, "max_tokens": None}, None),
    ],
)
def test_the_limit_of_the_answer(limits: Any, sent_on: int | None) -> None:
    assert sent(**limits).get("max_output_tokens") == sent_on


def test_without_tools_there_is_no_choice_of_them() -> None:
    assert not {"tools", "tool_choice"} & sent(tools=[], tool_choice="auto").keys()
    assert "tool_choice" not in sent(tools=[WEATHER])


def test_limits_effort_and_verbosity() -> None:
    body = sent(max_tokens=1, reasoning_effort="high", verbosity="low")

    assert body["max_output_tokens"] == SMALLEST_LIMIT
    assert body["reasoning"] == {"effort": "high", "summary": "auto"}
    assert body["text"] == {"verbosity": "low"}


def test_what_it_has_no_place_for_is_named() -> None:
    translated = translate({"model": "m", "messages": [loose(USER)], "seed": 1, "logit_bias": {}})

    assert translated.left_out == {"seed", "logit_bias"}
    assert not {"seed", "logit_bias"} & translated.body.keys()


CUSTOM: Json = {"type": "custom", "custom": {"name": "run", "description": "Code"}}


def test_custom_tools_their_grammar_and_their_calls() -> None:
    grammar = {"syntax": "lark", "definition": "start: WORD"}
    form = {"type": "grammar", "grammar": grammar}
    tool = {**CUSTOM, "custom": {**CUSTOM["custom"], "format": form}}
    call = {"id": "c1", "type": "custom", "custom": {"name": "run", "input": "1 + 1"}}
    assistant = {"role": "assistant", "tool_calls": [call]}

    body = sent(
        USER, assistant, {"role": "tool", "tool_call_id": "c1", "content": "2"}, tools=[tool]
    )

    flat = {"type": "custom", **CUSTOM["custom"], "format": {"type": "grammar", **grammar}}
    assert body["tools"] == [flat]
    assert body["input"][1:] == [
        {"type": "custom_tool_call", "call_id": "c1", "name": "run", "input": "1 + 1"},
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "2"},
    ]


@pytest.mark.parametrize("form", [None, {"type": "text"}])
def test_a_custom_tool_takes_any_text_where_there_is_no_grammar(form: Any) -> None:
    tool = {"type": "custom", "custom": {"name": "run", "format": form}}

    told = {"format": form} if form else {}
    assert sent(tools=[tool])["tools"] == [{"type": "custom", "name": "run", **told}]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"tools": [{"type": "custom"}]}, "tools[0]"),
        ({"tools": [WEATHER, {"type": "function", "function": {}}]}, "tools[1]"),
        (
            {"tools": [WEATHER], "tool_choice": {"type": "function", "function": "now"}},
            "tool_choice",
        ),
        ({"tools": [{"type": "web_search"}]}, "tools[0]"),
        ({"tools": [{**CUSTOM, "custom": {"name": 5}}]}, "tools[0]"),
        (
            {"tools": [{**CUSTOM, "custom": {"name": "f", "format": {"type": "grammar"}}}]},
            "tools[0].custom.format",
        ),
        ({"tools": [WEATHER], "tool_choice": {"type": "custom"}}, "tool_choice"),
        ({"tools": [WEATHER], "tool_choice": {"type": "allowed_tools"}}, "tool_choice"),
    ],
)
def test_what_cannot_be_said_is_named(body: Any, param: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        sent(**body)

    assert caught.value.param == param


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "user", "content": [USER_TEXT, {"type": "file"}]}, "messages[0].content[1].file"),
        (
            {"role": "assistant", "tool_calls": [{"id": "c", "type": "custom"}]},
            "messages[0].tool_calls[0].custom",
        ),
    ],
)
def test_what_cannot_be_said_of_a_message_is_named(message: Any, param: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        sent(message)

    assert caught.value.param == param
