"""A small HTTP/1.1 client on asyncio: kept connections, bodies as they arrive.

The parser is llhttp (httptools). What one read of the socket brought is one item of a body, so that
a relay may write it as one. Redirects, cookies, compression and proxies are not its business: it
speaks to hosts that we chose, in JSON and server-sent events.
docs/decisions/0010-hot-path.md says why this stands beside httpx, and what it was measured at.
"""

import asyncio
import select
import ssl
from collections import defaultdict
from collections.abc import Mapping
from functools import cache, cached_property, lru_cache
from types import TracebackType
from typing import cast
from urllib.parse import SplitResult, urlsplit

import httptools

#: The most bytes read before the headers end; llhttp itself knows no limit.
MAX_HEADER_BYTES = 65_536
#: The most bytes kept for a slow reader; beyond that the socket is not read.
MAX_WAITING_BYTES = 262_144
#: The most idle connections kept for each host.
MAX_IDLE = 64


class HttpError(Exception):
    """The request failed below HTTP, or the answer is not HTTP."""


class ConnectError(HttpError):
    """No connection was made, so nothing was sent."""


class UnsendableError(ValueError):
    """The address or a header cannot be written in HTTP."""


class ConnectionLostError(HttpError):
    """The connection ended or broke the protocol before the answer was complete."""


@cache
def tls_context() -> ssl.SSLContext:
    """The TLS context of the process: reading the certificate authorities takes 20 to 40 ms of
    CPU.
    """
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


class Client:
    """A pool of connections for one event loop."""

    def __init__(self) -> None:
        self._idle: defaultdict[tuple[str, str, int], list[_Connection]] = defaultdict(list)

    async def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        connect_seconds: float,
    ) -> "Response":
        """The answer once its headers have arrived; close it, or read it to its end.

        Raises UnsendableError, ConnectError when nothing was sent, else ConnectionLostError. For
        all but connecting the caller sets the time limits.
        """
        origin, host, target = _address(url)
        lines = [f"{method} {target} HTTP/1.1", f"host: {host}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines.append(f"content-length: {len(body)}")
        head = "\r\n".join(lines)
        if not head.count("\r") == head.count("\n") == len(lines) - 1:
            raise UnsendableError("a header's value holds a line break")
        try:
            request = f"{head}\r\n\r\n".encode("latin-1") + body
        except UnicodeEncodeError as error:
            raise UnsendableError("a header holds what HTTP has no bytes for") from error
        connection = self._kept(origin) or await self._connect(origin, connect_seconds)
        connection.begin(request)
        try:
            await connection.headers_read()
        except BaseException:
            connection.close()
            raise
        return Response(self, origin, connection)

    def close(self) -> None:
        for connections in self._idle.values():
            for connection in connections:
                connection.close()

    def _kept(self, origin: tuple[str, str, int]) -> "_Connection | None":
        idle = self._idle[origin]
        while idle:
            connection = idle.pop()
            if connection.is_usable():
                return connection
            connection.close()
        return None

    async def _connect(self, origin: tuple[str, str, int], seconds: float) -> "_Connection":
        scheme, host, port = origin
        tls = tls_context() if scheme == "https" else None
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                _, connection = await loop.create_connection(_Connection, host, port, ssl=tls)
        except (OSError, TimeoutError, UnicodeError) as error:
            raise ConnectError(f"{host}:{port} cannot be reached") from error
        return connection

    def _give_back(self, origin: tuple[str, str, int], connection: "_Connection") -> None:
        idle = self._idle[origin]
        if connection.can_be_kept() and len(idle) < MAX_IDLE:
            idle.append(connection)
        else:
            connection.close()


class Response:
    """An answer. `headers` has lower-case names, and the last value of a name that came twice."""

    def __init__(
        self, client: Client, origin: tuple[str, str, int], connection: "_Connection"
    ) -> None:
        self._client = client
        self._origin = origin
        self._connection: _Connection | None = connection
        self.status = connection.status
        self._raw_headers = connection.raw_headers

    @cached_property
    def headers(self) -> dict[str, str]:
        return _decoded(self._raw_headers)

    def __aiter__(self) -> "Response":
        return self

    async def __anext__(self) -> bytes:
        """Return what the next read of the socket brought. Raises ConnectionLostError for a cut
        body.
        """
        while (connection := self._connection) is not None:
            if data := connection.taken():
                return data
            if connection.is_complete:
                self._release()
            else:
                await connection.progress()
        raise StopAsyncIteration

    def put_back(self, data: bytes) -> None:
        """Take back what was read of an unfinished body: the next read returns it again."""
        if self._connection is not None:
            self._connection.put_back(data)

    async def read(self) -> bytes:
        """The rest of the body. Raises as reading it piece by piece does."""
        return b"".join([data async for data in self])

    async def __aenter__(self) -> "Response":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._release()

    def _release(self) -> None:
        """Keep the connection if its answer was read to the end, else close it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._client._give_back(self._origin, connection)


class _Connection(asyncio.Protocol):
    """One connection, one exchange at a time. httptools calls the `on_...` methods."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._closed = False
        self._waiter: asyncio.Future[None] | None = None
        self._pieces: list[bytes] = []
        self._received_headers: dict[bytes, bytes] = {}
        # the parser calls the list's and the dictionary's own methods: a read may bring thousands
        # of pieces, and most headers are never looked at
        self.on_body = self._pieces.append
        self.on_header = self._received_headers.__setitem__
        self._parser = httptools.HttpResponseParser(self)
        self._reset()

    def _reset(self) -> None:
        self.status: int
        self.raw_headers: dict[bytes, bytes] = {}
        self._received_headers.clear()
        self._header_bytes = self._waiting = 0
        self._headers_complete = self.is_complete = self._keep_alive = False
        self._failure: HttpError | None = None

    # the exchange

    def begin(self, request: bytes) -> None:
        self._reset()
        self._transport.write(request)

    async def headers_read(self) -> None:
        while not self._headers_complete:
            await self.progress()

    def taken(self) -> bytes:
        """What has come of the body since the last call."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        if self._waiting > MAX_WAITING_BYTES:
            self._transport.resume_reading()
        self._waiting = 0
        return data

    def put_back(self, data: bytes) -> None:
        self._pieces.insert(0, data)

    def close(self) -> None:
        self._closed = True
        self._transport.abort()

    def can_be_kept(self) -> bool:
        whole = self.is_complete and not self._pieces
        return whole and self._keep_alive and not self._closed

    def is_usable(self) -> bool:
        """Whether the host still listens, as far as the kernel knows."""
        return not self._closed and is_silent(self._transport)

    def progress(self) -> asyncio.Future[None]:
        """Is done when more has come, or the connection has ended. Raises HttpError if nothing more
        can come.
        """
        if self._failure is not None:
            raise self._failure
        if self._closed:
            raise ConnectionLostError("the connection was closed")
        self._waiter = asyncio.get_running_loop().create_future()
        return self._waiter

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, reason: str) -> None:
        self._failure = ConnectionLostError(reason)
        self.close()
        self._wake()

    # called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # a cast, as uvloop's transports are no subclasses of asyncio's
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.is_complete:
            self._fail("more than the answer came")
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail("the answer is not HTTP")
            return
        if not self._headers_complete:
            self._header_bytes += len(data)
            if self._header_bytes > MAX_HEADER_BYTES:
                self._fail("the headers are too long")
                return
        self._waiting += len(data)
        if self._waiting > MAX_WAITING_BYTES:
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """The end of the connection ends a body without a length; it cuts any other."""
        measured = {"content-length", "transfer-encoding"}.intersection(_decoded(self.raw_headers))
        if self._headers_complete and not measured:
            self.is_complete = True

    def connection_lost(self, error: Exception | None) -> None:
        self._closed = True
        self._wake()

    # called by the parser

    def on_message_begin(self) -> None:
        if self.is_complete:
            raise ConnectionLostError("a second answer to one request")

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if 100 <= self.status < 200:  # an interim answer: the real one follows
            self._received_headers.clear()
        else:
            self.raw_headers = self._received_headers.copy()  # later ones are trailers
            self._headers_complete = True

    def on_message_complete(self) -> None:
        if self._headers_complete:
            self.is_complete = True
            self._keep_alive = self._parser.should_keep_alive()  # it forgets afterwards


@lru_cache(maxsize=64)
def _address(url: str) -> tuple[tuple[str, str, int], str, str]:
    """Where to connect, the `host` header, and the request target. It is cached, as a process calls
    few URLs.
    """
    parts = urlsplit(url)
    target = parts.path or "/"
    if parts.query:
        target += f"?{parts.query}"
    return _origin(parts), parts.netloc.rpartition("@")[2], target


def is_silent(transport: asyncio.BaseTransport) -> bool:
    """Whether a kept connection can be used again. The loop may have slept since its last use, as
    in a frozen Lambda: anything that can be read now is the end of the connection, or an answer to
    nothing.
    """
    if transport.is_closing():
        return False
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return not poll.poll(0)


def _origin(parts: SplitResult) -> tuple[str, str, int]:
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise UnsendableError("the URL's port is no number") from error
    target = f"{parts.netloc}{parts.path}{parts.query}"
    if parts.scheme not in ("http", "https") or not parts.hostname or " " in target:
        raise UnsendableError("the URL is not one of http or https")
    return parts.scheme, parts.hostname, port


def _decoded(headers: dict[bytes, bytes]) -> dict[str, str]:
    return {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers.items()
    }
