"""One streamed response: a chunked POST to the Runtime API, in API Gateway's streaming format.

https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html
"""

import asyncio
import base64
import json
import re
from collections.abc import Sequence
from typing import Any

from losi import http1
from losi.aws.runtime.logs import logger
from losi.aws.runtime.runtime_api import PREFIX, LambdaContext

Headers = Sequence[tuple[bytes, bytes]]

CONTENT_TYPE = "application/vnd.awslambda.http-integration-response"
DELIMITER = b"\0" * 8
#: API Gateway frames the body itself.
OMITTED_HEADERS = {"content-length", "transfer-encoding", "connection", "keep-alive"}

_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d{1,9})\r\n")


def prelude(status: int, headers: Headers) -> bytes:
    """The metadata that goes before the body."""
    values: dict[str, list[str]] = {}
    for raw_name, value in headers:
        name = raw_name.decode("latin-1").lower()
        if name not in OMITTED_HEADERS:
            values.setdefault(name, []).append(value.decode("latin-1"))
    cookies = values.pop("set-cookie", [])
    metadata: dict[str, Any] = {
        "statusCode": status,
        "headers": {name: several[0] for name, several in values.items() if len(several) == 1},
    }
    if repeated := {name: several for name, several in values.items() if len(several) > 1}:
        metadata["multiValueHeaders"] = repeated
    if cookies:
        metadata["cookies"] = cookies
    return json.dumps(metadata).encode() + DELIMITER


def error_trailers(error_type: str, message: str) -> bytes:
    """Lambda drops the invocation when trailers pass 4 KB, so: no stack, and a short message."""
    error = {"errorType": error_type[:100], "errorMessage": message[:500]}
    encoded = base64.b64encode(json.dumps(error, ensure_ascii=False).encode()).decode()
    return (
        f"Lambda-Runtime-Function-Error-Type: {error['errorType']}\r\n"
        f"Lambda-Runtime-Function-Error-Body: {encoded}\r\n"
    ).encode()


class Connections:
    """To the Runtime API, for responses: kept, because making one costs as much as three writes."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def take(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.pop()
            if http1.is_silent(writer.transport):
                return reader, writer
            writer.close()
        host, _, port = self.address.rpartition(":")
        return await asyncio.open_connection(host, int(port))

    def give_back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._idle.append((reader, writer))

    def close(self) -> None:
        for _, writer in self._idle:
            writer.close()


class ResponseStream:
    """`start`, `write`s, then `finish` or `abort`. OSError means that nobody listens any more.

    A small answer is one write, from head to end; each write of a stream is one.
    """

    def __init__(
        self, connections: Connections, context: LambdaContext, *, head: bool = False
    ) -> None:
        self._connections = connections
        self._context = context
        self._head = head
        self._writer: asyncio.StreamWriter | None = None
        #: The head, until it is sent: with the first write, or alone when the loop's turn ends.
        self._waiting = b""
        self.is_event_stream = False
        self.finished = False
        self.broken = False

    @property
    def started(self) -> bool:
        return self._writer is not None

    async def start(self, status: int, headers: Headers) -> None:
        headers = list(headers)
        self.is_event_stream = any(
            name.lower() == b"content-type" and value.startswith(b"text/event-stream")
            for name, value in headers
        )
        try:
            self._reader, self._writer = await self._connections.take()
        except OSError:
            self.broken = True
            raise
        self._waiting = self._request_head() + chunk(prelude(status, headers))
        asyncio.get_running_loop().call_soon(self._flush)

    def _request_head(self) -> bytes:
        lines = [
            f"POST {PREFIX}/invocation/{self._context.aws_request_id}/response HTTP/1.1",
            f"Host: {self._connections.address}",
            f"Content-Type: {CONTENT_TYPE}",
            "Lambda-Runtime-Function-Response-Mode: streaming",
            "Transfer-Encoding: chunked",
            "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
        ]
        if self._context.invocation_id:
            lines.append(f"Lambda-Runtime-Invocation-Id: {self._context.invocation_id}")
        return "\r\n".join([*lines, "", ""]).encode()

    async def write(self, body: bytes) -> None:
        if data := self._framed(body):
            await self._send(data)

    async def finish(self, body: bytes = b"") -> None:
        await self._end(self._framed(body) + b"0\r\n\r\n")

    def _framed(self, body: bytes) -> bytes:
        if self.finished:
            raise OSError("the response has ended")
        # an empty chunk would end the stream
        return chunk(body) if body and not self._head else b""

    async def abort(self, error_type: str, message: str) -> None:
        """Ends a response that cannot be completed: API Gateway cuts the client's connection."""
        await self._end(b"0\r\n" + error_trailers(error_type, message) + b"\r\n")

    async def _end(self, last: bytes) -> None:
        self.finished = True
        assert self._writer is not None
        kept = False
        try:
            await self._send(last)
            # Lambda answers when it has taken everything; only then may the next poll begin.
            kept = await self._taken()
        finally:
            if kept:
                self._connections.give_back(self._reader, self._writer)
            else:
                self._writer.close()

    async def _taken(self) -> bool:
        """Reads Lambda's answer, and returns whether the connection can serve another response."""
        try:
            head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
            length = _CONTENT_LENGTH.search(head)
            await self._reader.readexactly(int(length[1]) if length else 0)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            logger.error("Lambda did not take the whole response: %s", type(error).__name__)
            return False
        status = head.partition(b"\r\n")[0]
        if b" 202" not in status:
            logger.error("Lambda did not take the whole response: %r", status)
            return False
        return length is not None and b"connection: close" not in head

    async def _send(self, data: bytes) -> None:
        assert self._writer is not None
        self._writer.write(self._waiting + data)
        self._waiting = b""
        try:
            await self._writer.drain()
        except OSError:
            self.broken = True
            raise

    def _flush(self) -> None:
        """Send the head alone, if no write of the body has taken it along."""
        assert self._writer is not None
        if self._waiting:
            self._writer.write(self._waiting)
            self._waiting = b""


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
