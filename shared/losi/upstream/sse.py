"""Server-sent events as they come off the wire, whatever the network cuts them into.

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream, on bytes:
text decoders that split lines at U+2028 break JSON that holds one.
"""

from collections.abc import AsyncIterator

from losi.errors import UpstreamError
from losi.upstream.reading import is_whole

#: No event or stream of a real completion comes near these; beyond them memory would be at risk.
MAX_EVENT_BYTES = 16 * 1024 * 1024
MAX_STREAM_BYTES = 128 * 1024 * 1024


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
        self._seen += len(chunk)
        pending = len(self._rest) + len(chunk) + sum(map(len, self._data))
        if self._seen > MAX_STREAM_BYTES or pending > MAX_EVENT_BYTES:
            raise UpstreamError(
                f"{self._provider} sent more than a chat completion can hold.",
                code="upstream_too_large",
            )
        second_half = self._after_cr and chunk.startswith(b"\n")  # of a CR LF
        if chunk:
            self._after_cr = chunk.endswith(b"\r")
        if second_half:
            chunk = chunk[1:]
        text = self._rest + chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, self._rest = text.split(b"\n")
        return [event for line in lines if (event := self._line(line)) is not None]

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


async def events(chunks: AsyncIterator[bytes], provider: str) -> AsyncIterator[tuple[str, bytes]]:
    """The events of a response body."""
    parser = SseParser(provider)
    async for chunk in chunks:
        for event in parser.feed(chunk):
            yield event
    if (last := parser.end()) is not None:
        yield last
