"""Chunks as they leave us: repaired where SDKs would break, otherwise as the provider sent them."""

from dataclasses import replace
from typing import Any

import pytest

from losi.chat.chunks import ChunkStream, TokenBounds, completion_usage, public_completion
from losi.metering.usage import Usage
from losi.upstream.batch import TextRun
from tests.loose import Json, loose


def stream(*, include_usage: bool = False) -> ChunkStream:
    return ChunkStream(
        "chatcmpl-1", 1700000000, "gpt-4o", include_usage=include_usage, bounds=TokenBounds(7)
    )


def chunk(delta: Json, **fields: Any) -> Json:
    choice = {"index": 0, "delta": delta, "finish_reason": None}
    return {"id": "upstream", "created": 1, "model": "gpt-4o-2024", "choices": [choice], **fields}


def deltas(relay: ChunkStream, *sent: Json) -> list[Json]:
    public = [relay.public(chunk(delta)) for delta in sent]
    return [one["choices"][0]["delta"] for one in public if one is not None]


def test_every_chunk_carries_our_id_time_and_the_public_model() -> None:
    public = stream().public(chunk({"content": "Hi"}))

    assert public is not None
    assert (public["id"], public["created"], public["model"]) == (
        "chatcmpl-1",
        1700000000,
        "gpt-4o",
    )
    assert public["object"] == "chat.completion.chunk"


def test_fields_we_do_not_know_pass_through() -> None:
    public = stream().public(chunk({"content": "Hi", "annotations": [1]}, obfuscation="xyz"))

    assert public is not None
    assert public["obfuscation"] == "xyz"
    assert loose(public)["choices"][0]["delta"]["annotations"] == [1]


def test_a_role_that_the_provider_repeats_is_sent_once() -> None:
    sent = deltas(
        stream(), {"role": "assistant", "content": ""}, {"role": "assistant", "content": "a"}
    )

    assert sent == [{"role": "assistant", "content": ""}, {"content": "a"}]


def test_a_role_that_the_provider_forgot_is_in_the_first_delta() -> None:
    assert deltas(stream(), {"content": "a"})[0]["role"] == "assistant"


def test_usage_is_stripped_when_the_caller_did_not_ask() -> None:
    relay = stream()

    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    with_text = relay.public(chunk({"content": "a"}, usage=None))
    alone = relay.public({"choices": [], "usage": loose(usage)})

    assert with_text is not None and "usage" not in with_text
    assert alone is None
    assert relay.usage == Usage(3, 4)


def test_usage_is_null_on_every_chunk_when_the_caller_asked() -> None:
    public = stream(include_usage=True).public(chunk({"content": "a"}))

    assert public is not None and public["usage"] is None


def test_the_last_of_several_cumulative_figures_stands() -> None:
    relay = stream()
    for tokens in (1, 5, 9):
        usage = {"prompt_tokens": 2, "completion_tokens": tokens}
        relay.public(chunk({"content": "a"}, usage=usage))

    assert relay.usage == Usage(2, 9)
    assert relay.usage_chunk()["choices"] == []
    assert loose(relay.usage_chunk())["usage"]["completion_tokens"] == 9


@pytest.mark.parametrize(
    "later",
    [
        {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5},
        {"prompt_tokens": 0, "completion_tokens": 9},
        {"prompt_tokens": 2, "completion_tokens": 0, "total_tokens": 2},
        {"prompt_tokens": None, "completion_tokens": 1},
        {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        None,
    ],
)
def test_figures_never_fall(later: Any) -> None:
    relay = stream()
    whole = {"prompt_tokens": 2, "completion_tokens": 9, "total_tokens": 11}
    relay.public(chunk({"content": "a"}, usage=whole))
    relay.public(chunk({"content": "b"}, usage=later))

    assert relay.usage == Usage(2, 9)


def test_without_figures_the_usage_is_an_estimate_and_says_so() -> None:
    relay = stream()
    relay.public(chunk({"content": "12345678"}))

    assert relay.usage == Usage(7, 2, estimated=True)


def test_figures_of_zero_are_no_figures() -> None:
    zero = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    relay = stream()
    relay.public(loose({**chunk({"content": "12345678"}), "usage": zero}))

    assert relay.usage == Usage(7, 2, estimated=True)
    answer = {"choices": [{"message": {"content": "12345678"}}], "usage": zero}
    assert completion_usage(loose(answer), TokenBounds(7)) == Usage(7, 2, estimated=True)


def test_figures_of_zero_say_that_nothing_was_produced() -> None:
    relay = stream()

    relay.public(chunk({"content": ""}, usage={"prompt_tokens": 0, "completion_tokens": 0}))

    assert not relay.produced


def test_nothing_is_owed_before_something_was_produced() -> None:
    relay = stream()
    relay.public(chunk({"role": "assistant", "content": ""}))

    assert not relay.produced


def test_choices_keep_their_own_state() -> None:
    relay = stream()
    for index in (0, 1):
        public = relay.public({"choices": [{"index": index, "delta": {"content": "a"}}]})
        assert public is not None
        assert public["choices"][0]["delta"]["role"] == "assistant"


def test_a_plain_answer_gets_what_the_sdk_types_require() -> None:
    answer = {"id": "x", "choices": [{"message": {"content": "Hi"}}], "provider_field": 1}

    public = public_completion(loose(answer), "chatcmpl-1", 1700000000, "gpt-4o")

    assert public["choices"][0] == {
        "index": 0,
        "finish_reason": "stop",
        "logprobs": None,
        "message": {"role": "assistant", "content": "Hi", "refusal": None},
    }
    assert loose(public)["provider_field"] == 1
    assert (public["id"], public["object"]) == ("chatcmpl-1", "chat.completion")
    assert (public["created"], public["model"]) == (1700000000, "gpt-4o")


@pytest.mark.parametrize("name", ["tool_calls", "function_call", "audio"])
def test_what_the_sdks_type_as_absent_is_never_null(name: str) -> None:
    for given, expected in ((None, set()), ([], {name}), ({"a": 1}, {name})):
        answer: Json = {"choices": [{"message": {name: given}, "finish_reason": "length"}]}

        choice = public_completion(answer, "chatcmpl-1", 1, "gpt-4o")["choices"][0]

        assert choice["message"].keys() - {"role", "content", "refusal"} == expected
        assert choice["finish_reason"] == "length"


def run(text: str, like: Json) -> TextRun:
    return TextRun(like, [text.encode()], len(text))


def test_runs_of_text_add_up_with_what_came_before() -> None:
    relay = stream()
    like = chunk({"content": "x"})
    other = chunk({"content": "y"})

    relay.batch([chunk({"content": "1234"}), run("12345678", like), run("1234", like)])
    sent = relay.batch([run("5678", other), chunk({"content": "1234"})])

    assert relay.usage == Usage(7, 6, estimated=True)
    assert isinstance(sent[0], TextRun)
    assert sent[0].like["id"] == "chatcmpl-1"


@pytest.mark.parametrize(("prompts", "usage"), [(1, Usage(7, 2)), (2, Usage(14, 3))])
def test_each_call_of_several_is_estimated_by_itself(prompts: int, usage: Usage) -> None:
    relay = ChunkStream(
        "chatcmpl-1", 1, "gpt-4o", include_usage=False, bounds=TokenBounds(7), prompts=prompts
    )
    for index in (0, 1):
        like: Json = {
            **chunk({"content": ""}),
            "choices": [{"index": index, "delta": {"content": ""}}],
        }
        relay.batch([run(("12", "12345")[index], like)])

    assert relay.usage == replace(usage, estimated=True)
    assert relay.broken_off_usage == relay.usage
    assert relay.produced


def test_figures_of_the_whole_answer_are_believed_up_to_the_bounds_of_all_calls() -> None:
    bounds = TokenBounds(7, most_input=10, most_output=20)
    relay = ChunkStream("chatcmpl-1", 1, "gpt-4o", include_usage=False, bounds=bounds, prompts=2)

    relay.public({"choices": [], "usage": {"prompt_tokens": 25, "completion_tokens": 35}})

    assert relay.usage == relay.broken_off_usage == Usage(20, 35)


def test_only_calls_that_said_something_are_owed_after_a_break() -> None:
    relay = ChunkStream(
        "chatcmpl-1", 1, "gpt-4o", include_usage=False, bounds=TokenBounds(7), prompts=3
    )
    relay.public({"choices": [{"index": 1, "delta": {"content": "1234"}}]})

    assert relay.broken_off_usage == Usage(7, 1, estimated=True)
    assert relay.usage == Usage(21, 1, estimated=True)


def test_what_was_written_is_estimated_where_the_provider_reported_only_what_it_read() -> None:
    relay = stream()
    relay.public(chunk({"content": "12345678"}, usage={"prompt_tokens": 3, "completion_tokens": 0}))

    assert relay.usage == Usage(3, 2, estimated=True)


@pytest.mark.parametrize(
    ("theirs", "calls", "expected"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 20}, 1, Usage(10, 20)),
        ({"prompt_tokens": 11, "completion_tokens": 21}, 1, Usage(10, 20)),
        ({"prompt_tokens": 20, "completion_tokens": 40}, 2, Usage(20, 40)),
        ({"prompt_tokens": 0, "completion_tokens": 0}, 1, None),
        (None, 1, None),
    ],
)
def test_figures_are_believed_as_far_as_they_can_be(
    theirs: Any, calls: int, expected: Usage | None
) -> None:
    usage = TokenBounds(7, most_input=10, most_output=20).reported(theirs, calls)

    assert (usage and (usage.input_tokens, usage.output_tokens)) == (
        expected and (expected.input_tokens, expected.output_tokens)
    )


def test_an_answer_of_several_calls_has_their_sum() -> None:
    answer: Json = {
        "choices": [{"message": {"content": "1234"}}, {"message": {"content": "12345678"}}],
        "usages": [{"prompt_tokens": 3, "completion_tokens": 4}, None],
    }

    assert completion_usage(answer, TokenBounds(7)) == Usage(10, 6, estimated=True)
    assert "usages" not in answer


@pytest.mark.parametrize(
    "garbage",
    [
        {"service_tier": []},
        {"choices": [{"index": None, "message": {"tool_calls": 5}, "finish_reason": {}}]},
        {"choices": [{"index": [], "message": {"function_call": []}}]},
    ],
)
def test_fields_of_the_wrong_type_break_nothing(garbage: Any) -> None:
    answer = {"choices": [{"message": {"content": "x"}}], **garbage}

    assert completion_usage(loose(answer), TokenBounds(7)).input_tokens == 7
    assert public_completion(loose(answer), "chatcmpl-1", 1, "gpt-4o")["choices"][0]["index"] == 0


@pytest.mark.parametrize("index", [None, "0", []])
def test_a_choice_without_a_number_is_numbered(index: Any) -> None:
    choice = {"index": index, "delta": {"content": "a"}, "finish_reason": None}

    public = stream().public({"choices": [loose(choice)]})

    assert public is not None
    assert public["choices"][0]["index"] == 0


def test_a_plain_answer_without_usage_is_estimated() -> None:
    answer = {"choices": [{"message": {"content": "12345678"}}]}

    assert completion_usage(loose(answer), TokenBounds(7)) == Usage(7, 2, estimated=True)


def test_a_choice_without_finish_reason_gets_none() -> None:
    public = stream().public({"choices": [{"index": 0, "delta": {"content": "a"}}]})

    assert public is not None
    assert public["choices"][0]["finish_reason"] is None  # SDKs type it as required


COUNTED = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
WORDS: list[tuple[list[Json], Json]] = [
    ([{"system_fingerprint": "fp_1"}, {}], {"system_fingerprint": "fp_1"}),
    ([{"system_fingerprint": "a"}, {"system_fingerprint": "b"}], {"system_fingerprint": "b"}),
    ([{}, {"service_tier": "default"}], {"service_tier": "default"}),
    ([{"service_tier": "auto"}, {"service_tier": "flex"}], {"service_tier": "flex"}),
    ([{"obfuscation": "abc"}, {"obfuscation": "xyz"}], {"obfuscation": "xyz"}),
    ([{"obfuscation": "abc"}, {}], {}),
    ([{"system_fingerprint": None}, {}], {"system_fingerprint": None}),
]


@pytest.mark.parametrize(("words", "expected"), WORDS)
def test_the_usage_chunk_says_of_the_answer_what_the_providers_chunks_said(
    words: list[Json], expected: Json
) -> None:
    relay = stream(include_usage=True)
    *chunks, last = words
    for fields in chunks:
        relay.public(chunk({"content": "a"}, **fields))
    relay.public(loose({"choices": [], "usage": COUNTED, **last}))

    said = loose(relay.usage_chunk())

    names = ("system_fingerprint", "service_tier", "obfuscation")
    assert {name: said[name] for name in names if name in said} == expected
    assert said["id"] == "chatcmpl-1"


DETAILS: list[tuple[Json, Json]] = [
    ({}, {}),
    ({"prompt_tokens_details": {}}, {"prompt_tokens_details": {}}),
    ({"prompt_tokens_details": None}, {"prompt_tokens_details": None}),
    (
        {"prompt_tokens_details": {"cached_tokens": 0}},
        {"prompt_tokens_details": {"cached_tokens": 0}},
    ),
    (
        {"prompt_tokens_details": {"cached_tokens": 2, "audio_tokens": 0}},
        {"prompt_tokens_details": {"cached_tokens": 2, "audio_tokens": 0}},
    ),
    (
        {"completion_tokens_details": {"reasoning_tokens": 4}},
        {"completion_tokens_details": {"reasoning_tokens": 4}},
    ),
    ({"cost": 0.5}, {"cost": 0.5}),
]


@pytest.mark.parametrize(("reported", "expected"), DETAILS)
def test_details_that_the_provider_did_not_report_are_not_invented(
    reported: Json, expected: Json
) -> None:
    relay = stream(include_usage=True)
    relay.public({"choices": [], "usage": loose({**COUNTED, **reported})})

    assert relay.usage_chunk()["usage"] == {**COUNTED, **expected}
