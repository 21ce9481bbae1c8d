"""A model that thinks beside the caller's limit says no more than that limit allows."""

from typing import Any

import pytest

from losi.upstream.text_limit import LimitedText
from tests.fake_format import chunks_of
from tests.unit.upstream.test_stops import Pieces, choice

#: The upstream's text, the limit in tokens, what the caller gets of it, and why it ended.
ANSWERS = [
    ("It is well.", 3, "It is well.", "stop"),
    ("It is well.", 2, "It is we", "length"),
    ("It is well.", 1, "It i", "length"),
    ("", 1, "", "stop"),
    ("äöü", 1, "äö", "length"),
    ("日本語", 1, "日", "length"),  # no half of a character
]


@pytest.mark.parametrize(("text", "tokens", "expected", "finish"), ANSWERS)
async def test_a_plain_answer(text: str, tokens: int, expected: str, finish: str) -> None:
    answer = await LimitedText(Pieces(text, finish="stop"), tokens).complete()

    message = answer["choices"][0]["message"]
    assert (message["content"], answer["choices"][0]["finish_reason"]) == (expected, finish)
    assert ("tool_calls" in message) is (finish == "stop")


@pytest.mark.parametrize(("text", "tokens", "expected", "finish"), ANSWERS)
@pytest.mark.parametrize("size", [1, 3, 100])
async def test_a_stream(text: str, tokens: int, expected: str, finish: str, size: int) -> None:
    pieces = [text[at : at + size] for at in range(0, len(text), size)]

    exchange = LimitedText(Pieces(*pieces, finish="stop", n=2), tokens)
    chunks = [chunk async for chunk in chunks_of(exchange.stream())]

    for index in (0, 1):
        ours = [one for chunk in chunks for one in chunk["choices"] if one["index"] == index]
        assert "".join(one["delta"].get("content") or "" for one in ours) == expected
        assert [one["finish_reason"] for one in ours if one["finish_reason"]] == [finish]


async def test_a_stream_is_read_to_its_usage() -> None:
    usage = {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 90}}

    class PiecesAndUsage(Pieces):
        async def stream(self) -> Any:
            yield [{"choices": [choice("It is well.")]}]
            yield [{"choices": [choice("It is not read any more.")]}]
            yield [{"choices": [choice(None, finish="stop")]}, usage]

    chunks = [chunk async for chunk in chunks_of(LimitedText(PiecesAndUsage(), 1).stream())]

    assert chunks == [{"choices": [choice("It i", finish="length")]}, usage]
