"""JSON Schemas for hypothesis: some that a value must exist for, some arbitrary, some nonsense."""

from typing import Any

from hypothesis import strategies as st

NAMES = st.sampled_from(["a", "b", "c", "d"])
SIZES = st.integers(0, 4)
STRINGS = st.fixed_dictionaries(
    {"type": st.just("string")},
    optional={
        "minLength": st.integers(0, 12),
        "maxLength": st.integers(12, 40),
        "pattern": st.sampled_from(["a", "^[a-z ]*$", "[a-z]{2}$", "^\\w+"]),
    },
)
INTEGERS = st.fixed_dictionaries(
    {"type": st.just("integer")},
    optional={
        "minimum": st.integers(-50, 50),
        "maximum": st.integers(100, 200),
        "multipleOf": st.integers(1, 20),
    },
)
NUMBERS = st.fixed_dictionaries(
    {"type": st.just("number")},
    optional={
        "exclusiveMinimum": st.floats(-50, 50),
        "maximum": st.floats(50.5, 200),
        "multipleOf": st.sampled_from([0.25, 0.5, 1, 2]),
    },
)
LEAVES = st.one_of(
    STRINGS,
    INTEGERS,
    NUMBERS,
    st.just({"type": ["boolean", "null"]}),
    st.just({}),
    st.lists(st.one_of(st.text(max_size=5), st.integers(), st.none()), min_size=1).map(
        lambda values: {"enum": values}
    ),
)


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    objects = st.builds(
        lambda properties, required, closed: {
            "type": "object",
            "properties": properties,
            "required": sorted(required & properties.keys()),
            **({"additionalProperties": False} if closed else {}),
        },
        st.dictionaries(NAMES, inner, max_size=4),
        st.sets(NAMES),
        st.booleans(),
    )
    arrays = st.fixed_dictionaries(
        {"type": st.just("array"), "items": inner},
        optional={"minItems": SIZES, "maxItems": st.integers(4, 9)},
    )
    either = st.lists(inner, min_size=1, max_size=3).map(lambda options: {"anyOf": options})
    return st.one_of(objects, arrays, either)


SATISFIABLE = st.recursive(LEAVES, containers, max_leaves=12)

KEYWORDS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["string", "integer", "number", "object", "array", ["null"]]),
        "enum": st.lists(st.one_of(st.integers(0, 3), st.text(max_size=2), st.booleans())),
        "minimum": st.integers(-3, 3),
        "exclusiveMaximum": st.integers(-3, 5),
        "multipleOf": st.sampled_from([1, 2, 0.5, 3]),
        "minLength": SIZES,
        "maxLength": SIZES,
        "pattern": st.sampled_from(["^a+$", "b", "^[ab]{2,3}$"]),
        "minItems": SIZES,
        "maxItems": SIZES,
        "uniqueItems": st.booleans(),
        "minProperties": SIZES,
        "maxProperties": SIZES,
        "required": st.lists(NAMES, unique=True, max_size=3),
        "dependentRequired": st.dictionaries(NAMES, st.lists(NAMES, unique=True), max_size=2),
        "$ref": st.sampled_from(["#/$defs/a", "#/$defs/b"]),
    },
)


def combined(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    some = st.lists(inner, min_size=1, max_size=3)
    nesting = st.fixed_dictionaries(
        {},
        optional={
            "allOf": some,
            "anyOf": some,
            "oneOf": some,
            "not": inner,
            "if": inner,
            "then": inner,
            "else": inner,
            "items": inner,
            "prefixItems": some,
            "contains": inner,
            "properties": st.dictionaries(NAMES, inner, max_size=3),
            "patternProperties": st.dictionaries(st.just("^[ab]"), inner, max_size=1),
            "additionalProperties": inner,
            "propertyNames": inner,
        },
    )
    return st.builds(lambda plain, more: {**plain, **more}, KEYWORDS, nesting)


ANY_SCHEMA = st.recursive(st.one_of(KEYWORDS, st.booleans()), combined, max_leaves=8)
HARMLESS = {"a": {"type": "object", "required": ["a"]}, "b": {"type": ["string", "array"]}}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["type", "properties", "required", "items", "$ref", "anyOf", "enum",
                         "pattern", "minimum", "minItems", "format", "if", "dependencies"]),
        inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
