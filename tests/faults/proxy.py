"""A DynamoDB that fails when it is told to: it stands between a server and the real one."""

import asyncio
import random
from contextlib import suppress
from typing import Self

import httpx

from tests.fake_upstream import Received, receive

#: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
THROTTLED = b'{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"slow"}'
WRITES = ("UpdateItem", "TransactWriteItems", "PutItem", "DeleteItem")


class Store:
    """`url` is where servers find it. It resets connections, hangs, or throttles a share of all
    writes, as its attributes say at the moment.
    """

    def __init__(self, real: str) -> None:
        self._real = real
        self.resets = False
        self.hangs = False
        self.throttled = 0.0
        self._dice = random.Random(1)
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._client = httpx.AsyncClient(limits=httpx.Limits(max_connections=None))
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._client.aclose()

    def reset_for(self, seconds: float) -> None:
        self.resets = True
        asyncio.get_running_loop().call_later(seconds, setattr, self, "resets", False)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        self._connections.add(connection)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                while True:
                    asked = await receive(reader)
                    if self.resets:
                        break
                    if self.hangs:
                        await reader.read(1)  # until the client gives up
                        break
                    writer.write(await self._answer(asked))
                    await writer.drain()
        finally:
            self._connections.discard(connection)
            writer.transport.abort()

    async def _answer(self, asked: Received) -> bytes:
        operation = asked.headers.get("x-amz-target", "").rpartition(".")[2]
        if operation in WRITES and self._dice.random() < self.throttled:
            return _http(400, THROTTLED)
        answer = await self._client.request(
            asked.method, f"{self._real}{asked.path}", headers=asked.headers, content=asked.body
        )
        return _http(answer.status_code, answer.content)


def _http(status: int, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status} -\r\ncontent-type: application/x-amz-json-1.0\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
