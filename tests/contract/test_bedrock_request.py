"""Every request we make passes botocore's own validation, and says what the caller said."""

import base64
import json
from typing import Any

import pytest

from losi.errors import InvalidRequestError
from losi.upstream.bedrock.messages import MAX_IMAGE_BYTES, tool_use_id
from losi.upstream.bedrock.request import NO_TOOL
from tests.contract.bedrock_requests import (
    USER,
    WEATHER,
    Json,
    called,
    result,
    told_left_out,
    translated,
)

ADAPTIVE = "us.anthropic.claude-opus-4-6-v1"
PNG = base64.b64encode(b"\x89PNG").decode()
TIME: Json = {"type": "function", "function": {"name": "time", "strict": True}}


def refused(**body: Any) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as caught:
        translated(**body)
    return caught.value


class TestMessages:
    def test_system_messages_are_apart_and_in_order(self) -> None:
        request = translated(
            messages=[
                {"role": "system", "content": "one"},
                {"role": "developer", "content": [{"type": "text", "text": "two"}]},
                USER,
            ]
        )
        assert request["system"] == [{"text": "one"}, {"text": "two"}]

    def test_parallel_results_and_the_next_question_are_one_turn(self) -> None:
        assistant = called("c1", '{"city":"Rome"}', content="Looking.")
        assistant["tool_calls"] += called("c2", "")["tool_calls"]
        request = translated(
            messages=[USER, assistant, result("c2"), result("c1", ""), USER], tools=[WEATHER]
        )
        assert request["messages"][1:] == [
            {
                "role": "assistant",
                "content": [
                    {"text": "Looking."},
                    {"toolUse": {"toolUseId": "c1", "name": "weather", "input": {"city": "Rome"}}},
                    {"toolUse": {"toolUseId": "c2", "name": "weather", "input": {}}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"toolResult": {"toolUseId": "c2", "content": [{"text": "sunny"}]}},
                    {"toolResult": {"toolUseId": "c1", "content": [{"text": "(no output)"}]}},
                    {"text": "hello"},
                ],
            },
        ]

    def test_ids_that_converse_does_not_take_are_replaced_alike_on_both_sides(self) -> None:
        odd = "call|" + "x" * 80
        request = translated(messages=[USER, called(odd), result(odd)], tools=[WEATHER])
        use, answer = (message["content"][0] for message in request["messages"][1:])
        assert use["toolUse"]["toolUseId"] == answer["toolResult"]["toolUseId"] == tool_use_id(odd)
        assert len(tool_use_id(odd)) <= 64

    def test_an_assistants_empty_answer_is_left_out(self) -> None:
        request = translated(messages=[USER, {"role": "assistant", "content": ""}, USER])
        assert request["messages"] == [{"role": "user", "content": [{"text": "hello"}] * 2}]

    @pytest.mark.parametrize("kind", ["png", "jpeg", "jpg", "gif", "webp"])
    def test_images(self, kind: str) -> None:
        url = f"data:image/{kind};base64,{PNG}"
        parts = [{"type": "image_url", "image_url": {"url": url, "detail": "low"}}]
        request = translated(messages=[{"role": "user", "content": parts}])
        image = request["messages"][0]["content"][0]["image"]
        assert image == {
            "format": "png",  # as its bytes say, whatever the label
            "source": {"bytes": b"\x89PNG"},
        }

    def test_documents_have_distinct_names_in_converses_alphabet(self) -> None:
        def file(media_type: str, **fields: str) -> Json:
            return {
                "type": "file",
                "file": {"file_data": f"data:{media_type};base64,{PNG}"} | fields,
            }

        parts = [
            file("application/pdf", filename="Bericht_ü.v2.pdf"),
            file("application/pdf", filename="Bericht ü v2.pdf"),
            file("text/markdown; charset=utf-8".replace(" ", "")),
            file("application/octet-stream", filename="a.csv"),
        ]
        request = translated(messages=[{"role": "user", "content": parts}])
        blocks = request["messages"][0]["content"]
        documents = [block["document"] for block in blocks if "document" in block]
        assert [(d["name"], d["format"]) for d in documents] == [
            ("Bericht v2", "pdf"),
            ("Bericht v2 (2)", "pdf"),
            ("document", "md"),
            ("a", "csv"),
        ]


class TestBadInput:
    @pytest.mark.parametrize(
        ("messages", "param"),
        [
            ([{"role": "assistant", "content": ""}], "messages"),
            ([USER, result()], "messages[1].tool_call_id"),
            ([USER, called(), result("c2")], "messages[2].tool_call_id"),
            ([USER, called(), result(), result()], "messages[3].tool_call_id"),
            ([USER, called(), USER], "messages[1].tool_calls"),
            ([USER, called()], "messages[1].tool_calls"),
            ([USER, called(), result(), called()], "messages[3].tool_calls"),
            ([USER, called(arguments="{"), result()],
             "messages[1].tool_calls[0].function.arguments"),
            ([USER, called(arguments="[]"), result()],
             "messages[1].tool_calls[0].function.arguments"),
            ([USER, called(arguments='{"a":NaN}'), result()],
             "messages[1].tool_calls[0].function.arguments"),
            ([USER, {"role": "function", "name": "f", "content": "x"}], "messages[1].role"),
        ],
    )  # fmt: skip
    def test_a_conversation_that_does_not_fit(self, messages: list[Json], param: str) -> None:
        error = refused(messages=messages)
        assert (error.status, error.param) == (400, param)

    @pytest.mark.parametrize(
        ("url", "words"),
        [
            ("https://example.org/cat.png", "data URI"),
            ("data:image/tiff;base64,SUkqAA==", "image/tiff"),
            ("data:image/png;base64,%%%", "base64"),
            ("data:image/png,abc", "base64"),
            ("data:image/png;base64,", "no data"),
            (
                "data:image/png;base64," + base64.b64encode(bytes(MAX_IMAGE_BYTES + 1)).decode(),
                "3.75 MB",
            ),
        ],
        ids=["address", "type", "base64", "plain", "empty", "size"],
    )
    def test_images(self, url: str, words: str) -> None:
        parts = [{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": url}}]
        error = refused(messages=[{"role": "user", "content": parts}])
        assert error.param == "messages[0].content[1].image_url.url"
        assert words in error.message

    def test_a_refusal_without_words(self) -> None:
        answer = {"role": "assistant", "content": [{"type": "refusal"}]}
        assert refused(messages=[USER, answer, USER]).param == "messages[1].content[0]"

    @pytest.mark.parametrize(
        ("part", "param"),
        [
            ({"type": "input_audio", "input_audio": {}}, "messages[0].content[0].type"),
            ({"type": "file", "file": {"file_id": "f1"}}, "messages[0].content[0].file"),
            (
                {"type": "file", "file": {"file_data": f"data:video/mp4;base64,{PNG}"}},
                "messages[0].content[0].file.file_data",
            ),
        ],
    )
    def test_other_content(self, part: Json, param: str) -> None:
        assert refused(messages=[{"role": "user", "content": [part]}]).param == param

    @pytest.mark.parametrize(
        ("body", "param"),
        [
            ({"tools": [{"type": "custom", "custom": {}}]}, "tools[0].type"),
            (
                {"tools": [{"type": "function", "function": {"name": "a b"}}]},
                "tools[0].function.name",
            ),
            ({"tools": [WEATHER], "tool_choice": {"type": "custom"}}, "tool_choice"),
            (
                {"tools": [WEATHER], "tool_choice": {"type": "allowed_tools", "allowed_tools": {}}},
                "tool_choice.allowed_tools",
            ),
            (
                {"tools": [WEATHER], "tool_choice": {"type": "allowed_tools", "allowed_tools": 5}},
                "tool_choice.allowed_tools",
            ),
        ],
    )
    def test_tools(self, body: Json, param: str) -> None:
        assert refused(**body).param == param


class TestTools:
    def test_the_schema_goes_whole(self) -> None:
        weather = translated(tools=[WEATHER, TIME])["toolConfig"]["tools"][0]
        assert weather["toolSpec"] == {
            "name": "weather",
            "description": "Now",
            "inputSchema": {"json": WEATHER["function"]["parameters"]},
        }

    def test_strict_is_sent_where_the_model_keeps_to_the_schema(self) -> None:
        closed = {"type": "object", "properties": {}, "additionalProperties": False}
        function = {"name": "time", "strict": True, "parameters": closed}
        tools = [{"type": "function", "function": function}]

        kept = translated(tools=tools)["toolConfig"]["tools"][0]["toolSpec"]
        newer = translated("global.anthropic.claude-sonnet-5-5", tools=tools)

        assert kept["strict"] is True
        assert "strict" not in newer["toolConfig"]["tools"][0]["toolSpec"]

    @pytest.mark.parametrize(
        ("choice", "expected"),
        [
            (None, None),
            ("auto", None),
            ("required", {"any": {}}),
            ({"type": "function", "function": {"name": "time"}}, {"tool": {"name": "time"}}),
        ],
    )
    def test_choices(self, choice: Any, expected: Any) -> None:
        config = translated(tools=[WEATHER, TIME], tool_choice=choice)["toolConfig"]
        assert config.get("toolChoice") == expected

    def test_allowed_tools_are_the_only_ones_sent(self) -> None:
        allowed = {
            "mode": "required",
            "tools": [{"type": "function", "function": {"name": "time"}}],
        }
        choice = {"type": "allowed_tools", "allowed_tools": allowed}
        config = translated(tools=[WEATHER, TIME], tool_choice=choice)["toolConfig"]
        assert [tool["toolSpec"]["name"] for tool in config["tools"]] == ["time"]
        assert config["toolChoice"] == {"any": {}}

    def test_none_sends_no_tools(self) -> None:
        assert "toolConfig" not in translated(tools=[WEATHER], tool_choice="none")

    @pytest.mark.parametrize("body", [{}, {"tools": [WEATHER], "tool_choice": "none"}])
    def test_a_history_with_calls_has_a_tool_that_is_none(self, body: Json) -> None:
        request = translated(messages=[USER, called(), result()], **body)
        assert request["toolConfig"] == {"tools": [NO_TOOL]}

    @pytest.mark.parametrize(
        ("choice", "expected"),
        [
            ("auto", {"type": "auto", "disable_parallel_tool_use": True}),
            ("required", {"disable_parallel_tool_use": True}),
        ],
    )
    def test_one_call_at_a_time(self, choice: str, expected: Json) -> None:
        body: Json = {"tools": [WEATHER], "tool_choice": choice, "parallel_tool_calls": False}
        assert translated(**body)["additionalModelRequestFields"]["tool_choice"] == expected
        assert "additionalModelRequestFields" not in translated("openai.gpt-oss-120b-1:0", **body)
        assert "additionalModelRequestFields" not in translated(parallel_tool_calls=False)


class TestParameters:
    def test_the_output_limit(self) -> None:
        assert translated()["inferenceConfig"] == {"maxTokens": 4000}
        assert translated(max_tokens=9)["inferenceConfig"] == {"maxTokens": 9}
        assert translated(max_tokens=9, max_completion_tokens=8)["inferenceConfig"] == {
            "maxTokens": 8
        }

    def test_sampling(self) -> None:
        nova = "amazon.nova-pro-v1:0"
        both: Json = {"temperature": 1.7, "top_p": 0.5}
        assert translated(nova, **both)["inferenceConfig"] == {
            "maxTokens": 4000,
            "temperature": 1.0,
            "topP": 0.5,
        }
        assert "topP" not in translated(**both)["inferenceConfig"]
        assert translated(top_p=0.5)["inferenceConfig"]["topP"] == 0.5
        assert "topP" not in translated(top_p=1)["inferenceConfig"]

    def test_stop(self) -> None:
        assert translated(stop="a")["inferenceConfig"]["stopSequences"] == ["a"]
        assert translated(stop=["a", "b"])["inferenceConfig"]["stopSequences"] == ["a", "b"]

    def test_json_schema_is_the_providers_structured_output(self) -> None:
        schema = {"type": "object", "properties": {}, "additionalProperties": False}
        wanted = {"name": "answer", "description": "d", "schema": schema, "strict": True}
        request = translated(response_format={"type": "json_schema", "json_schema": wanted})
        definition = request["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
        assert json.loads(definition.pop("schema")) == schema
        assert definition == {"name": "answer", "description": "d"}

    def test_a_claude_without_structured_output_is_told_the_schema_in_words(self) -> None:
        schema = {"type": "object", "properties": {}, "additionalProperties": False}
        wanted = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
        request = translated("anthropic.claude-opus-4-20250514-v1:0", response_format=wanted)
        assert "outputConfig" not in request
        assert json.dumps(schema) in request["messages"][-1]["content"][-1]["text"]

    def test_json_object_is_asked_for_in_words(self) -> None:
        request = translated(response_format={"type": "json_object"})
        assert "JSON object" in request["messages"][-1]["content"][-1]["text"]
        assert len(translated(response_format={"type": "text"})["messages"][-1]["content"]) == 1

    @pytest.mark.parametrize("name", ["seed", "logit_bias", "user", "store", "frequency_penalty"])
    def test_what_converse_has_no_place_for_is_not_sent_and_told(self, name: str) -> None:
        assert translated(**{name: "x"}) == translated()
        assert told_left_out(**{name: "x"}) == {name}

    @pytest.mark.parametrize(
        ("body", "told"),
        [
            ({"temperature": 0.5, "top_p": 0.5}, {"top_p"}),
            ({"temperature": 0.5, "reasoning_effort": "high", "max_tokens": 4000}, {"temperature"}),
            ({"reasoning_effort": "high", "max_tokens": 9}, {"reasoning_effort"}),
            ({"top_p": 1, "reasoning_effort": "none", "min_p": 0.1}, {"min_p"}),
        ],
    )
    def test_what_is_not_sent_is_told(self, body: Json, told: set[str]) -> None:
        assert told_left_out(**body) == told
