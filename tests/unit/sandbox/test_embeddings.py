"""The sandbox's vectors: the same for the same text, near for near texts, of length one."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from losi.catalogue.models import Route
from losi.errors import InvalidRequestError
from losi.sandbox.embeddings import DIMENSIONS, MAX_TOKENS, SandboxEmbeddings, unit_vector
from losi.upstream.format import UpstreamCall
from tests.catalogue import PROVIDERS
from tests.loose import loose

ROUTE = Route(provider=PROVIDERS["sandbox"], model="losi-sandbox")


async def embed(given: Any, **more: Any) -> Any:
    return await SandboxEmbeddings().embed(
        UpstreamCall(loose({"input": given, **more}), ROUTE, "req_1")
    )


def likeness(one: str, other: str) -> float:
    pair = zip(unit_vector(one, DIMENSIONS), unit_vector(other, DIMENSIONS), strict=True)
    return sum(a * b for a, b in pair)


@given(st.text(min_size=1) | st.lists(st.integers(0, 200_000), min_size=1), st.integers(1, 64))
def test_every_vector_has_its_size_and_the_length_one(given: Any, size: int) -> None:
    vector = unit_vector(given, size)

    assert len(vector) == size
    assert math.isclose(math.hypot(*vector), 1, rel_tol=1e-9)
    assert vector == unit_vector(given, size)


def test_texts_that_share_words_are_near_each_other() -> None:
    cat, kitten = "The cat sleeps on the warm sofa.", "A cat sleeps on the sofa all day."
    tax = "Quarterly revenue grew by nine percent."

    assert likeness(cat, kitten) > 0.5 > 0.2 > likeness(cat, tax)
    assert likeness(cat, cat.upper()) == pytest.approx(1)
    assert likeness("?!", "...") < 0.5  # what has no words is not all alike


def test_a_vector_stays_the_same_from_one_release_to_the_next() -> None:
    word, letters = 0.6030226891555273, 0.30151134457776363

    vector = unit_vector("Ab c", 16)

    assert {place: x for place, x in enumerate(vector) if x} == pytest.approx(
        {0: -letters, 8: letters, 13: word, 14: letters, 15: -word}
    )
    assert unit_vector([1, 2], 4) == pytest.approx([0.5**0.5, 0, -(0.5**0.5), 0])


def test_features_that_cancel_each_other_out_still_make_a_vector() -> None:
    assert unit_vector([2, 0], 1) == [1.0]


async def test_the_answer_is_openais() -> None:
    answer = await embed(["one", "twenty"], dimensions=8)

    assert answer == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": unit_vector("one", 8)},
            {"object": "embedding", "index": 1, "embedding": unit_vector("twenty", 8)},
        ],
        "model": "losi-sandbox",
        "usage": {"prompt_tokens": 3, "total_tokens": 3},
    }


@pytest.mark.parametrize("dimensions", [None, 1, 3072])
async def test_a_vector_has_the_dimensions_asked_for(dimensions: int | None) -> None:
    answer = await embed("one", dimensions=dimensions)

    assert len(answer["data"][0]["embedding"]) == (dimensions or 1536)


@pytest.mark.parametrize(
    ("given", "vectors", "tokens"),
    [("four", 1, 1), ("", 1, 0), ([1, 2, 3], 1, 3), ([[1, 2], [3]], 2, 3), (["a", "b"], 2, 2),
     ("x" * 4 * MAX_TOKENS, 1, 8192)],
    ids=["text", "empty", "tokens", "lists of tokens", "texts", "longest"],
)  # fmt: skip
async def test_each_input_gets_a_vector(given: Any, vectors: int, tokens: int) -> None:
    answer = await embed(given)

    assert len(answer["data"]) == vectors
    assert answer["usage"]["total_tokens"] == tokens


async def test_a_text_longer_than_a_model_takes_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match=r"at most 8192 in each\. Split it") as caught:
        await embed(["short", "x" * (4 * MAX_TOKENS + 1)])

    assert (caught.value.param, caught.value.code) == ("input", "context_length_exceeded")


async def test_more_dimensions_than_a_model_has_are_refused() -> None:
    with pytest.raises(InvalidRequestError, match="'dimensions' is too large") as caught:
        await embed("x", dimensions=3_073)

    assert (caught.value.param, caught.value.code) == ("dimensions", "invalid_value")
