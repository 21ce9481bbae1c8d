"""A provider made of a script: real sockets, chunk by chunk, under the test's control.

    async with FakeUpstream() as upstream:
        upstream.replies.append(Reply.sse([b"data: 1\\n\\n", b"data: 2\\n\\n"]))
        ...  # call upstream.url
        assert upstream.requests[0].json["model"] == "m"

A body may also be an async generator: it sends when the test lets it. The last reply is given
again and again, so that retries need no script of their own. Where replies depend on requests, a
function makes them: `upstream.answer = ...`.
"""

import asyncio
from collections.abc import AsyncIterable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Self

import orjson

Body = Iterable[bytes] | AsyncIterable[bytes]


@dataclass(frozen=True)
class Reply:
    """`cut` drops the connection after the body, without the end that HTTP asks for."""

    body: Body = ()
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False

    @classmethod
    def json(cls, value: Any, status: int = 200, **headers: str) -> "Reply":
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return cls([orjson.dumps(value)], status, {"content-type": "application/json", **named})

    @classmethod
    def sse(cls, body: Body, *, cut: bool = False) -> "Reply":
        return cls(body, headers={"content-type": "text/event-stream; charset=utf-8"}, cut=cut)


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


class FakeUpstream:
    def __init__(self) -> None:
        self.replies: list[Reply] = []
        #: Answers in their place, when set.
        self.answer: Callable[[Received], Reply] | None = None
        self.requests: list[Received] = []
        #: Set when a client goes away before its reply was sent.
        self.abandoned = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        self._connections.add(connection)
        try:
            # clients close connections whenever they like
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                await self._exchange(reader, writer)
        finally:
            self._connections.discard(connection)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await receive(reader)
        self.requests.append(request)
        if self.answer is not None:
            reply = self.answer(request)
        else:
            reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        sending = asyncio.ensure_future(send(reply, writer))
        gone = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                self.abandoned.set()
        finally:
            sending.cancel()
            gone.cancel()
            await asyncio.gather(sending, gone, return_exceptions=True)


async def receive(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    request_line, *lines = head.rstrip().split("\r\n")
    method, path, _ = request_line.split(" ")
    headers: dict[str, str] = {}
    for name, value in (line.split(":", 1) for line in lines):
        before = headers.get(name.lower())  # a field that is sent twice is one list: RFC 9110, 5.3
        headers[name.lower()] = value.strip() if before is None else f"{before}, {value.strip()}"
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Received(method, path, headers, body)


async def send(reply: Reply, writer: asyncio.StreamWriter) -> None:
    headers = {**reply.headers, "transfer-encoding": "chunked", "connection": "close"}
    lines = [f"HTTP/1.1 {reply.status} {_phrase(reply.status)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
    async for chunk in _each(reply.body):
        if chunk:  # an empty chunk would be HTTP's end of the body
            writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            await writer.drain()
    if not reply.cut:
        writer.write(b"0\r\n\r\n")
        await writer.drain()


async def _each(body: Body) -> AsyncIterable[bytes]:
    if isinstance(body, AsyncIterable):
        async for chunk in body:
            yield chunk
    else:
        for chunk in body:
            yield chunk


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:  # 529 is Anthropic's own
        return "Error"
