"""A refused body: the parameter by its path, the kind of mistake by its code. Values of a JSON text
are counted without parsing it, also where it is hostile or no JSON.
"""

import json
import time
import tracemalloc
from datetime import datetime
from typing import Annotated, Any, Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, field_validator

from losi.errors import InvalidRequestError
from losi.validation import UntilMistake, at_most, holds_more_values, json_type, validated


class Item(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    name: str


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    items: list[Item]
    count: int = Field(default=1, ge=1)


GOOD = {"items": [{"name": "a"}]}


def test_a_good_body_is_the_model() -> None:
    assert validated(Order, GOOD).items[0].name == "a"


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({}, "items", "missing_required_parameter"),
        ({"items": [{}]}, "items[0].name", "missing_required_parameter"),
        ({**GOOD, "itmes": []}, "itmes", "unknown_parameter"),
        ({**GOOD, "": 1}, "", "unknown_parameter"),
        ({"items": [{"name": 5}]}, "items[0].name", "invalid_type"),
        ({"items": "a"}, "items", "invalid_type"),
        ({**GOOD, "count": 0}, "count", "invalid_value"),
    ],
)
def test_the_first_mistake_is_named(body: Any, param: str, code: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        validated(Order, body)

    assert (refused.value.param, refused.value.code) == (param, code)
    assert param in refused.value.message


class Everything(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    text: Annotated[str, Field(min_length=2, max_length=4, pattern="^[a-z]*$")] = "ab"
    some: Annotated[list[int], Field(min_length=1, max_length=2)] = [1]
    map: Annotated[dict[str, int], at_most(2)] = {}
    item: Item | None = None
    truth: bool = True
    count: Annotated[int, Field(ge=1)] = 1
    share: float = 0.5
    time: datetime | None = None
    kind: Literal["a", "b"] = "a"
    even: int = 2
    either: int | Annotated[list[int], UntilMistake()] = 1

    @field_validator("even")
    @classmethod
    def _even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("'even' must be even.")
        return value


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"text": 5}, "invalid_type", "'text': it should be a string, and is 5."),
        ({"text": None}, "invalid_type", "'text': it should be a string, and is null."),
        ({"text": "a"}, "invalid_value", "it should have 2 or more characters, and is 'a'."),
        (
            {"text": "abcde"},
            "invalid_value",
            "it should have 4 or fewer characters, and is 'abcde'",
        ),
        ({"text": "A-"}, "invalid_value", "'text': it should match ^[a-z]*$, and is 'A-'."),
        ({"some": "x"}, "invalid_type", "'some': it should be an array, and is 'x'."),
        ({"some": []}, "invalid_value", "should hold 1 or more items, and is an empty array."),
        ({"some": [1, 2, 3]}, "invalid_value", "should hold 2 or fewer items, and is an array."),
        ({"some": [True]}, "invalid_type", "'some[0]': it should be an integer, and is true."),
        ({"map": []}, "invalid_type", "'map': it should be an object, and is an empty array."),
        ({"map": {"a": 1, "b": "x", "c": 3}}, "invalid_value", "'map': it should hold 2 or fewer"),
        ({"map": {"a": 1, "b": "x"}}, "invalid_type", "'map.b': it should be an integer"),
        ({"item": [1]}, "invalid_type", "'item': it should be an object, and is an array."),
        ({"truth": 1.5}, "invalid_type", "'truth': it should be true or false, and is 1.5."),
        ({"count": {}}, "invalid_type", "'count': it should be an integer, and is an object."),
        ({"count": 0}, "invalid_value", "'count': it should be greater than or equal to 1"),
        ({"share": "much"}, "invalid_type", "'share': it should be a number, and is 'much'."),
        (
            {"time": "soon"},
            "invalid_type",
            "should be a string with an ISO 8601 time, and is 'soon'",
        ),
        ({"kind": "c"}, "invalid_value", "'kind': it should be 'a' or 'b', and is 'c'."),
        ({"kind": "x" * 40}, "invalid_value", f"and is '{'x' * 40}'."),
        ({"kind": "x" * 41}, "invalid_value", "and is a string."),
        ({"even": 3}, "invalid_value", "'even' must be even."),
        ({"txet": "ab"}, "unknown_parameter", "Unknown parameter: 'txet'. Did you mean 'text'?"),
        ({"zzz": "ab"}, "unknown_parameter", "Unknown parameter: 'zzz'. Remove it."),
        ({"z" * 65: 0}, "unknown_parameter", f"Unknown parameter: '{'z' * 64}'. Remove it."),
        ("abc", "invalid_type", "it should be an object, and is 'abc'."),
    ],
)
def test_the_mistake_is_said_in_words_of_json(body: Any, code: str, message: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        validated(Everything, body)

    assert refused.value.code == code
    assert message in refused.value.message


def test_a_list_is_read_up_to_its_first_mistake_whichever_member_of_a_union_it_is() -> None:
    with pytest.raises(InvalidRequestError) as refused:
        validated(Everything, {"either": ["x", "y"]})

    assert refused.value.param is not None and refused.value.param.startswith("either")


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (True, "a boolean"),
        ([], "an array"),
        ("", "a string"),
        (None, "null"),
        (1, "a number"),
        (1.5, "a number"),
    ],
)
def test_types_have_the_names_of_json(value: Any, name: str) -> None:
    assert json_type(value) == name


MEGABYTE = 1024 * 1024

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=40,
)


def values(data: Any) -> int:
    """Array items and properties, and one more for each array and object."""
    if not isinstance(data, dict | list):
        return 0
    inner = list(data.values()) if isinstance(data, dict) else data
    # n items have n - 1 commas and their bracket; an empty array has its bracket alone
    return max(1, len(inner)) + sum(map(values, inner))


@given(json_values, st.booleans())
@example('"[{,\\', True)
def test_it_counts_what_the_parser_would_make(data: Any, ascii: bool) -> None:
    text = json.dumps(data, ensure_ascii=ascii).encode("utf-8", "surrogatepass")
    count = values(data)

    assert not holds_more_values(text, count)
    assert count == 0 or holds_more_values(text, count - 1)


@given(st.binary(), st.integers(0, 5))
def test_any_bytes_have_an_answer(text: bytes, limit: int) -> None:
    assert holds_more_values(text, limit) in (True, False)


@pytest.mark.parametrize(
    "unit",
    [b"0,", b'{"":{}},', b'"",1,', b"[", b'""', b'"[,"', b'"a":"b",', b"\\", b'\\"', b'"\\', b" "],
)
@pytest.mark.parametrize("before", [b"", b'"', b"["])
def test_no_megabyte_costs_memory_or_much_time(unit: bytes, before: bytes) -> None:
    text = before + unit * (MEGABYTE // len(unit))
    tracemalloc.start()
    began = time.process_time()

    holds_more_values(text, 100_000)

    spent, (_, peak) = time.process_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 150_000
    # measured 0.06 s at most; quadratic would be minutes, so that a slow machine passes too
    assert spent < 2


def test_commas_inside_of_strings_are_none() -> None:
    code = json.dumps({"content": "f(a, b, [c, {d}])" * 1000}).encode()

    assert not holds_more_values(code, 1)
