"""Schemas as clients' libraries write them, as Claude keeps to them."""

import pytest

from losi.upstream.claude_schema import kept_schema, tool_schema
from tests.loose import Json
from tests.strict_upstream.schemas import CLAUDE_STRICT


def closed(**schema: object) -> Json:
    return {
        "type": "object",
        "properties": {"x": schema},
        "required": ["x"],
        "additionalProperties": False,
    }


def kept(**schema: object) -> Json:
    """What becomes of the one property of a schema."""
    found = kept_schema(closed(**schema))
    assert found is not None
    assert [list(check(found)) for check in CLAUDE_STRICT.values()] == [[]] * len(CLAUDE_STRICT)
    property_: Json = found["properties"]["x"]
    return property_


class TestKept:
    @pytest.mark.parametrize(
        ("schema", "told"),
        [
            ({"type": "integer", "minimum": 1, "maximum": 9}, "{minimum: 1, maximum: 9}"),
            ({"type": "number", "exclusiveMinimum": 0}, "{exclusiveMinimum: 0}"),
            ({"type": "integer", "multipleOf": 5}, "{multipleOf: 5}"),
            ({"type": "string", "minLength": 1, "maxLength": 3}, "{minLength: 1, maxLength: 3}"),
            ({"type": "string", "pattern": "^a+$"}, "{pattern: ^a+$}"),
            ({"type": "string", "format": "binary"}, "{format: binary}"),
            ({"type": "string", "default": "Rome"}, "{default: Rome}"),
            (
                {"type": "array", "items": {"type": "string"}, "minItems": 2, "uniqueItems": True},
                "{minItems: 2, uniqueItems: true}",
            ),
        ],
    )
    def test_bounds_move_into_the_description(self, schema: Json, told: str) -> None:
        assert kept(**schema)["description"] == told
        assert kept(**schema, description="A value.")["description"] == f"A value.\n\n{told}"

    @pytest.mark.parametrize(
        "schema",
        [
            {"type": "string", "format": "date-time"},
            {"type": "array", "items": {"type": "string"}, "minItems": 1},
            {"enum": ["a", "b"]},
            {"const": 1},
            {"anyOf": [{"type": "string"}, {"type": "null"}]},
            {"type": "boolean", "title": "X", "description": "d"},
        ],
    )
    def test_what_claude_keeps_to_stays(self, schema: Json) -> None:
        assert kept(**schema) == schema

    def test_one_of_several_is_any_of_them(self) -> None:
        branches = [{"type": "string"}, {"type": "null"}]
        assert kept(oneOf=branches) == {"anyOf": branches}
        assert kept(type=["string", "null"]) == {"anyOf": branches}

    def test_objects_are_closed_wherever_they_stand(self) -> None:
        inner = {"type": "object", "properties": {"y": {"type": "string"}}}
        assert kept(**inner)["additionalProperties"] is False
        found = kept_schema({"$defs": {"a": inner}, **closed(**{"$ref": "#/$defs/a"})})
        assert found and found["$defs"]["a"]["additionalProperties"] is False

    @pytest.mark.parametrize(
        "schema",
        [
            {"type": "object"},
            {"type": "object", "additionalProperties": {"type": "integer"}},
            {"description": "anything"},
            {"type": "array"},
            {"$ref": "https://example.com/schema.json"},
            {"$ref": "#"},
            True,
        ],
    )
    def test_what_cannot_be_kept_is_said_so(self, schema: Json) -> None:
        assert kept_schema({**closed(), "properties": {"x": schema}}) is None

    def test_recursion_cannot_be_kept(self) -> None:
        node = closed(anyOf=[{"$ref": "#/$defs/node"}, {"type": "null"}])
        assert kept_schema({"$defs": {"node": node}, "$ref": "#/$defs/node"}) is None

    def test_neither_can_what_is_too_complex(self) -> None:
        many = {f"p{i}": {"type": "string"} for i in range(25)}
        assert kept_schema({"type": "object", "properties": many}) is None
        assert kept_schema({"type": "object", "properties": many, "required": list(many)})


class TestTools:
    @pytest.mark.parametrize("union", ["anyOf", "oneOf", "allOf"])
    def test_a_union_at_the_top_becomes_properties(self, union: str) -> None:
        branches = [
            {"properties": {"a": {"type": "string"}}, "required": ["a"]},
            {"properties": {"b": {"type": "string"}}, "required": ["b"]},
        ]
        schema = tool_schema({"type": "object", "properties": {"c": {}}, union: branches})
        assert union not in schema and union in schema["description"]
        assert list(schema["properties"]) == ["c", "a", "b"]
        assert schema.get("required", []) == (["a", "b"] if union == "allOf" else [])

    @pytest.mark.parametrize("name", ["the city", "$eq", "größe", "x" * 65, ""])
    def test_a_property_that_claude_has_no_letters_for_is_described(self, name: str) -> None:
        inner = {"type": "object", "properties": {name: {"type": "string"}}, "required": [name]}
        schema = tool_schema({"type": "object", "properties": {"in": inner}})["properties"]["in"]
        assert schema["properties"] == {} and schema["required"] == []
        assert "further properties" in schema["description"] and name in schema["description"]

    def test_anything_else_goes_whole(self) -> None:
        schema = {"type": "object", "$defs": {"a": {"const": 1}}, "properties": {"x": {}}}
        assert tool_schema(schema) == schema
        assert tool_schema({"properties": None}) == {"type": "object"}
