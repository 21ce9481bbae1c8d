"""The schema that is published takes and refuses what we do."""

from typing import Any, ClassVar

import jsonschema
import pytest

from losi.chat.request import ChatCompletionRequest, parse_chat_request
from losi.errors import InvalidRequestError
from tests.unit.chat.request_bodies import IMAGE, TOOL, body


class TestThePublishedSchema:
    """What clients are made from takes what we take, and refuses what it can say is wrong."""

    SCHEMA: ClassVar[Any] = ChatCompletionRequest.model_json_schema()
    VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

    @pytest.mark.parametrize(
        "fields",
        [
            *({"stop": stop} for stop in ("END", ["a"], ["a", "b", "c", "d"], None)),
            *({"tool_choice": choice} for choice in ("none", "auto", None)),
            {"tools": [TOOL], "tool_choice": "required"},
            {"tools": [TOOL], "tool_choice": {"type": "allowed_tools", "x": 1}},
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]},
            {"messages": [{"role": "user", "content": [IMAGE]}]},
            {"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]},
        ],
    )
    def test_takes_what_we_take(self, fields: dict[str, Any]) -> None:
        parse_chat_request(body(**fields))

        self.VALIDATOR.validate(body(**fields))

    @pytest.mark.parametrize(
        "fields",
        [
            *({"stop": stop} for stop in ("", [""], ["a"] * 5, 5, [5])),
            {"stop": []},
            {"stop": {}},
            *({"tool_choice": choice} for choice in ("any", 5, {}, {"type": 5}, ["auto"])),
            {"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]},
            *(
                {"messages": [{"role": "user", "content": [{**IMAGE, "image_url": image}]}]}
                for image in (5, {}, {"url": 5})
            ),
        ],
    )
    def test_refuses_what_we_refuse(self, fields: dict[str, Any]) -> None:
        with pytest.raises(InvalidRequestError):
            parse_chat_request(body(**fields))

        assert not self.VALIDATOR.is_valid(body(**fields))

    def test_says_how_a_part_looks(self) -> None:
        assert self.SCHEMA["$defs"]["ContentPart"]["properties"] == {
            "type": {"type": "string", "examples": ["text", "image_url"]},
            "text": {"type": "string"},
            "image_url": {
                "type": "object",
                "properties": {
                    "url": {"type": "string", "description": "https: or data:"},
                    "detail": {"type": "string", "enum": ["auto", "low", "high"]},
                },
                "required": ["url"],
            },
        }
