"""Answers of providers in OpenAI's types: closed values, texts, usage in its place."""

from typing import Any

import pytest

from losi.upstream.openai.answers import Chunks, completion
from losi.upstream.reading import loads
from tests.loose import Json, loose

CALL = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
#: Words of providers: https://docs.mistral.ai/api,
#: https://docs.together.ai/reference/chat-completions-1,
#: https://ai.google.dev/api/generate-content#FinishReason, and Anthropic's and Cohere's own.
STOPS = (
    *("eos", "eos_token", "end_turn", "stop_sequence", "complete", "completed", "finished"),
    *("end", "done"),
)
LENGTHS = (
    *("model_length", "max_tokens", "max_length", "token_limit", "MAX_TOKENS"),
    "model_context_window_exceeded",
)
FILTERS = (
    *("safety", "refusal", "recitation", "blocklist", "prohibited_content", "spii", "sensitive"),
)
USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}


def chunk(delta: Any, finish: Any = None, **more: Any) -> Json:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish, **more}]}


def read(*chunks: Json, named: bool = False) -> list[Json]:
    """The only choice of each chunk."""
    stream = Chunks(named=named)
    return [stream.read(one)["choices"][0] for one in chunks]


def answer(message: Json, finish: Any = "stop", **more: Any) -> Json:
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return completion({"choices": [choice], **more}, named=False)


def text(choices: list[Json], field: str = "content") -> str:
    return "".join(choice["delta"].get(field) or "" for choice in choices)


@pytest.mark.parametrize(
    "unfinished",
    [None, "", "null", "none", "unspecified", 0, False, {}, [], ["stop", "stop"], [None]],
)
def test_a_word_that_is_no_reason_finishes_nothing(unfinished: Any) -> None:
    stream = Chunks(named=False)
    first = stream.read(chunk({"content": "It "}, unfinished))

    assert first["choices"][0]["finish_reason"] is None
    assert not stream.is_finished
    stream.read(chunk({}, "stop"))
    assert stream.is_finished


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("stop", "stop"),
        ("STOP", "stop"),
        (["stop"], "stop"),
        ("length", "length"),
        ("content_filter", "content_filter"),
        ("function_call", "function_call"),
        *((word, "stop") for word in STOPS),
        *((word, "length") for word in LENGTHS),
        *((word.upper(), "content_filter") for word in FILTERS),
        ("tool_calls", "stop"),  # without a call an agent would wait for ever
        ("tool_use", "stop"),
        ("tool_call", "stop"),
    ],
)
def test_finish_reasons_are_openais(theirs: Any, ours: str) -> None:
    [choice] = read(chunk({"content": "x"}, theirs))

    assert choice["finish_reason"] == ours
    assert answer({"content": "x"}, theirs)["choices"][0]["finish_reason"] == ours


@pytest.mark.parametrize(
    "theirs", ["stop", "STOP", "eos", "tool_calls", "tool_use", "tool_call", "end_turn"]
)
def test_an_answer_with_calls_ends_with_tool_calls(theirs: str) -> None:
    choices = read(chunk({"tool_calls": [dict(CALL)]}), chunk({}, theirs))

    assert choices[-1]["finish_reason"] == "tool_calls"
    whole = answer({"content": None, "tool_calls": [dict(CALL)]}, theirs)
    assert whole["choices"][0]["finish_reason"] == "tool_calls"


def test_a_cut_answer_with_calls_is_cut_and_a_tool_that_was_named_is_a_stop() -> None:
    assert read(chunk({"tool_calls": [CALL]}), chunk({}, "length"))[-1]["finish_reason"] == "length"
    named = read(chunk({"tool_calls": [CALL]}), chunk({}, "stop"), named=True)
    assert named[-1]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "text", "text": "It rains."}],
        [{"type": "text", "text": "It "}, {"type": "text", "text": "rains."}],
        {"type": "text", "text": "It rains."},
        ["It ", "rains."],
        [{"type": "output_text", "text": "It rains."}],
        [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, "It rains."],
        [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "It rains."}],
    ],
)
def test_content_in_parts_is_a_text(content: Any) -> None:
    thought = "thinking" in str(content)

    [choice] = read(chunk({"content": content}))
    whole = answer({"content": content})["choices"][0]["message"]

    for said in (choice["delta"], whole):
        assert said["content"] == "It rains."
        assert said.get("reasoning_content") == ("Hm." if thought else None)


@pytest.mark.parametrize("field", ["content", "reasoning_content", "reasoning", "refusal"])
def test_a_character_in_two_chunks_is_one(field: str) -> None:
    halves = [b'"Hi \\ud83d"', b'"\\ude00 there"']
    chunks = [
        loads(b'{"choices":[{"delta":{"%s":%s}}]}' % (field.encode(), h), pieces=True)
        for h in halves
    ]

    assert text(read(*chunks), field) == "Hi 😀 there"


@pytest.mark.parametrize(
    ("pieces", "whole"),
    [
        ([b'"a\\ud83d"', b'"b"'], "a�b"),
        ([b'"a\\ude00"', b'"b"'], "a�b"),
        ([b'"a\\ud83d"', b'""'], "a�"),
        ([b'"\\ud83d"', b'"\\ude00\\ud83d"', b'"\\ude00"'], "😀😀"),
        ([b'"\xf0\x9f"', b'"b"'], "�b"),
        ([b'"a\\ud83d\\ude00"'], "a😀"),
    ],
)
def test_half_a_character_does_not_end_a_stream(pieces: list[bytes], whole: str) -> None:
    chunks = [loads(b'{"choices":[{"delta":{"content":%s}}]}' % p, pieces=True) for p in pieces]

    said = text(read(*chunks, chunk({}, "stop")))

    assert said == whole
    assert said.encode()


@pytest.mark.parametrize("choices", [None, [], {}, [None], ["x"], "", 0])
def test_a_chunk_that_says_nothing_is_no_fault(choices: Any) -> None:
    stream = Chunks(named=False)

    read = loose(stream.read({"choices": choices, "usage": USAGE}))
    assert read == {"choices": [], "usage": USAGE}
    assert stream.read({"usage": USAGE})["choices"] == []


@pytest.mark.parametrize("delta", [None, [], "x", 5])
def test_a_delta_that_is_no_object_says_nothing(delta: Any) -> None:
    assert read(chunk(delta))[0]["delta"] == {}


@pytest.mark.parametrize(
    "told",
    [
        {"choices": [], "usage": USAGE},
        {"choices": [], "x_groq": {"usage": USAGE}},
        {"choices": [{"index": 0, "delta": {}, "usage": USAGE}]},
        {"choices": [{"index": 0, "delta": {"usage": USAGE}}]},
        {"choices": [], "usage": {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120}},
        {"choices": [], "usage": {name: str(value) for name, value in USAGE.items()}},
        {"choices": [{"index": 0, "delta": {}, "usage": USAGE}], "usage": None},
    ],
)
def test_usage_stands_where_openai_has_it(told: Json) -> None:
    assert Chunks(named=False).read(told)["usage"] == USAGE


def test_a_figure_that_is_no_number_stays_for_who_counts() -> None:
    told: Json = {"choices": [], "usage": {**USAGE, "prompt_tokens": "1e3", "total_tokens": "-"}}

    usage = loose(Chunks(named=False).read(told))["usage"]

    assert (usage["prompt_tokens"], usage["total_tokens"]) == ("1e3", "-")


def test_usage_of_a_plain_answer_too() -> None:
    choice = {"index": 0, "message": {"content": "a"}, "usage": USAGE}

    assert completion({"choices": [choice]}, named=False)["usage"] == USAGE


@pytest.mark.parametrize("tier", ["standard", "", [], {}, 5])
def test_a_tier_that_is_not_openais_is_left_out(tier: Any) -> None:
    assert "service_tier" not in answer({"content": "x"}, service_tier=tier)
    assert answer({"content": "x"}, service_tier="flex")["service_tier"] == "flex"


@pytest.mark.parametrize("tier", ["auto", "default", "flex", "scale", "priority"])
def test_openais_tiers_are_told_also_in_a_stream(tier: str) -> None:
    assert answer({"content": "x"}, service_tier=tier)["service_tier"] == tier
    told = {**chunk({"content": "x"}), "service_tier": tier}
    assert Chunks(named=False).read(told)["service_tier"] == tier
    assert "service_tier" not in Chunks(named=False).read({**told, "service_tier": "turbo"})


def test_a_choice_without_a_number_has_its_place_as_one() -> None:
    stream = Chunks(named=False)
    choices = [{"delta": {"content": "a"}}, {"delta": {"content": "b"}, "index": True}]
    read_ = stream.read({"choices": choices})["choices"]
    assert [choice["index"] for choice in read_] == [0, 1]
    stream.read({"choices": [{"index": 1, "delta": {}, "finish_reason": "stop"}]})
    assert not stream.is_finished
    stream.read({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    assert stream.is_finished
    assert not Chunks(named=False).is_finished


def test_a_function_call_has_arguments_that_are_a_text() -> None:
    """https://platform.openai.com/docs/api-reference/chat/object, `function_call`"""
    called = {"content": None, "function_call": {"name": "f", "arguments": {"a": 1}}}
    bare = {"content": None, "function_call": {"name": "f"}}

    [choice] = answer(called, "function_call")["choices"]
    assert choice["message"]["function_call"]["arguments"] == '{"a": 1}'
    assert choice["finish_reason"] == "function_call"
    assert answer(bare)["choices"][0]["message"]["function_call"]["arguments"] == "{}"
    first, last = read(
        chunk({"function_call": {"name": "f", "arguments": None}}), chunk({}, "stop")
    )
    assert first["delta"]["function_call"] == {"name": "f", "arguments": ""}
    assert last["finish_reason"] == "stop"


def test_thoughts_among_the_parts_follow_those_that_were_told_apart() -> None:
    parts = [{"type": "reasoning", "reasoning": "b"}, {"text": "c"}, 5, {"type": "image"}]
    message = {"content": parts, "reasoning_content": "a"}

    said = answer(message)["choices"][0]["message"]

    assert (said["content"], said["reasoning_content"]) == ("c", "ab")


def test_half_a_character_waits_over_pieces_without_text_and_ends_with_its_stream() -> None:
    first = loads(b'{"choices":[{"delta":{"content":"a\\ud83d"}}]}', pieces=True)
    second = loads(b'{"choices":[{"delta":{"content":"\\ude00"}}]}', pieces=True)

    assert text(read(first, chunk({}), second)) == "a😀"
    first = loads(b'{"choices":[{"delta":{"content":"a\\ud83d"}}]}', pieces=True)
    assert read(first, chunk({}), chunk({}, "stop"))[-1]["delta"]["content"] == "\ufffd"
    last = chunk({"content": "b"}, "stop")
    assert read(last)[0]["delta"] == {"content": "b"}


@pytest.mark.parametrize("delta", [{}, {"content": None}])
@pytest.mark.parametrize("finish", [None, "stop"])
def test_a_piece_without_text_stays_one(delta: Json, finish: str | None) -> None:
    assert read(chunk(dict(delta), finish))[0]["delta"] == delta
    half = loads(b'{"choices":[{"delta":{"content":"\\ud83d"}}]}', pieces=True)
    assert read(half, chunk(dict(delta)))[-1]["delta"] == delta
