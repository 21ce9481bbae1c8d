"""The same answer, streamed or whole, is the same completion to OpenAI's own SDK types."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from losi.catalogue.models import Route
from losi.errors import UpstreamError
from losi.upstream.bedrock import shapes
from losi.upstream.bedrock.response import StreamState, completion, usage
from losi.upstream.format import UpstreamCall
from tests.catalogue import PROVIDERS

Json = dict[str, Any]
CALL: UpstreamCall = UpstreamCall(
    {"model": "m", "messages": []}, Route(provider=PROVIDERS["bedrock"], model="m"), "r1"
)
USAGE: Json = {"inputTokens": 3, "outputTokens": 4, "totalTokens": 7, "cacheReadInputTokens": 2}

words = st.text(max_size=12)
inputs = st.dictionaries(words, st.integers() | words | st.none(), max_size=3)


def thought(said: tuple[str, str]) -> Json:
    text, signature = said
    return {"reasoningContent": {"reasoningText": {"text": text, "signature": signature}}}


def hidden_thought(data: bytes) -> Json:
    return {"reasoningContent": {"redactedContent": data}}


def tool_use(value: Json) -> Json:
    return {"toolUse": {"toolUseId": "", "name": "weather", "input": value}}


blocks: st.SearchStrategy[Json] = st.one_of(
    words.map(lambda text: {"text": text}),
    st.tuples(words, words).map(thought),
    st.binary(min_size=1, max_size=6).map(hidden_thought),
    inputs.map(tool_use),
)


@st.composite
def answers(draw: st.DrawFn) -> tuple[list[Json], list[Json]]:
    """Content blocks, and the events of a stream that says the same in pieces."""
    content = draw(st.lists(blocks, max_size=5))
    events: list[Json] = [{"messageStart": {"role": "assistant"}}]
    for index, block in enumerate(content):
        if use := block.get("toolUse"):
            use["toolUseId"] = f"tooluse_{index}"
            start = {"toolUse": {"toolUseId": use["toolUseId"], "name": use["name"]}}
            events.append({"contentBlockStart": {"start": start, "contentBlockIndex": index}})
        for delta in draw(deltas(block)):
            events.append({"contentBlockDelta": {"delta": delta, "contentBlockIndex": index}})
        events.append({"contentBlockStop": {"contentBlockIndex": index}})
    reason = "tool_use" if any("toolUse" in block for block in content) else "end_turn"
    events.append({"messageStop": {"stopReason": reason}})
    events.append({"metadata": {"usage": USAGE, "metrics": {"latencyMs": 1}}})
    return content, events


@st.composite
def deltas(draw: st.DrawFn, block: Json) -> list[Json]:
    if "text" in block:
        return [{"text": piece} for piece in draw(pieces(block["text"]))]
    if use := block.get("toolUse"):
        # Bedrock sends no arguments at all for none
        text = json.dumps(use["input"], ensure_ascii=False, separators=(",", ":"))
        written = draw(pieces(text)) if use["input"] else draw(st.sampled_from([[], [""], ["{}"]]))
        return [{"toolUse": {"input": piece}} for piece in written]
    reasoning = block["reasoningContent"]
    if "redactedContent" in reasoning:
        return [{"reasoningContent": reasoning}]
    said = reasoning["reasoningText"]
    texts = [{"reasoningContent": {"text": piece}} for piece in draw(pieces(said["text"]))]
    return [*texts, {"reasoningContent": {"signature": said["signature"]}}]


@st.composite
def pieces(draw: st.DrawFn, text: str) -> list[str]:
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=3)))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def accumulated(events: list[Json]) -> Json:
    """What OpenAI's SDK makes of our chunks."""
    sdk, state = ChatCompletionStreamState(), StreamState(CALL)
    sdk_chunks = [
        ChatCompletionChunk.model_validate(chunk, strict=True)
        for event in events
        for chunk in state.chunks(shapes.event(event))
    ]
    state.end()
    for chunk in sdk_chunks:
        sdk.handle_chunk(chunk)
    return sdk.get_final_completion().model_dump(exclude_none=True)


@given(answers())
def test_streamed_and_whole_answers_are_the_same(answer: tuple[list[Json], list[Json]]) -> None:
    content, events = answer
    reason = events[-2]["messageStop"]["stopReason"]
    whole = completion(
        shapes.answer(
            {"output": {"message": {"content": content}}, "stopReason": reason, "usage": USAGE}
        ),
        CALL,
    )
    ChatCompletion.model_validate(whole, strict=True)
    streamed = accumulated(events)

    expected, got = whole["choices"][0]["message"], streamed["choices"][0]["message"]
    assert got["role"] == "assistant"
    for name in ("content", "reasoning_content", "thinking_blocks"):
        assert (got.get(name) or None) == (expected.get(name) or None)
    calls = [(c["id"], c["type"], c["function"]) for c in expected.get("tool_calls", ())]
    assert [
        (c["id"], c["type"], {k: c["function"][k] for k in ("name", "arguments")})
        for c in got.get("tool_calls", ())
    ] == calls
    assert streamed["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"]
    assert streamed["usage"] == whole["usage"]


@pytest.mark.parametrize(
    "event",
    [
        {"contentBlockDelta": {"delta": {"toolUse": {"input": "{}"}}, "contentBlockIndex": 9}},
        {"contentBlockDelta": {"contentBlockIndex": 0}},
        {"contentBlockStop": {}},
        {"messageStop": {}},
    ],
)
def test_events_that_make_no_sense_are_malformed(event: Json) -> None:
    with pytest.raises(UpstreamError) as caught:
        StreamState(CALL).chunks(shapes.event(event))
    assert caught.value.code == "upstream_malformed"


def test_events_that_are_yet_to_be_invented_are_passed_over() -> None:
    assert StreamState(CALL).chunks(shapes.event({"SDK_UNKNOWN_MEMBER": {"name": "x"}})) == []


def test_usage_that_is_missing_is_none() -> None:
    assert usage(None) is None
    assert usage({}) is None
