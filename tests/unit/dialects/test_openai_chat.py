"""Chunks as server-sent events: what came together is one piece, however it is put together."""

import json

from losi.chat.chunks import ChunkStream, TokenBounds
from losi.chat.completions import End
from losi.dialects.openai_chat import EventStream
from losi.errors import UpstreamError
from losi.upstream.batch import Batch, TextRun, each
from tests.loose import Json, loose


def chunk(text: str, **more: object) -> Json:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return {"id": "theirs", "model": "theirs", "choices": [choice], **more}


def run(like: Json, *texts: str) -> TextRun:
    raw = [json.dumps(text)[1:-1].encode() for text in texts]
    return TextRun(like, raw, sum(map(len, texts)))


def written(*items: Batch | End) -> list[bytes]:
    return [*map(EventStream(include_usage=True).written, items)]


def chunks_in(pieces: list[bytes]) -> list[Json]:
    return [json.loads(event.removeprefix("data: ")) for event in events_of(pieces)]


def events_of(pieces: list[bytes]) -> list[str]:
    return b"".join(pieces).decode().removesuffix("\n\n").split("\n\n")


def test_what_came_together_is_one_piece() -> None:
    like = chunk("")

    pieces = written([chunk("a"), run(like, "b", "c")], [run(like, "d")])

    assert [piece.count(b"data: ") for piece in pieces] == [3, 1]
    assert chunks_in(pieces) == [chunk("a"), chunk("b"), chunk("c"), chunk("d")]


def test_a_run_is_written_as_its_chunks_would_be() -> None:
    like = chunk("", system_fingerprint="\ue000the text\ue000")  # the very mark of where texts go
    texts = ('"', "\\", "\n", "é", "😀", "\u2028", " ")
    one = run(like, *texts)

    assert (
        chunks_in(written([one]))
        == one.chunks()
        == [chunk(text, system_fingerprint="\ue000the text\ue000") for text in texts]
    )


def test_the_usage_and_the_end_are_one_piece() -> None:
    *_, last = written([chunk("a")], End(chunk("", usage={})))

    assert events_of([last])[1:] == ["data: [DONE]"]


def test_a_stream_that_failed_has_no_end_mark() -> None:
    *_, last = written([chunk("a")], End(loose({}), UpstreamError("broken")))

    assert b"broken" in last and b"[DONE]" not in last


def test_a_run_has_our_id_and_counts_as_its_chunks_do() -> None:
    def stream() -> ChunkStream:
        return ChunkStream("ours", 1, "model", include_usage=True, bounds=TokenBounds(1))

    at_once, one_by_one = stream(), stream()
    batch: Batch = [
        chunk("first"),
        run(chunk(""), "a", "\n", "😀"),
        run(chunk("", id="other"), "b"),
    ]

    public = [*each(at_once.batch(batch))]

    assert public == [one_by_one.public(one) for one in each([chunk("first"), *batch[1:]])]
    assert {one["id"] for one in public} == {"ours"}
    assert at_once.usage == one_by_one.usage
