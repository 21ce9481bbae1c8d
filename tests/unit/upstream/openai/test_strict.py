"""Strict schemas on their way to OpenAI: brought to the part of JSON Schema that it keeps to."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from losi.upstream.openai.strict import kept_schema, with_kept_schemas
from tests.loose import Json, loose
from tests.strict_upstream.schemas import OPENAI_STRICT


def closed(**properties: Json) -> Json:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


KEPT: list[tuple[Json, Json]] = [
    (
        {"type": "string", "minLength": 1, "maxLength": 9},
        {"type": "string", "description": "{minLength: 1, maxLength: 9}"},
    ),
    (
        {"type": "string", "description": "Where", "default": "Rome"},
        {"type": "string", "description": "Where\n\n{default: Rome}"},
    ),
    ({"type": "string", "format": "uri"}, {"type": "string", "description": "{format: uri}"}),
    (
        {"type": "string", "pattern": "^(?!x)"},
        {"type": "string", "description": "{pattern: ^(?!x)}"},
    ),
    ({"oneOf": [{"type": "null"}]}, {"anyOf": [{"type": "null"}]}),
    ({"$ref": "#/$defs/a", "description": "Where"}, {"$ref": "#/$defs/a"}),
    (
        {"type": "array", "items": {"type": "string", "minLength": 1}, "uniqueItems": True},
        {
            "type": "array",
            "items": {"type": "string", "description": "{minLength: 1}"},
            "description": "{uniqueItems: true}",
        },
    ),
    # taken since 2025, so left as they are
    ({"type": "integer", "minimum": 1}, {"type": "integer", "minimum": 1}),
    ({"type": "string", "pattern": "^a+$"}, {"type": "string", "pattern": "^a+$"}),
    ({"type": "string", "format": "uuid"}, {"type": "string", "format": "uuid"}),
]


@pytest.mark.parametrize(("given_schema", "kept"), KEPT)
def test_what_has_no_place_is_said_in_the_description(given_schema: Json, kept: Json) -> None:
    assert kept_schema(closed(city=given_schema)) == closed(city=kept)


NOT_KEPT: list[Json] = [
    {"type": "object"},
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    {**closed(city={"type": "string"}), "required": []},
    {**closed(city={"type": "string"}), "additionalProperties": {"type": "string"}},
    closed(city={}),
    closed(city={"allOf": [{"type": "string"}]}),
    closed(city={"type": "array", "items": {}}),
    closed(city={"type": "array", "prefixItems": [{"type": "string"}]}),
    closed(city={"$ref": "https://example.com/city"}),
    {"type": "array", "items": {"type": "string"}},
    {"anyOf": [closed()]},
    {**closed(), "anyOf": [closed()]},
]


@pytest.mark.parametrize("schema", NOT_KEPT)
def test_what_cannot_be_brought_to_it_is_not_strict(schema: Json) -> None:
    wanted = {"name": "answer", "schema": schema, "strict": True}
    function = {"name": "f", "parameters": schema, "strict": True}
    body: Json = {
        "response_format": {"type": "json_schema", "json_schema": wanted},
        "tools": [{"type": "function", "function": function}],
    }

    kept, mapped = with_kept_schemas(body)

    sent = loose(kept)
    assert sent["response_format"]["json_schema"] == {**wanted, "strict": False}
    assert sent["tools"][0]["function"] == {**function, "strict": False}
    assert mapped == {"response_format", "tools"}
    assert wanted["strict"] and function["strict"]  # the caller's body is not touched


@pytest.mark.parametrize("strict", [None, False])
def test_what_is_not_strict_is_not_touched(strict: bool | None) -> None:
    function = {"name": "f", "parameters": {"type": "object"}, "strict": strict}
    body: Json = {"tools": [{"type": "function", "function": function}, {"type": "custom"}]}

    assert with_kept_schemas(body) == (body, frozenset())


_values = st.recursive(
    st.sampled_from(
        [
            {"type": "string"},
            {"type": "string", "minLength": 1},
            {"type": "string", "format": "binary"},
            {"type": "number", "default": 1},
            {"enum": ["a", 1]},
            {"$ref": "#/$defs/a", "title": "A"},
            {},
        ]
    ),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda some: {"oneOf": some}),
        inner.map(lambda one: {"type": "array", "items": one, "maxItems": 3, "uniqueItems": True}),
        inner.map(lambda one: closed(x=one)),
        inner.map(lambda one: {"type": "object", "properties": {"y": one}}),
    ),
    max_leaves=6,
)


@given(_values)
def test_what_is_kept_openai_takes(value: Any) -> None:
    kept = kept_schema({**closed(value=value), "$defs": {"a": {"type": "string"}}})

    checks = [check for rule, check in OPENAI_STRICT.items() if rule not in ("O44", "O45")]
    assert kept is None or not [found for check in checks for found in check(kept)]
