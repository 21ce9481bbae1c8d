"""The HTTP client over TLS, whose ends are two: that of TLS, and that of the connection."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread

import pytest

from losi import http1
from losi.http1 import Client, ConnectError, ConnectionLostError
from tests.faults.broken import certificate_of_nobody

OK = b"HTTP/1.1 200 OK\r\n"

#: Lambda's loop, and that of `make run` (tests/unit/conftest.py).
LOOPS = ("asyncio", "uvloop")

Ending = Callable[[ssl.SSLSocket], object]


def ends_tls(connection: ssl.SSLSocket) -> None:
    """Says `close_notify` and waits: half of the connection is closed, and TCP stays open."""
    connection.settimeout(5)
    connection.unwrap()


def ends_tcp(connection: ssl.SSLSocket) -> None:
    """Hangs up without a word, as whoever cuts a connection does."""
    connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def serving(answer: bytes, end: Ending) -> Iterator[str]:
    """Answers one request after another, each on a connection of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    context = certificate_of_nobody()
    taken: list[ssl.SSLSocket] = []

    def serve() -> None:
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:  # the test has ended
                return
            try:
                with context.wrap_socket(
                    raw, server_side=True, do_handshake_on_connect=False
                ) as connection:
                    taken.append(connection)
                    connection.do_handshake()
                    connection.recv(65_536)
                    connection.sendall(answer)
                    end(connection)
            except OSError:
                pass  # the client hung up first

    thread = Thread(target=serve)
    thread.start()
    try:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in taken:  # the client's loop, which would close them, waits for the thread
            with suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
        thread.join()


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    monkeypatch.setattr(http1, "tls_context", lambda: context)


async def fetch(url: str, client: Client) -> bytes:
    async with await client.request("POST", url, {}, b"{}", 5) as response:
        return await response.read()


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    client = Client()
    yield client
    client.close()
    await asyncio.sleep(0)  # lets the transports end


@pytest.mark.usefixtures("trusting")
class TestTheEndOfTLS:
    @pytest.mark.parametrize("end", [ends_tls, ends_tcp])
    async def test_after_a_whole_answer_changes_nothing(self, client: Client, end: Ending) -> None:
        """And before the next one it is noticed, as the server says each answer once."""
        with serving(OK + b"content-length: 2\r\n\r\nok", end) as url:
            assert [await fetch(url, client) for _ in range(3)] == [b"ok"] * 3

    async def test_ends_an_answer_that_names_no_length(self, client: Client) -> None:
        with serving(OK + b"\r\nhello", ends_tls) as url:
            assert await fetch(url, client) == b"hello"

    @pytest.mark.parametrize("end", [ends_tls, ends_tcp])
    @pytest.mark.parametrize(
        "half",
        [
            b"HTTP/1.1 200",
            OK + b"content-length: 50\r\n\r\nhel",
            OK + b"transfer-encoding: chunked\r\n\r\n3\r\nhel\r\n",
        ],
    )
    async def test_cuts_an_answer_that_is_not_whole(
        self, client: Client, half: bytes, end: Ending
    ) -> None:
        with serving(half, end) as url, pytest.raises(ConnectionLostError):
            await fetch(url, client)


async def test_a_certificate_that_nobody_signed_is_not_trusted(client: Client) -> None:
    with serving(b"", ends_tls) as url, pytest.raises(ConnectError):
        await fetch(url, client)
