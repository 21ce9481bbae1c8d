"""Schemas as clients' libraries write them, as Claude keeps to them."""

import json

import pytest

from losi.upstream.claude_schema import (
    format_instruction,
    is_loosened,
    kept_schema,
    tool_schema,
)
from losi.upstream.conversation import JSON_INSTRUCTION
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


def optional(count: int) -> Json:
    return {"type": "object", "properties": {f"p{i}": {"type": "null"} for i in range(count)}}


def unions(count: int) -> Json:
    either = {"anyOf": [{"type": "string"}, {"type": "null"}]}
    names = [f"p{i}" for i in range(count)]
    return {"type": "object", "properties": dict.fromkeys(names, either), "required": names}


class TestBounds:
    """https://platform.claude.com/docs/en/build-with-claude/structured-outputs"""

    @pytest.mark.parametrize(
        ("schema", "kept"),
        [(optional(24), True), (optional(25), False), (unions(16), True), (unions(17), False)],
    )
    def test_what_is_too_complex_starts_at_a_number(self, schema: Json, kept: bool) -> None:
        assert (kept_schema(schema) is not None) is kept

    def test_those_of_all_places_are_added_up(self) -> None:
        inner = {**optional(12), "required": []}
        both = {"type": "object", "properties": {"a": inner, "b": inner}, "required": ["a", "b"]}
        assert kept_schema(both)
        assert kept_schema({**both, "required": ["a"]}) is None
        listed = {"type": "array", "items": optional(25)}
        assert kept_schema({"anyOf": [listed, {"type": "null"}]}) is None

    @pytest.mark.parametrize(
        ("least", "kept_as"), [(0, {"minItems": 0}), (1, {"minItems": 1}), (2, None)]
    )
    def test_a_list_may_have_to_have_one_item(self, least: int, kept_as: Json | None) -> None:
        told = kept(type="array", items={"type": "null"}, minItems=least)
        more = kept_as or {"description": f"{{minItems: {least}}}"}
        assert told == {"type": "array", "items": {"type": "null"}, **more}

    @pytest.mark.parametrize(
        "form",
        [
            *("date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4"),
            *("ipv6", "uuid"),
        ],
    )
    def test_formats_that_are_kept(self, form: str) -> None:
        assert kept(type="string", format=form) == {"type": "string", "format": form}

    def test_a_name_of_a_property_has_64_letters(self) -> None:
        for length, fits in ((64, True), (65, False)):
            schema = {"type": "object", "properties": {"x" * length: {"type": "null"}}}
            assert (kept_schema(schema) is not None) is fits
            assert ("x" * length in tool_schema(schema)["properties"]) is fits


class TestRewriting:
    def test_a_union_of_types_keeps_what_it_is_called(self) -> None:
        told = kept(type=["integer", "null"], minimum=1, title="N", description="d")
        assert {**told, "anyOf": None} == {"anyOf": None, "title": "N", "description": "d"}
        assert [branch["type"] for branch in told["anyOf"]] == ["integer", "null"]
        assert "{minimum: 1}" in told["anyOf"][0]["description"]

    def test_literals_that_are_no_plain_values_are_described(self) -> None:
        assert kept(type="string", const={"a": 1})["description"] == '{const: {"a": 1}}'
        assert kept(type="string", enum=[["a"]])["description"] == '{enum: [["a"]]}'
        assert kept(type="string", enum=[])["description"] == "{enum: []}"
        assert kept(type="string", enum=["a"]) == {"enum": ["a"]}

    def test_all_of_several_stays_all_of_them(self) -> None:
        branches = [{"type": "string"}]
        assert kept(allOf=branches) == {"allOf": branches}

    def test_references_may_be_used_often_but_not_into_nowhere(self) -> None:
        ref = {"$ref": "#/$defs/a"}
        root = {"type": "object", "properties": {"x": ref, "y": ref}, "required": ["x", "y"]}
        found = kept_schema({**root, "$defs": {"a": {"type": "null"}}})
        assert found and found["properties"] == {"x": ref, "y": ref}
        assert kept_schema({**root, "$defs": {"b": {"type": "null"}}}) is None
        assert kept_schema(root) is None

    def test_what_begins_with_a_dollar_is_for_nobody(self) -> None:
        assert kept_schema({**closed(type="null"), "$schema": "x"}) == closed(type="null")

    @pytest.mark.parametrize("format_", [None, {"type": "text"}])
    def test_a_text_asks_for_no_form(self, format_: Json | None) -> None:
        assert format_instruction(format_) is None
        assert not is_loosened(format_)

    @pytest.mark.parametrize(
        ("schema", "native", "in_words", "loosened"),
        [
            (closed(type="null"), True, False, False),
            (closed(type="null"), False, True, True),
            (closed(type="integer", minimum=1), True, False, True),
            ({"type": "object"}, True, True, True),
            (None, True, True, True),
        ],
    )
    def test_a_schema_is_said_in_words_where_it_is_not_kept(
        self, schema: Json | None, native: bool, in_words: bool, loosened: bool
    ) -> None:
        wanted: Json = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
        words = format_instruction(wanted, native=native)
        assert (words is not None) is in_words
        assert words is None or words.endswith(json.dumps(schema or {"type": "object"}))
        assert is_loosened(wanted, native=native) is loosened

    def test_any_object_is_asked_for_in_words(self) -> None:
        assert format_instruction({"type": "json_object"}) == JSON_INSTRUCTION
        assert is_loosened({"type": "json_object"})

    def test_a_tools_own_requirements_stay_beside_those_of_its_union(self) -> None:
        schema = tool_schema(
            {
                "properties": {"c": {}},
                "required": ["c"],
                "anyOf": [{"properties": {"a": {}}, "required": ["a"]}, {"required": ["a"]}, 5],
            }
        )
        assert (list(schema["properties"]), schema["required"]) == (["c", "a"], ["a", "c"])
        assert tool_schema({"anyOf": [5]})["properties"] == {}
