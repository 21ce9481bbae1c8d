"""Server-sent events, however the network cuts them and providers end their lines."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from losi.errors import UpstreamError
from losi.upstream import sse
from losi.upstream.batch import Batch
from losi.upstream.sse import MAX_EVENT_BYTES, SseParser
from tests.fake_format import chunks_of
from tests.loose import Json

endings = st.sampled_from(["\n", "\r\n", "\r"])
lines = st.sampled_from(["data: a", "data:b", "event: e", ": comment", "id: 1", "", "data: \u2028"])


def parsed(*pieces: bytes) -> list[tuple[str, bytes]]:
    parser = SseParser("Provider")
    return [event for piece in pieces for event in parser.feed(piece)]


@given(st.lists(st.tuples(lines, endings), max_size=12), st.data())
def test_where_the_network_cuts_makes_no_difference(
    stream: list[tuple[str, str]], data: st.DataObject
) -> None:
    wire = "".join(line + ending for line, ending in stream).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=8)))

    pieces = [wire[a:b] for a, b in zip([0, *cuts], [*cuts, len(wire)], strict=True)]

    assert parsed(*pieces) == parsed(wire)
    assert parsed(*(wire[i : i + 1] for i in range(len(wire)))) == parsed(wire)


def test_names_comments_and_several_lines() -> None:
    wire = b": hello\n\nevent: e\nid: 7\ndata: a\ndata:  b\n\ndata: unfinished"
    assert parsed(wire) == [("e", b"a\n b")]


def test_an_event_without_end_is_refused() -> None:
    with pytest.raises(UpstreamError) as caught:
        parsed(b"data: ", b"x" * MAX_EVENT_BYTES)
    assert caught.value.code == "upstream_too_large"


def test_a_stream_of_small_events_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_STREAM_BYTES", 100)
    parser = SseParser("Provider")
    for _ in range(10):
        parser.feed(b"data: xx\n\n")

    with pytest.raises(UpstreamError) as caught:
        parser.feed(b"data: xx\n\n")

    assert caught.value.code == "upstream_too_large"


class Events:
    """Takes every event for a chunk, and every answer for a whole one."""

    finished = False
    is_whole = True

    def feed(self, data: bytes) -> list[Json]:
        return [{"data": data, "choices": []}]

    def more_text(self, texts: list[str]) -> int:
        return len(texts)

    def spent(self) -> list[Json]:
        return []


def batches(body: AsyncGenerator[bytes], reader: Events) -> AsyncGenerator[Batch]:
    return sse.batches(aclosing(body), "Provider", reader)


async def read(*chunks: bytes) -> list[bytes]:
    async def body() -> AsyncGenerator[bytes]:
        for chunk in chunks:
            yield chunk

    batches_ = batches(body(), Events())
    return [event["data"] async for event in chunks_of(batches_)]


@pytest.mark.parametrize(
    "chunks",
    [
        [b"\xef\xbb\xbfdata: {}\n\n"],
        [b"\xef\xbb", b"\xbfdata: {}\n\n"],
        [b"\xef\xbb\xbf\r\n\r\ndata: {}\r\n\r\n"],
        [b"\xef\xbb\xbf: comment\n\ndata: {}\n\n"],
        [b"\n\n", b": ping\n\n", b"data:{}\n\n"],
        [b"data: {}"],
        [b"data: {}\n"],
        [b"data: {}\r"],
        [b"event: x\ndata: {\ndata: }"],
    ],
)
async def test_marks_and_missing_ends_lose_no_event(chunks: list[bytes]) -> None:
    assert [data.replace(b"\n", b"") for data in await read(*chunks)] == [b"{}"]


@pytest.mark.parametrize(
    "cut", [b'data: {"a": ', b"data: [DON", b"dat", b"data: {}\nda: x\ndata: {"]
)
async def test_an_event_that_was_cut_is_none(cut: bytes) -> None:
    assert await read(b"data: {}\n\n", cut) == [b"{}"]


async def test_the_end_mark_needs_no_blank_line() -> None:
    assert await read(b"data: {}\n\ndata: [DONE]") == [b"{}", b"[DONE]"]


def said(text: str, **more: Any) -> Json:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return {"id": "1", "choices": [choice], **more}


class Chunks(Events):
    """Takes every event for a chunk of OpenAI's, and notes the texts of runs."""

    def __init__(self) -> None:
        self.runs: list[str] = []

    def feed(self, data: bytes) -> list[Json]:
        return [json.loads(data)]

    def more_text(self, texts: list[str]) -> int:
        self.runs += texts
        return len(texts)


words = st.one_of(
    st.sampled_from(["one ", "two ", "", 'a "quote"', "a\nline", "\\", "\u2028", '","', "é", "😀"]),
    st.text(max_size=4),
)
events_ = st.one_of(
    words.map(said),
    words.map(lambda word: said(word, other=1)),
    words.map(lambda word: said(word, model=word)),
    st.just({"id": "1", "choices": []}),
)


@given(
    st.lists(events_, max_size=12),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
    st.data(),
)
async def test_what_is_read_as_a_run_is_what_the_events_say(
    told: list[Json], ending: str, plain: bool, data: st.DataObject
) -> None:
    lines = (f"data: {json.dumps(one, ensure_ascii=plain)}" for one in told)
    wire = "".join(line + 2 * ending for line in lines).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=8)))

    async def body() -> AsyncGenerator[bytes]:
        for a, b in zip([0, *cuts], [*cuts, len(wire)], strict=True):
            yield wire[a:b]

    reader = Chunks()
    read = [chunk async for chunk in chunks_of(batches(body(), reader))]

    assert read == told


@pytest.mark.parametrize(
    ("cut", "ending"),
    [(1_000, b"\n\n"), (70, b"\n\n"), (7, b"\n\n"), (1_000, b"\r\n\r\n"), (70, b"\r\n\r\n")],
)
async def test_text_after_text_is_a_run(cut: int, ending: bytes) -> None:
    told = [said(f"word {number} ") for number in range(20)]
    wire = b"".join(b"data: " + json.dumps(one).encode() + ending for one in told)

    async def body() -> AsyncGenerator[bytes]:
        for at in range(0, len(wire), cut):
            yield wire[at : at + cut]

    reader = Chunks()
    read = [chunk async for chunk in chunks_of(batches(body(), reader))]

    assert read == told
    assert reader.runs == [one["choices"][0]["delta"]["content"] for one in told[2:]]


async def test_what_comes_before_a_failure_is_said() -> None:
    class Fails(Chunks):
        def feed(self, data: bytes) -> list[Json]:
            if data == b"{}":
                raise UpstreamError("broken")
            return super().feed(data)

    async def body() -> AsyncGenerator[bytes]:
        yield b'data: {"choices": []}\n\ndata: {}\n\n'

    read: list[Any] = []
    with pytest.raises(UpstreamError):
        async for batch in batches(body(), Fails()):
            read += batch
    assert read == [{"choices": []}]


async def test_an_answer_that_is_not_whole_fails_after_the_usage_that_was_reported() -> None:
    class Cut(Chunks):
        is_whole = False

        def spent(self) -> list[Json]:
            return [{"choices": [], "usage": {"prompt_tokens": 7}}]

    async def body() -> AsyncGenerator[bytes]:
        yield b'data: {"choices": []}\n\n'

    read: list[Any] = []
    with pytest.raises(UpstreamError) as failure:
        async for batch in batches(body(), Cut()):
            read += batch
    assert failure.value.code == "upstream_incomplete"
    assert read == [{"choices": []}, {"choices": [], "usage": {"prompt_tokens": 7}}]


async def test_what_follows_the_end_mark_is_read_and_dropped() -> None:
    left = [b"data: {}\n\n", b": bye\n\n", b""]

    class Ends(Events):
        def feed(self, data: bytes) -> list[Json]:
            self.finished = True
            return super().feed(data)

    async def body() -> AsyncGenerator[bytes]:
        while left:
            yield left.pop(0)

    read = [chunk async for chunk in chunks_of(batches(body(), Ends()))]

    assert (read, left) == ([{"data": b"{}", "choices": []}], [])
