"""Stop sequences that a provider does not take cut its answer, wherever its chunks end."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from losi.catalogue.loader import SHIPPED, load
from losi.catalogue.models import Route
from losi.upstream.batch import Batch
from losi.upstream.format import UpstreamCall
from losi.upstream.stops import CutShort, prepare
from tests.fake_format import chunks_of
from tests.loose import Json


class Pieces:
    """A format, and its exchange, that says these pieces in one choice, or in `n`."""

    left_out = frozenset[str]()
    mapped = frozenset[str]()

    def __init__(self, *pieces: str, finish: str = "length", n: int = 1) -> None:
        self.pieces, self.finish, self.n = pieces, finish, n
        self.sent: Json = {}
        self.read = 0

    def prepare(self, call: UpstreamCall) -> "Pieces":
        self.sent = call.body
        return self

    async def complete(self) -> Json:
        message = {"role": "assistant", "content": "".join(self.pieces), "tool_calls": [{}]}
        return {"choices": [{"message": message, "finish_reason": self.finish}]}

    async def stream(self) -> AsyncGenerator[Batch]:
        for piece in self.pieces:
            for index in range(self.n):
                self.read += 1
                yield [{"choices": [choice(piece, index)]}]
        for index in range(self.n):
            yield [{"choices": [choice(None, index, self.finish)]}]


def choice(text: str | None, index: int = 0, finish: str | None = None) -> Json:
    delta = {} if text is None else {"content": text}
    return {"index": index, "delta": delta, "finish_reason": finish}


async def streamed(pieces: Pieces, sequences: Sequence[str]) -> tuple[str, str | None]:
    text, finish = "", None
    async for chunk in chunks_of(CutShort(pieces, sequences, pieces.n).stream()):
        for one in chunk["choices"]:
            if one["index"] == 0:
                text += one["delta"].get("content") or ""
                finish = one["finish_reason"] or finish
    return text, finish


def up_to(text: str, sequences: Sequence[str]) -> str:
    return min((text.split(one)[0] for one in sequences), key=len)


@given(
    st.lists(st.text("ab\n ", max_size=4), max_size=6),
    st.lists(st.text("ab\n ", min_size=1, max_size=3), min_size=1, max_size=4),
)
async def test_what_is_said_ends_before_the_first_sequence(
    pieces: list[str], sequences: list[str]
) -> None:
    whole = "".join(pieces)
    expected = up_to(whole, sequences)
    finish = "length" if expected == whole else "stop"

    assert await streamed(Pieces(*pieces), sequences) == (expected, finish)


@pytest.mark.parametrize(
    ("text", "sequences", "expected"),
    [
        ("one\ntwo", ["\n"], "one"),
        ("one\n\ntwo", ["\n\n"], "one"),
        ("a b", [" "], "a"),
        ("stop END here", ["END", "\n"], "stop "),
        ("", ["\n"], ""),
    ],
)
async def test_a_plain_answer(text: str, sequences: list[str], expected: str) -> None:
    [one] = (await CutShort(Pieces(text), sequences, 1).complete())["choices"]
    assert one["message"]["content"] == expected
    assert one["finish_reason"] == ("stop" if expected != text else "length")
    assert ("tool_calls" in one["message"]) is (expected == text)


async def test_a_stream_is_read_no_further_once_all_choices_have_ended() -> None:
    pieces = Pieces("one", "\n", "two", "three", n=2)
    assert await streamed(pieces, ["\n"]) == ("one", "stop")
    assert pieces.read == 4


@pytest.mark.parametrize(
    ("provider", "refused", "stop", "sent", "cut"),
    [
        ("anthropic", [], "\n", None, True),
        ("anthropic", [], ["\n", "END"], ["END"], True),
        ("anthropic", [], "END", "END", False),
        ("bedrock", [], [" ", "\t"], None, True),
        ("openai", [], "\n", "\n", False),
        ("openai", ["stop"], ["END"], None, True),
        ("openai", ["stop"], None, None, False),
    ],
)
def test_what_a_provider_takes_is_left_to_it(
    provider: str, refused: list[str], stop: Any, sent: Any, cut: bool
) -> None:
    route = Route(
        provider=load(SHIPPED).providers[provider],
        model="m",
        unsupported_parameters=frozenset(refused),
    )
    pieces = Pieces()

    exchange = prepare(
        pieces.prepare, UpstreamCall({"model": "m", "messages": [], "stop": stop}, route, "r")
    )

    assert pieces.sent.get("stop") == sent
    assert isinstance(exchange, CutShort) is cut
