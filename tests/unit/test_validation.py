"""A refused body: the parameter by its path, the kind of mistake by its code."""

from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from losi.errors import InvalidRequestError
from losi.validation import validated


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
