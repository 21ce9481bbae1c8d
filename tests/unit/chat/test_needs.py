"""What a request needs, which routes give it, and what is said where none does."""

from typing import Any

import pytest

from losi.catalogue.loader import SHIPPED, load
from losi.catalogue.models import Catalogue, Route
from losi.chat.needs import Needs, routes_for
from losi.chat.request import ChatRequest, parse_chat_request
from losi.errors import InvalidRequestError
from tests.loose import Json

CATALOGUE: Catalogue = load(SHIPPED)
USER: Json = {"role": "user", "content": "Hi"}
TOOLS: Json = {"tools": [{"type": "function", "function": {"name": "f"}}]}
FUNCTIONS: Json = {"functions": [{"name": "f"}]}
IMAGE: Json = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
TEXT_FILE: Json = {"type": "file", "file": {"file_data": "data:text/csv;base64,YTti"}}
FILE: Json = {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBE"}}
SCHEMA: Json = {
    "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}
}


def request(model: str = "gpt-4o", **body: Any) -> ChatRequest:
    return parse_chat_request({"model": model, "messages": [USER], **body})


def content(*parts: Json) -> Json:
    return {
        "messages": [USER, {"role": "user", "content": [{"type": "text", "text": "?"}, *parts]}]
    }


def routes(request: ChatRequest, input_tokens: int = 10, *, test_key: bool = False) -> list[Route]:
    model = CATALOGUE.models[request.params.model]
    others = CATALOGUE.of_plan(CATALOGUE.plans["ultra"], "chat")
    return routes_for(request, model, others, input_tokens, test_key=test_key)


@pytest.mark.parametrize(
    ("body", "features", "combinations"),
    [
        ({}, {}, {}),
        (TOOLS, {"tools": "tools"}, {}),
        (FUNCTIONS, {"tools": "functions"}, {}),
        (content(IMAGE, IMAGE), {"vision": "messages[1].content[1]"}, {}),
        (content(FILE), {}, {"files": "messages[1].content[1]"}),
        (content(TEXT_FILE), {}, {}),  # said as text where files are not taken
        (SCHEMA, {"structured_output": "response_format"}, {}),
        ({"response_format": {"type": "json_object"}}, {}, {}),
        ({"reasoning_effort": "high"}, {}, {}),
        (
            {**TOOLS, "reasoning_effort": "low"},
            {"tools": "tools"},
            {"tools_with_reasoning": "reasoning_effort"},
        ),
        ({**TOOLS, "reasoning_effort": "none"}, {"tools": "tools"}, {}),
    ],
)
def test_what_a_request_needs(body: Json, features: Json, combinations: Json) -> None:
    needs = Needs.of(request(**body))

    assert (needs.features, needs.combinations) == (features, combinations)


def test_tools_beside_reasoning_take_the_route_that_can_do_both() -> None:
    ways = [(route.provider.id, route.model) for route in routes(request(**TOOLS))]
    reasoning = routes(request(**TOOLS, reasoning_effort="high"))

    assert ("openai", "gpt-6-luna") in ways
    assert [(route.provider.id, route.model) for route in reasoning] == [
        way for way in ways if way != ("openai", "gpt-6-luna")
    ]
    assert ("openai-responses", "gpt-6-luna") in ways


@pytest.mark.parametrize(
    ("body", "param", "able"),
    [
        (content(IMAGE), "messages[1].content[1]", "gpt-4o, losi-omega, claude-3.5-sonnet"),
        (SCHEMA, "response_format", "gpt-4o, gpt-4o-mini, losi-omega, claude-3.5-sonnet"),
    ],
)
def test_what_a_model_cannot_do_is_refused_with_those_that_can(
    body: Json, param: str, able: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        routes(request("gpt-3.5-turbo", **body))

    assert caught.value.param == param
    assert caught.value.code == "unsupported_request"
    assert caught.value.message.endswith(f"Models that do: {able}.")


def test_a_test_key_is_refused_what_a_live_one_is() -> None:
    assert routes(request(**content(IMAGE)), test_key=True)[0].provider.id == "sandbox"
    with pytest.raises(InvalidRequestError):
        routes(request("gpt-3.5-turbo", **content(IMAGE)), test_key=True)


def test_more_than_every_route_takes_is_refused_by_its_length() -> None:
    model = CATALOGUE.models["losi-omega"]
    short = [route for route in model.routes if route.max_input_tokens]
    long = request("losi-omega")

    with pytest.raises(InvalidRequestError, match="1,000,000 input tokens") as caught:
        routes_for(
            long,
            model.model_copy(update={"routes": tuple(short)}),
            (),
            1_000_000,
            test_key=False,
        )

    assert caught.value.param == "messages"
