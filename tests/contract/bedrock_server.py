"""A Bedrock endpoint on a real socket that says what a test tells it, frame by frame.

boto3 talks to it through `endpoint_url`, so that the framing, the parser and the sockets are the
real ones. Frames follow https://smithy.io/2.0/aws/amazon-eventstream.html
"""

import asyncio
import json
import struct
from binascii import crc32
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient

Json = dict[str, Any]
_STRING = 7


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    encoded = b"".join(
        struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", _STRING, len(value))
        + value.encode()
        for name, value in headers.items()
    )  # fmt: skip
    prelude = struct.pack("!II", 16 + len(encoded) + len(payload), len(encoded))
    message = prelude + struct.pack("!I", crc32(prelude)) + encoded + payload
    return message + struct.pack("!I", crc32(message))


def event_frame(event: Json) -> bytes:
    """One event as `{"contentBlockDelta": {...}}`, the way boto3 hands it out."""
    [(kind, payload)] = event.items()
    headers = {
        ":event-type": kind,
        ":content-type": "application/json",
        ":message-type": "event",
    }
    return frame(headers, json.dumps(payload).encode())


def exception_frame(kind: str, message: str) -> bytes:
    headers = {
        ":exception-type": kind,
        ":content-type": "application/json",
        ":message-type": "exception",
    }
    return frame(headers, json.dumps({"message": message}).encode())


class Exchange:
    """One request that arrived, and the answer to it."""

    def __init__(
        self, path: str, body: Json, writer: asyncio.StreamWriter, closed: asyncio.Event
    ) -> None:
        self.path = path
        self.body = body
        self._writer = writer
        self._closed = closed

    async def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        lines = {"content-type": "application/json", "content-length": str(len(body))}
        await self._send(_head(status, {**lines, **(headers or {})}) + body)

    async def refuse(self, status: int, error_type: str, message: str) -> None:
        body = json.dumps({"message": message}).encode()
        await self.answer(status, body, {"x-amzn-errortype": error_type})

    async def begin(self) -> None:
        lines = {
            "content-type": "application/vnd.amazon.eventstream",
            "transfer-encoding": "chunked",
        }
        await self._send(_head(200, lines))

    async def send(self, *events: Json | bytes) -> None:
        """One chunk of the body for each event, or for bytes as they are."""
        for event in events:
            data = event if isinstance(event, bytes) else event_frame(event)
            await self._send(b"%x\r\n%s\r\n" % (len(data), data))

    async def end(self) -> None:
        await self._send(b"0\r\n\r\n")

    def cut(self) -> None:
        """Close in the middle of the chunked body."""
        self._writer.close()

    async def hung_up(self) -> None:
        """Returns when the other side has closed the connection."""
        await self._closed.wait()

    async def _send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()


class BedrockServer:
    def __init__(self) -> None:
        self._exchanges: asyncio.Queue[Exchange] = asyncio.Queue()
        self._writers: list[asyncio.StreamWriter] = []
        self.client: BedrockRuntimeClient

    async def exchange(self) -> Exchange:
        """The next request that arrives."""
        return await self._exchanges.get()

    async def play(self, *events: Json | bytes) -> Json:
        """Answer the next request with a whole stream; returns the request's body."""
        exchange = await self.exchange()
        await exchange.begin()
        await exchange.send(*events)
        await exchange.end()
        return exchange.body

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        closed = asyncio.Event()
        with suppress(asyncio.IncompleteReadError, OSError):
            while True:
                path, body = await _request(reader)
                self._exchanges.put_nowait(Exchange(path, body, writer, closed))
        closed.set()

    @property
    def connections(self) -> int:
        return len(self._writers)

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncGenerator["BedrockServer"]:
        bedrock = cls()
        server = await asyncio.start_server(bedrock._accept, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        bedrock.client = client(f"http://127.0.0.1:{port}")
        try:
            yield bedrock
        finally:
            bedrock.client.close()
            for writer in bedrock._writers:
                writer.close()
            server.close()
            await server.wait_closed()


def client(endpoint_url: str | None = None) -> "BedrockRuntimeClient":
    return boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=endpoint_url,
        aws_access_key_id="AKIATEST",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, read_timeout=30),
    )


async def _request(reader: asyncio.StreamReader) -> tuple[str, Json]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
    body = await reader.readexactly(int(fields["content-length"]))
    return head.split(" ", 2)[1], json.loads(body)


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Any", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
