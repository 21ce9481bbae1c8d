"""Generated conversations: nothing lost, order kept, always valid."""

import base64
import json
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from losi.upstream.bedrock.messages import tool_use_id
from tests.contract.bedrock_requests import WEATHER, Json, result, translated

words = st.text(min_size=1, max_size=12).filter(str.strip)
images = st.binary(min_size=1, max_size=8).map(
    lambda data: {
        "type": "image_url",
        "image_url": {"url": f"data:image/png;base64,{base64.b64encode(data).decode()}"},
    }
)
texts = words.map(lambda text: {"type": "text", "text": text})
contents = words | st.lists(texts | images, min_size=1, max_size=3)
inputs = st.dictionaries(words, st.none() | st.integers() | words | st.lists(words), max_size=3)


@st.composite
def conversations(draw: st.DrawFn) -> list[Json]:
    messages: list[Json] = [
        {"role": role, "content": draw(words)}
        for role in draw(st.lists(st.sampled_from(["system", "developer"]), max_size=2))
    ]
    messages.append({"role": "user", "content": draw(contents)})
    for turn in range(draw(st.integers(0, 4))):
        calls = [
            {
                "id": f"{draw(words)}-{turn}-{number}",
                "type": "function",
                "function": {"name": "weather", "arguments": json.dumps(draw(inputs))},
            }
            for number in range(draw(st.integers(0, 3)))
        ]
        assistant = {
            "role": "assistant",
            "content": draw(words if not calls else words | st.none()),
        }
        messages.append({**assistant, "tool_calls": calls} if calls else assistant)
        for call in draw(st.permutations(calls)):
            messages.append(result(str(call["id"]), draw(st.just("") | contents)))
        messages += [
            {"role": "user", "content": draw(contents)} for _ in range(draw(st.integers(0, 2)))
        ]
    return messages


def common_form(messages: list[Json]) -> list[Any]:
    """What the caller said, in order, in a form both formats can be brought to."""
    out: list[Any] = []
    for message in messages:
        parts = message["content"] or []
        if isinstance(parts, str):
            parts = [{"type": "text", "text": parts}]
        pieces = [p.get("text") or p["image_url"]["url"].split(",")[1] for p in parts]
        if message["role"] == "tool":
            out.append((tool_use_id(message["tool_call_id"]), pieces or ["(no output)"]))
        else:
            out += pieces
        for call in message.get("tool_calls", ()):
            out.append((tool_use_id(call["id"]), json.loads(call["function"]["arguments"])))
    return out


def understood(request: Json) -> list[Any]:
    def piece(block: Json) -> Any:
        if "image" in block:
            return base64.b64encode(block["image"]["source"]["bytes"]).decode()
        return block["text"]

    out = [block["text"] for block in request.get("system", [])]
    for message in request["messages"]:
        for block in message["content"]:
            if use := block.get("toolUse"):
                out.append((use["toolUseId"], use["input"]))
            elif answer := block.get("toolResult"):
                out.append((answer["toolUseId"], [piece(b) for b in answer["content"]]))
            else:
                out.append(piece(block))
    return out


@given(messages=conversations(), tools=st.booleans(), effort=st.sampled_from([None, "low"]))
def test_any_conversation(messages: list[Json], tools: bool, effort: str | None) -> None:
    request = translated(
        messages=messages, tools=[WEATHER] if tools else None, reasoning_effort=effort
    )

    assert understood(request) == common_form(messages)
    roles = [message["role"] for message in request["messages"]]
    assert roles[0] == "user"
    assert all(one != following for one, following in pairwise(roles))
