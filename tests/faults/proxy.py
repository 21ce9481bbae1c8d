"""A DynamoDB that fails when it is told to: it stands between a server and the real one."""

import asyncio
import random
from contextlib import suppress
from typing import Self

import httpx

from tests.fake_upstream import Received, receive

#: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
_ERRORS = {
    "throttles": (400, "ThrottlingException"),
    "reports a conflict": (400, "TransactionConflictException"),
    "fails inside": (500, "InternalServerError"),
}
_WRITES = ("UpdateItem", "TransactWriteItems", "PutItem", "DeleteItem")
#: Longer than a client of the tests waits for its answer.
LATE_SECONDS = 0.6
SLOW_SECONDS = 0.05


class Store:
    """`url` is where servers find it. It fails as `fail` says, until it is `well` again:

    refuses the connection, resets the connection, hangs: whatever is asked
    throttles, reports a conflict, fails inside: writes are refused
    loses its answer: writes are done, and the connection is reset
    writes late: writes are done when the client has given up
    is slow: everything takes its time
    """

    def __init__(self, real: str) -> None:
        self._real = real
        self._fault, self._share = "", 1.0
        self._dice = random.Random(1)
        self._connections: set[asyncio.Task[None]] = set()
        self._late: list[asyncio.Task[bytes]] = []

    async def __aenter__(self) -> Self:
        self._client = httpx.AsyncClient(limits=httpx.Limits(max_connections=None))
        await self._listen(0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self._hang_up()
        await asyncio.gather(*self._connections, *self._late, return_exceptions=True)
        await self._client.aclose()

    def fail(self, fault: str, *, share: float = 1.0) -> None:
        """From now on; `share` of all writes."""
        self._fault, self._share = fault, share
        if fault == "refuses the connection":
            self._server.close()
            self._hang_up()

    async def well(self) -> None:
        """Fails no more, and late writes have landed."""
        fault, self._fault = self._fault, ""
        if fault == "refuses the connection":
            await self._listen(self.port)
        await asyncio.gather(*self._late)

    def reset_for(self, seconds: float) -> None:
        self.fail("resets the connection")
        asyncio.get_running_loop().call_later(seconds, setattr, self, "_fault", "")

    async def _listen(self, port: int) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port)

    def _hang_up(self) -> None:
        for connection in self._connections:
            connection.cancel()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        self._connections.add(connection)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                while (answer := await self._answer(await receive(reader), reader)) is not None:
                    writer.write(answer)
                    await writer.drain()
        finally:
            self._connections.discard(connection)
            writer.transport.abort()

    async def _answer(self, asked: Received, reader: asyncio.StreamReader) -> bytes | None:
        """None: the connection ends."""
        operation = asked.headers.get("x-amz-target", "").rpartition(".")[2]
        fails = operation in _WRITES and self._dice.random() < self._share
        match self._fault:
            case "resets the connection":
                return None
            case "hangs":
                await reader.read(1)  # until the client gives up
                return None
            case "is slow":
                await asyncio.sleep(SLOW_SECONDS)
            case "loses its answer" if fails:
                await self._ask(asked)
                return None
            case "writes late" if fails:
                self._late.append(asyncio.create_task(self._ask_late(asked)))
                await reader.read(1)
                return None
            case error if error in _ERRORS and fails:
                status, code = _ERRORS[error]
                return _http(status, _PREFIX + code.encode() + b'","message":"told to fail"}')
        return await self._ask(asked)

    async def _ask_late(self, asked: Received) -> bytes:
        await asyncio.sleep(LATE_SECONDS)
        return await self._ask(asked)

    async def _ask(self, asked: Received) -> bytes:
        answer = await self._client.request(
            asked.method, f"{self._real}{asked.path}", headers=asked.headers, content=asked.body
        )
        return _http(answer.status_code, answer.content)


_PREFIX = b'{"__type":"com.amazonaws.dynamodb.v20120810#'


def _http(status: int, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status} -\r\ncontent-type: application/x-amz-json-1.0\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
