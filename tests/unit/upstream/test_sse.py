"""Server-sent events, however the network cuts them and providers end their lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from losi.errors import UpstreamError
from losi.upstream import sse
from losi.upstream.sse import MAX_EVENT_BYTES, SseParser

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
