"""Providers that fail: each is a small server on a real socket, which does its fault every time.

    async with provider("says nothing", silent=jump) as url: ...

What a provider tells and says before its fault is the same everywhere: `TOLD` and `WORDS`.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.dynamodb_local import free_port
from tests.fake_upstream import Received, Reply, receive, send

TOLD = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
#: Twelve characters: three tokens by the rule of four.
WORDS = "Once upon a "


def event(data: Any) -> bytes:
    return b"data: " + orjson.dumps(data) + b"\n\n"


def word(text: str, finish: str | None = None) -> bytes:
    return event({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]})


END = [word("", "stop"), event({"choices": [], "usage": TOLD}), b"data: [DONE]\n\n"]
CHOICE = {"index": 0, "message": {"role": "assistant", "content": WORDS}, "finish_reason": "stop"}
COMPLETION = {"choices": [CHOICE], "usage": TOLD}
WHOLE = orjson.dumps(COMPLETION)

Meet = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Fault = Callable[[Received, asyncio.StreamWriter], Awaitable[None]]


def whole(asked: Received) -> Reply:
    return Reply.sse([word(WORDS), *END]) if asked.json.get("stream") else Reply.json(COMPLETION)


def reset(writer: asyncio.StreamWriter) -> None:
    """Ends the connection by a TCP reset, not by an orderly end."""
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def forever() -> None:
    await asyncio.Event().wait()


def head(length: int | None, kind: str = "application/json", status: str = "200 OK") -> bytes:
    measure = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
    return f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n{measure}\r\n\r\n".encode()


def half(asked: Received) -> bytes:
    """The beginning of an answer, as it goes over the wire."""
    if not asked.json.get("stream"):
        return head(len(WHOLE)) + WHOLE[:20]
    first = word(WORDS)
    return head(None, "text/event-stream") + b"%x\r\n%b\r\n" % (len(first), first)


def replies(answer: Callable[[Received], Reply] | Reply) -> Fault:
    async def fault(asked: Received, writer: asyncio.StreamWriter) -> None:
        await send(answer if isinstance(answer, Reply) else answer(asked), writer)

    return fault


def streams(*events: bytes, cut: bool = False) -> Fault:
    return replies(Reply.sse(events, cut=cut))


def refuses(status: int, **headers: str) -> Fault:
    return replies(Reply.json({"error": {"message": "its own words"}}, status, **headers))


async def resets(asked: Received, writer: asyncio.StreamWriter) -> None:
    reset(writer)


async def resets_half_way(asked: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(half(asked))
    await writer.drain()
    reset(writer)


async def stalls(asked: Received, writer: asyncio.StreamWriter) -> None:
    await forever()


async def stalls_half_way(asked: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(half(asked))
    await forever()


async def sends_headers_slowly(asked: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while not writer.is_closing():
        writer.write(b"x-slow: yes\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)


async def speaks_no_http(asked: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example.com ESMTP\r\n")


async def sends_half_a_json(asked: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(head(20) + WHOLE[:20])


async def names_too_great_a_length(asked: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(head(len(WHOLE) + 1) + WHOLE)


async def names_too_small_a_length(asked: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(head(len(WHOLE) - 1) + WHOLE)


async def sends_headers_without_end(asked: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while not writer.is_closing():
        writer.write(b"x-endless: " + b"x" * 8_000 + b"\r\n")
        await writer.drain()


async def answers_without_end(asked: Received, writer: asyncio.StreamWriter) -> None:
    stream = asked.json.get("stream")
    writer.write(head(None, "text/event-stream" if stream else "application/json"))
    piece = word(WORDS * 1_000) if stream else b" " * 4_000
    while not writer.is_closing():
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        await writer.drain()


HTML = Reply([b"<html>Bad gateway</html>"], headers={"content-type": "text/html"})
BROKEN_JSON = b"data: {no json}\n\n"
FAILED = event({"error": {"message": "its own words", "type": "server_error"}})

FAULTS: dict[str, Fault] = {
    "resets the connection": resets,
    "resets the connection half way": resets_half_way,
    "says nothing": stalls,
    "stalls half way": stalls_half_way,
    "sends its headers slowly": sends_headers_slowly,
    "sends headers without end": sends_headers_without_end,
    "answers without end": answers_without_end,
    "speaks no HTTP": speaks_no_http,
    "sends half of a JSON text": sends_half_a_json,
    "names a length that is too great": names_too_great_a_length,
    "names a length that is too small": names_too_small_a_length,
    "answers HTML": replies(HTML),
    "answers JSON where a stream was asked for": replies(Reply.json(COMPLETION)),
    "answers a stream where JSON was asked for": streams(word(WORDS), *END),
    "answers another JSON": replies(Reply.json({"hello": "there"})),
    "sends garbage first": streams(BROKEN_JSON),
    "sends garbage half way": streams(word(WORDS), BROKEN_JSON),
    "tells of a failure half way": streams(word(WORDS), FAILED),
    "ends without its mark": streams(word(WORDS)),
    "tells its usage, then breaks off": streams(word(WORDS), END[1], cut=True),
    "breaks off after its mark": streams(word(WORDS), *END, cut=True),
    "tells no usage": replies(
        lambda asked: (
            Reply.sse([word(WORDS), END[0], END[2]])
            if asked.json.get("stream")
            else Reply.json({"choices": [CHOICE]})
        )
    ),
    "fails with 500": refuses(500),
    "fails with 529": refuses(529),
    "answers 429 to everybody": refuses(429, retry_after="7"),
    "refuses our key": refuses(401),
    "refuses our account": refuses(402),
    "does not know the model": refuses(404),
    "refuses the request": refuses(400),
}


#: Faults below HTTP, which need no request.
BELOW_HTTP = {
    "refuses the connection",
    "has a certificate of nobody",
    "speaks no TLS",
    "never ends its TLS handshake",
}


#: Those that let time pass before anything has come of an answer.
SILENT = {"says nothing", "sends its headers slowly"}
#: Those that let it pass in the middle of one.
STALLS = {"stalls half way"}


@asynccontextmanager
async def provider(fault: str, silent: Callable[[], None]) -> AsyncIterator[str]:
    """The URL of a provider with this fault. `silent` is called where it lets time pass before
    anything has come.
    """
    if fault == "refuses the connection":
        yield f"http://127.0.0.1:{free_port()}"
    elif fault in BELOW_HTTP:

        async def say_nothing(*_: object) -> None:
            silent()
            await forever()

        tls = certificate_of_nobody() if "certificate" in fault else None
        meet = _answer_plainly if fault == "speaks no TLS" else say_nothing
        async with _serving(meet, tls) as port:
            yield f"https://127.0.0.1:{port}"
    else:

        async def meet_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked = await receive(reader)
            if fault in SILENT or (fault in STALLS and not asked.json.get("stream")):
                silent()
            await FAULTS[fault](asked, writer)

        async with _serving(meet_request) as port:
            yield f"http://127.0.0.1:{port}"


async def _answer_plainly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(head(0, status="400 Bad Request"))


@asynccontextmanager
async def _serving(meet: Meet, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    connections: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        connections.add(connection)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                await meet(reader, writer)
        finally:
            connections.discard(connection)
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


def certificate_of_nobody() -> ssl.SSLContext:
    """Signed by itself."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
        file.write(certificate.public_bytes(pem))
        file.flush()
        context.load_cert_chain(file.name)
    return context
