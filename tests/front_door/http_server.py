"""The server side of HTTP/1.1 on asyncio streams, with h11: just what the other modules need."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

import h11

Handler = Callable[["Connection", h11.Request], Awaitable[None]]


class Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER)
        self.trailers: dict[str, str] = {}
        self.peer_gone = False

    @property
    def peer(self) -> str:
        return str(self._writer.get_extra_info("peername")[0])

    async def serve(self, handler: Handler) -> None:
        """Answers request after request until either side has had enough."""
        try:
            while isinstance(request := await self._next_event(), h11.Request):
                await handler(self, request)
                if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                    break
                self._http.start_next_cycle()
            self._writer.close()
            await self._writer.wait_closed()
        except (OSError, h11.ProtocolError):
            pass  # the other side went away, which is its right; handlers note it where it matters
        finally:
            self._writer.transport.abort()  # closed at once when this is cancelled

    async def _next_event(self) -> h11.Event | type[h11.PAUSED]:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                await self._send(h11.InformationalResponse(status_code=100, headers=[]))
            self._http.receive_data(await self._reader.read(65536))
        return event  # type: ignore[return-value]

    async def body(self) -> AsyncIterator[bytes]:
        """The request's body as it arrives. Raises ConnectionError when it is cut off."""
        while isinstance(event := await self._next_event(), h11.Data):
            yield bytes(event.data)
        if not isinstance(event, h11.EndOfMessage):
            raise ConnectionError("the request was cut off")
        self.trailers = {name.decode(): value.decode() for name, value in event.headers}

    async def respond(
        self, status: int, body: bytes = b"", headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        await self.start(status, [*headers, ("content-length", str(len(body)))])
        await self.write(body)
        await self.finish()

    async def start(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers]
        await self._send(h11.Response(status_code=status, headers=encoded))

    async def write(self, data: bytes) -> None:
        await self._send(h11.Data(data=data))

    async def finish(self) -> None:
        await self._send(h11.EndOfMessage())

    def cut(self) -> None:
        """Closes without completing the response, so that the client notices."""
        self._writer.close()

    async def _send(self, event: h11.Event) -> None:
        if data := self._http.send(event):
            self._writer.write(data)
            await self._writer.drain()

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Meanwhile `peer_gone` becomes true when the client hangs up."""
        watcher = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watcher.cancel()
            await asyncio.wait({watcher})

    async def _watch(self) -> None:
        try:
            while data := await self._reader.read(65536):
                self._http.receive_data(data)  # a pipelined request
        except OSError:
            pass
        self.peer_gone = True


async def listen(handler: Handler, tls: ssl.SSLContext | None = None) -> asyncio.Server:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # the front door closes by cancelling, which asyncio's servers would log as an error
        with contextlib.suppress(asyncio.CancelledError):
            await Connection(reader, writer).serve(handler)

    return await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)


def port_of(server: asyncio.Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port
