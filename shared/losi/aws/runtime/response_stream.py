"""One streamed response: a chunked POST to the Runtime API, in API Gateway's streaming format.

https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html
"""

import asyncio
import base64
import json
from collections.abc import Sequence
from typing import Any

from losi.aws.runtime.logs import logger
from losi.aws.runtime.runtime_api import PREFIX, LambdaContext

Headers = Sequence[tuple[bytes, bytes]]

CONTENT_TYPE = "application/vnd.awslambda.http-integration-response"
DELIMITER = b"\0" * 8
#: API Gateway frames the body itself.
OMITTED_HEADERS = {"content-length", "transfer-encoding", "connection", "keep-alive"}


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


class ResponseStream:
    """`start`, `write`s, then `finish` or `abort`. OSError means that nobody listens any more."""

    def __init__(self, address: str, context: LambdaContext, *, head: bool = False) -> None:
        self._address = address
        self._context = context
        self._head = head
        self._writer: asyncio.StreamWriter | None = None
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
        host, _, port = self._address.rpartition(":")
        try:
            self._reader, self._writer = await asyncio.open_connection(host, int(port))
        except OSError:
            self.broken = True
            raise
        await self._send(self._request_head() + chunk(prelude(status, headers)))

    def _request_head(self) -> bytes:
        lines = [
            f"POST {PREFIX}/invocation/{self._context.aws_request_id}/response HTTP/1.1",
            f"Host: {self._address}",
            f"Content-Type: {CONTENT_TYPE}",
            "Lambda-Runtime-Function-Response-Mode: streaming",
            "Transfer-Encoding: chunked",
            "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
            "Connection: close",
        ]
        if self._context.invocation_id:
            lines.append(f"Lambda-Runtime-Invocation-Id: {self._context.invocation_id}")
        return "\r\n".join([*lines, "", ""]).encode()

    async def write(self, body: bytes) -> None:
        if self.finished:
            raise OSError("the response has ended")
        if body and not self._head:  # an empty chunk would end the stream
            await self._send(chunk(body))

    async def finish(self) -> None:
        await self._end(b"0\r\n\r\n")

    async def abort(self, error_type: str, message: str) -> None:
        """Ends a response that cannot be completed: API Gateway cuts the client's connection."""
        await self._end(b"0\r\n" + error_trailers(error_type, message) + b"\r\n")

    async def _end(self, last: bytes) -> None:
        self.finished = True
        assert self._writer is not None
        try:
            await self._send(last)
            # Lambda answers when it has taken everything; only then may the next poll begin.
            answer = await self._reader.readline()
            if b" 202" not in answer:
                logger.error("Lambda did not take the whole response: %r", answer)
        finally:
            self._writer.close()

    async def _send(self, data: bytes) -> None:
        assert self._writer is not None
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError:
            self.broken = True
            raise


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
