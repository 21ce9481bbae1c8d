"""When the sandbox calls tools, which ones, and with what arguments."""

import json
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from losi.errors import InvalidRequestError
from tests.loose import Json
from tests.unit.json_schema.json_schemas import SATISFIABLE
from tests.unit.sandbox.sandbox_calls import completed, request, streamed


def function(name: str, parameters: Any = None) -> Json:
    return {"type": "function", "function": {"name": name, "parameters": parameters or {}}}


WEATHER = function(
    "get_weather",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
TIME = function("get_time")
TOOLS = [WEATHER, TIME]


async def choice_for(body: Json) -> Any:
    return (await completed(body))["choices"][0]


async def called(body: Json) -> list[str]:
    calls = (await choice_for(body))["message"].get("tool_calls", [])
    return [call["function"]["name"] for call in calls]


async def test_a_tool_is_called_with_arguments_that_fit_its_schema() -> None:
    choice = await choice_for(request("What's the weather in London?", tools=TOOLS))

    (call,) = choice["message"]["tool_calls"]
    assert call["type"] == "function"
    assert call["function"] == {"name": "get_weather", "arguments": '{"city":"sandbox"}'}
    assert choice["message"]["content"] is None
    assert choice["finish_reason"] == "tool_calls"


async def test_the_tools_result_is_answered_with_text_that_quotes_it() -> None:
    body = request("What's the weather?", tools=TOOLS)
    message = (await choice_for(body))["message"]
    result = {
        "role": "tool",
        "tool_call_id": message["tool_calls"][0]["id"],
        "content": "18 °C, light rain",
    }

    choice = await choice_for({**body, "messages": [*body["messages"], message, result]})

    assert 'The tool answered: "18 °C, light rain".' in choice["message"]["content"]
    assert choice["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("tool_choice", "expected"),
    [
        ("none", []),
        ("auto", ["get_weather"]),
        ("required", ["get_weather"]),
        ({"type": "function", "function": {"name": "get_time"}}, ["get_time"]),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "auto", "tools": [function("get_time")]},
            },
            ["get_time"],
        ),
    ],
)
async def test_tool_choice_is_obeyed(tool_choice: Any, expected: list[str]) -> None:
    assert await called(request(tools=TOOLS, tool_choice=tool_choice)) == expected


@pytest.mark.parametrize(
    "tool_choice",
    [
        "required",
        {"type": "function", "function": {"name": "get_weather"}},
        {
            "type": "allowed_tools",
            "allowed_tools": {"mode": "required", "tools": [function("get_weather")]},
        },
    ],
)
async def test_a_demanded_call_is_made_even_after_a_result(tool_choice: Any) -> None:
    body = request("[[sandbox:say=no]]", tools=TOOLS, tool_choice=tool_choice)
    body["messages"].append({"role": "tool", "tool_call_id": "call_1", "content": "done"})

    assert await called(body) == ["get_weather"]


MISSING = "missing_required_parameter"


@pytest.mark.parametrize(
    ("parameters", "param", "code"),
    [
        ({"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "x"}}},
         "tool_choice", "invalid_value"),
        ({"tools": TOOLS, "tool_choice": {"type": "function"}}, "tool_choice.name", MISSING),
        ({"tools": TOOLS, "tool_choice": 5}, "tool_choice", "invalid_type"),
        ({"tools": TOOLS, "tool_choice": {"type": "allowed_tools"}}, "tool_choice", "invalid_type"),
        ({"tools": TOOLS, "tool_choice": {"type": "allowed_tools", "allowed_tools": {"tools": 5}}},
         "tool_choice", "invalid_type"),
        ({"tools": TOOLS,
          "tool_choice": {"type": "allowed_tools", "allowed_tools": {"tools": ["get_time"]}}},
         "tool_choice", "invalid_type"),
        ({"functions": [TIME["function"]], "function_call": {"name": "x"}}, "function_call",
         "invalid_value"),
        ({"tool_choice": "required"}, "tool_choice", None),
        ({"tools": "get_weather"}, "tools", "invalid_type"),
        ({"tools": ["get_weather"]}, "tools[0]", "invalid_type"),
        ({"tools": [TIME, {"type": "function"}]}, "tools[1].function", "invalid_type"),
        ({"tools": [{"type": "custom"}]}, "tools[0].custom", "invalid_type"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name", MISSING),
        ({"tools": [{"type": "function", "function": {"name": ""}}]}, "tools[0].function.name",
         MISSING),
        ({"tools": [function("f", {"type": "string"})]}, "tools[0].function.parameters",
         "invalid_schema"),
        ({"tools": [function("f", "text")]}, "tools[0].function.parameters", "invalid_schema"),
        ({"functions": "f"}, "functions", "invalid_type"),
        ({"functions": [TIME["function"], 5]}, "functions[1]", "invalid_type"),
        ({"functions": [{"parameters": {}}]}, "functions[0].name", MISSING),
        ({"functions": [{"name": "f", "parameters": {"type": "x"}}]}, "functions[0].parameters",
         "invalid_schema"),
    ],
)  # fmt: skip
async def test_tools_that_make_no_sense_are_refused_by_name(
    parameters: Json, param: str, code: str | None
) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        await completed(request(**parameters))

    assert (refused.value.param, refused.value.code) == (param, code)


@pytest.mark.parametrize(
    "parameters",
    [
        {"tools": TOOLS, "tool_choice": []},
        {"tools": [function("f", [])]},
        {"tools": []},
        {"functions": []},
        {"tool_choice": "none"},
        {"tool_choice": "auto"},
    ],
)
async def test_what_is_empty_is_as_good_as_not_given(parameters: Json) -> None:
    await completed(request(**parameters))


async def test_tools_come_before_functions_of_the_older_api() -> None:
    body = request(tools=[TIME], functions=[WEATHER["function"]])

    assert await called(body) == ["get_time"]


async def test_a_tool_without_parameters_is_called_with_an_empty_object() -> None:
    tool = {"type": "function", "function": {"name": "now"}}

    (call,) = (await choice_for(request(tools=[tool])))["message"]["tool_calls"]

    assert call["function"]["arguments"] == "{}"


async def test_several_results_are_quoted_in_their_order() -> None:
    results = [
        {"role": "tool", "tool_call_id": "call_1", "content": "one"},
        {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "two"}]},
    ]
    earlier = {"role": "tool", "tool_call_id": "call_0", "content": "zero"}
    body = request(tools=TOOLS)
    body["messages"] = [earlier, *body["messages"], *results]

    text = (await choice_for(body))["message"]["content"]

    assert text.endswith('The tool answered: "one; two".')


@pytest.mark.parametrize(
    ("limit", "texts"),
    [
        (1, []),
        (2, ['{"']),
        (5, ['{"c":"sandbox"']),
        (6, ['{"c":"sandbox"}', ""]),
        (7, ['{"c":"sandbox"}', '{"c"']),
        (100, ['{"c":"sandbox"}'] * 2),
    ],
)
async def test_a_token_limit_cuts_calls_as_it_cuts_text(limit: int, texts: list[str]) -> None:
    parameters = {"type": "object", "properties": {"c": {"type": "string"}}, "required": ["c"]}
    tools = [function("weathr", parameters), function("fnc", parameters)]

    choice = await choice_for(request("[[sandbox:parallel=2]]", tools=tools, max_tokens=limit))

    calls = choice["message"].get("tool_calls", [])
    assert [call["function"]["arguments"] for call in calls] == texts
    assert choice["finish_reason"] == ("tool_calls" if limit == 100 else "length")


async def test_several_calls_can_be_asked_for() -> None:
    body = request("[[sandbox:parallel=3]]", tools=TOOLS)

    message = (await choice_for(body))["message"]

    assert await called(body) == ["get_weather", "get_time", "get_weather"]
    assert len({call["id"] for call in message["tool_calls"]}) == 3
    assert await called({**body, "parallel_tool_calls": False}) == ["get_weather"]


async def test_a_tool_and_its_arguments_can_be_dictated() -> None:
    text = '[[sandbox:call=get_time]] [[sandbox:arguments={"zone": "UTC"}]]'

    choice = await choice_for(request(text, tools=TOOLS))

    (call,) = choice["message"]["tool_calls"]
    assert call["function"] == {"name": "get_time", "arguments": '{"zone": "UTC"}'}


@pytest.mark.parametrize("fields", [{}, {"tools": TOOLS, "tool_choice": "none"}])
async def test_without_tools_to_call_a_dictated_one_is_no_call(fields: Json) -> None:
    assert await called(request("[[sandbox:call=get_time]]", **fields)) == []


async def test_dictating_an_unknown_tool_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match=r"get_weather, get_time"):
        await completed(request("[[sandbox:call=get_tide]]", tools=TOOLS))


@pytest.mark.parametrize("directive", ["say=Hi", "tokens=20", "refusal", "empty"])
async def test_a_dictated_text_comes_before_a_call_that_is_not_demanded(directive: str) -> None:
    choice = await choice_for(request(f"[[sandbox:{directive}]]", tools=TOOLS))

    assert "tool_calls" not in choice["message"]
    assert choice["finish_reason"] == "stop"


async def test_calls_of_different_choices_have_different_ids() -> None:
    choices = (await completed(request(tools=TOOLS, n=3)))["choices"]

    assert [choice["message"]["tool_calls"][0]["id"] for choice in choices] == [
        "call_5bc95756b5591009bc599f06",
        "call_5bc95756b5591009bc590001",
        "call_5bc95756b5591009bc590002",
    ]


async def test_functions_of_the_older_api_are_called() -> None:
    body = request(functions=[WEATHER["function"]])

    choice = await choice_for(body)

    assert choice["message"]["function_call"] == {
        "name": "get_weather",
        "arguments": '{"city":"sandbox"}',
    }
    assert choice["finish_reason"] == "function_call"
    assert "function_call" not in (await choice_for({**body, "function_call": "none"}))["message"]

    body["messages"].append({"role": "function", "name": "get_weather", "content": "rain"})
    assert "rain" in (await choice_for(body))["message"]["content"]


SENTENCE = "Input from the Losi sandbox."


def grammar(definition: Any) -> Json:
    return {"type": "grammar", "grammar": {"syntax": "regex", "definition": definition}}


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (None, SENTENCE),
        ({"type": "text"}, SENTENCE),
        (grammar("[0-9]{3}-x"), "111-x"),
        (grammar("aa|b"), "b"),
    ],
)
async def test_custom_tools_are_called_with_text(form: Any, expected: str) -> None:
    tool = {"type": "custom", "custom": {"name": "run", **({"format": form} if form else {})}}
    named = {"type": "custom", "custom": {"name": "run"}}

    choice = await choice_for(request(tools=[tool], tool_choice=named))

    (call,) = choice["message"]["tool_calls"]
    assert (call["type"], call["custom"]) == ("custom", {"name": "run", "input": expected})


async def test_a_grammar_that_the_sandbox_cannot_follow_is_refused() -> None:
    form = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: NUMBER"}}

    with pytest.raises(InvalidRequestError, match="arguments=") as refused:
        await completed(
            request(tools=[{"type": "custom", "custom": {"name": "r", "format": form}}])
        )

    assert refused.value.param == "tools[0].custom.format"


async def test_streamed_calls_number_themselves_from_zero() -> None:
    chunks = await streamed(request("[[sandbox:parallel=2]]", tools=TOOLS))

    deltas = [chunk["choices"][0]["delta"] for chunk in chunks[:-1]]
    indexes = [delta["tool_calls"][0]["index"] for delta in deltas if "tool_calls" in delta]
    assert deltas[0] == {"role": "assistant", "content": None, "refusal": None}
    assert sorted(set(indexes)) == [0, 1]
    assert indexes == sorted(indexes)


@given(SATISFIABLE)
async def test_arguments_fit_any_schema_of_an_object(inner: Any) -> None:
    parameters = {"type": "object", "properties": {"value": inner}, "required": ["value"]}

    choice = await choice_for(request(tools=[function("f", parameters)]))

    arguments = json.loads(choice["message"]["tool_calls"][0]["function"]["arguments"])
    Draft202012Validator(parameters).validate(arguments)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        (
            {
                "tools": [
                    function("f", {"type": "object", "properties": {"a": False}, "required": ["a"]})
                ]
            },
            "tools[0].function.parameters",
        ),
        (
            {"tools": [{"type": "custom", "custom": {"name": "f", "format": {"type": "grammar"}}}]},
            "tools[0].custom.format",
        ),
        (
            {"tools": [{"type": "custom", "custom": {"name": "f", "format": grammar(5)}}]},
            "tools[0].custom.format",
        ),
    ],
    ids=["nothing fits", "an unknown grammar", "a grammar that is no text"],
)
async def test_a_schema_that_it_cannot_follow_is_refused_by_parameter(
    fields: Json, param: str
) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        await completed(request("Call it.", tool_choice="required", **fields))

    assert (refused.value.param, refused.value.code) == (param, "invalid_schema")
