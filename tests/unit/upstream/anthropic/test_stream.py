"""Each event of Anthropic's stream, and the chunks that are made of it."""

from typing import Any

import pytest

from losi.upstream.anthropic import shapes
from losi.upstream.anthropic.stream import StreamState
from losi.upstream.reading import ShapeError
from tests.contract.anthropic_calls import fed
from tests.loose import Json

HEAD: Json = {
    "id": "msg_1",
    "object": "chat.completion.chunk",
    "created": 5,
    "model": "claude-sonnet-4-5",
}
USAGE = {"input_tokens": 3, "output_tokens": 1}
TEXT = {"type": "text", "text": ""}
THINKING = {"type": "thinking", "thinking": "", "signature": ""}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}


def begun(**head: Any) -> StreamState:
    state = StreamState(created=5)
    message = {"id": "msg_1", "model": "claude-sonnet-4-5", **head}
    assert fed(state, {"type": "message_start", "message": message}) == []
    return state


def start(block: Json, index: int = 0) -> Json:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(kind: str, index: Any = 0, **fields: Any) -> Json:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def stop(index: int = 0) -> Json:
    return {"type": "content_block_stop", "index": index}


def end(reason: str = "end_turn", **fields: Any) -> list[Json]:
    return [
        {"type": "message_delta", "delta": {"stop_reason": reason}, **fields},
        {"type": "message_stop"},
    ]


def deltas(*events: Json) -> list[Json]:
    """What is said, without the first chunk's role."""
    state = begun()
    chunks = [chunk for event in events for chunk in fed(state, event)]
    told = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    if told:
        assert told[0].pop("role") == "assistant"
        if told[0].get("content") is None:
            del told[0]["content"]
    assert not any("role" in one for one in told)
    return told


def test_a_whole_stream_chunk_by_chunk() -> None:
    state = begun(usage={"input_tokens": 3, "cache_read_input_tokens": 4, "output_tokens": 1})

    [first] = fed(state, start({"type": "text", "text": "Hel"}))
    [second] = fed(state, delta("text_delta", text="lo!"))
    assert fed(state, stop()) == []
    ended = end(usage={"output_tokens": 9, "cache_read_input_tokens": None})
    assert fed(state, ended[0]) == [] and not state.finished
    last, usage = fed(state, ended[1])

    assert state.finished
    choice = {"index": 0, "logprobs": None, "finish_reason": None}
    opening = {"role": "assistant", "content": "Hel"}
    assert first == {**HEAD, "choices": [{**choice, "delta": opening}]}
    assert second == {**HEAD, "choices": [{**choice, "delta": {"content": "lo!"}}]}
    assert last == {**HEAD, "choices": [{**choice, "delta": {}, "finish_reason": "stop"}]}
    assert usage == {
        **HEAD,
        "choices": [],
        "usage": {
            "prompt_tokens": 7,
            "completion_tokens": 9,
            "total_tokens": 16,
            "prompt_tokens_details": {"cached_tokens": 4},
        },
    }


def test_a_thought_is_read_as_it_comes_and_sent_back_signed_at_the_end() -> None:
    told = deltas(
        start(THINKING),
        delta("thinking_delta", thinking="Hm."),
        delta("signature_delta", signature="si"),
        delta("signature_delta", signature="gned"),
        stop(),
        start({"type": "redacted_thinking", "data": "x"}, 1),
        stop(1),
        *end(),
    )

    signed = {"type": "thinking", "thinking": "Hm.", "signature": "signed"}
    redacted = {"type": "redacted_thinking", "data": "x"}
    assert told == [
        {"reasoning_content": "Hm."},
        {"thinking_blocks": [signed, redacted], "content": ""},
    ]


def test_citations_of_a_text_are_told_at_its_end() -> None:
    """Only those of web pages have a place in OpenAI's format."""
    page = {"type": "web_search_result_location", "url": "https://example.com", "title": "A"}
    told = deltas(
        start(TEXT),
        delta("text_delta", text="One."),
        stop(),
        start(TEXT, 1),
        delta("citations_delta", 1, citation=page),
        delta("citations_delta", 1, citation={"type": "char_location"}),
        delta("text_delta", 1, text="Two."),
        stop(1),
        *end(),
    )

    cited = {"start_index": 4, "end_index": 8, "url": "https://example.com", "title": "A"}
    assert told[-1] == {"annotations": [{"type": "url_citation", "url_citation": cited}]}


def test_calls_are_numbered_without_the_blocks_between() -> None:
    other = {**CALL, "id": "toolu_2", "input": {"a": 1}}
    told = deltas(
        start(TEXT),
        start(CALL, 1),
        delta("input_json_delta", 1, partial_json=""),
        delta("input_json_delta", 1, partial_json='{"b":'),
        delta("input_json_delta", 1, partial_json="2}"),
        stop(1),
        start(other, 2),
        stop(2),
        *end("tool_use"),
    )

    opening = {"type": "function", "function": {"name": "f", "arguments": ""}}
    assert [call for one in told for call in one.get("tool_calls", ())] == [
        {"index": 0, "id": "toolu_1", **opening},
        {"index": 0, "function": {"arguments": '{"b":'}},
        {"index": 0, "function": {"arguments": "2}"}},
        {"index": 1, "id": "toolu_2", **opening},
        {"index": 1, "function": {"arguments": '{"a":1}'}},
    ]
    assert told[-1] == {}


@pytest.mark.parametrize("block", [TEXT, THINKING, CALL, {"type": "server_tool_use"}])
@pytest.mark.parametrize(
    ("kind", "field", "of"),
    [
        ("text_delta", "text", TEXT),
        ("thinking_delta", "thinking", THINKING),
        ("input_json_delta", "partial_json", CALL),
    ],
)
def test_a_piece_belongs_to_a_block_of_its_kind_and_says_something(
    block: Json, kind: str, field: str, of: Json
) -> None:
    opened = len(deltas(start(block)))

    assert len(deltas(start(block), delta(kind, **{field: ""}))) == opened
    assert len(deltas(start(block), delta(kind, **{field: "x"}))) == opened + (block is of)


@pytest.mark.parametrize("kind", ["text_delta", "thinking_delta", "input_json_delta"])
def test_more_text_is_of_the_kind_that_came_last(kind: str) -> None:
    """Runs of pieces are told in one; what is kept of them is the same."""
    block, field = {
        "text_delta": (TEXT, "text"),
        "thinking_delta": (THINKING, "thinking"),
        "input_json_delta": (CALL, "partial_json"),
    }[kind]
    state = begun()
    fed(state, start(TEXT, 0))
    fed(state, start(block, 1))
    fed(state, delta(kind, 1, **{field: "a"}))

    assert state.more_text(["b", "c"]) == 2

    assert fed(state, stop(1)) == []
    fed(state, stop(0))
    last = [fed(state, event) for event in end()][-1][0]["choices"][0]["delta"]
    thought = {"type": "thinking", "thinking": "abc", "signature": ""}
    assert (
        last
        == {
            "text_delta": {},
            "thinking_delta": {"thinking_blocks": [thought], "content": ""},
            "input_json_delta": {},
        }[kind]
    )


def test_the_reason_that_came_last_counts() -> None:
    state = begun()
    details = {"explanation": "Not this."}
    for said in ({"stop_reason": "refusal", "stop_details": details}, {"stop_reason": None}, {}):
        fed(state, {"type": "message_delta", "delta": said})

    last, *usage = fed(state, {"type": "message_stop"})

    [choice] = last["choices"]
    assert (choice["finish_reason"], choice["delta"]["refusal"]) == ("content_filter", "Not this.")
    assert usage == []


def test_figures_before_the_end_have_no_output_yet() -> None:
    """The first event counts an output that was not made; it is for the end to tell it."""
    [chunk] = begun(usage=USAGE).usage_chunks()

    assert chunk["usage"] == {"prompt_tokens": 3, "completion_tokens": 0, "total_tokens": 3}
    assert begun().usage_chunks() == []
    assert StreamState(created=5).usage_chunks() == []


@pytest.mark.parametrize(
    "events",
    [
        [stop()],
        [delta("text_delta", text="x")],
        [start(TEXT), stop(), stop()],
        [{"type": "message_stop"}],
    ],
)
def test_an_order_that_anthropic_never_sends(events: list[Json]) -> None:
    state = begun()

    with pytest.raises(ShapeError):
        for event in events:
            fed(state, event)


def test_content_before_the_beginning_has_no_shape() -> None:
    with pytest.raises(ShapeError):
        fed(StreamState(created=5), start({"type": "text", "text": "Hi"}))


@pytest.mark.parametrize(
    "event",
    [{"type": "ping"}, {"type": "of_the_future"}, delta("of_the_future")],
)
def test_events_that_are_yet_to_come_are_passed_over(event: Json) -> None:
    assert shapes.event(event) is None


@pytest.mark.parametrize(
    "event",
    [None, [], {}, {"type": 5}, {"type": "content_block_delta", "delta": {}}, start({})],
)
def test_events_without_a_kind_have_no_shape(event: Any) -> None:
    with pytest.raises(ShapeError):
        shapes.event(event)
