"""A client goes away, on a real socket: what is billed all the same (docs/reliability.md)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from tests.fake_upstream import FakeUpstream, Received, Reply
from tests.faults import broken
from tests.faults.api import MAX_TOKENS, MODEL, PROMPT, Api
from tests.faults.page import Row, rows

ROWS = rows("contract/faults/test_client.py::test_it_goes_away")


@dataclass
class Meeting:
    """A client in the middle of its request, and a provider that waits until it has gone."""

    api: Api
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    stream: bool
    breaks_off: bool
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    #: What the provider sends before it waits.
    first: tuple[bytes, ...] = ()

    @property
    def head(self) -> bytes:
        lines = ["POST /api/v1/chat/completions HTTP/1.1", "host: api.test"]
        lines += [f"authorization: Bearer {self.api.caller.secret}"]
        lines += [f"content-length: {len(self.body)}", "", ""]
        return "\r\n".join(lines).encode()

    @property
    def body(self) -> bytes:
        asked = {"model": MODEL, "messages": PROMPT, "max_tokens": MAX_TOKENS}
        return orjson.dumps({**asked, "stream": self.stream})

    def answer(self, asked: Received) -> Reply:
        self.asked.set()
        if not self.stream:
            return Reply(self._json(), headers={"content-type": "application/json"})
        return Reply.sse(self._events(), cut=self.breaks_off)

    async def _json(self) -> AsyncIterator[bytes]:
        await self.gone.wait()
        yield broken.WHOLE

    async def _events(self) -> AsyncIterator[bytes]:
        for event in self.first:
            yield event
        await self.gone.wait()
        if not self.breaks_off:
            for event in (broken.word(broken.WORDS), *broken.END)[len(self.first) :]:
                yield event

    async def send(self) -> None:
        self.writer.write(self.head + self.body)
        await self.writer.drain()

    def hang_up(self) -> None:
        self.writer.close()
        self.gone.set()

    def be_cut_off(self) -> None:
        broken.reset(self.writer)
        self.gone.set()


async def before_its_headers_are_sent(meeting: Meeting) -> None:
    meeting.writer.write(meeting.head[:40])
    await meeting.api.until(lambda state: bool(state.connections))
    meeting.hang_up()


async def while_its_body_is_sent(meeting: Meeting) -> None:
    meeting.writer.write(meeting.head + meeting.body[:20])
    await meeting.api.until(lambda state: bool(state.tasks))
    meeting.hang_up()


async def before_its_answer_begins(meeting: Meeting) -> None:
    await meeting.send()
    await meeting.asked.wait()
    meeting.hang_up()


async def after_the_first_chunk(meeting: Meeting) -> None:
    await meeting.send()
    await meeting.reader.readuntil(broken.WORDS.encode())
    meeting.hang_up()


async def is_cut_off(meeting: Meeting) -> None:
    await meeting.send()
    await meeting.reader.readuntil(broken.WORDS.encode())
    meeting.be_cut_off()


async def after_the_last_chunk(meeting: Meeting) -> None:
    await meeting.send()
    await meeting.reader.readuntil(b'"finish_reason":"stop"')
    meeting.hang_up()


async def after_all(meeting: Meeting) -> None:
    meeting.gone.set()
    await meeting.send()
    await meeting.reader.readuntil(b"[DONE]" if meeting.stream else b'"usage"')
    meeting.hang_up()


WORD, LAST = broken.word(broken.WORDS), broken.END[0]
#: What the client does, and what the provider has sent by then.
STAGES: dict[str, tuple[Callable[[Meeting], Awaitable[None]], tuple[bytes, ...]]] = {
    "hangs up before its headers are sent": (before_its_headers_are_sent, ()),
    "hangs up while its body is sent": (while_its_body_is_sent, ()),
    "hangs up before its answer begins": (before_its_answer_begins, ()),
    "hangs up after the first chunk": (after_the_first_chunk, (WORD,)),
    "hangs up after the first chunk, and the provider breaks off": (after_the_first_chunk, (WORD,)),
    "is cut off after the first chunk": (is_cut_off, (WORD,)),
    "hangs up after the last chunk": (after_the_last_chunk, (WORD, LAST)),
    "hangs up after the whole answer": (after_all, ()),
}


@asynccontextmanager
async def meet(row: Row, api: Any) -> AsyncIterator[tuple[Meeting, FakeUpstream]]:
    async with FakeUpstream() as upstream, api(providers={"openai": upstream.url}) as here:
        reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
        breaks_off = row.fault.endswith("the provider breaks off")
        meeting = Meeting(here, reader, writer, row.streams, breaks_off)
        meeting.first = STAGES[row.fault][1]
        upstream.answer = meeting.answer
        yield meeting, upstream


@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
async def test_it_goes_away(row: Row, api: Any, caplog: pytest.LogCaptureFixture) -> None:
    goes_away, _ = STAGES[row.fault]
    async with meet(row, api) as (meeting, upstream):
        await goes_away(meeting)
        if not row.fault.endswith("is sent") and not row.fault.endswith("are sent"):
            await meeting.asked.wait()
        await meeting.api.connections_lost()
        assert await meeting.api.billed() == row.billed
        assert not upstream.abandoned.is_set(), "the provider was not read to its end"
    assert row.sees == ("the answer" if "whole" in row.fault else "nobody sees it")
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_every_stage_has_its_rows() -> None:
    assert {row.fault for row in ROWS} == {*STAGES}
