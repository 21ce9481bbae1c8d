"""Messages of each role are checked for what they must and may hold."""

from typing import Any

import pytest

from losi.chat.request import parse_chat_request
from losi.errors import InvalidRequestError
from tests.unit.chat.request_bodies import body_of


class TestMessages:
    @pytest.mark.parametrize(
        "message",
        [
            {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "assistant", "audio": {"id": "a"}},
            {"role": "assistant", "content": None, "refusal": None},
            {"role": "assistant", "tool_calls": [{"id": "c", "type": "custom"}]},
            {"role": "function", "name": "f", "content": None},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": ""}}]},
            {"role": "user", "content": [{"type": "file", "file": {}}]},
            {"role": "user", "content": []},
        ],
    )
    def test_that_are_whole(self, message: Any) -> None:
        assert parse_chat_request(body_of(message)).body["messages"] == [message]

    @pytest.mark.parametrize(
        ("message", "param", "words"),
        [
            ({"role": "user"}, "messages[0]", "A message with role 'user' needs 'content'."),
            (
                {"role": "developer"},
                "messages[0]",
                "A message with role 'developer' needs 'content'.",
            ),
            (
                {"role": "tool", "content": "4", "tool_call_id": ""},
                "messages[0]",
                "A message with role 'tool' needs 'tool_call_id'.",
            ),
            (
                {"role": "function", "content": "4", "name": ""},
                "messages[0]",
                "A message with role 'function' needs 'name'.",
            ),
            (
                {"role": "assistant", "tool_calls": []},
                "messages[0]",
                "A message with role 'assistant' needs 'content' or 'tool_calls'.",
            ),
            (
                {"role": "user", "content": [{"type": "text", "text": 5}]},
                "messages[0].content[0]",
                "A content part of type 'text' needs a string 'text'.",
            ),
            *(
                (
                    {"role": "user", "content": [{"type": "image_url", "image_url": image}]},
                    "messages[0].content[0]",
                    "A content part of type 'image_url' needs 'image_url': {'url': '...'}.",
                )
                for image in (None, "https://a/b", {}, {"url": 5})
            ),
            (
                {"role": "assistant", "tool_calls": [{"id": "c"}]},
                "messages[0].tool_calls[0]",
                "A tool call of type 'function' needs 'function'.",
            ),
        ],
    )
    def test_that_lack_something(self, message: Any, param: str, words: str) -> None:
        with pytest.raises(InvalidRequestError) as caught:
            parse_chat_request(body_of(message))

        assert (caught.value.param, caught.value.code) == (param, "invalid_value")
        assert caught.value.message == words

    @pytest.mark.parametrize(
        ("call", "param"),
        [
            ({"id": "", "type": "custom"}, "id"),
            ({"type": "custom"}, "id"),
            ({"id": "c", "type": "other"}, "type"),
            ({"id": "c", "function": {"name": "", "arguments": ""}}, "function.name"),
            ({"id": "c", "function": {"name": "f"}}, "function.arguments"),
            ({"id": "c", "function": {"name": "f", "arguments": {}}}, "function.arguments"),
        ],
    )
    def test_whose_calls_lack_something(self, call: Any, param: str) -> None:
        with pytest.raises(InvalidRequestError) as caught:
            parse_chat_request(body_of({"role": "assistant", "tool_calls": [call]}))

        assert caught.value.param == f"messages[0].tool_calls[0].{param}"

    def test_an_empty_type_of_a_part(self) -> None:
        with pytest.raises(InvalidRequestError) as caught:
            parse_chat_request(body_of({"role": "user", "content": [{"type": ""}]}))

        assert caught.value.param == "messages[0].content[0].type"
