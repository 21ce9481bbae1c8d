"""Generated conversations and answers: nothing lost, order kept, ids and indexes right."""

import json
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from losi.catalogue.models import Route
from losi.upstream.anthropic import shapes
from losi.upstream.anthropic.request import translate
from losi.upstream.anthropic.response import completion
from losi.upstream.anthropic.stream import StreamState
from losi.upstream.sse import SseParser
from tests.catalogue import PROVIDERS
from tests.contract.anthropic_calls import fed
from tests.contract.anthropic_types import accumulate, check_request, comparable
from tests.contract.cassettes import Cassette, load
from tests.loose import Json

ROUTE = Route(provider=PROVIDERS["anthropic"], model="claude-sonnet-4-5")
PIXEL = "data:image/png;base64,iVBORw0KGgo="
STREAMS = load("anthropic", "stream-*")

texts = st.text(max_size=20)
names = st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
objects = st.dictionaries(texts, scalars | st.lists(scalars, max_size=3), max_size=3)
contents = texts | st.lists(
    st.one_of(
        texts.map(lambda text: {"type": "text", "text": text}),
        st.just({"type": "image_url", "image_url": {"url": PIXEL}}),
        st.just({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}),
    ),
    max_size=3,
)
thinking = st.one_of(
    st.builds(lambda t, s: {"type": "thinking", "thinking": t, "signature": s}, texts, texts),
    st.builds(lambda d: {"type": "redacted_thinking", "data": d}, texts),
)


@st.composite
def conversations(draw: st.DrawFn) -> list[Json]:
    system = st.builds(
        lambda role, text: {"role": role, "content": text},
        st.sampled_from(["system", "developer"]),
        texts,
    )
    messages = draw(st.lists(system, max_size=2))
    ids = iter(draw(st.lists(names, min_size=12, max_size=12, unique=True)))
    for _ in range(draw(st.integers(1, 4))):
        messages.append({"role": "user", "content": draw(contents)})
        if draw(st.booleans()):
            messages += draw(answers(ids))
    return [*messages, {"role": "user", "content": "And now?"}]


@st.composite
def answers(draw: st.DrawFn, ids: Any) -> list[Json]:
    """An assistant's message with the results of its tool calls, in any order."""
    message: Json = {"role": "assistant", "content": draw(st.none() | texts)}
    if blocks := draw(st.lists(thinking, max_size=2)):
        message["thinking_blocks"] = blocks
    calls = [
        {
            "id": next(ids),
            "type": "function",
            "function": {"name": draw(names), "arguments": json.dumps(draw(objects))},
        }
        for _ in range(draw(st.integers(0, 3)))
    ]
    if calls:
        message["tool_calls"] = calls
    elif message["content"] is None:
        message["content"] = ""
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": draw(contents)}
        for call in draw(st.permutations(calls))
    ]
    return [message, *results]


class TestConversations:
    @given(conversations().filter(lambda messages: not any(map(is_empty_user, messages))))
    def test_anthropic_is_told_all_of_it_in_order(self, messages: list[Json]) -> None:
        request = translate({"model": ROUTE.model, "messages": messages}, ROUTE)

        body: Json = {**request.body}
        check_request(body)
        assert facts_of_anthropic(body) == facts_of_openai(messages)
        roles = [turn["role"] for turn in body["messages"]]
        assert all(one != other for one, other in pairwise(roles))
        assert [len(turn["content"]) for turn in body["messages"]] == [
            len(origins) for origins in request.origins
        ]

    @given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=4, unique=True))
    def test_ids_of_other_provider_still_belong_together(self, ids: list[str]) -> None:
        messages: list[Json] = [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "tool_calls": [call_of(name) for name in ids]},
            *({"role": "tool", "tool_call_id": name, "content": name + "."} for name in ids),
        ]

        body: Json = {**translate({"model": ROUTE.model, "messages": messages}, ROUTE).body}
        turns = body["messages"]

        called = [block["id"] for block in turns[1]["content"]]
        assert called == [block["tool_use_id"] for block in turns[2]["content"]]
        assert len(set(called)) == len(ids)


class TestStreams:
    @given(st.sampled_from(STREAMS), st.data())
    def test_where_the_network_cuts_makes_no_difference(
        self, recorded: Cassette, data: st.DataObject
    ) -> None:
        wire = recorded.body
        cuts = sorted(data.draw(st.sets(st.integers(0, len(wire)), max_size=20)))
        pieces = [wire[a:b] for a, b in zip([0, *cuts], [*cuts, len(wire)], strict=True)]

        assert chunks_of(pieces) == chunks_of([wire])

    @given(st.data())
    def test_a_generated_answer_streams_to_the_same(self, data: st.DataObject) -> None:
        message = data.draw(messages_of_anthropic)

        state = StreamState(created=0)
        chunks = [chunk for event in events_of(message, data) for chunk in fed(state, event)]

        plain = completion(shapes.message(message), created=0)
        assert comparable(accumulate(chunks)) == comparable(plain)


small_integers = st.integers(-(2**53), 2**53)
inputs = st.dictionaries(texts, small_integers | texts, max_size=3)
blocks_of_anthropic = st.one_of(
    texts.map(lambda text: {"type": "text", "text": text}),
    thinking,
    st.builds(
        lambda i, n: {"type": "tool_use", "id": "toolu", "name": n, "input": i}, inputs, names
    ),
    st.just({"type": "server_tool_use", "id": "srv", "name": "web_search", "input": {}}),
)
messages_of_anthropic = st.builds(
    lambda content, reason, figures: {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": numbered(content),
        "stop_reason": reason,
        "usage": dict(
            zip(("input_tokens", "output_tokens", "cache_read_input_tokens"), figures, strict=True)
        ),
    },
    st.lists(blocks_of_anthropic, max_size=6),
    st.sampled_from(["end_turn", "max_tokens", "tool_use", "refusal", "pause_turn", "new_reason"]),
    st.tuples(*[st.integers(0, 10**5)] * 3),
)


def numbered(content: list[Json]) -> list[Json]:
    """Tool calls with an id each, as they have."""
    return [
        {**block, "id": f"toolu_{i}"} if block["type"] == "tool_use" else block
        for i, block in enumerate(content)
    ]


def events_of(message: Json, data: st.DataObject) -> list[Json]:
    """The message as Anthropic streams it, its texts cut anywhere."""
    start = {**message, "content": [], "stop_reason": None, "usage": {"output_tokens": 1}}
    events: list[Json] = [{"type": "message_start", "message": start}, {"type": "ping"}]
    for index, block in enumerate(message["content"]):
        begun, deltas = streamed_block(block, data)
        events.append({"type": "content_block_start", "index": index, "content_block": begun})
        events += [
            {"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas
        ]
        events.append({"type": "content_block_stop", "index": index})
    stop = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    # figures may be told more than once: each time the whole, never what came on top
    ending = {"type": "message_delta", "delta": stop, "usage": message["usage"]}
    return [*events, ending, ending, {"type": "message_stop"}]


def streamed_block(block: Json, data: st.DataObject) -> tuple[Json, list[Json]]:
    if block["type"] == "text":
        pieces = cut(block["text"], data)
        return {**block, "text": ""}, [{"type": "text_delta", "text": p} for p in pieces]
    if block["type"] == "thinking":
        pieces = cut(block["thinking"], data)
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces]
        signature = {"type": "signature_delta", "signature": block["signature"]}
        return {**block, "thinking": "", "signature": ""}, [*deltas, signature]
    if block["type"] == "tool_use":
        wire = json.dumps(block["input"]) if block["input"] else ""
        pieces = ["", *cut(wire, data)]
        return {**block, "input": {}}, [
            {"type": "input_json_delta", "partial_json": piece} for piece in pieces
        ]
    return block, []


def cut(text: str, data: st.DataObject) -> list[str]:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=4)))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def chunks_of(pieces: list[bytes]) -> list[Json]:
    parser, state = SseParser("Anthropic"), StreamState(created=0)
    return [
        chunk
        for piece in pieces
        for _, data in parser.feed(piece)
        for chunk in fed(state, json.loads(data))
    ]


def call_of(call_id: str) -> Json:
    return {"id": call_id, "type": "function", "function": {"name": "f", "arguments": ""}}


def is_empty_user(message: Json) -> bool:
    return message["role"] == "user" and not facts_of_openai([message])


def facts_of_openai(messages: list[Json]) -> list[Any]:
    facts: list[Any] = []
    for message in messages:
        role = "system" if message["role"] == "developer" else message["role"]
        told = [("text", role, text) for text in seen(message.get("content"))]
        if role == "tool":
            facts.append(("result", message["tool_call_id"], [text for *_, text in told]))
            continue
        calls = message.get("tool_calls", ())
        if told or calls:
            facts += [("thinking", block) for block in message.get("thinking_blocks", ())]
        facts += told
        for call in calls:
            function = call["function"]
            arguments = json.loads(function["arguments"])
            facts.append(("call", call["id"], function["name"], arguments))
    return facts


def seen(content: Any) -> list[str]:
    """Texts and addresses of a content; blank texts say nothing."""
    parts: list[Any] = (
        [{"type": "text", "text": content or ""}] if not isinstance(content, list) else content
    )
    told = [part["text"] if "text" in part else part["image_url"]["url"] for part in parts]
    return [text for text in told if text.strip()]


def facts_of_anthropic(body: Json) -> list[Any]:
    facts: list[Any] = [("text", "system", block["text"]) for block in body.get("system", ())]
    for turn in body["messages"]:
        for block in turn["content"]:
            if block["type"] in ("text", "image"):
                facts.append(("text", turn["role"], shown(block)))
            elif block["type"] == "tool_use":
                facts.append(("call", block["id"], block["name"], block["input"]))
            elif block["type"] == "tool_result":
                told = [shown(part) for part in block.get("content", ())]
                facts.append(("result", block["tool_use_id"], told))
            else:
                facts.append(("thinking", block))
    return facts


def shown(block: Json) -> str:
    if block["type"] == "text":
        return str(block["text"])
    source = block["source"]
    return source.get("url") or f"data:{source['media_type']};base64,{source['data']}"
