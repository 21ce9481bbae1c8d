"""What a route does not take is asked for in words, and the answer is checked."""

from typing import Any

import pytest

from losi.catalogue.row import Combination
from losi.errors import UpstreamError
from losi.upstream.format import upstream_error
from losi.upstream.wishes import UnmetWishError
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

FORCED: dict[str, tuple[Json, Any, str]] = {
    "required": ({"tool_choice": "required"}, "auto", "at least one"),
    "named": ({"tool_choice": NAMED}, "auto", "`weather`"),
    "one of the allowed": (
        {
            "tool_choice": {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "required", "tools": [NAMED]},
            }
        },
        {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [NAMED]}},
        "at least one",
    ),
}


@pytest.mark.parametrize("name", FORCED)
async def test_a_forced_tool_is_asked_for_in_the_users_turn(name: str) -> None:
    body, choice, words = FORCED[name]
    upstream = Upstream(calls("weather"))

    _, answered = await ask(upstream, **body).plain()

    [sent] = upstream.sent
    assert sent["tool_choice"] == choice
    assert sent["messages"][0] == SYSTEM and sent["tools"] == [WEATHER, TIME]
    last = sent["messages"][-1]
    assert last["role"] == "user" and words in last["content"][-1]["text"]
    assert answered.mapped == ("tool_choice",)


async def test_an_older_function_call_is_asked_for_as_well() -> None:
    said = {"message": {"function_call": {"name": "weather"}}, "finish_reason": "function_call"}
    upstream = Upstream(said)
    functions = [{"name": "weather"}]

    routed = ask(upstream, tools=None, functions=functions, function_call={"name": "weather"})
    _, answered = await routed.plain()

    assert upstream.sent[0]["tool_choice"] == "auto"
    assert answered.mapped == ("function_call",)


@pytest.mark.parametrize("choice", ["auto", "none", None])
async def test_what_is_not_forced_is_sent_as_it_is(choice: str | None) -> None:
    upstream = Upstream(answering("Sunny."))

    _, answered = await ask(upstream, tool_choice=choice).plain()

    assert upstream.sent[0]["messages"] == [SYSTEM, USER]
    assert answered.mapped == ()


@pytest.mark.parametrize(
    "first", [answering("Sunny."), calls("time")], ids=["text", "another tool"]
)
async def test_a_tool_that_was_not_called_is_asked_for_once_more(first: Json) -> None:
    routed = ask(Upstream(first, calls("weather")), tool_choice=NAMED)

    answer, answered = await routed.plain()

    assert answer["choices"][0]["message"]["tool_calls"]
    assert answered.attempts == 2
    assert [spent.answer["choices"][0]["message"] for spent in routed.job.spent] == [
        first["message"]
    ]


@pytest.mark.parametrize("routes", [1, 2])
async def test_and_not_a_third_time(routes: int) -> None:
    routed = ask(
        Upstream(answering("No."), answering("No!")), routes=routes, tool_choice="required"
    )

    with pytest.raises(UnmetWishError) as caught:
        await routed.plain()

    assert (caught.value.status, caught.value.code) == (502, "tool_not_called")
    assert caught.value.headers["x-should-retry"] == "false"
    assert len(routed.job.spent) == 2


async def test_the_second_ask_is_one_of_the_attempts_that_a_route_has() -> None:
    overloaded = upstream_error(529, "Anthropic")
    assert isinstance(overloaded, UpstreamError)
    routed = ask(Upstream(overloaded, answering("No.")), tool_choice="required")

    with pytest.raises(UnmetWishError):
        await routed.plain()

    assert len(routed.upstream.sent) == 2


@pytest.mark.parametrize("finish", ["length", "content_filter"])
async def test_an_answer_that_was_cut_is_given_as_it_is(finish: str) -> None:
    answer, _ = await ask(Upstream(answering("I w", finish)), tool_choice="required").plain()

    assert answer["choices"][0]["finish_reason"] == finish


async def test_a_stream_that_has_spoken_ends_with_the_error_after_its_usage() -> None:
    routed = ask(Upstream(answering("No.")), tool_choice="required")
    seen: list[Json] = []

    with pytest.raises(UnmetWishError):
        async for chunk in routed.chunks():
            seen.append(chunk)

    assert len(routed.upstream.sent) == 1
    assert all(choice["finish_reason"] is None for chunk in seen for choice in chunk["choices"])
    assert seen[-1]["usage"]


async def test_a_stream_that_calls_the_tool_is_whole() -> None:
    routed = ask(Upstream(calls("weather")), tool_choice="required")

    seen = [chunk async for chunk in routed.chunks()]

    assert seen[1]["choices"][0]["finish_reason"] == "tool_calls"


INVALID = ['{"n": 10}', '{"n": "1"}', "[]", "It is 1.", "", '{"n": 1']


@pytest.mark.parametrize("text", INVALID)
async def test_an_answer_that_breaks_a_loosened_schema_is_asked_for_once_more(text: str) -> None:
    upstream = Upstream(answering(text), answering('{"n": 1}'), mapped=("response_format",))

    answer, answered = await ask(upstream, response_format=BY_SCHEMA).plain()

    assert answer["choices"][0]["message"]["content"] == '{"n": 1}'
    assert (answered.attempts, answered.mapped) == (2, ("response_format",))


async def test_json_in_a_code_fence_is_the_answer_without_the_fence() -> None:
    fenced = answering('```json\n{"n": 1}\n```')
    upstream = Upstream(fenced, mapped=("response_format",))

    answer, answered = await ask(upstream, response_format=BY_SCHEMA).plain()

    assert (answer["choices"][0]["message"]["content"], answered.attempts) == ('{"n": 1}', 1)
    routed = ask(Upstream(fenced, mapped=("response_format",)), response_format=BY_SCHEMA)
    seen = [chunk async for chunk in routed.chunks()]
    assert seen[-2]["choices"][0]["finish_reason"] == "stop"


async def test_a_schema_that_is_broken_twice_is_told() -> None:
    upstream = Upstream(answering("1"), answering("2"), mapped=("response_format",))

    with pytest.raises(UnmetWishError) as caught:
        await ask(upstream, response_format={"type": "json_object"}).plain()

    assert caught.value.code == "schema_not_met"


async def test_a_stream_that_breaks_a_loosened_schema_ends_with_the_error() -> None:
    routed = ask(Upstream(answering("1"), mapped=("response_format",)), response_format=BY_SCHEMA)

    with pytest.raises(UnmetWishError):
        [chunk async for chunk in routed.chunks()]


async def test_a_call_of_a_tool_beside_a_schema_is_no_answer_yet() -> None:
    upstream = Upstream(calls("time"), mapped=("response_format",))

    answer, _ = await ask(upstream, response_format=BY_SCHEMA).plain()

    assert answer["choices"][0]["message"]["tool_calls"]


async def test_arguments_that_break_a_loosened_strict_tool_are_asked_for_once_more() -> None:
    strict = {"name": "weather", "strict": True, "parameters": {**SCHEMA, "required": ["n"]}}
    good = calls("weather")
    good["message"]["tool_calls"][0]["function"]["arguments"] = '{"n": 1}'
    routed = ask(
        Upstream(calls("weather"), good, mapped=("tools",)),
        tools=[{"type": "function", "function": strict}, TIME],
    )

    answer, answered = await routed.plain()

    assert answer["choices"][0]["message"] == good["message"]
    assert (answered.attempts, answered.mapped, len(routed.job.spent)) == (2, ("tools",), 1)


async def test_a_schema_that_cannot_be_judged_is_not_held_against_the_answer() -> None:
    schema = {"$ref": "https://example.com/schema"}
    wanted = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    upstream = Upstream(answering("1"), mapped=("response_format",))

    answer, _ = await ask(upstream, response_format=wanted).plain()

    assert answer["choices"]


@pytest.mark.parametrize(
    ("refuses", "tools", "stream", "in_words"),
    [
        ("schema_with_tools", [WEATHER], False, True),
        ("schema_with_tools", [WEATHER], True, True),
        ("schema_with_tools", [], True, False),
        ("schema_in_streams", [], True, True),
        ("schema_in_streams", [WEATHER], True, True),
        ("schema_in_streams", [WEATHER], False, False),
        ("forced_tools", [WEATHER], True, False),
    ],
)
async def test_a_schema_that_may_not_stand_beside_the_rest_is_asked_for_in_words(
    refuses: Combination, tools: list[Json], stream: bool, in_words: bool
) -> None:
    upstream = Upstream(answering('{"n": 1}'))
    routed = ask(upstream, refuses=refuses, tools=tools, response_format=BY_SCHEMA)

    if stream:
        [_ async for _ in routed.chunks()]
    else:
        await routed.plain()

    [sent] = upstream.sent
    assert ("response_format" not in sent) is in_words
    assert ('"maximum": 9' in str(sent["messages"][-1]["content"])) is in_words


async def test_and_its_answer_is_checked() -> None:
    upstream = Upstream(answering('{"n": 10}'), answering('{"n": 1}'))
    routed = ask(upstream, refuses="schema_with_tools", response_format=BY_SCHEMA)

    _, answered = await routed.plain()

    assert (answered.attempts, answered.mapped) == (2, ("response_format",))
