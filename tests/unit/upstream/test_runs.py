"""Events that differ in one text are read together: that must say what they say one by one."""

import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from losi.errors import UpstreamError
from losi.upstream import sse
from losi.upstream.anthropic.client import _Reading as AnthropicReading
from losi.upstream.anthropic.stream import StreamState
from losi.upstream.batch import TextRun, each
from losi.upstream.openai import tool_calls
from losi.upstream.openai.chat import _Reading as OpenAIReading
from losi.upstream.sse import Reader
from tests.loose import Json


async def said(reader: Reader, *reads: bytes) -> list[Json | TextRun]:
    """All items of all batches; the answer may be cut off."""

    async def body() -> AsyncGenerator[bytes]:
        for data in reads:
            yield data

    items: list[Json | TextRun] = []
    try:
        async for batch in sse.batches(aclosing(body()), "Provider", reader):
            items += batch
    except UpstreamError as error:
        assert error.code == "upstream_incomplete"
    return items


def openai() -> Reader:
    return OpenAIReading("Provider", named=False)


def anthropic() -> Reader:
    return AnthropicReading(StreamState(created=1), "Provider", lambda *_: AssertionError())  # type: ignore[arg-type]


def wire(told: list[Json], ending: str = "\n") -> bytes:
    return "".join(f"data: {json.dumps(one)}{2 * ending}" for one in told).encode()


def openai_event(delta: Json, finish: str | None = None) -> Json:
    return {"id": "1", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def piece(text: str, **more: Any) -> Json:
    function = {"arguments": text, **more.pop("function", {})}
    return {"tool_calls": [{"index": 0, **more, "function": function}]}


BEGUN = piece("", id="call_1", function={"name": "look_up"})
texts = st.sampled_from(["{", '{"a":', "1", "[", "}", "{}", "null", "", '{"a":1}', '"é', " "])
pieces = st.builds(
    lambda text, index, id_, name: {
        "tool_calls": [
            {
                "function": {"arguments": text} | ({"name": name} if name else {}),
                **({} if index is None else {"index": index}),
                **({"id": id_} if id_ else {}),
            }
        ]
    },
    texts,
    st.sampled_from([0, 0, 0, 1, None]),
    st.sampled_from(["", "", "", "a", "b"]),
    st.sampled_from(["", "", "", "", "f"]),
)
deltas = st.one_of(
    pieces,
    st.builds(piece, texts),
    st.builds(lambda text: {"content": text, "reasoning_content": None}, texts),
    st.builds(lambda text: {"reasoning_content": text}, texts),
)
repeated = st.builds(lambda delta, times: [delta] * times, deltas, st.integers(1, 4))


@pytest.fixture(autouse=True, scope="module")
def ids() -> Iterator[None]:
    """Calls without an id are given the same one, whoever reads them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tool_calls, "_new_id", lambda: "call_new")
        yield


@given(st.lists(repeated, max_size=8), st.sampled_from(["\n", "\r\n"]), st.data())
async def test_openai_says_the_same_in_runs(
    told: list[list[Json]], ending: str, data: st.DataObject
) -> None:
    said_one_by_one = [BEGUN, *(delta for some in told for delta in some)]
    events = [openai_event(delta) for delta in said_one_by_one] + [openai_event({}, "stop")]
    whole = wire(events, ending)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    reads = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]

    together = await said(openai(), *reads)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sse._Pattern, "of", lambda *_: None)
        one_by_one = await said(openai(), whole)

    assert [*each(together)] == one_by_one


async def test_openais_arguments_are_a_run() -> None:
    told = [openai_event(piece(text)) for text in ('{"a": [', *[f"{n}, " for n in range(20)])]

    items = await said(openai(), wire([openai_event(BEGUN), *told]))

    assert [type(item) for item in items] == [dict, dict, TextRun]


async def test_a_repeated_name_may_begin_another_call() -> None:
    """So that each is read by itself: what it begins depends on the arguments so far."""
    told = [piece(text, function={"name": "f"}) for text in ("{", '"a": 1}', '"b"')]

    items = await said(openai(), wire(list(map(openai_event, told))))

    assert [*each(items)] == items


THINKING = {"type": "thinking", "thinking": "", "signature": ""}
TOOL = {"type": "tool_use", "id": "toolu_1", "name": "look_up", "input": {}}


@pytest.mark.parametrize(
    ("start", "delta", "field"),
    [
        ({"type": "text", "text": ""}, "text_delta", "text"),
        (THINKING, "thinking_delta", "thinking"),
        (TOOL, "input_json_delta", "partial_json"),
    ],
)
async def test_anthropics_pieces_are_a_run_and_are_kept(
    start: Json, delta: str, field: str
) -> None:
    message = {"id": "m", "model": "m", "role": "assistant", "content": [], "usage": {}}
    told: list[Json] = [
        {"type": "message_start", "message": {**message, "type": "message"}},
        {"type": "content_block_start", "index": 0, "content_block": start},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": delta, field: f"{n} "}}
            for n in range(20)
        ),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}},
        {"type": "message_stop"},
    ]

    together = await said(anthropic(), wire(told))
    one_by_one = await said(anthropic(), *(wire([event]) for event in told))

    assert sum(isinstance(item, TextRun) for item in together) == 1
    assert [*each(together)] == [*each(one_by_one)]
