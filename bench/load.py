"""A client that costs little: raw sockets, kept connections, answers read to their last bytes."""

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

STREAM_END = b"0\r\n\r\n"


class WrongAnswerError(Exception):
    """Not a 200, or one that was cut."""


@dataclass(frozen=True)
class Ask:
    """One kind of request."""

    url: str
    headers: dict[str, str]
    model: str
    prompt: str
    stream: bool

    def bytes(self) -> bytes:
        parts = urlsplit(self.url)
        asked = {"model": self.model, "messages": [{"role": "user", "content": self.prompt}]}
        body = json.dumps({**asked, "stream": self.stream, "max_tokens": 200}).encode()
        headers = {
            "host": parts.netloc,
            "content-type": "application/json",
            "content-length": str(len(body)),
            **self.headers,
        }
        lines = [f"POST {parts.path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


@dataclass
class Seen:
    #: Seconds to the first byte of a body that says something, of each request.
    first: list[float] = field(default_factory=list)
    events: int = 0


async def run(ask: Ask, at_once: int, requests: int) -> Seen:
    """That many requests over as many connections as run at once."""
    seen, left = Seen(), iter(range(requests))
    await asyncio.gather(*(_worker(ask, left, seen) for _ in range(at_once)))
    return seen


async def _worker(ask: Ask, left: Iterator[int], seen: Seen) -> None:
    parts = urlsplit(ask.url)
    raw = ask.bytes()
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=2**20)
    try:
        for _ in left:
            writer.write(raw)
            await _answer(reader, ask, seen)
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader, ask: Ask, seen: Seen) -> None:
    began = time.perf_counter()
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if b" 200 " not in head.split(b"\r\n", 1)[0]:
        raise WrongAnswerError((head + await reader.read(500)).decode("latin-1"))
    if b"content-length:" in head:
        length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        seen.first.append(time.perf_counter() - began)
        return
    tail, first = b"", True
    while not tail.endswith(STREAM_END):
        data = await reader.read(65_536)
        if not data:
            raise WrongAnswerError("the answer was cut")
        if first and (b"data:" in data or not ask.stream):
            seen.first.append(time.perf_counter() - began)
            first = False
        seen.events += data.count(b"data: ")
        tail = (tail + data)[-16:]
