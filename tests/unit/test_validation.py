"""A refused body: the parameter by its path, the kind of mistake by its code."""

from datetime import datetime
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from losi.errors import InvalidRequestError
from losi.validation import UntilMistake, at_most, json_type, validated


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
