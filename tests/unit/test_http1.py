"""The HTTP client against servers that behave, and servers that do not. Real sockets."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from losi.http1 import Client, ConnectError, ConnectionLostError, UnsendableError

#: Lambda's loop, and that of `make run` (tests/unit/conftest.py).
LOOPS = ("asyncio", "uvloop")

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
            response = await client.request("POST", f"{url}/x", {}, b"{}", 5)
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


class TestRequests:
    @staticmethod
    async def sent(method: str, url: str, headers: dict[str, str], body: bytes) -> list[bytes]:
        """The lines of a request to `url`, which names no host."""
        received = b""

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal received
            received = await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(len(body))
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

        async with serving(handle) as origin:
            host = origin.removeprefix("http://")
            client = Client()
            async with await client.request(
                method, url.replace("HOST", host), headers, body, 5
            ) as response:
                assert [data async for data in response] == []
            client.close()
        return received.replace(host.encode(), b"HOST").split(b"\r\n")

    async def test_hold_what_was_asked_and_what_http_needs(self) -> None:
        lines = await self.sent("PUT", "http://HOST/a/b?c=d%20e", {"x-name": "v\xe4lue"}, b"{}")

        assert lines == [
            b"PUT /a/b?c=d%20e HTTP/1.1",
            b"host: HOST",
            b"x-name: v\xe4lue",
            b"content-length: 2",
            b"",
            b"{}",
        ]

    async def test_of_a_bare_host_are_for_its_root(self) -> None:
        first, host, *_ = await self.sent("GET", "http://somebody@HOST", {}, b"")

        assert (first, host) == (b"GET / HTTP/1.1", b"host: HOST")

    @pytest.mark.parametrize(
        ("url", "header", "said"),
        [
            ("http://h/x", "Bearer x\r\nx-evil: 1", "line break"),
            ("http://h/x", "a\rb", "line break"),
            ("http://h/x", "a\nb", "line break"),
            ("http://h/x", "\u20ac", "no bytes"),
            ("http://h:port/x", "", "port"),
            ("http://h:70000/x", "", "port"),
            ("ftp://h/x", "", "http or https"),
            ("h/x", "", "http or https"),
            ("http:///x", "", "http or https"),
            ("http://h/a b", "", "http or https"),
            ("http://h/?a=b c", "", "http or https"),
        ],
    )
    async def test_that_http_has_no_form_for_are_not_sent(
        self, url: str, header: str, said: str
    ) -> None:
        with pytest.raises(UnsendableError, match=said):
            await Client().request("POST", url, {"authorization": header}, b"{}", 5)

    @pytest.mark.parametrize(
        ("url", "port"), [("http://h.invalid/", 80), ("https://h.invalid/", 443)]
    )
    async def test_go_to_the_port_of_their_scheme(self, url: str, port: int) -> None:
        with pytest.raises(ConnectError, match=f"^h.invalid:{port} cannot be reached$"):
            await Client().request("POST", url, {}, b"{}", 5)


LOST, BROKEN = "the connection was closed", "the answer is not HTTP"


@pytest.mark.parametrize(
    ("pieces", "said"),
    [
        pytest.param([], LOST, id="hangs up at once"),
        pytest.param([b"HTTP/1.1 200"], LOST, id="half a status line"),
        pytest.param([OK + b"content-length: 50\r\n\r\nhel"], LOST, id="short of its length"),
        pytest.param(
            [OK + b"transfer-encoding: chunked\r\n\r\n3\r\nhel\r\n"], LOST, id="no last chunk"
        ),
        pytest.param(
            [OK + b"transfer-encoding: chunked\r\n\r\nzz\r\n"], BROKEN, id="a chunk size of zz"
        ),
        pytest.param(
            [OK + b"transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n"],
            BROKEN,
            id="an endless chunk",
        ),
        pytest.param([OK + b"content-length: 50\r\n\r\nhel", ABORT], LOST, id="reset"),
        pytest.param([b"hello\r\n\r\n"], BROKEN, id="not HTTP"),
        pytest.param([OK + b"content-length: -1\r\n\r\n"], BROKEN, id="a negative length"),
        pytest.param(
            [b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n"],
            BROKEN,
            id="another protocol",
        ),
        pytest.param(
            [OK + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n0\r\n\r\n"],
            BROKEN,
            id="two lengths",
        ),
    ],
)
async def test_what_is_no_whole_answer_is_a_lost_connection(
    pieces: list[bytes | None], said: str
) -> None:
    with pytest.raises(ConnectionLostError, match=said):
        await fetch(saying(*pieces))


@pytest.mark.parametrize("missing", [65_536, 65_537])
async def test_headers_may_be_64_kib_before_their_end(missing: int) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        start = OK + b"x: "
        writer.write(start + b"y" * (missing - len(start)))
        if missing > 65_536:
            await reader.read()  # until the client hangs up
        await asyncio.sleep(0)
        writer.write(b"\r\ncontent-length: 2\r\n\r\nok")

    if missing == 65_536:
        assert (await fetch(handle))[1] == b"ok"
    else:
        with pytest.raises(ConnectionLostError, match="the headers are too long"):
            await fetch(handle)


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
                async with await client.request("POST", url, {}, b"{}", 5) as response:
                    assert b"".join([data async for data in response]) == b"ok"
            client.close()

        assert connections == 1

    @pytest.mark.parametrize(
        "answer",
        [
            pytest.param(b"connection: close\r\ncontent-length: 2\r\n\r\nok", id="told to close"),
            pytest.param(b"content-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n", id="said more"),
            pytest.param(b"content-length: 200\r\n\r\nok", id="cut short by the reader"),
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
                async with await client.request("POST", url, {}, b"{}", 5) as response:
                    async for data in response:
                        assert data == b"ok"
                        break
            client.close()

        assert connections == 2

    async def test_a_second_answer_changes_nothing_of_the_first(self) -> None:
        second = b"HTTP/1.1 500 Broken\r\nx-second: 1\r\ncontent-length: 3\r\n\r\nbad"
        told = await fetch(saying(OK + b"content-length: 2\r\n\r\nok" + second))
        assert told == (200, b"ok", {"content-length": "2"})

    async def test_are_not_used_again_with_half_of_an_answer_in_them(self) -> None:
        async with serving(saying(OK + b"content-length: 4\r\n\r\nha", b"lf")) as url:
            client = Client()
            async with await client.request("POST", url, {}, b"{}", 5) as response:
                async for data in response:
                    assert data == b"ha"
                    for _ in range(20):  # the rest arrives, and nobody takes it
                        await asyncio.sleep(0)
                    break
            assert not any(client._idle.values())

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
                async with await client.request("POST", url, {}, b"{}", 5) as response:
                    assert b"".join([data async for data in response]) == b"ok"
                await closed.wait()
            client.close()

    async def test_nobody_listens(self) -> None:
        async with serving(saying()) as url:
            pass
        with pytest.raises(ConnectError):
            await Client().request("POST", url, {}, b"{}", 5)

    async def test_a_name_that_does_not_resolve(self) -> None:
        with pytest.raises(ConnectError):
            await Client().request("POST", "http://host.invalid/", {}, b"{}", 5)

    async def test_tls_to_a_plain_port(self) -> None:
        async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        async with serving(refuse) as url:
            with pytest.raises(ConnectError):
                await Client().request("POST", url.replace("http:", "https:"), {}, b"{}", 5)

    async def test_a_cancelled_request_hangs_up(self) -> None:
        gone = asyncio.Event()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n{}")
            await reader.read()
            gone.set()

        async with serving(handle) as url:
            task = asyncio.create_task(Client().request("POST", url, {}, b"{}", 5))
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
                *(client.request("POST", url, {}, b"{}", 5) for _ in range(64 + 3))
            )
            for answer in answers:
                assert [data async for data in answer] == [b"ok"]
            [kept] = client._idle.values()
            assert len(kept) == 64
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
        response = await client.request("POST", url, {}, b"{}", 5)
        while True:  # until the host waits
            before = sent
            await asyncio.sleep(0.05)
            if sent == before:
                break
        assert sent < 20_000_000
        assert sum([len(data) async for data in response]) == 64_000_000
        client.close()
