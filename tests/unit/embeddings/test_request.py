"""What is a request for embeddings, and how much of it there is to read."""

from typing import Any

import pytest

from losi.embeddings.request import parse_embedding_request
from losi.errors import InvalidRequestError


def parse(given: Any, **more: Any) -> Any:
    return parse_embedding_request({"model": "text-embedding-3-small", "input": given, **more})


@pytest.mark.parametrize(
    ("given", "inputs", "tokens"),
    [
        ("The food was delicious.", ["The food was delicious."], 6),
        (["one", "two"], ["one", "two"], 2),
        ([1, 2, 3], [[1, 2, 3]], 3),
        ([[1, 2], [3]], [[1, 2], [3]], 3),
    ],
)
def test_one_text_or_several_or_their_tokens(given: Any, inputs: list[Any], tokens: int) -> None:
    request = parse(given)

    assert request.inputs == inputs
    assert request.input_tokens == tokens


@pytest.mark.parametrize(
    "given",
    [
        "",
        [],
        [""],
        [[]],
        ["text", ""],
        ["text", 1],
        ["text", [1]],
        [1, "text"],
        [True],
        [1.5],
        [-1],
        [[1], ["text"]],
        {"text": "x"},
        7,
        None,
        ["x"] * 2_049,
        [[1]] * 2_049,
        [1] * 300_001,
    ],
    ids=lambda given: repr(given)[:30],
)
def test_anything_else_is_refused_in_one_sentence(given: Any) -> None:
    with pytest.raises(InvalidRequestError, match="'input' must be a text") as caught:
        parse(given)

    assert caught.value.param == "input"
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    ("given", "inputs"), [(["x"] * 2_048, 2_048), ([[0]] * 2_048, 2_048), ([1] * 300_000, 1)]
)
def test_the_limits_themselves_are_allowed(given: Any, inputs: int) -> None:
    assert len(parse(given, dimensions=1).inputs) == inputs


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"dimensions": 0}, "dimensions"),
        ({"dimensions": "many"}, "dimensions"),
        ({"encoding_format": "hex"}, "encoding_format"),
        ({"user": 1}, "user"),
    ],
)
def test_other_parameters_are_checked(more: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse("x", **more)

    assert caught.value.param == param


def test_the_model_is_required() -> None:
    with pytest.raises(InvalidRequestError, match="Missing required parameter: 'model'"):
        parse_embedding_request({"input": "x"})
