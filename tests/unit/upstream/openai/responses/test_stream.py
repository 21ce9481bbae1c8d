"""Each event of OpenAI's Responses API, and the chunks that are made of it."""

from typing import Any

import pytest

from losi.errors import InvalidRequestError, UpstreamError
from losi.upstream.openai.responses.stream import StreamState
from tests.loose import Json

TOKEN = {"token": "Hi", "logprob": -0.1, "bytes": None, "top_logprobs": []}
CALL = {"type": "function_call", "call_id": "call_1", "name": "get_weather"}
CUSTOM = {"type": "custom_tool_call", "call_id": "call_2", "name": "run"}
USAGE: Json = {"input_tokens": 20, "output_tokens": 10}
TOLD_USAGE: Json = {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30}
HEAD: Json = {
    "id": "resp_1",
    "object": "chat.completion.chunk",
    "created": 1_700_000_000,
    "model": "gpt-6.1-sol",
}


def created() -> StreamState:
    state = StreamState("OpenAI")
    response = {"id": "resp_1", "created_at": 1_700_000_000.0, "model": "gpt-6.1-sol"}
    assert state.feed({"type": "response.created", "response": response}) == []
    return state


def deltas(*events: Any) -> list[Any]:
    """What is said after the role, which only the first chunk has."""
    state = created()
    chunks = [chunk for event in events for chunk in state.feed(event)]
    told = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    assert ["role" in delta for delta in told] == [True, *[False] * len(told)][: len(told)]
    return [{name: value for name, value in d.items() if name != "role"} for d in told]


def event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", **fields}


def added(item: Any, index: int = 0) -> Any:
    return event("output_item.added", output_index=index, item=item)


def done(item: Any, index: int = 0) -> Any:
    return event("output_item.done", output_index=index, item=item)


def test_a_whole_stream_chunk_by_chunk() -> None:
    state = created()

    [first] = state.feed(event("output_text.delta", delta="Hi", logprobs=[TOKEN]))
    [second] = state.feed(event("output_text.delta", delta="!", logprobs=[]))
    assert not state.finished
    ended = {"usage": USAGE, "service_tier": "flex", "error": None}
    last, usage = state.feed(event("completed", response=ended))

    assert state.finished
    choice = {"index": 0, "finish_reason": None}
    logprobs = {"content": [TOKEN], "refusal": None}
    delta = {"role": "assistant", "content": "Hi"}
    assert first == {**HEAD, "choices": [{**choice, "delta": delta, "logprobs": logprobs}]}
    assert second == {
        **HEAD,
        "choices": [{**choice, "delta": {"content": "!"}, "logprobs": None}],
    }
    assert last == {
        **HEAD,
        "service_tier": "flex",
        "choices": [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}],
    }
    assert usage == {**HEAD, "service_tier": "flex", "choices": [], "usage": TOLD_USAGE}


def test_without_figures_and_a_tier_the_last_chunk_is_the_one_with_the_reason() -> None:
    cut = {"incomplete_details": {"reason": "max_output_tokens"}}

    [last] = created().feed(event("incomplete", response=cut))

    assert last["choices"][0]["finish_reason"] == "length"
    assert last.keys() == {*HEAD, "choices"}


def test_parts_of_a_summary_stand_in_paragraphs_of_their_own() -> None:
    part = event("reasoning_summary_part.added", summary_index=0)
    words = [event("reasoning_summary_text.delta", delta=text) for text in ("One.", "Two.")]

    told = deltas(part, words[0], part, words[1], part)

    assert told == [{"reasoning_content": text} for text in ("One.", "\n\n", "Two.", "\n\n")]


def test_a_refusal_is_a_refusal() -> None:
    assert deltas(event("refusal.delta", delta="No.")) == [{"refusal": "No."}]


@pytest.mark.parametrize(
    ("item", "field", "pieces"),
    [(CALL, "arguments", "function_call_arguments"), (CUSTOM, "input", "custom_tool_call_input")],
)
def test_a_call_begins_with_its_name_and_goes_on_under_its_index(
    item: Any, field: str, pieces: str
) -> None:
    kind = "function" if item is CALL else "custom"
    whole = {**item, field: "12345"}

    told = deltas(
        added({"type": "reasoning"}, 0),
        added(CALL, 1),
        added(item, 2),
        event(f"{pieces}.delta", output_index=2, delta="123"),
        event(f"{pieces}.delta", output_index=2, delta=""),
        done(whole, 2),
    )

    head = {"index": 1, "id": item["call_id"], "type": kind}
    assert [delta["tool_calls"] for delta in told[1:]] == [
        [{**head, kind: {"name": item["name"], field: ""}}],
        [{"index": 1, kind: {field: "123"}}],
        [{"index": 1, kind: {field: "45"}}],  # what no delta brought
    ]


def test_calls_of_an_upstream_that_numbers_nothing() -> None:
    """Events without an `output_index` belong to the call that came last."""
    told = deltas(
        event("output_item.added", item=CALL),
        event("function_call_arguments.delta", delta="{}"),
        event("output_item.done", item={**CALL, "arguments": "{}"}),
    )

    assert [delta["tool_calls"][0]["function"].get("arguments") for delta in told] == ["", "{}"]


@pytest.mark.parametrize("item", [CALL, {**CALL, "arguments": None}, CUSTOM])
def test_a_call_without_arguments_brings_no_more_at_its_end(item: Any) -> None:
    assert len(deltas(added(item), done(item))) == 1


def test_an_item_that_no_event_began_and_one_of_another_kind_end_unheard() -> None:
    spoken = {"type": "message", "content": []}

    assert deltas(done(CALL), done(spoken), added(CALL, 1), done(spoken, 1))[1:] == []


@pytest.mark.parametrize(
    ("thought", "told"),
    [
        ({"encrypted_content": "gAAAA"}, [{"encrypted_content": "gAAAA", "summary": []}]),
        ({"encrypted_content": None}, []),
        ({}, []),
    ],
)
def test_a_thought_can_be_sent_back_where_it_is_encrypted(thought: Any, told: list[Any]) -> None:
    told_deltas = deltas(done({"type": "reasoning", **thought}))

    head = {"type": "reasoning", "model": "gpt-6.1-sol"}
    assert told_deltas == [{"thinking_blocks": [{**head, **block}]} for block in told]


def test_an_answer_with_a_call_ends_for_the_call() -> None:
    state = created()
    state.feed(added(CALL))

    [last] = state.feed(event("completed", response={}))

    assert last["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("kind", ["completed", "incomplete"])
def test_an_end_with_an_error_is_a_failure(kind: str) -> None:
    state = created()

    with pytest.raises(InvalidRequestError):
        state.feed(event(kind, response={"error": {"code": "invalid_prompt", "message": "x"}}))

    assert not state.finished


def test_content_before_the_beginning_is_malformed() -> None:
    with pytest.raises(UpstreamError) as caught:
        StreamState("OpenAI").feed(event("output_text.delta", delta="Hi"))

    assert caught.value.code == "upstream_malformed"


def test_figures_of_a_failed_run_are_told_with_or_without_a_beginning() -> None:
    failed = event("failed", response={"error": {}, "usage": USAGE})

    assert created().usage_chunks(failed) == [{**HEAD, "choices": [], "usage": TOLD_USAGE}]
    assert StreamState("OpenAI").usage_chunks(failed) == [{"choices": [], "usage": TOLD_USAGE}]


@pytest.mark.parametrize("told", [{}, {"response": None}, {"response": {"usage": {}}}])
def test_an_event_without_figures_has_no_chunk_of_them(told: Any) -> None:
    assert created().usage_chunks(told) == []
