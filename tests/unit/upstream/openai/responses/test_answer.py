"""Responses as chat completions, plain and streamed, held against OpenAI's own types."""

from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response

from losi.errors import (
    InvalidRequestError,
    LosiError,
    UpstreamError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from losi.upstream.openai.responses.answer import completion, usage
from losi.upstream.openai.responses.stream import StreamState
from tests.loose import Json

REASONING = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [
        {"type": "summary_text", "text": "Think."},
        {"type": "summary_text", "text": "Go."},
    ],
    "encrypted_content": "gAAAA",
}
MESSAGE: Json = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "Hello!", "annotations": []}],
}
CALL = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "get_weather",
    "arguments": '{"place":"London"}',
    "status": "completed",
}
USAGE = {
    "input_tokens": 20,
    "input_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 2},
    "output_tokens": 10,
    "output_tokens_details": {"reasoning_tokens": 4},
    "total_tokens": 30,
}


def response(*output: Any, **more: Any) -> Any:
    told = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_700_000_000,
        "model": "gpt-6.1-sol",
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "output": list(output),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": USAGE,
        **more,
    }
    Response.model_validate(told, strict=False)
    return told


def read(told: Any) -> Any:
    answer = completion(told, "OpenAI")
    ChatCompletion.model_validate({"id": "c", **answer})
    return answer


def test_a_whole_answer() -> None:
    token: Json = {"token": "Hello!", "logprob": -0.1, "bytes": [72], "top_logprobs": []}
    [text] = MESSAGE["content"]
    spoken = {**MESSAGE, "content": [{**text, "logprobs": [token]}]}

    answer = read(response(spoken, service_tier="flex", usage=None))

    message = {"role": "assistant", "content": "Hello!", "refusal": None}
    choice = {
        "index": 0,
        "message": message,
        "logprobs": {"content": [token], "refusal": None},
        "finish_reason": "stop",
    }
    assert answer == {
        "id": "resp_1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "gpt-6.1-sol",
        "choices": [choice],
        "service_tier": "flex",
    }


def test_what_others_who_speak_this_format_leave_out() -> None:
    call = {"type": "function_call", "call_id": "call_1", "name": "now", "arguments": None}
    custom = {"type": "custom_tool_call", "call_id": "call_2", "name": "run"}
    thoughts = [{"type": "reasoning"}, {"type": "reasoning", "encrypted_content": "g"}]

    answer = completion({"output": [*thoughts, call, custom]}, "OpenAI")

    [choice] = answer["choices"]
    thought = {"type": "reasoning", "model": "None", "encrypted_content": "g", "summary": []}
    assert (answer["created"], choice["logprobs"], "usage" in answer) == (0, None, False)
    assert choice["message"] == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "thinking_blocks": [thought],
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "now", "arguments": ""}},
            {"id": "call_2", "type": "custom", "custom": {"name": "run", "input": ""}},
        ],
    }


def test_texts_and_refusals_are_joined_each() -> None:
    parts = [("text", "Hel"), ("text", "lo!"), ("refusal", "I w"), ("refusal", "ill not.")]
    content = [
        {"type": "output_text", "text": words, "annotations": []}
        if kind == "text"
        else {"type": "refusal", "refusal": words}
        for kind, words in parts
    ]

    [choice] = read(response({**MESSAGE, "content": content}))["choices"]

    assert choice["message"]["content"] == "Hello!"
    assert choice["message"]["refusal"] == "I will not."


@pytest.mark.parametrize(
    ("told", "counted"),
    [
        ({}, None),
        ([], None),
        ({"input_tokens": 2}, None),
        ({"input_tokens": "2", "output_tokens": 1}, None),
        ({"input_tokens": 2, "output_tokens": None}, None),
        (
            {"input_tokens": 2, "output_tokens": 1},
            {"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3},
        ),
        (
            {
                "input_tokens": 2,
                "output_tokens": 1,
                "input_tokens_details": {"cached_tokens": 1},
                "output_tokens_details": {},
            },
            {
                "prompt_tokens": 2,
                "completion_tokens": 1,
                "total_tokens": 3,
                "prompt_tokens_details": {"cached_tokens": 1},
                "completion_tokens_details": {},
            },
        ),
    ],
)
def test_figures_are_told_as_far_as_they_are_known(told: Any, counted: Any) -> None:
    assert usage(told) == counted


def test_text_thought_and_usage() -> None:
    answer = read(response(REASONING, MESSAGE))

    [choice] = answer["choices"]
    assert choice["message"]["content"] == "Hello!"
    assert choice["message"]["reasoning_content"] == "Think.\n\nGo."
    assert choice["message"]["thinking_blocks"] == [
        {
            "type": "reasoning",
            "model": "gpt-6.1-sol",
            "encrypted_content": "gAAAA",
            "summary": REASONING["summary"],
        }
    ]
    assert choice["finish_reason"] == "stop"
    assert answer["usage"] == {
        "prompt_tokens": 20,
        "completion_tokens": 10,
        "total_tokens": 30,
        "prompt_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 2},
        "completion_tokens_details": {"reasoning_tokens": 4},
    }


def test_calls() -> None:
    custom = {"type": "custom_tool_call", "call_id": "call_2", "name": "run", "input": "1 + 1"}

    [choice] = read(response(CALL, custom))["choices"]

    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["tool_calls"] == [
        {
            "id": "call_1",
            "type": "function",
            "function": {"name": "get_weather", "arguments": '{"place":"London"}'},
        },
        {"id": "call_2", "type": "custom", "custom": {"name": "run", "input": "1 + 1"}},
    ]


@pytest.mark.parametrize(
    ("reason", "told"), [("max_output_tokens", "length"), ("content_filter", "content_filter")]
)
def test_why_it_ended(reason: str, told: str) -> None:
    cut = response(MESSAGE, status="incomplete", incomplete_details={"reason": reason})

    assert read(cut)["choices"][0]["finish_reason"] == told


@pytest.mark.parametrize(
    ("code", "kind", "status"),
    [
        ("server_error", UpstreamError, 500),
        ("vector_store_timeout", UpstreamTimeoutError, None),
        ("rate_limit_exceeded", UpstreamUnavailableError, None),
        ("invalid_prompt", InvalidRequestError, None),
        ("invalid_image_format", InvalidRequestError, None),
    ],
)
def test_a_run_that_failed_is_a_200_and_an_error(
    code: str, kind: type[LosiError], status: int | None
) -> None:
    failed = response(status="failed", error={"code": code, "message": "It failed."})

    with pytest.raises(LosiError) as caught:
        read(failed)

    assert type(caught.value) is kind
    if kind is InvalidRequestError:  # our caller's own mistake, in the words of who knows it
        assert (caught.value.code, caught.value.message) == (code, "It failed.")
    if status is not None:
        assert f"status {status}" in caught.value.message


def test_an_upstreams_failure_is_paid_for_as_far_as_it_told_figures() -> None:
    with pytest.raises(UpstreamError) as caught:
        read(response(error={"code": "server_error", "message": "It failed."}))

    assert caught.value.spent == usage(USAGE)


@pytest.mark.parametrize("error", ["It failed.", ["server_error"], 500])
def test_an_error_that_is_no_object_is_malformed(error: Any) -> None:
    with pytest.raises(UpstreamError) as caught:
        completion({**response(MESSAGE), "error": error}, "OpenAI")

    assert caught.value.code == "upstream_malformed"


@pytest.mark.parametrize("told", [{}, {"output": None}, {"output": ["text"]}, {"output": {}}])
def test_what_is_no_response_is_malformed(told: Any) -> None:
    with pytest.raises(UpstreamError) as caught:
        completion(told, "OpenAI")

    assert caught.value.code == "upstream_malformed"


def test_items_and_parts_that_chat_has_no_place_for_are_passed_over() -> None:
    searched = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    of_the_future = [{"type": "of_the_future"}, "text"]
    spoken = {**MESSAGE, "content": [*of_the_future, *MESSAGE["content"]]}

    whole = {**response(MESSAGE), "output": [searched, spoken]}
    begun, *more = events(MESSAGE)
    added = {"type": "response.output_item.added", "output_index": 0, "item": searched}

    [choice] = completion(whole, "OpenAI")["choices"]
    assert choice["message"]["content"] == "Hello!"
    assert joined(stream([begun, added, *more]), "content") == "Hello!"


@pytest.mark.parametrize("kind", ["response.of_the_future", None, ["response.created"]])
def test_events_that_are_yet_to_come_are_passed_over(kind: Any) -> None:
    assert StreamState("OpenAI").feed({"type": kind}) == []


def events(*output: Any, end: str = "response.completed", **more: Any) -> list[Any]:
    """In the order of OpenAI's types/responses: nothing but the last event says how it went."""
    told: list[Any] = [{"type": "response.created", "response": response(usage=None)}]
    for index, item in enumerate(output):
        place = {"output_index": index, "item_id": item["id"]}
        begun = {**item, "arguments": ""} if "arguments" in item else {**item, "content": []}
        told.append({"type": "response.output_item.added", **place, "item": begun})
        if item["type"] == "message":
            for word in ("Hel", "lo!"):
                told.append({"type": "response.output_text.delta", **place, "delta": word})
        if item["type"] == "reasoning":
            for number, part in enumerate(item["summary"]):
                added = {"type": "response.reasoning_summary_part.added", "summary_index": number}
                told += [
                    {**added, **place},
                    {
                        "type": "response.reasoning_summary_text.delta",
                        **place,
                        "delta": part["text"],
                    },
                ]
        if item["type"] == "function_call":
            for piece in (item["arguments"][:5], item["arguments"][5:]):
                told.append(
                    {"type": "response.function_call_arguments.delta", **place, "delta": piece}
                )
        told.append({"type": "response.output_item.done", **place, "item": item})
    return [*told, {"type": end, "response": response(*output, **more)}]


def stream(told: list[Any]) -> list[Any]:
    state = StreamState("OpenAI")
    chunks = [chunk for event in told for chunk in state.feed(event)]
    assert state.finished
    for chunk in chunks:
        whole = {"id": "c", "created": 0, "model": "m", "object": "chat.completion.chunk", **chunk}
        ChatCompletionChunk.model_validate(whole)
    return chunks


def joined(chunks: list[Any], name: str) -> str:
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    return "".join(delta.get(name) or "" for delta in deltas)


def test_a_stream_says_the_same() -> None:
    chunks = stream(events(REASONING, MESSAGE))

    assert joined(chunks, "content") == "Hello!"
    assert joined(chunks, "reasoning_content") == "Think.\n\nGo."
    [blocks] = [
        choice["delta"]["thinking_blocks"]
        for chunk in chunks
        for choice in chunk["choices"]
        if "thinking_blocks" in choice["delta"]
    ]
    assert blocks[0]["encrypted_content"] == "gAAAA"
    *_, last, usage = chunks
    assert last["choices"][0]["finish_reason"] == "stop"
    assert usage["usage"]["completion_tokens"] == 10


def test_calls_have_indexes_of_their_own_and_their_arguments_once() -> None:
    other = {**CALL, "id": "fc_2", "call_id": "call_2"}
    told = events(REASONING, CALL, other)
    silent = [event for event in told if "arguments.delta" not in event["type"]]

    for heard in (told, silent):  # some say the arguments only when they are complete
        calls: dict[int, str] = {}
        for chunk in stream(heard):
            for choice in chunk["choices"]:
                for call in choice["delta"].get("tool_calls", ()):
                    calls[call["index"]] = (
                        calls.get(call["index"], "") + call["function"]["arguments"]
                    )
        assert calls == {0: CALL["arguments"], 1: CALL["arguments"]}


def test_a_stream_that_failed_raises() -> None:
    with pytest.raises(UpstreamUnavailableError):
        stream(events(end="response.failed", error={"code": "rate_limit_exceeded", "message": "x"}))
    with pytest.raises(InvalidRequestError):
        stream([{"type": "error", "code": "invalid_prompt", "message": "x", "param": None}])


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.output_text.delta"},
        {"type": "response.output_text.delta", "delta": 1},
        {"type": "response.output_item.added", "item": None},
        {"type": "response.function_call_arguments.delta", "output_index": 9, "delta": "{"},
        {"type": "response.completed"},
        {"type": "response.output_item.added", "item": {"type": "function_call", "name": "f"}},
        {"type": "response.output_item.done", "item": "a call"},
    ],
)
def test_events_of_another_shape_are_malformed(event: Any) -> None:
    with pytest.raises(UpstreamError) as caught:
        stream([event])

    assert caught.value.code == "upstream_malformed"
