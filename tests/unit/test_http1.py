"""The HTTP client against servers that behave, and servers that do not. Real sockets."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from losi.http1 import MAX_IDLE, Client, ConnectError, ConnectionLostError

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\n"
ABORT = None


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client hung up, or the test has ended
        finally:
            writer.close()

    server = await asyncio.start_server(closing, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def saying(*pieces: bytes | None) -> Handler:
    """Sends the pieces, each in a segment of its own; ABORT resets the connection."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            if piece is ABORT:
                writer.transport.abort()
                return
            writer.write(piece)
            await writer.drain()
            for _ in range(5):  # lets the client read this piece before the next
                await asyncio.sleep(0)

    return handle


async def fetch(handler: Handler) -> tuple[int, bytes, dict[str, str]]:
    async with serving(handler) as url:
        client = Client()
        try:
            response = await client.post(f"{url}/x", {}, b"{}", 5)
            body = b"".join([data async for data in response])
        finally:
            client.close()
            await asyncio.sleep(0)  # lets the transport end
        return response.status, body, response.headers


class TestAnswers:
    async def test_of_a_told_length(self) -> None:
        told = await fetch(saying(OK + b"content-length: 5\r\n\r\nhel", b"lo"))
        assert told == (200, b"hello", {"content-length": "5"})

    async def test_in_chunks_with_trailers(self) -> None:
        chunks = b"3\r\nhel\r\n2;ext=1\r\nlo\r\n", b"0\r\nx-trailer: 1\r\n\r\n"
        status, body, headers = await fetch(
            saying(OK + b"Transfer-Encoding: chunked\r\n\r\n", *chunks)
        )
        assert (status, body) == (200, b"hello")
        assert headers == {"transfer-encoding": "chunked"}

    async def test_in_single_bytes(self) -> None:
        answer = OK + b"transfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
        assert (await fetch(saying(*(answer[i : i + 1] for i in range(len(answer))))))[
            1
        ] == b"hello"

    async def test_that_end_with_the_connection(self) -> None:
        assert (await fetch(saying(OK + b"\r\nhel", b"lo")))[1] == b"hello"

    async def test_after_interim_ones(self) -> None:
        interim = b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
        status, body, headers = await fetch(saying(*interim, OK + b"content-length: 2\r\n\r\nok"))
        assert (status, body, headers) == (200, b"ok", {"content-length": "2"})

    async def test_without_a_body(self) -> None:
        assert (await fetch(saying(b"HTTP/1.1 204 No Content\r\n\r\n")))[:2] == (204, b"")


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([], id="hangs up at once"),
        pytest.param([b"HTTP/1.1 200"], id="half a status line"),
        pytest.param([OK + b"content-length: 50\r\n\r\nhel"], id="short of its length"),
        pytest.param([OK + b"transfer-encoding: chunked\r\n\r\n3\r\nhel\r\n"], id="no last chunk"),
        pytest.param([OK + b"transfer-encoding: chunked\r\n\r\nzz\r\n"], id="a chunk size of zz"),
        pytest.param(
            [OK + b"transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n"],
            id="an endless chunk",
        ),
        pytest.param([OK + b"content-length: 50\r\n\r\nhel", ABORT], id="reset"),
        pytest.param([b"hello\r\n\r\n"], id="not HTTP"),
        pytest.param([OK + b"content-length: -1\r\n\r\n"], id="a negative length"),
        pytest.param([OK + b"x: " + b"y" * 70_000 + b"\r\n\r\n"], id="headers without end"),
        pytest.param(
            [b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n"],
            id="another protocol",
        ),
        pytest.param(
            [OK + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n0\r\n\r\n"],
            id="two lengths",
        ),
    ],
)
async def test_what_is_no_whole_answer_is_a_lost_connection(pieces: list[bytes | None]) -> None:
    with pytest.raises(ConnectionLostError):
        await fetch(saying(*pieces))


class TestConnections:
    async def test_are_kept_after_a_whole_answer(self) -> None:
        connections = 0

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            while True:
                await reader.readuntil(b"\r\n\r\n{}")
                writer.write(OK + b"content-length: 2\r\n\r\nok")

        async with serving(handle) as url:
            client = Client()
            for _ in range(3):
                async with await client.post(url, {}, b"{}", 5) as response:
                    assert b"".join([data async for data in response]) == b"ok"
            client.close()

        assert connections == 1

    @pytest.mark.parametrize(
        "answer",
        [
            pytest.param(b"connection: close\r\ncontent-length: 2\r\n\r\nok", id="told to close"),
            pytest.param(b"content-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n", id="said more"),
            pytest.param(b"content-length: 200\r\n\r\nok", id="not read to its end"),
        ],
    )
    async def test_are_not_used_again_after(self, answer: bytes) -> None:
        connections = 0

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            await reader.readuntil(b"\r\n\r\n{}")
            writer.write(OK + answer)
            await reader.read()

        async with serving(handle) as url:
            client = Client()
            for _ in range(2):
                async with await client.post(url, {}, b"{}", 5) as response:
                    async for data in response:
                        assert data == b"ok"
                        break
            client.close()

        assert connections == 2

    async def test_that_the_host_closed_meanwhile_are_noticed_before_use(self) -> None:
        """As after a freeze: the loop has not run, so only the kernel knows."""
        closed = asyncio.Event()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n{}")
            writer.write(OK + b"content-length: 2\r\n\r\nok")
            await writer.drain()
            writer.close()
            closed.set()

        async with serving(handle) as url:
            client = Client()
            for _ in range(3):
                async with await client.post(url, {}, b"{}", 5) as response:
                    assert b"".join([data async for data in response]) == b"ok"
                await closed.wait()
            client.close()

    async def test_nobody_listens(self) -> None:
        async with serving(saying()) as url:
            pass
        with pytest.raises(ConnectError):
            await Client().post(url, {}, b"{}", 5)

    async def test_a_name_that_does_not_resolve(self) -> None:
        with pytest.raises(ConnectError):
            await Client().post("http://host.invalid/", {}, b"{}", 5)

    async def test_tls_to_a_plain_port(self) -> None:
        async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        async with serving(refuse) as url:
            with pytest.raises(ConnectError):
                await Client().post(url.replace("http:", "https:"), {}, b"{}", 5)

    async def test_a_cancelled_request_hangs_up(self) -> None:
        gone = asyncio.Event()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n{}")
            await reader.read()
            gone.set()

        async with serving(handle) as url:
            task = asyncio.create_task(Client().post(url, {}, b"{}", 5))
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            async with asyncio.timeout(5):
                await gone.wait()

    async def test_only_so_many_are_kept(self) -> None:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n{}")
            writer.write(OK + b"content-length: 2\r\n\r\nok")
            await reader.read()

        async with serving(handle) as url:
            client = Client()
            answers = await asyncio.gather(
                *(client.post(url, {}, b"{}", 5) for _ in range(MAX_IDLE + 3))
            )
            for answer in answers:
                assert [data async for data in answer] == [b"ok"]
            [kept] = client._idle.values()
            assert len(kept) == MAX_IDLE
            client.close()


async def test_a_slow_reader_holds_the_host_back() -> None:
    sent = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(OK + b"content-length: 64000000\r\n\r\n")
        for _ in range(1_000):
            writer.write(b"x" * 64_000)
            await writer.drain()
            sent += 64_000

    async with serving(handle) as url:
        client = Client()
        response = await client.post(url, {}, b"{}", 5)
        while True:  # until the host waits
            before = sent
            await asyncio.sleep(0.05)
            if sent == before:
                break
        assert sent < 20_000_000
        assert sum([len(data) async for data in response]) == 64_000_000
        client.close()


async def test_a_header_cannot_smuggle_a_second_request() -> None:
    headers: dict[str, Any] = {"authorization": "Bearer x\r\nx-evil: 1"}
    async with serving(saying()) as url:
        with pytest.raises(ValueError, match="line break"):
            await Client().post(url, headers, b"{}", 5)
