"""Converse's answers and events, field by field."""

import pytest

from losi.catalogue.models import Route
from losi.errors import UpstreamError
from losi.metering.usage import HOUR_WRITES
from losi.upstream.bedrock import shapes
from losi.upstream.bedrock.response import StreamState, completion, usage
from losi.upstream.format import UpstreamCall
from tests.catalogue import PROVIDERS
from tests.loose import Json

BODY: Json = {"model": "m", "messages": []}
CALL = UpstreamCall(BODY, Route(provider=PROVIDERS["bedrock"], model="m"), "r1")
USE: Json = {"toolUse": {"toolUseId": "t", "name": "f", "input": {"city": "Köln"}}}


def answered(*blocks: Json, reason: str = "end_turn", **more: Json) -> Json:
    output = {"message": {"content": [*blocks]}}
    return completion(shapes.answer({"output": output, "stopReason": reason, **more}), CALL)


def message(*blocks: Json) -> Json:
    found: Json = answered(*blocks)["choices"][0]["message"]
    return found


def streamed(*events: Json) -> list[Json]:
    state = StreamState(CALL)
    return [chunk for event in events for chunk in state.chunks(shapes.event(event))]


def delta(index: int, **said: object) -> Json:
    return {"contentBlockDelta": {"contentBlockIndex": index, "delta": said}}


class TestAnswers:
    def test_one_is_a_completion(self) -> None:
        found = answered({"text": "Hi"}, usage={"inputTokens": 3, "outputTokens": 4})

        assert found.pop("created") > 1_700_000_000
        assert found == {
            "id": "chatcmpl-r1",
            "object": "chat.completion",
            "model": "m",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": "Hi", "refusal": None},
                    "finish_reason": "stop",
                    "logprobs": None,
                }
            ],
            "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
        }
        assert "usage" not in answered({"text": "Hi"})

    def test_texts_are_joined_and_citations_are_texts(self) -> None:
        cited = {"citationsContent": {"content": [{"text": "b"}, {}, {"text": "c"}]}}
        assert message({"text": "a"}, cited, {"citationsContent": {}})["content"] == "abc"
        assert message({}, {"image": {}})["content"] == ""

    def test_a_call_is_written_as_openai_writes_it(self) -> None:
        function = {"name": "f", "arguments": '{"city":"Köln"}'}
        call = {"id": "t", "type": "function", "function": function}
        assert message(USE) == {
            "role": "assistant",
            "content": None,
            "refusal": None,
            "tool_calls": [call],
        }
        bare = {"toolUse": {**USE["toolUse"], "input": None}}
        assert message(bare)["tool_calls"][0]["function"]["arguments"] == "{}"

    def test_thoughts_keep_their_signature_and_their_place(self) -> None:
        signed = {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "s"}}}
        bare = {"reasoningContent": {"reasoningText": {"text": "So."}}}
        hidden = {"reasoningContent": {"redactedContent": b"\x00\xff"}}

        found = message(signed, {"text": "ab"}, USE, bare, hidden)

        assert found["reasoning_content"] == "Hm.So."
        place = {"after_text": 2, "after_calls": 1}
        assert found["thinking_blocks"] == [
            {"type": "thinking", "thinking": "Hm.", "signature": "s"},
            {"type": "thinking", "thinking": "So.", "signature": "", **place},
            {"type": "redacted_thinking", "data": "AP8=", **place},
        ]

    def test_a_thought_of_neither_kind_is_malformed(self) -> None:
        with pytest.raises(UpstreamError) as caught:
            message({"reasoningContent": {}})
        assert caught.value.code == "upstream_malformed"

    def test_a_reason_that_is_yet_to_come_is_a_stop(self) -> None:
        assert answered({"text": "a"}, reason="new")["choices"][0]["finish_reason"] == "stop"


class TestUsage:
    def test_the_parts_of_the_input_are_one_prompt(self) -> None:
        told = {
            "inputTokens": 3,
            "cacheReadInputTokens": 100,
            "cacheWriteInputTokens": 20,
            "outputTokens": 7,
        }
        assert usage(told) == {
            "prompt_tokens": 123,
            "completion_tokens": 7,
            "total_tokens": 130,
            "prompt_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 20},
        }

    def test_what_it_did_not_count_is_not_there(self) -> None:
        told = {"inputTokens": 3, "outputTokens": 7, "cacheReadInputTokens": 0}
        found = usage({**told, "cacheWriteInputTokens": None})
        assert found and found["prompt_tokens_details"] == {"cached_tokens": 0}

    def test_what_was_written_for_an_hour_is_known(self) -> None:
        """https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CacheDetail.html"""
        rows = [
            {"ttl": "1h", "inputTokens": 5},
            {"ttl": "5m", "inputTokens": 6},
            {"ttl": "1h"},
            "?",
        ]
        told = {"inputTokens": 1, "outputTokens": 1, "cacheWriteInputTokens": 11}
        found = usage({**told, "cacheDetails": rows})
        assert found and found["prompt_tokens_details"][HOUR_WRITES] == 5

    @pytest.mark.parametrize("nothing", [None, [], {}, {"outputTokens": 1}, {"inputTokens": 1}])
    def test_no_figures_are_not_zero(self, nothing: object) -> None:
        assert usage(nothing) is None


class TestEvents:
    def test_a_chunk_names_its_answer_and_the_first_its_role(self) -> None:
        first, second, last = streamed(
            delta(0, text="a"), delta(0, text="b"), {"messageStop": {"stopReason": "max_tokens"}}
        )

        assert first.pop("created") > 1_700_000_000
        choice = {"index": 0, "finish_reason": None, "logprobs": None}
        assert first == {
            "id": "chatcmpl-r1",
            "object": "chat.completion.chunk",
            "model": "m",
            "choices": [{**choice, "delta": {"role": "assistant", "content": "a"}}],
        }
        assert second["choices"] == [{**choice, "delta": {"content": "b"}}]
        assert last["choices"] == [{**choice, "delta": {}, "finish_reason": "length"}]

    def test_what_says_nothing_is_no_chunk(self) -> None:
        start = {"contentBlockIndex": 1, "start": {}}
        assert not streamed(
            {"messageStart": {"role": "assistant"}},
            delta(0, text=""),
            {"contentBlockStart": start},
            {"contentBlockStop": {"contentBlockIndex": 1}},
            {"metadata": {}},
            {"metadata": {"usage": {}}},
            delta(2, reasoningContent={"signature": "s"}),
        )

    def test_calls_are_counted_among_themselves_and_have_arguments(self) -> None:
        def start(index: int, name: str) -> Json:
            use = {"toolUseId": name, "name": name}
            return {"contentBlockStart": {"contentBlockIndex": index, "start": {"toolUse": use}}}

        chunks = streamed(
            start(1, "f"),
            delta(1, toolUse={"input": ""}),
            {"contentBlockStop": {"contentBlockIndex": 1}},
            start(3, "g"),
            delta(3, toolUse={"input": '{"a"'}),
            delta(3, toolUse={"input": ":1}"}),
            {"contentBlockStop": {"contentBlockIndex": 3}},
        )

        calls = [chunk["choices"][0]["delta"]["tool_calls"][0] for chunk in chunks]
        opened = {"type": "function"}
        assert calls == [
            {"index": 0, "id": "f", **opened, "function": {"name": "f", "arguments": ""}},
            {"index": 0, "function": {"arguments": "{}"}},
            {"index": 1, "id": "g", **opened, "function": {"name": "g", "arguments": ""}},
            {"index": 1, "function": {"arguments": '{"a"'}},
            {"index": 1, "function": {"arguments": ":1}"}},
        ]

    def test_thoughts_come_whole_at_the_end_with_their_place(self) -> None:
        *said, last = streamed(
            delta(0, reasoningContent={"text": "Hm"}),
            delta(0, reasoningContent={"text": "."}),
            delta(0, reasoningContent={"signature": "s"}),
            delta(1, text="abc"),
            delta(2, reasoningContent={"redactedContent": b"\x00"}),
            {"messageStop": {"stopReason": "end_turn"}},
        )

        thoughts = [chunk["choices"][0]["delta"].get("reasoning_content") for chunk in said]
        assert thoughts == ["Hm", ".", None]
        assert last["choices"][0]["delta"] == {
            "thinking_blocks": [
                {"type": "thinking", "thinking": "Hm.", "signature": "s"},
                {"type": "redacted_thinking", "data": "AA==", "after_text": 3},
            ]
        }

    def test_usage_is_a_chunk_of_its_own(self) -> None:
        [chunk] = streamed({"metadata": {"usage": {"inputTokens": 1, "outputTokens": 2}}})
        assert (chunk["choices"], chunk["usage"]["total_tokens"]) == ([], 3)

    @pytest.mark.parametrize(
        ("reason", "code"),
        [
            (None, "upstream_incomplete"),
            ("malformed_model_output", "upstream_malformed"),
            ("malformed_tool_use", "upstream_malformed"),
        ],
    )
    def test_a_stream_that_is_not_whole_does_not_end(self, reason: str | None, code: str) -> None:
        state = StreamState(CALL)
        if reason:
            assert state.chunks(shapes.event({"messageStop": {"stopReason": reason}})) == []
        with pytest.raises(UpstreamError) as caught:
            state.end()
        assert caught.value.code == code
