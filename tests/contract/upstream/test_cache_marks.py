"""Marks of the prompt cache: the caller's, brought to what Claude takes, and ours."""

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from losi.catalogue.models import Route
from losi.upstream.anthropic.request import translate
from losi.upstream.bedrock.request import converse_request
from losi.upstream.cache_marks import with_fitting_marks
from losi.upstream.format import UpstreamCall
from tests.catalogue import PROVIDERS
from tests.contract.anthropic_types import check_request
from tests.loose import Json, loose

FIVE_MINUTES: Json = {"type": "ephemeral"}
HOUR: Json = {"type": "ephemeral", "ttl": "1h"}
MARKED: Json = {"cache_control": FIVE_MINUTES}
MARKED_FOR_AN_HOUR: Json = {"cache_control": HOUR}
LONG = "word " * 4_000
_SHAPE = (
    boto3.client("bedrock-runtime", region_name="us-east-1")
    .meta.service_model.operation_model("Converse")
    .input_shape
)


def text(text: str, **fields: Any) -> Json:
    return {"type": "text", "text": text, **fields}


def user(*parts: Json, **fields: Any) -> Json:
    return {"role": "user", "content": list(parts), **fields}


def system(*parts: Json, **fields: Any) -> Json:
    return {"role": "system", "content": list(parts), **fields}


def tool(name: Any = "weather", **fields: Any) -> Json:
    return {"type": "function", "function": {"name": name}, **fields}


CALL: Json = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    ],
}


def result(content: Any, **fields: Any) -> Json:
    return {"role": "tool", "tool_call_id": "c1", "content": content, **fields}


def to_anthropic(cache_from: int | None = None, **body: Any) -> Json:
    route = Route(provider=PROVIDERS["anthropic"], model="claude-sonnet-4-6", cache_from=cache_from)
    out: Json = {**translate(loose({"model": route.model, **body}), route).body}
    check_request(out)
    return out


def to_bedrock(
    cache_from: int | None = None, model: str = "global.anthropic.claude-sonnet-4-6", **body: Any
) -> Json:
    route = Route(provider=PROVIDERS["bedrock"], model=model, cache_from=cache_from)
    out = converse_request(UpstreamCall(loose({"model": model, **body}), route, "r1"))
    assert _SHAPE is not None
    report = ParamValidator().validate(out, _SHAPE)
    assert not report.has_errors(), report.generate_report()
    return {**out}


def anthropic_marks(out: Json) -> list[tuple[str, Json]]:
    """Where marks stand, inner ones too, in the order that counts."""
    found = [(f"tools.{i}", tool) for i, tool in enumerate(out.get("tools") or ())]
    found += [(f"system.{i}", block) for i, block in enumerate(out.get("system") or ())]
    for i, message in enumerate(out["messages"]):
        for j, block in enumerate(message["content"]):
            inner = block.get("content") if isinstance(block.get("content"), list) else []
            found += [(f"messages.{i}.{j}.inner", one) for one in inner]
            found.append((f"messages.{i}.{j}", block))
    return [(where, one["cache_control"]) for where, one in found if "cache_control" in one]


def bedrock_marks(out: Json) -> list[tuple[str, Json]]:
    lists = {"tools": (out.get("toolConfig") or {}).get("tools") or [], "system": out.get("system")}
    lists |= {f"messages.{i}": message["content"] for i, message in enumerate(out["messages"])}
    return [
        (f"{where}.{position - 1}", block["cachePoint"])
        for where, blocks in lists.items()
        for position, block in enumerate(blocks or ())
        if "cachePoint" in block
    ]


CALLERS: dict[str, tuple[Json, list[str]]] = {
    "a part": ({"messages": [user(text("Hi", **MARKED))]}, ["messages.0.0"]),
    "a system part": (
        {"messages": [system(text("Be brief.", **MARKED)), user(text("Hi"))]},
        ["system.0"],
    ),
    "a tool": ({"messages": [user(text("Hi"))], "tools": [tool(**MARKED)]}, ["tools.0"]),
    "a message with text": (
        {"messages": [{"role": "user", "content": "Hi", **MARKED}]},
        ["messages.0.0"],
    ),
    "a message with parts": (
        {"messages": [user(text("A"), text("B"), **MARKED)]},
        ["messages.0.1"],
    ),
    "a system message": (
        {"messages": [{"role": "system", "content": "Be.", **MARKED}, user(text("Hi"))]},
        ["system.0"],
    ),
    "a result": (
        {"messages": [user(text("Hi")), CALL, result("sunny", **MARKED)], "tools": [tool()]},
        ["messages.2.0"],
    ),
    "a part of a result": (
        {
            "messages": [user(text("Hi")), CALL, result([text("sunny", **MARKED)])],
            "tools": [tool()],
        },
        ["messages.2.0"],
    ),
    "an answer": (
        {
            "messages": [
                user(text("Hi")),
                {"role": "assistant", "content": [text("Yes?", **MARKED)]},
                user(text("More")),
            ]
        },
        ["messages.1.0"],
    ),
}


class TestTheCallers:
    @pytest.mark.parametrize(("body", "expected"), CALLERS.values(), ids=CALLERS.keys())
    def test_reach_anthropic(self, body: Json, expected: list[str]) -> None:
        assert anthropic_marks(to_anthropic(**body)) == [(w, FIVE_MINUTES) for w in expected]

    @pytest.mark.parametrize(("body", "expected"), CALLERS.values(), ids=CALLERS.keys())
    def test_reach_bedrock(self, body: Json, expected: list[str]) -> None:
        assert bedrock_marks(to_bedrock(**body)) == [(w, {"type": "default"}) for w in expected]

    def test_live_as_long_as_they_say(self) -> None:
        body: Json = {"messages": [user(text("Hi", **MARKED_FOR_AN_HOUR))]}

        assert anthropic_marks(to_anthropic(**body)) == [("messages.0.0", HOUR)]
        assert bedrock_marks(to_bedrock(**body)) == [
            ("messages.0.0", {"type": "default", "ttl": "1h"})
        ]

    def test_a_mark_of_the_whole_request_is_one_of_its_end(self) -> None:
        body: Json = {"messages": [user(text("Hi"))], **MARKED_FOR_AN_HOUR}

        assert to_anthropic(**body)["cache_control"] == HOUR
        assert anthropic_marks(to_anthropic(**body)) == []
        assert bedrock_marks(to_bedrock(**body)) == [
            ("messages.0.0", {"type": "default", "ttl": "1h"})
        ]

    @pytest.mark.parametrize("mark", [None, "yes", 1, [], True])
    def test_what_is_no_mark_is_none(self, mark: Any) -> None:
        body: Json = {"messages": [user(text("Hi", cache_control=mark))]}

        assert anthropic_marks(to_anthropic(**body)) == []
        assert bedrock_marks(to_bedrock(**body)) == []

    @pytest.mark.parametrize(
        "mark", [{}, {"type": "ephemeral", "scope": "global"}, {"type": "x"}, {"ttl": "5m"}]
    )
    def test_fields_that_nobody_knows_are_left_out(self, mark: Json) -> None:
        body: Json = {"messages": [user(text("Hi", cache_control=mark))]}

        assert anthropic_marks(to_anthropic(**body)) == [("messages.0.0", FIVE_MINUTES)]

    def test_where_bedrock_takes_none_they_are_left_out(self) -> None:
        file = {"filename": "a.txt", "file_data": "data:text/plain;base64,SGk="}
        body: Json = {"messages": [user(text("Read"), {"type": "file", "file": file, **MARKED})]}

        assert bedrock_marks(to_bedrock(**body)) == []

    @pytest.mark.parametrize("model", ["us.amazon.nova-pro-v1:0", "mistral.large", "qwen.qwen3"])
    def test_and_so_they_are_for_other_families(self, model: str) -> None:
        assert bedrock_marks(to_bedrock(model=model, messages=[user(text("Hi", **MARKED))])) == []

    def test_the_request_is_not_changed(self) -> None:
        body: Json = {"messages": [user(text("Hi", **MARKED_FOR_AN_HOUR), **MARKED)], **MARKED}
        before = repr(body)

        with_fitting_marks(body, 1)

        assert repr(body) == before


marks = st.sampled_from([{}, MARKED, MARKED_FOR_AN_HOUR])
parts = st.lists(st.builds(lambda mark: text("Hi", **mark), marks), min_size=1, max_size=3)
turns = st.lists(
    st.builds(
        lambda role, content, mark: {"role": role, "content": content, **mark},
        st.sampled_from(["system", "user", "assistant"]),
        parts,
        marks,
    ),
    min_size=1,
    max_size=6,
)
tools = st.lists(marks, max_size=6).map(
    lambda given: [tool(f"tool{i}", **mark) for i, mark in enumerate(given)]
)


class TestWhateverTheCallerMarks:
    """https://platform.claude.com/docs/en/build-with-claude/prompt-caching"""

    @pytest.mark.parametrize(
        ("translated", "marks_of"),
        [(to_anthropic, anthropic_marks), (to_bedrock, bedrock_marks)],
        ids=["anthropic", "bedrock"],
    )
    @given(messages=turns, tools=tools, top=marks, cache_from=st.sampled_from([None, 1]))
    def test_it_is_taken(
        self,
        translated: Callable[..., Json],
        marks_of: Callable[[Json], list[tuple[str, Json]]],
        messages: list[Json],
        tools: list[Json],
        top: Json,
        cache_from: int | None,
    ) -> None:
        out = translated(cache_from, messages=messages, tools=tools, **top)
        found = marks_of(out)

        assert len(found) + ("cache_control" in out) <= 4
        lifetimes = [mark.get("ttl", "5m") for _, mark in found]
        assert lifetimes == sorted(lifetimes), "an hour's after one of five minutes"
        if "cache_control" in out:
            assert "cache_control" not in out["messages"][-1]["content"][-1]


GOES_ON: list[Json] = [user(text("Hi")), {"role": "assistant", "content": LONG}, user(text("And?"))]
OURS: dict[str, tuple[Json, list[str]]] = {
    "a long system prompt": (
        {"messages": [system(text(LONG)), user(text("Hi"))]},
        ["system.0"],
    ),
    "tools without one": (
        {
            "messages": [user(text("Hi"))],
            "tools": [
                tool("a"),
                {"type": "function", "function": {"name": "b", "description": LONG}},
            ],
        },
        ["tools.1"],
    ),
    "tools and a system prompt": (
        {
            "messages": [system(text("Be brief.")), user(text("Hi"))],
            "tools": [{"type": "function", "function": {"name": "a", "description": LONG}}],
        },
        ["system.0"],
    ),
    "a conversation that goes on": ({"messages": GOES_ON}, ["messages.2.0"]),
    "results that agents go on with": (
        {"messages": [user(text(LONG)), CALL, result("sunny")], "tools": [tool()]},
        ["messages.2.0"],
    ),
    "both": (
        {"messages": [system(text(LONG)), *GOES_ON]},
        ["system.0", "messages.2.0"],
    ),
    "a first question, however long": ({"messages": [user(text(LONG))]}, []),
    "what is too short": ({"messages": [system(text("Be brief.")), user(text("Hi"))]}, []),
    "what the caller marked": (
        {"messages": [system(text(LONG)), user(text("Hi", **MARKED))]},
        ["messages.0.0"],
    ),
}


class TestOurs:
    @pytest.mark.parametrize(("body", "expected"), OURS.values(), ids=OURS.keys())
    def test_stand_where_the_next_request_begins_alike(
        self, body: Json, expected: list[str]
    ) -> None:
        assert [where for where, _ in anthropic_marks(to_anthropic(1024, **body))] == expected
        assert [where for where, _ in bedrock_marks(to_bedrock(1024, **body))] == expected

    @pytest.mark.parametrize("name", sorted(OURS.keys() - {"what the caller marked"}))
    def test_are_set_only_where_the_catalogue_says_so(self, name: str) -> None:
        body, _ = OURS[name]

        assert anthropic_marks(to_anthropic(None, **body)) == []
        assert bedrock_marks(to_bedrock(None, **body)) == []
