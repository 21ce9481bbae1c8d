"""Server-sent events as they come off the wire, whatever the network cuts them into.

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream, on bytes:
text decoders that split lines at U+2028 break JSON that holds one.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Protocol

from losi.errors import LosiError, UpstreamError
from losi.upstream.batch import Batch, TextRun, only_text, texts, with_text
from losi.upstream.format import incomplete
from losi.upstream.http import finish
from losi.upstream.reading import is_whole

if TYPE_CHECKING:
    from losi.wire.chat import Chunk

#: No event or stream of a real completion comes near these; beyond them memory would be at risk.
MAX_EVENT_BYTES = 16 * 1024 * 1024
MAX_STREAM_BYTES = 128 * 1024 * 1024
#: A blank line, after the end of the line before it.
_EVENT_END = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
#: A whole event as most providers write it.
_ONE_LINE = re.compile(rb"data: ([^\r\n]*+)\n\n")
#: Of so many bytes, no event is like another one.
_LONG_EVENT = 65_536
#: The texts of an event, at OpenAI and at Anthropic, as they stand there.
_TEXT_FIELD = re.compile(
    rb'"(?:content|reasoning_content|reasoning|arguments|text|thinking|partial_json)"'
    rb'\s*:\s*"((?:[^"\\]++|\\.)*+)"'
)


class SseParser:
    """Feed bytes, get complete events: (event name, data). Comments and ids are dropped."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._rest = b""
        self._seen = 0
        self._event = "message"
        self._data: list[bytes] = []
        self._after_cr = False
        self._begun = False

    def feed(self, chunk: bytes) -> list[tuple[str, bytes]]:
        """Raises UpstreamError when an event or the whole stream grows without bound."""
        self.count(len(chunk), len(self._rest) + len(chunk) + sum(map(len, self._data)))
        second_half = self._after_cr and chunk.startswith(b"\n")  # of a CR LF
        if chunk:
            self._after_cr = chunk.endswith(b"\r")
        if second_half:
            chunk = chunk[1:]
        text = self._rest + chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, self._rest = text.split(b"\n")
        return [event for line in lines if (event := self._line(line)) is not None]

    @property
    def is_between_events(self) -> bool:
        """Whether what is fed next begins an event like any other."""
        begun_one = self._rest or self._data or self._event != "message"
        return self._begun and not begun_one and not self._after_cr

    def count(self, size: int, pending: int = 0) -> None:
        """Bytes that came, and those that wait for the end of their event. Raises UpstreamError."""
        self._seen += size
        if self._seen > MAX_STREAM_BYTES or pending > MAX_EVENT_BYTES:
            raise UpstreamError(
                f"{self._provider} sent more than a chat completion can hold.",
                code="upstream_too_large",
            )

    def end(self) -> tuple[str, bytes] | None:
        """The last event, where the stream ends before the blank line after it.

        The standard drops it, SDKs read it. It counts where its data is JSON to the end.
        """
        event = self._line(self._rest) if self._rest else None
        event = event or self._dispatch()
        return event if event and (event[1] == b"[DONE]" or is_whole(event[1])) else None

    def _line(self, line: bytes) -> tuple[str, bytes] | None:
        if not self._begun:
            line, self._begun = line.removeprefix(b"\xef\xbb\xbf"), True
        if not line:
            return self._dispatch()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
        elif field == b"event":
            self._event = value.decode("utf-8", "replace")
        return None

    def _dispatch(self) -> tuple[str, bytes] | None:
        event, data = self._event, self._data
        self._event, self._data = "message", []
        return (event, b"\n".join(data)) if data else None


class Reader(Protocol):
    """What a format makes of the events of one stream."""

    @property
    def finished(self) -> bool:
        """Whether the upstream has said that it is done."""

    @property
    def is_whole(self) -> bool:
        """Whether the answer is complete, however the stream ended."""

    def feed(self, data: bytes) -> Iterable[Chunk]:
        """The chunks of an event. Raises a LosiError, after the chunks that come before it."""

    def more_text(self, texts: list[str]) -> int:
        """More events came like the last one, whose one chunk had nothing but text. How many of
        them it has taken: the one after those is to be fed by itself.
        """

    def spent(self) -> list[Chunk]:
        """After a failure: the usage that the upstream reported, unless `feed` has returned it."""


async def batches(
    opening: AbstractAsyncContextManager[AsyncIterator[bytes]], provider: str, reader: Reader
) -> AsyncGenerator[Batch]:
    """The chunks of a response body, those of each read of it together, until the end mark.

    Raises the LosiErrors of the body and of the reader, and UpstreamError if the answer is not
    whole; before that come the chunks from before the failure, and the usage that was reported.
    """
    events = _Events(provider, reader)
    try:
        async with opening as body:
            async for data in body:
                if batch := events.read(data):
                    yield batch
                if reader.finished:
                    await finish(body)
                    break
            else:
                if batch := events.read_rest():
                    yield batch
        if not reader.is_whole:  # whatever mark the end has: gateways set it after broken answers
            raise incomplete(provider)
    except LosiError:
        if batch := [*events.unsent, *reader.spent()]:
            yield batch
        raise


class _Events:
    """Bytes in, chunks out: event by event, but in one step for those that are like the last."""

    def __init__(self, provider: str, reader: Reader) -> None:
        #: What was read before a failure.
        self.unsent: list[Chunk | TextRun] = []
        self._parser = SseParser(provider)
        self._reader = reader
        #: An event that is not whole yet.
        self._rest = b""
        self._pattern: _Pattern | None = None

    def read(self, data: bytes) -> Batch:
        searched = max(0, len(self._rest) - 3)  # an end may be cut in two
        data, at, self._rest = self._rest + data, 0, b""
        while at < len(data) and not self._reader.finished:
            if self._pattern is not None and (like := self._run(data, at, self._pattern)):
                run, length = like
                self.unsent.append(run)
                at += length
                continue
            if (found := _EVENT_END.search(data, max(at, searched))) is None:
                break
            self._event(data[at : found.end()])
            at = found.end()
        if len(data) - at > _LONG_EVENT:
            self._event(data[at:])
        else:
            self._rest = data[at:]
        return self._taken()

    def read_rest(self) -> Batch:
        """What stands at the end without the blank line after it."""
        self._event(self._rest)
        if (last := self._parser.end()) is not None:
            self.unsent.extend(self._reader.feed(last[1]))
        return self._taken()

    def _taken(self) -> Batch:
        batch, self.unsent = self.unsent, []
        return batch

    def _event(self, raw: bytes) -> None:
        """One event, or a part of one."""
        self._pattern, is_one = None, self._parser.is_between_events
        before = len(self.unsent)
        for data in self._data(raw, is_one=is_one):
            for chunk in self._reader.feed(data):  # one by one: a failure comes after some
                self.unsent.append(chunk)
        if is_one and len(self.unsent) == before + 1 and self._parser.is_between_events:
            self._pattern = _Pattern.of(raw, chunk)

    def _data(self, raw: bytes, *, is_one: bool) -> list[bytes]:
        """What the events in these bytes say; most are one line."""
        if is_one and (line := _ONE_LINE.fullmatch(raw)) is not None:
            self._parser.count(len(raw))
            return [line[1]]
        return [data for _, data in self._parser.feed(raw)]

    def _run(self, data: bytes, at: int, pattern: _Pattern) -> tuple[TextRun, int] | None:
        """The events from `at` on that are like the last one, and their bytes."""
        found = pattern.match(data, at)
        if found is None or "" in found[1]:  # no text means nothing to some formats
            return None
        raw, said, length = found
        taken = self._reader.more_text(said)
        if taken < len(said):
            if not taken:
                return None
            raw, said = raw[:taken], said[:taken]
            length = pattern.length(raw)
        self._parser.count(length)
        return TextRun(pattern.like, raw, sum(map(len, said))), length


class _Pattern:
    """How an event begins and ends around its text, and the chunk that came of it."""

    __slots__ = ("_after", "_before", "_between", "like")

    def __init__(self, before: bytes, after: bytes, like: Chunk) -> None:
        self._before, self._after, self._between = before, after, after + before
        self.like = like

    @classmethod
    def of(cls, raw: bytes, chunk: Chunk) -> _Pattern | None:
        """None unless the event says one text, and nothing beside it."""
        if not (text := only_text(chunk)):
            return None
        fields = [*_TEXT_FIELD.finditer(raw)]
        if len(fields) != 1 or not _says(fields[0][1], text):
            return None
        begin, end = fields[0].span(1)
        return cls(raw[:begin], raw[end:], with_text(chunk, ""))

    def match(self, data: bytes, at: int) -> tuple[list[bytes], list[str], int] | None:
        """The texts, as they stand there and as read, of the events that follow from `at` on, and
        the bytes of these events.
        """
        if not data.startswith(self._before, at):
            return None
        begin = at + len(self._before)
        for find in (data.rfind, data.find):  # all that are like this one, or it alone
            end = find(self._after, begin)
            if end < 0:
                return None
            raw = data[begin:end].split(self._between)
            try:
                return raw, texts(raw), end + len(self._after) - at
            except ValueError:  # the texts of other events are among them
                pass
        return None

    def length(self, raw: list[bytes]) -> int:
        return sum(map(len, raw)) + len(raw) * len(self._between)


def _says(raw: bytes, text: object) -> bool:
    """Whether this inside of a JSON string is that text."""
    try:
        return texts([raw]) == [text]
    except ValueError:
        return False
