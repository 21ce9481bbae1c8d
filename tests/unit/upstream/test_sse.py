"""Server-sent events, however the network cuts them and providers end their lines."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from losi.errors import UpstreamError
from losi.upstream import sse
from losi.upstream.sse import MAX_EVENT_BYTES, SseParser, events

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


async def read(*chunks: bytes) -> list[bytes]:
    async def body() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return [data async for _, data in events(body(), "Provider")]


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
