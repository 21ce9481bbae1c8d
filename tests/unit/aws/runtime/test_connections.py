"""What becomes of a connection to the Runtime API after a response."""

import asyncio
import contextlib
from typing import Any

import pytest

from losi.aws.runtime.exchange import serve
from losi.aws.runtime.response_stream import Connections
from tests.unit.aws.runtime.runtime_peer import EVENT, a_context, listening


async def whole_answer(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"all"})


async def test_a_small_response_is_one_write_and_the_next_takes_the_same_connection() -> None:
    reads: list[bytes] = []
    connected = 0
    gone = asyncio.Event()

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connected
        connected += 1
        while data := await reader.read(65_536):
            reads.append(data)
            writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()
        await writer.wait_closed()
        gone.set()

    async with listening(peer) as address:
        connections = Connections(address)
        for _ in range(3):
            await serve(whole_answer, connections, a_context(), EVENT)
        connections.close()
        await gone.wait()

    assert connected == 1
    assert len(reads) == 3
    assert all(each.endswith(b"3\r\nall\r\n0\r\n\r\n") for each in reads)


@pytest.mark.parametrize(
    ("answer", "connections", "complaints"),
    [
        (b"202 Accepted\r\nContent-Length: 0\r\n\r\n", 1, 0),
        (b"202 Accepted\r\nContent-Length: 4\r\n\r\n\r\n\r\n", 1, 0),
        (b"202 Accepted\r\n\r\n", 2, 0),  # who knows where it ends
        (b"202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 2, 0),
        (b"413 Too Large\r\nContent-Length: 0\r\n\r\n", 2, 2),
        (b"413 Too Large\r\nX: 202\r\nContent-Length: 0\r\n\r\n", 2, 2),
        (b"202 Accepted\r\nContent-Length: 9\r\n\r\n", 2, 2),
        (b"202 Acc", 2, 2),
    ],
)
async def test_what_lambda_answers_to_a_response_decides_over_its_connection(
    answer: bytes, connections: int, complaints: int, caplog: pytest.LogCaptureFixture
) -> None:
    peers: list[asyncio.Task[None] | None] = []

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peers.append(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                await reader.readuntil(b"\r\n0\r\n\r\n")
                writer.write(b"HTTP/1.1 " + answer)
                if not answer.endswith(b"\r\n\r\n") or b"Length: 9" in answer:
                    return  # cut short

    async with listening(peer) as address:
        pool = Connections(address)
        for _ in range(2):
            await serve(whole_answer, pool, a_context(), EVENT)
        pool.close()
        await asyncio.gather(*(each for each in peers if each))

    assert len(peers) == connections
    assert [record.levelname for record in caplog.records] == ["ERROR"] * complaints


async def test_a_connection_that_lambda_has_closed_is_not_used_again() -> None:
    connected = 0
    gone = asyncio.Event()

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Promises to keep the connection, and closes it."""
        nonlocal connected
        connected += 1
        await reader.readuntil(b"\r\n0\r\n\r\n")
        writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        gone.set()

    async with listening(peer) as address:
        connections = Connections(address)
        for number in range(1, 4):
            await serve(whole_answer, connections, a_context(), EVENT)
            assert connected == number
            await gone.wait()
            gone.clear()
        connections.close()


async def test_where_nobody_takes_a_response_the_app_hears_of_it() -> None:
    heard: list[Any] = []

    async def unused(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pass

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        with pytest.raises(OSError):
            await send({"type": "http.response.start", "status": 200, "headers": []})
        heard.append(await receive())

    async with listening(unused) as address:
        pass  # and then nobody listens
    await serve(app, Connections(address), a_context(), EVENT)

    assert heard == [{"type": "http.disconnect"}]
