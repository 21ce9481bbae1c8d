"""Every documented parameter is checked for type and range, and the refusal names it."""

from typing import Any

import pytest

from losi.chat.request import parse_chat_request
from losi.errors import InvalidRequestError
from tests.loose import loose
from tests.unit.chat.request_bodies import TOOL, USER, body, body_of, refused


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
    assert parse_chat_request(body_of(*messages)).body["messages"] == messages


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
        parse_chat_request(body_of(message))

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


class TestRanges:
    """Each limit is a figure of the documentation: it is allowed, and what is beyond it is not."""

    @pytest.mark.parametrize(
        ("name", "least", "most", "step"),
        [
            ("temperature", 0, 2, 0.001),
            ("top_p", 0, 1, 0.001),
            ("n", 1, 128, 1),
            ("max_tokens", 1, None, 1),
            ("max_completion_tokens", 1, None, 1),
            ("frequency_penalty", -2, 2, 0.001),
            ("presence_penalty", -2, 2, 0.001),
        ],
    )
    def test_of_numbers(self, name: str, least: float, most: float | None, step: float) -> None:
        for value in (least, 10**9 if most is None else most):
            assert loose(parse_chat_request(body(**{name: value})).body)[name] == value
        for value in (least - step, *(() if most is None else (most + step,))):
            assert refused(**{name: value}) == (name, "invalid_value")

    @pytest.mark.parametrize(("least", "most"), [(-100, 100)])
    def test_of_biases(self, least: int, most: int) -> None:
        for value in (least, most):
            parse_chat_request(body(logit_bias={"5": value}))
        for value in (least - 1, most + 1):
            assert refused(logit_bias={"5": value}) == ("logit_bias.5", "invalid_value")

    def test_of_log_probabilities(self) -> None:
        for value in (0, 20):
            parse_chat_request(body(logprobs=True, top_logprobs=value))
        for value in (-1, 21):
            assert refused(logprobs=True, top_logprobs=value) == ("top_logprobs", "invalid_value")

    @pytest.mark.parametrize(
        ("name", "fields"),
        [
            ("model", lambda n: {"model": "m" * n}),
            ("stop", lambda n: {"stop": ["s"] * n}),
            ("tools", lambda n: {"tools": [TOOL] * n}),
            ("logit_bias", lambda n: {"logit_bias": {str(i): 1 for i in range(n)}}),
            ("metadata", lambda n: {"metadata": {str(i): "" for i in range(n)}}),
            (
                "tools[0].function.name",
                lambda n: {"tools": [{"type": "function", "function": {"name": "f" * n}}]},
            ),
        ],
    )
    def test_of_sizes(self, name: str, fields: Any) -> None:
        most = {"model": 256, "stop": 4, "tools": 512, "logit_bias": 1024, "metadata": 16}
        limit = most.get(name, 64)

        parse_chat_request(body(**fields(limit)))

        assert refused(**fields(limit + 1)) == (name, "invalid_value")

    def test_of_all_arguments_together(self) -> None:
        def calls(values: int) -> Any:
            arguments = "[" + ",".join("1" for _ in range(values)) + "]"
            call = {"id": "c", "function": {"name": "f", "arguments": arguments}}
            return [USER, {"role": "assistant", "tool_calls": [call]}] * 2

        parse_chat_request(body_of(*calls(20_000)))

        with pytest.raises(InvalidRequestError) as caught:
            parse_chat_request(body_of(*calls(30_000)))
        assert (caught.value.param, caught.value.code) == ("messages", "invalid_value")
        assert "more than 50,000 values" in caught.value.message


class TestWhatBelongsTogether:
    @pytest.mark.parametrize(
        ("fields", "param"),
        [
            ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, "tool_choice"),
            ({"tool_choice": "required", "tools": []}, "tool_choice"),
            (
                {"tools": [TOOL], "tool_choice": {"type": "function", "function": "f"}},
                "tool_choice",
            ),
            ({"tools": [TOOL], "tool_choice": {"type": "function"}}, "tool_choice"),
            ({"stream": False, "stream_options": {}}, "stream_options"),
            ({"stream_options": {}}, "stream_options"),
            ({"logprobs": False, "top_logprobs": 0}, "top_logprobs"),
        ],
    )
    def test_one_without_the_other_is_refused(self, fields: dict[str, Any], param: str) -> None:
        assert refused(**fields) == (param, "invalid_value")

    @pytest.mark.parametrize(
        "fields",
        [
            {"tool_choice": "none"},
            {"tool_choice": "auto"},
            {"tool_choice": None},
            {"tools": [TOOL], "tool_choice": {"type": "allowed_tools"}},
            {"tools": [TOOL, {"type": "custom"}], "tool_choice": {"type": "custom"}},
            {"stream": True, "stream_options": {}},
            {"logprobs": True, "top_logprobs": 0},
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a"}}},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "a", "schema": None},
                }
            },
        ],
    )
    def test_what_needs_nothing_else_is_taken(self, fields: dict[str, Any]) -> None:
        assert parse_chat_request(body(**fields)).body == body(**fields)

    @pytest.mark.parametrize(
        ("json_schema", "type_"),
        [({"name": 5}, "json_schema"), ({}, "json_schema"), ({"schema": []}, "text")],
    )
    def test_a_schema_is_named_and_is_an_object(self, json_schema: Any, type_: str) -> None:
        format_ = {"type": type_, "json_schema": json_schema}

        assert refused(response_format=format_) == ("response_format", "invalid_value")


class TestWhatARequestAsksFor:
    @pytest.mark.parametrize(
        ("fields", "limit", "n", "usage"),
        [
            ({}, None, 1, False),
            ({"max_tokens": 5, "n": 2}, 5, 2, False),
            ({"max_tokens": 5, "max_completion_tokens": 6}, 6, 1, False),
            ({"stream": True, "stream_options": {}}, None, 1, False),
            ({"stream": True, "stream_options": {"include_usage": False}}, None, 1, False),
            ({"stream": True, "stream_options": {"include_usage": True}}, None, 1, True),
        ],
    )
    def test_is_read_from_its_parameters(
        self, fields: dict[str, Any], limit: int | None, n: int, usage: bool
    ) -> None:
        request = parse_chat_request(body(**fields))

        assert (request.max_output_tokens, request.n, request.include_usage) == (limit, n, usage)
