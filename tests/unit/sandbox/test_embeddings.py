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

ROUTE = Route(provider=PROVIDERS["sandbox"], model="losi-sandbox")


async def embed(given: Any, **more: Any) -> Any:
    return await SandboxEmbeddings().embed(UpstreamCall({"input": given, **more}, ROUTE, "req_1"))


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


async def test_the_answer_is_openais() -> None:
    answer = await embed(["one", "two"], dimensions=8)

    assert [one["index"] for one in answer["data"]] == [0, 1]
    assert {len(one["embedding"]) for one in answer["data"]} == {8}
    assert answer["usage"] == {"prompt_tokens": 2, "total_tokens": 2}


async def test_tokens_are_one_input() -> None:
    assert len((await embed([1, 2, 3]))["data"]) == 1


async def test_a_text_longer_than_a_model_takes_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match=r"at most 8192 in each\. Split it") as caught:
        await embed(["short", "x" * 4 * (MAX_TOKENS + 1)])

    assert (caught.value.param, caught.value.code) == ("input", "context_length_exceeded")


async def test_more_dimensions_than_a_model_has_are_refused() -> None:
    with pytest.raises(InvalidRequestError, match="'dimensions' is too large"):
        await embed("x", dimensions=5_000)
