"""Whether a value is valid, keyword by keyword, as the jsonschema library judges it too."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator, Draft201909Validator, Draft202012Validator

from losi.json_schema.limits import Budget, SchemaError
from losi.json_schema.validation import Document, frozen
from tests.unit.json_schema.json_schemas import ANY_SCHEMA, HARMLESS

ONE_OF_EACH: list[Any] = ["a", 1, 1.5, True, {"a": 1}, [1], None]


def accepts(schema: Any, value: Any) -> bool:
    return Document(schema, Budget()).accepts(schema, value)


#: A schema, what is valid under it, what is not. Bounds are met from both sides.
KEYWORDS: list[tuple[Any, list[Any], list[Any]]] = [
    (True, ONE_OF_EACH, []),
    (False, [], ONE_OF_EACH),
    ({}, ONE_OF_EACH, []),
    ({"type": "string"}, ["", "a"], [1, True, {}, [], None]),
    ({"type": "integer"}, [0, -1, 1.0], ["1", 1.5, True, None]),
    ({"type": "number"}, [0, 1.5], ["1", True, None]),
    ({"type": "boolean"}, [True, False], [0, 1, "true", None]),
    ({"type": "object"}, [{}, {"a": 1}], [[], "a", None]),
    ({"type": "array"}, [[], [1]], [{}, "a", None]),
    ({"type": "null"}, [None], [0, "", False]),
    ({"type": ["string", "null"]}, ["", None], [1, []]),
    ({"const": 1}, [1, 1.0], [2, True, "1", [1]]),
    ({"const": False}, [False], [0, None]),
    ({"const": {"a": [1]}}, [{"a": [1]}, {"a": [1.0]}],
     [{"a": [True]}, {"a": []}, {"a": [1, 1]}, {"b": [1]}, {"a": [1], "b": 1}, {}]),
    ({"enum": [1, "b", None]}, [1, "b", None], [True, "a", 2, []]),
    ({"minimum": 2}, [2, 2.5, "a", True], [1, 1.9]),
    ({"maximum": 2}, [2, -5, "a", None], [2.1, 3]),
    ({"exclusiveMinimum": 2}, [2.1, 3], [2, 1]),
    ({"exclusiveMaximum": 2}, [1.9, 1], [2, 3]),
    ({"minimum": 2, "exclusiveMinimum": 2}, [3], [2]),
    ({"minimum": 2, "exclusiveMinimum": 1}, [2], [1.5]),
    ({"minimum": 2, "exclusiveMinimum": 3}, [4], [2.5, 3]),
    ({"maximum": 2, "exclusiveMaximum": 2}, [1], [2]),
    ({"maximum": 2, "exclusiveMaximum": 3}, [2], [2.5]),
    ({"maximum": 2, "exclusiveMaximum": 1}, [0], [1, 1.5]),
    ({"multipleOf": 0.5}, [0, 1, 1.5, -0.5, "a"], [0.25, 1.2]),
    ({"multipleOf": 3}, [0, 3, -6], [1, 4]),
    ({"minLength": 2}, ["ab", "abc", 1], ["", "a"]),
    ({"maxLength": 2}, ["", "ab", []], ["abc"]),
    ({"minLength": 1, "maxLength": 1}, ["a", "👋"], ["", "ab"]),
    ({"pattern": "b$"}, ["b", "ab", 1], ["", "ba"]),
    ({"minItems": 2}, [[1, 1], [1, 2, 3], "a"], [[], [1]]),
    ({"maxItems": 2}, [[], [1, 1], {"a": 1, "b": 1, "c": 1}], [[1, 2, 3]]),
    ({"uniqueItems": True}, [[], [1, True], [0, False], [1, "1"], [[1], 1], "aa"],
     [[1, 1], [1, 1.0], [{"a": 1}, {"a": 1}], [[1], [1]], [1, 2, 1]]),
    ({"uniqueItems": False}, [[1, 1]], []),
    ({"items": {"type": "integer"}}, [[], [1, 2], "a"], [["a"], [1, "a"]]),
    ({"prefixItems": [{"type": "string"}, {"type": "integer"}]},
     [[], ["a"], ["a", 1], ["a", 1, None]], [[1], ["a", "b"]]),
    ({"prefixItems": [{"type": "string"}], "items": False}, [[], ["a"]], [["a", "b"], [1]]),
    ({"contains": {"const": 5}}, [[5], [1, 5], [5, 5, 5], "a"], [[], [1]]),
    ({"contains": {"const": 5}, "minContains": 2}, [[5, 5], [5, 1, 5]], [[5], []]),
    ({"contains": {"const": 5}, "minContains": 0}, [[], [1]], []),
    ({"contains": {"const": 5}, "maxContains": 1}, [[5], [1, 5]], [[], [5, 5]]),
    ({"minContains": 2, "maxContains": 0}, [[], [1]], []),
    ({"required": ["a", "b"]}, [{"a": 1, "b": 1}, {"a": 1, "b": 1, "c": 1}, "a", []],
     [{}, {"a": 1}, {"b": 1}]),
    ({"minProperties": 2}, [{"a": 1, "b": 1}, "a"], [{}, {"a": 1}]),
    ({"maxProperties": 1}, [{}, {"a": 1}, [1, 2]], [{"a": 1, "b": 1}]),
    ({"properties": {"a": {"type": "integer"}, "b": False}}, [{}, {"a": 1}, {"c": 1}, []],
     [{"a": "x"}, {"b": 1}]),
    ({"patternProperties": {"^n": {"type": "integer"}}}, [{}, {"n1": 1}, {"m": "x"}],
     [{"n1": "x"}, {"n": 1, "n2": None}]),
    ({"properties": {"n": {"minimum": 2}}, "patternProperties": {"^n": {"maximum": 4}}},
     [{"n": 3}, {"n1": 1}], [{"n": 1}, {"n": 5}]),
    ({"properties": {"a": True}, "patternProperties": {"^n": True}, "additionalProperties": False},
     [{}, {"a": 1, "n1": 1}], [{"b": 1}, {"a": 1, "b": 1}]),
    ({"properties": {"a": True}, "additionalProperties": {"type": "string"}},
     [{"a": 1}, {"b": "x"}], [{"b": 1}]),
    ({"propertyNames": {"maxLength": 1}}, [{}, {"a": 1}], [{"ab": 1}, {"a": 1, "bc": 1}]),
    ({"dependentRequired": {"a": ["b", "c"]}}, [{}, {"b": 1}, {"a": 1, "b": 1, "c": 1}],
     [{"a": 1}, {"a": 1, "b": 1}]),
    ({"dependentSchemas": {"a": {"required": ["b"]}}}, [{}, {"b": 1}, {"a": 1, "b": 1}],
     [{"a": 1}]),
    ({"allOf": [{"minimum": 1}, {"maximum": 3}]}, [1, 3], [0, 4]),
    ({"anyOf": [{"maximum": 1}, {"minimum": 3}]}, [1, 3], [2]),
    ({"oneOf": [{"maximum": 3}, {"minimum": 1}]}, [0, 4], [1, 2]),
    ({"not": {"type": "string"}}, [1, None], ["a"]),
    ({"if": {"type": "string"}, "then": {"minLength": 2}, "else": {"minimum": 2}},
     ["ab", 2, None], ["a", 1]),
    ({"if": {"type": "string"}, "then": {"minLength": 2}}, ["ab", 1], ["a"]),
    ({"if": {"type": "string"}, "else": {"minimum": 2}}, ["a", 2], [1]),
    ({"then": False, "else": False}, [1, "a"], []),
    ({"$defs": {"n": {"minimum": 2}}, "$ref": "#/$defs/n"}, [2], [1]),
    ({"$defs": {"n": {"minimum": 2}}, "$ref": "#/$defs/n", "maximum": 3}, [2, 3], [1, 4]),
    ({"prefixItems": [{}, {"minimum": 2}], "items": {"$ref": "#/prefixItems/1"}},
     [["a", 2, 2]], [["a", 2, 1]]),
    ({"$defs": {"a/b~c d": {"minimum": 2}}, "$ref": "#/$defs/a~1b~0c%20d"}, [2], [1]),
    ({"properties": {"next": {"$ref": "#"}}, "required": ["n"]},
     [{"n": 1}, {"n": 1, "next": {"n": 1}}], [{}, {"n": 1, "next": {}}]),
    ({"format": "email"}, ["nobody", "a@example.com"], []),
]  # fmt: skip
#: Spellings of earlier drafts that tools still send.
OLDER: list[tuple[Any, Any, list[Any], list[Any]]] = [
    (Draft4Validator, {"minimum": 2, "exclusiveMinimum": True}, [3], [2, 1]),
    (Draft4Validator, {"minimum": 2, "exclusiveMinimum": False}, [2], [1]),
    (Draft4Validator, {"maximum": 2, "exclusiveMaximum": True}, [1], [2, 3]),
    (Draft4Validator, {"maximum": 2, "exclusiveMaximum": False}, [2], [3]),
    (Draft4Validator, {"dependencies": {"a": ["b"]}}, [{}, {"b": 1}, {"a": 1, "b": 1}], [{"a": 1}]),
    (Draft4Validator, {"dependencies": {"a": {"required": ["b"]}}}, [{}, {"a": 1, "b": 1}],
     [{"a": 1}]),
    (Draft201909Validator, {"items": [{"type": "string"}]}, [[], ["a", 1]], [[1]]),
    (Draft201909Validator, {"items": [{"type": "string"}], "additionalItems": {"type": "integer"}},
     [["a"], ["a", 1]], [["a", "b"]]),
    (Draft201909Validator, {"additionalItems": False}, [["a"]], []),
]  # fmt: skip
ALL = [(Draft202012Validator, *case) for case in KEYWORDS] + OLDER


@pytest.mark.parametrize(
    ("library", "schema", "valid", "invalid"), ALL, ids=[str(case[1]) for case in ALL]
)
def test_a_keyword_accepts_and_refuses(
    library: Any, schema: Any, valid: list[Any], invalid: list[Any]
) -> None:
    assert [value for value in valid if not accepts(schema, value)] == []
    assert [value for value in invalid if accepts(schema, value)] == []
    agreed = library(schema)
    assert [value for value in valid if not agreed.is_valid(value)] == []
    assert [value for value in invalid if agreed.is_valid(value)] == []


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-4, 6) | st.sampled_from([0.5, 1.0, 2.5, "", "a"])
    | st.text(alphabet="ab", max_size=5),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), inner, max_size=4),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=30)
@given(ANY_SCHEMA, VALUES)
def test_a_value_is_judged_as_the_library_judges_it(schema: Any, value: Any) -> None:
    document = {**schema, "$defs": HARMLESS} if isinstance(schema, dict) else schema

    assert accepts(document, value) == Draft202012Validator(document).is_valid(value)


#: Schemas that are none: refused in words when a value meets them.
MALFORMED: list[tuple[Any, Any, str]] = [
    ({"items": 5}, [1], "neither an object nor a boolean"),
    ({"type": ["text"]}, 1, "'type' must be one or more of string, integer, number"),
    ({"type": {"a": 1}}, 1, "'type' must be one or more of"),
    ({"type": [5]}, 1, "'type' must be one or more of"),
    ({"minLength": 1.5}, "a", "'minLength' must be a whole number of at least 0"),
    ({"minLength": True}, "a", "'minLength' must be a whole number"),
    ({"maxItems": "2"}, [1], "'maxItems' must be a whole number"),
    ({"minProperties": -1}, {}, "'minProperties' must be a whole number"),
    ({"maximum": "5"}, 1, "'maximum' must be a number"),
    ({"maximum": float("inf")}, 1, "'maximum' must be a number"),
    ({"exclusiveMaximum": "5"}, 1, "'exclusiveMaximum' must be a number"),
    ({"multipleOf": -1}, 1, "'multipleOf' must be greater than 0"),
    ({"pattern": 5}, "a", "a pattern must be a string"),
    ({"allOf": {}}, 1, "'allOf' must be an array"),
    ({"prefixItems": {}}, [1], "'prefixItems' must be an array"),
    ({"properties": []}, {"a": 1}, "'properties' must be an object"),
    ({"required": {"a": 1}}, {"a": 1}, "'required' must be an array of strings"),
    ({"required": ["a", 5]}, {"a": 1}, "'required' must be an array of strings"),
    ({"dependentRequired": {"a": "b"}}, {"a": 1}, "'a' must be an array of strings"),
    ({"$ref": "#defs"}, 1, "does not start with '#/'"),
    ({"$ref": "#/allOf/1", "allOf": [True]}, 1, "leads nowhere"),
    ({"$ref": "#/allOf/-1", "allOf": [True]}, 1, "leads nowhere"),
    ({"$ref": "#/allOf/0000000000", "allOf": [True]}, 1, "leads nowhere"),
    ({"$ref": "#/minimum/0", "minimum": 1}, 1, "leads nowhere"),
]


@pytest.mark.parametrize(("schema", "value", "why"), MALFORMED, ids=[str(m[0]) for m in MALFORMED])
def test_what_is_no_schema_is_refused_in_words(schema: Any, value: Any, why: str) -> None:
    with pytest.raises(SchemaError, match=why):
        accepts(schema, value)


def test_whole_numbers_may_be_written_with_a_point() -> None:
    assert accepts({"minLength": 1.0}, "a")


def test_a_reference_that_comes_back_to_itself_adds_nothing() -> None:
    assert accepts({"$ref": "#", "minimum": 2}, 2)
    assert not accepts({"$ref": "#", "minimum": 2}, 1)


@pytest.mark.parametrize(
    "schema",
    [
        {"enum": list(range(1_000))},
        {"required": [str(number) for number in range(1_000)]},
        {"properties": {str(number): True for number in range(1_000)}},
    ],
)
def test_long_lists_in_a_schema_cost_steps(schema: Any) -> None:
    assert Document(schema, Budget(1_100)).accepts(schema, 1)
    with pytest.raises(SchemaError, match="too many steps"):
        Document(schema, Budget(999)).accepts(schema, 1)


def test_values_are_told_apart_as_json_tells_them() -> None:
    """1 and 1.0 are one value; 1 and true, a list and its only item, are two."""
    alike: list[Any] = [(1, 1.0), ({"a": 1, "b": [2]}, {"b": [2.0], "a": 1}), ([{}], [{}])]
    apart: list[Any] = [True, False, None, 1, 0, "a", [], [1], [[1]], {}, {"a": 1}, {"a": True}]

    assert all(frozen(one) == frozen(other) for one, other in alike)
    assert len({frozen(value) for value in apart}) == len(apart)
