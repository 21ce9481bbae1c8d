"""Answers to what was asked for in words, whole and in pieces: what is checked of them."""

from collections.abc import AsyncGenerator
from contextlib import nullcontext
from typing import Any

import pytest

from losi.catalogue.models import Route
from losi.upstream.fanout import FanOut
from losi.upstream.format import UpstreamCall
from losi.upstream.functions import AsFunctions
from losi.upstream.stops import CutShort
from losi.upstream.thoughts import WithOrWithout
from losi.upstream.wishes import UnmetWishError, prepare
from tests.catalogue import PROVIDERS
from tests.fake_format import FakeExchange
from tests.loose import Json
from tests.unit.upstream.wish_calls import (
    BY_SCHEMA,
    NAMED,
    SCHEMA,
    SYSTEM,
    TIME,
    USER,
    WEATHER,
    Upstream,
    answering,
    ask,
    calls,
)

NOT_FORCED: list[Json] = [
    {"tool_choice": {"type": "custom", "custom": {"name": "run"}}},
    {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [NAMED]}}},
    {"tool_choice": {"type": "allowed_tools", "allowed_tools": "required"}},
    {"tool_choice": "required", "tools": []},
    {"tools": None, "functions": [WEATHER["function"]], "function_call": "auto"},
    {"tools": None, "functions": [WEATHER["function"]], "function_call": {}},
    {"tools": None, "functions": [], "function_call": {"name": "weather"}},
]


@pytest.mark.parametrize("body", NOT_FORCED)
async def test_what_forces_no_tool_is_not_checked(body: Json) -> None:
    route = Route(provider=PROVIDERS["openai"], model="m", refuses=frozenset({"forced_tools"}))
    upstream = Upstream()
    whole: Json = {"messages": [SYSTEM, USER], "tools": [WEATHER], **body}

    routed = prepare(upstream, UpstreamCall(whole, route, "req_1"))

    assert (routed.mapped, routed.checks) == (frozenset(), ())


async def test_any_tool_that_was_declared_meets_the_demand_for_one() -> None:
    custom = {"type": "custom", "custom": {"name": "run"}}
    for name in ("run", "time"):
        _, answered = await ask(
            Upstream(calls(name)), tools=[custom, TIME], tool_choice="required"
        ).plain()
        assert answered.attempts == 1
    routed = ask(Upstream(calls("else"), calls("run")), tools=[custom], tool_choice="required")
    assert (await routed.plain())[1].attempts == 2


async def test_a_refusal_is_an_answer() -> None:
    refused = {"message": {"content": None, "refusal": "No."}, "finish_reason": "stop"}

    answer, answered = await ask(Upstream(refused), tool_choice="required").plain()

    assert (answer["choices"][0]["message"]["refusal"], answered.attempts) == ("No.", 1)


STRICT: Json = {"name": "weather", "strict": True, "parameters": {**SCHEMA, "required": ["n"]}}


class Pieces(Upstream):
    """Streams these choices, each in a chunk of its own."""

    def __init__(self, *choices: Json) -> None:
        super().__init__(mapped=("tools", "response_format"))
        self.choices = choices

    async def stream(self, call: UpstreamCall) -> AsyncGenerator[Json]:
        for choice in self.choices:
            yield {"choices": [{"index": 0, "finish_reason": None, "delta": {}, **choice}]}


def piece(arguments: str | None, place: int = 0, name: str | None = None, **more: Any) -> Json:
    call = {"index": place, "function": {"name": name, "arguments": arguments}}
    return {"delta": {"tool_calls": [call]}, **more}


END = {"finish_reason": "tool_calls"}


@pytest.mark.parametrize(
    ("choices", "is_met"),
    [
        ([piece("", name="weather"), piece('{"n"'), piece(": 1}"), END], True),
        ([piece("", name="weather"), piece('{"n"'), piece(": 10}"), END], False),
        ([piece(None, name="weather"), END], False),  # nothing is an empty object
        ([piece("{}", name="time"), END], True),  # that one is not strict
        (
            [
                piece('{"n"', name="weather"),
                piece("{}", 1, name="time"),
                piece(": 1}"),
                piece(None, 1),
                END,
            ],
            True,
        ),
        ([piece('{"n": 1}', name="weather"), piece("{}", 1, name="weather"), END], False),
        ([{"delta": {"content": "Sunny."}}, {"finish_reason": "length"}], True),
        ([{"delta": {"content": "Sunny."}}, {"finish_reason": "stop"}], False),
        ([{"delta": {"content": '{"n":'}}, {"delta": {"content": "1}"}}, END], True),
        ([{"delta": {"refusal": "No"}}, {"delta": {}}, {"finish_reason": "stop"}], True),
        ([{"delta": {"content": "{}"}, "finish_reason": "stop"}, {**END, "index": 1}], False),
    ],
)
async def test_the_pieces_of_each_choice_are_checked_at_its_end(
    choices: list[Json], is_met: bool
) -> None:
    tools = [{"type": "function", "function": STRICT}, TIME]
    routed = ask(Pieces(*choices), tools=tools, response_format=BY_SCHEMA)
    reasons: list[Any] = []

    with nullcontext() if is_met else pytest.raises(UnmetWishError) as caught:
        async for chunk in routed.chunks():
            reasons += [choice["finish_reason"] for choice in chunk["choices"]]

    assert caught is None or caught.value.code == "schema_not_met"
    assert (reasons[-1] is not None) is is_met


async def test_the_text_is_held_to_the_limit_of_the_call() -> None:
    route = Route(provider=PROVIDERS["anthropic"], model="m")
    body: Json = {"messages": [USER]}

    routed = prepare(Upstream(answering("Sunny.")), UpstreamCall(body, route, "req_1", most_text=1))

    [choice] = (await routed.exchange.complete())["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("Sunn", "length")


THOUGHT = {"role": "assistant", "content": "", "thinking_blocks": [{"type": "redacted_thinking"}]}


@pytest.mark.parametrize(
    ("asked", "around"),
    [
        ({}, FakeExchange),
        ({"n": 1}, FakeExchange),
        ({"n": 2}, FanOut),
        ({"n": 2, "functions": [WEATHER["function"]]}, AsFunctions),
        ({"n": 2, "functions": [WEATHER["function"]], "stop": "END"}, CutShort),
        ({"messages": [USER, {**THOUGHT, "thinking_blocks": []}, USER]}, FakeExchange),
        ({"n": 2, "stop": "END", "messages": [USER, THOUGHT, USER]}, WithOrWithout),
    ],
)
def test_what_is_asked_for_and_the_provider_lacks_is_done_around_it(
    asked: Json, around: type
) -> None:
    refused = frozenset({"stop"})
    route = Route(provider=PROVIDERS["anthropic"], model="m", unsupported_parameters=refused)
    body: Json = {"messages": [USER], **asked}

    assert type(prepare(Upstream(), UpstreamCall(body, route, "req_1")).exchange) is around


@pytest.mark.parametrize(
    ("earlier", "field"),
    [
        (
            {"role": "assistant", "function_call": {"name": "weather", "arguments": "{}"}},
            "tool_calls",
        ),
        ({"role": "function", "content": "Sunny."}, "tool_call_id"),
    ],
)
def test_a_function_called_earlier_is_a_call_of_a_tool(earlier: Json, field: str) -> None:
    route = Route(provider=PROVIDERS["anthropic"], model="m")
    body: Json = {"messages": [USER, earlier]}
    formats = Formatting()

    prepare(formats, UpstreamCall(body, route, "req_1"))

    assert field in formats.body["messages"][1]


class Formatting(Upstream):
    """Keeps the body that it is asked to prepare."""

    def prepare(self, call: UpstreamCall) -> FakeExchange:
        self.body: Json = call.body
        return super().prepare(call)
