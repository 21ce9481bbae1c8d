"""Code fences around JSON that was asked for in words: taken off, wherever a stream is cut."""

import json
from collections.abc import AsyncGenerator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from losi.upstream.batch import Batch
from losi.upstream.fences import Unfenced, unfenced
from tests.fake_format import chunks_of
from tests.loose import Json, loose

FENCED = [
    '```json\n{"a": 1}\n```',
    '```\n{"a": 1}\n```',
    '```JSON\r\n{"a": 1}\r\n```\r\n',
    '\n\n```json\n{\n  "a": 1\n}\n```\n',
    '```json \n{"a": 1}```',
]
OTHERS = [
    '{"a": 1}',
    '{"a": "```"}',
    "```",
    "```json",
    "Here:\n```json\n{}\n```",
    "`a`",
    "",
    "  \n",
    "no JSON at all ```",
]


class Says:
    """An exchange that says a text in pieces."""

    left_out = frozenset[str]()
    mapped = frozenset({"response_format"})

    def __init__(self, *pieces: str, finish: str = "stop") -> None:
        self._pieces = pieces
        self._finish = finish

    async def complete(self) -> Json:
        message = {"content": "".join(self._pieces)}
        return {"choices": [{"index": 0, "message": message, "finish_reason": self._finish}]}

    async def stream(self) -> AsyncGenerator[Batch]:
        for piece in self._pieces:
            yield [chunk_of({"content": piece})]
        yield [chunk_of({}, self._finish)]


def chunk_of(delta: Json, finish: str | None = None) -> Json:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


async def streamed(*pieces: str, finish: str = "stop") -> str:
    chunks = [chunk async for chunk in chunks_of(Unfenced(Says(*pieces, finish=finish)).stream())]
    return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)


@pytest.mark.parametrize("text", FENCED)
async def test_a_fence_is_taken_off(text: str) -> None:
    answer = await Unfenced(Says(text)).complete()

    assert json.loads(loose(answer["choices"][0]["message"]["content"])) == {"a": 1}
    assert json.loads(await streamed(text)) == {"a": 1}


@pytest.mark.parametrize("text", OTHERS)
async def test_what_is_no_fence_stays(text: str) -> None:
    assert unfenced(text) == text
    assert await streamed(*text) == text


@given(st.sampled_from(FENCED), st.lists(st.integers(0, 40)))
async def test_where_a_stream_is_cut_makes_no_difference(text: str, cuts: list[int]) -> None:
    edges = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    pieces = [text[a:b] for a, b in pairwise(edges)]

    assert json.loads(await streamed(*pieces)) == {"a": 1}


async def test_an_answer_that_was_cut_has_what_came() -> None:
    assert await streamed('```json\n{"a": 1', "\n``", finish="length") == '{"a": 1'


async def test_what_may_have_begun_to_close_a_fence_is_text_after_all() -> None:
    assert await streamed('```json\n{"a": 1}', "\n``") == '{"a": 1}\n``'


async def test_backticks_within_are_kept() -> None:
    text = '```json\n{"a": "```", "b": "`"}\n```'

    assert json.loads(await streamed(*text)) == {"a": "```", "b": "`"}


async def test_what_is_no_fence_is_passed_on_as_it_comes() -> None:
    pieces = ("Use `a`", " \n``", "`b` ")

    stream = Unfenced(Says(*pieces)).stream()

    chunks = [chunk["choices"][0]["delta"].get("content") async for chunk in chunks_of(stream)]
    assert chunks[:3] == [*pieces]
