"""Generated values fit their schemas, as the jsonschema library judges them."""

import json
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from losi.json_schema.limits import MAX_CHARACTERS, Budget, SchemaError
from losi.json_schema.schema import instance
from tests.unit.json_schema.json_schemas import ANY_SCHEMA, HARMLESS, JSON, SATISFIABLE

TREE = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
            },
            "required": ["name", "children", "next"],
            "additionalProperties": False,
        }
    },
    "$ref": "#/$defs/node",
}
EXPRESSIONS = {
    "$ref": "#/$defs/expression",
    "$defs": {
        "expression": {
            "anyOf": [{"$ref": f"#/$defs/{kind}"} for kind in ("sum", "negative", "literal")]
        },
        "sum": {
            "type": "object",
            "required": ["left", "right"],
            "properties": {
                "left": {"$ref": "#/$defs/expression"},
                "right": {"description": "second", "$ref": "#/$defs/expression"},
            },
        },
        "negative": {
            "type": "object",
            "required": ["of"],
            "properties": {"of": {"$ref": "#/$defs/expression"}},
        },
        "literal": {
            "type": "object",
            "required": ["value"],
            "properties": {"value": {"type": "number"}},
        },
    },
}


def generated(schema: Any, root_type: str | None = None) -> Any:
    return instance(schema, Budget(), root_type=root_type)


def fits(schema: Any, value: Any) -> bool:
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return not list(validator.iter_errors(value))


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({}, "sandbox"),
        (True, "sandbox"),
        ({"type": "string"}, "sandbox"),
        ({"type": ["null", "integer"]}, 1),
        ({"type": "null"}, None),
        ({"enum": ["celsius", "fahrenheit"]}, "celsius"),
        ({"const": {"a": [1]}}, {"a": [1]}),
        ({"type": "string", "enum": [1, "b"]}, "b"),
        ({"type": "integer", "minimum": 3, "multipleOf": 7}, 7),
        ({"type": "number", "multipleOf": 0.25, "maximum": 2}, 1),
        ({"type": "number", "multipleOf": 0.25, "maximum": 0.5, "not": {"const": 0.5}}, 0.25),
        ({"type": "integer", "maximum": -2}, -2),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5),
        ({"type": "integer", "minimum": 1, "exclusiveMinimum": True}, 2),
        ({"type": "string", "format": "date"}, "2026-01-31"),
        ({"type": "string", "format": "email", "minLength": 25}, "xxxxxxsandbox@example.com"),
        ({"type": "string", "maxLength": 3}, "san"),
        ({"type": "string", "minLength": 10}, "sandboxsan"),
        ({"type": "string", "pattern": "^[A-Z]{3}-[0-9]+$"}, "AAA-1"),
        ({"type": "string", "examples": ["Paris"]}, "Paris"),
        ({"type": "integer", "default": 20}, 20),
        ({"type": "array", "items": {"type": "integer"}}, [1]),
        ({"type": "array", "items": False}, []),
        ({"type": "array", "maxItems": 0}, []),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 3, "uniqueItems": True},
         [1, 2, 3]),
        ({"prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False, "minItems": 2},
         ["sandbox", 1]),
        ({"type": "array", "items": [{"const": 1}, {"const": 2}], "minItems": 2}, [1, 2]),
        ({"type": "array", "contains": {"const": 5}, "minContains": 2}, [5, 5]),
        ({"properties": {"a": {"type": "string"}, "b": {}}, "required": ["a"]}, {"a": "sandbox"}),
        ({"type": "object", "minProperties": 1}, {"property1": "sandbox"}),
        ({"type": "object", "minProperties": 1, "propertyNames": {"pattern": "^x-[a-z]$"}},
         {"x-a": "sandbox"}),
        ({"type": "object", "minProperties": 1, "additionalProperties": False,
          "patternProperties": {"^n[0-9]$": {"type": "integer"}}}, {"n1": 1}),
        ({"type": "object", "required": ["a"], "dependentRequired": {"a": ["b"]}},
         {"a": "sandbox", "b": "sandbox"}),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, 0.5),
        ({"oneOf": [{"properties": {"kind": {"const": "a"}}, "type": "object"},
                    {"properties": {"kind": {"const": "b"}}, "type": "object"}]}, {"kind": "a"}),
        ({"allOf": [{"anyOf": [{"type": "integer", "minimum": 5}, {"type": "string"}]},
                    {"anyOf": [{"const": 7}, {"const": "x"}]},
                    {"anyOf": [{"type": "string"}, {"type": "null"}]}]}, "x"),
        ({"not": {"type": "string"}}, 1),
        ({"if": {"type": "string"}, "then": {"minLength": 8}, "else": False}, "sandboxs"),
        ({"allOf": [{"required": ["a"], "properties": {"a": {"type": "integer"}}},
                    {"required": ["b"], "properties": {"a": {"minimum": 5}}}], "type": "object"},
         {"a": 5, "b": "sandbox"}),
        ({"$ref": "#/$defs/a~1b%20c", "$defs": {"a/b c": {"const": 1}}}, 1),
        (TREE, {"name": "sandbox", "children": [], "next": None}),
        (EXPRESSIONS, {"left": {"value": 1}, "right": {"value": 1}}),
    ],
)  # fmt: skip
def test_the_value_is_small_and_plausible(schema: Any, expected: Any) -> None:
    assert generated(schema) == expected


#: Of each format the first two texts.
FORMATS = {
    "date": ("2026-01-31", "2002-01-31"),
    "date-time": ("2026-01-31T12:00:00Z", "2002-01-31T12:00:00Z"),
    "time": ("12:00:00Z", "12:00:00.002Z"),
    "duration": ("P1D", "P2D"),
    "email": ("sandbox@example.com", "sandbox2@example.com"),
    "hostname": ("example.com", "sandbox2.example.com"),
    "ipv4": ("192.0.2.1", "192.0.2.2"),
    "ipv6": ("2001:db8::1", "2001:db8::2"),
    "uri": ("https://example.com/", "https://example.com/2"),
    "uri-reference": ("/sandbox", "/sandbox/2"),
    "uuid": ("00000000-0000-4000-8000-000000000000", "00000000-0000-4000-8000-000000000002"),
    "json-pointer": ("/sandbox", "/sandbox/2"),
    "relative-json-pointer": ("0", "2"),
    "byte": ("c2FuZGJveA==", "c2FuZGJve002"),
    "idn-email": ("sandbox@example.com", "sandbox2@example.com"),
    "idn-hostname": ("example.com", "sandbox2.example.com"),
    "iri": ("https://example.com/", "https://example.com/2"),
    "url": ("https://example.com/", "https://example.com/2"),
    "iri-reference": ("/sandbox", "/sandbox/2"),
    "uri-template": ("/sandbox", "/sandbox/2"),
}


@pytest.mark.parametrize(("name", "texts"), FORMATS.items())
def test_strings_have_the_format_asked_for_and_can_all_differ(
    name: str, texts: tuple[str, str]
) -> None:
    schema = {
        "type": "array",
        "items": {"type": "string", "format": name},
        "minItems": 40,
        "uniqueItems": True,
    }

    value = generated(schema)

    assert fits(schema, value)
    assert tuple(value[:2]) == texts


def test_the_same_schema_always_gives_the_same_value() -> None:
    assert json.dumps(generated(EXPRESSIONS)) == json.dumps(generated(EXPRESSIONS))


def test_a_root_type_can_be_demanded() -> None:
    assert generated({}, root_type="object") == {}
    with pytest.raises(SchemaError):
        generated({"type": "string"}, root_type="object")


def test_schemas_of_many_types_that_refer_to_each_other_end_quickly() -> None:
    kinds = {
        f"kind{number}": {
            "type": "object",
            "required": ["a", "b", "c"],
            "properties": {name: {"$ref": "#/$defs/any"} for name in "abc"},
        }
        for number in range(20)
    }
    leaf = {"type": "object", "required": ["leaf"], "properties": {"leaf": {"const": 1}}}
    alternatives = [{"$ref": f"#/$defs/{kind}"} for kind in [*kinds, "leaf"]]
    schema = {
        "$defs": {**kinds, "leaf": leaf, "any": {"anyOf": alternatives}},
        "$ref": "#/$defs/any",
    }

    assert fits(schema, generated(schema))


def nested(levels: int) -> Any:
    schema: Any = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    return schema


def test_a_value_as_deep_as_request_bodies_may_describe_is_made() -> None:
    assert fits(nested(58), generated(nested(58)))


@pytest.mark.parametrize(
    ("largest", "beyond"),
    [
        ({"type": "string", "minLength": 49_998}, {"type": "string", "minLength": 49_999}),
        ({"const": "x" * 49_998}, {"const": "x" * 49_999}),
        ({"type": "array", "minItems": 1_000}, {"type": "array", "minItems": 1_001}),
    ],
)
def test_a_value_is_made_up_to_the_bounds(largest: Any, beyond: Any) -> None:
    assert fits(largest, generated(largest))
    with pytest.raises(SchemaError, match="no value was found"):
        generated(beyond)


ENDLESS = {"$defs": {"n": {"type": "object", "required": ["l", "r"], "properties": {
    "l": {"anyOf": [{"$ref": "#/$defs/n"}, {"$ref": "#/$defs/m"}]}, "r": {"$ref": "#/$defs/n"}}},
    "m": {"type": "array", "minItems": 2, "items": {"$ref": "#/$defs/n"}}},
    "$ref": "#/$defs/n"}  # fmt: skip
MANY_CHOICES = {"type": "object", "maxProperties": 2, "allOf": [
    {"anyOf": [{"required": [f"a{n}"]}, {"required": [f"b{n}"]}]} for n in range(300)]}  # fmt: skip
LONG_CHAIN = {"$ref": "#/$defs/d0", "$defs": {
    f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(3000)} | {"d3000": {}}}  # fmt: skip
HUGE = {"type": "array", "minItems": 900, "items": {"type": "array", "minItems": 900}}


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        (False, "no value was found"),
        (5, "neither an object nor a boolean"),
        (None, "neither an object nor a boolean"),
        ([], "neither an object nor a boolean"),
        ({"required": ["a"], "properties": {"a": "string"}}, "neither an object nor a boolean"),
        ({"type": "text"}, "'type' must be one or more of"),
        ({"type": 5}, "'type' must be one or more of"),
        ({"type": [["string"]]}, "'type' must be one or more of"),
        ({"type": [5]}, "'type' must be one or more of"),
        ({"enum": 5}, "'enum' must be an array"),
        ({"enum": []}, "no value was found"),
        ({"required": "a"}, "'required' must be an array of strings"),
        ({"properties": [], "required": ["a"]}, "'properties' must be an object"),
        ({"type": "integer", "minimum": "5"}, "'minimum' must be a number"),
        ({"type": "integer", "minimum": float("nan")}, "'minimum' must be a number"),
        ({"type": "string", "minLength": -1}, "'minLength' must be a whole number"),
        ({"type": "number", "multipleOf": 0}, "'multipleOf' must be greater than 0"),
        ({"type": "string", "pattern": 5}, "a pattern must be a string"),
        ({"type": "string", "pattern": "a(?=b)"}, "look-around"),
        ({"allOf": [{"type": "string"}, {"type": "integer"}]}, "contradicts itself"),
        ({"type": "integer", "minimum": 5, "maximum": 4}, "contradicts itself"),
        ({"not": {}}, "contradicts itself"),
        ({"type": "boolean", "not": {"enum": [True, False]}}, "contradicts itself"),
        ({"type": "array", "items": {"type": "null"}, "minItems": 2, "uniqueItems": True},
         "contradicts itself"),
        ({"type": "string", "pattern": "^a$", "minLength": 5}, "no value was found"),
        ({"$ref": "https://example.com/schema"}, "does not start with '#/'"),
        ({"$ref": "#/$defs/nope"}, "leads nowhere"),
        ({"$ref": 5}, "does not start with '#/'"),
        ({"type": "array", "minItems": 10**9}, "no value was found"),
        ({"type": "string", "minLength": 10**9}, "no value was found"),
        ({"type": "object", "minProperties": 10**9}, "no value was found"),
        (HUGE, "no value was found"),
        (nested(70), "no value was found"),
        (ENDLESS, "no value was found"),
        (MANY_CHOICES, "too many steps"),
        (LONG_CHAIN, "too many steps"),
    ],
)  # fmt: skip
def test_a_schema_that_cannot_be_met_is_refused_with_the_reason(schema: Any, why: str) -> None:
    with pytest.raises(SchemaError, match=why):
        generated(schema)


@given(SATISFIABLE)
def test_every_satisfiable_schema_gets_a_value_that_fits(schema: Any) -> None:
    assert fits(schema, generated(schema))


@given(ANY_SCHEMA)
def test_every_schema_gets_a_value_that_fits_or_a_reason(schema: Any) -> None:
    document = {**schema, "$defs": HARMLESS} if isinstance(schema, dict) else schema
    try:
        value = generated(document)
    except SchemaError as error:
        assert str(error)
        return
    assert fits(document, value)
    assert len(json.dumps(value)) <= MAX_CHARACTERS


@given(JSON)
def test_what_is_no_schema_at_all_gets_a_value_or_a_reason(schema: Any) -> None:
    try:
        generated(schema, root_type="object")
    except SchemaError as error:
        assert str(error)
