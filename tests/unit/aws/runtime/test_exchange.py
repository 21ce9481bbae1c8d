"""The runtime against a Runtime API that breaks off: what Lambda's own does only when it fails."""

import asyncio
import base64
import contextlib
import json
from collections.abc import Coroutine
from functools import partial
from typing import Any

import pytest

from losi.aws.runtime.exchange import serve
from losi.aws.runtime.response_stream import Connections, ResponseStream
from losi.aws.runtime.runtime_api import LambdaContext, RuntimeApi, RuntimeApiError
from losi.config import Config
from tests.unit.aws.runtime.runtime_peer import EVENT, FAR, a_context, listening


async def test_a_response_is_one_chunked_request() -> None:
    received = b""

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal received
        received = await reader.readuntil(b"\r\n0\r\n\r\n")
        writer.write(b"HTTP/1.1 202 Accepted\r\n\r\n")

    async with listening(peer) as address:
        stream = ResponseStream(Connections(address), a_context())
        await stream.start(200, [(b"content-type", b"text/plain")])
        await stream.write(b"one")
        await stream.write(b"")
        await stream.write(b"two")
        await stream.finish()

    head, _, body = received.partition(b"\r\n\r\n")
    first, *headers = head.decode().split("\r\n")
    assert first == "POST /2018-06-01/runtime/invocation/request-1/response HTTP/1.1"
    assert {
        "Content-Type: application/vnd.awslambda.http-integration-response",
        "Lambda-Runtime-Function-Response-Mode: streaming",
        "Lambda-Runtime-Invocation-Id: invocation-1",
        "Transfer-Encoding: chunked",
    } < set(headers)
    prelude = b'{"statusCode": 200, "headers": {"content-type": "text/plain"}}' + b"\0" * 8
    chunks = b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
    assert body == b"%x\r\n%b\r\n%b" % (len(prelude), prelude, chunks)


class Sent:
    """What the runtime sent for one response: its metadata, body and trailers."""

    def __init__(self, request: bytes) -> None:
        _, _, rest = request.partition(b"\r\n\r\n")
        whole = b""
        while True:
            size, _, rest = rest.partition(b"\r\n")
            if not int(size, 16):
                break
            whole, rest = whole + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
        prelude, _, self.body = whole.partition(b"\0" * 8)
        self.metadata = json.loads(prelude)
        self.trailers = dict(line.split(": ", 1) for line in rest.decode().split("\r\n") if line)


async def response_to(
    app: Any, event: dict[str, Any], context: LambdaContext | None = None
) -> Sent:
    received = b""

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal received
        while b"\r\n0\r\n" not in received or not received.endswith(b"\r\n\r\n"):
            received += await reader.readuntil(b"\n")
        writer.write(b"HTTP/1.1 202 Accepted\r\n\r\n")

    async with listening(peer) as address:
        payload = json.dumps({"httpMethod": "POST", "path": "/", **event}).encode()
        await serve(app, Connections(address), context or a_context(), payload)
    return Sent(received)


def starting(content_type: bytes, status: int = 200) -> dict[str, Any]:
    headers = [(b"content-type", content_type)]
    return {"type": "http.response.start", "status": status, "headers": headers}


class TestAnApp:
    async def test_gets_the_whole_body_then_nothing_until_its_answer_has_ended(self) -> None:
        heard: list[Any] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            heard.append(await receive())
            waiting = asyncio.ensure_future(receive())
            await send(starting(b"text/plain", 201))
            await send({"type": "http.response.body", "body": b"a", "more_body": True})
            assert not waiting.done()
            await send({"type": "http.response.body", "body": b"b"})
            heard.append(await waiting)

        sent = await response_to(app, {"body": "Gr\u00fc\u00dfe"})

        assert heard == [
            {"type": "http.request", "body": "Gr\u00fc\u00dfe".encode(), "more_body": False},
            {"type": "http.disconnect"},
        ]
        assert sent.metadata == {"statusCode": 201, "headers": {"content-type": "text/plain"}}
        assert (sent.body, sent.trailers) == (b"ab", {})

    async def test_may_answer_without_headers_or_a_body(self) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 204})
            await send({"type": "http.response.body"})

        sent = await response_to(app, {})

        assert (sent.metadata, sent.body) == ({"statusCode": 204, "headers": {}}, b"")

    async def test_that_answers_head_sends_no_body(self) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(starting(b"text/plain"))
            await send({"type": "http.response.body", "body": b"all", "more_body": True})
            await send({"type": "http.response.body", "body": b"of it"})

        assert (await response_to(app, {"httpMethod": "head"})).body == b""

    async def test_is_not_asked_about_a_body_that_is_not_what_it_claims(self) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            raise AssertionError("asked")

        sent = await response_to(app, {"body": "%", "isBase64Encoded": True})

        assert sent.metadata["statusCode"] == 400
        assert json.loads(sent.body)["error"]["code"] == "invalid_json"


AN_EVENT = b"data: {}\n\n"


def failing(start: bytes | None, how: str, hanging: asyncio.Event) -> Any:
    """An app that has sent `start` as its content type, or nothing, and then does not go on."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if start is not None:
            await send(starting(start))
            await send({"type": "http.response.body", "body": AN_EVENT, "more_body": True})
        if how == "hangs":
            hanging.set()
            await asyncio.Event().wait()
        if how == "raises":
            raise ValueError("a prompt")

    return app


@pytest.mark.parametrize(
    ("how", "status", "code", "error_type"),
    [
        ("raises", 500, "internal_error", "ValueError"),
        ("returns", 500, "internal_error", "IncompleteResponse"),
        ("hangs", 504, "timeout", "DeadlineExceededError"),
    ],
)
class TestAnAppThatFails:
    """The client is told in the best way that is still possible."""

    @pytest.fixture(autouse=True)
    def time_is_over_when_it_hangs(self, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
        self.hanging = asyncio.Event()
        wait = asyncio.wait

        async def until_it_hangs(tasks: Any, **limit: Any) -> Any:
            if how == "hangs":
                await self.hanging.wait()
                limit = {"timeout": 0}
            return await wait(tasks, **limit)

        monkeypatch.setattr("losi.aws.runtime.exchange.asyncio.wait", until_it_hangs)

    async def sent(self, start: bytes | None, how: str) -> Sent:
        return await response_to(failing(start, how, self.hanging), {})

    async def test_before_its_answer(
        self, how: str, status: int, code: str, error_type: str
    ) -> None:
        sent = await self.sent(None, how)

        retry = {"x-should-retry": "false"} if how == "hangs" else {}
        assert sent.metadata == {
            "statusCode": status,
            "headers": {
                "content-type": "application/json",
                "access-control-allow-origin": "*",
                **retry,
            },
        }
        error = json.loads(sent.body)["error"]
        assert (error["type"], error["code"]) == ("server_error", code)
        assert "a prompt" not in sent.body.decode()
        assert sent.trailers == {}

    async def test_amid_events(self, how: str, status: int, code: str, error_type: str) -> None:
        sent = await self.sent(b"text/event-stream; charset=utf-8", how)

        first, event = sent.body.split(b"\n\n")[:2]
        assert first + b"\n\n" == AN_EVENT
        assert json.loads(event.removeprefix(b"data: "))["error"]["code"] == code
        assert "a prompt" not in sent.body.decode()
        assert sent.trailers == {}

    async def test_amid_anything_else(
        self, how: str, status: int, code: str, error_type: str
    ) -> None:
        sent = await self.sent(b"application/json", how)

        assert sent.body == AN_EVENT
        assert sent.trailers["Lambda-Runtime-Function-Error-Type"] == error_type
        told = base64.b64decode(sent.trailers["Lambda-Runtime-Function-Error-Body"]).decode()
        assert json.loads(told)["errorType"] == error_type and "a prompt" not in told


async def test_an_app_is_stopped_half_a_second_before_lambda_would(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waited: list[float] = []
    wait = asyncio.wait

    async def noted(tasks: Any, **limit: Any) -> Any:
        waited.append(limit["timeout"])
        return await wait(tasks, **limit)

    monkeypatch.setattr("losi.aws.runtime.exchange.asyncio.wait", noted)
    for seconds in (7.0, 0.25):
        context = a_context()
        monkeypatch.setattr(context, "seconds_left", partial(float, seconds))
        await response_to(failing(None, "returns", asyncio.Event()), {}, context)

    assert waited[0] == 6.5
    assert waited[1] == 0.0, "and never for less than nothing"


async def test_an_app_hears_of_a_broken_connection_and_may_run_to_its_end() -> None:
    drained = False
    broken = asyncio.Event()

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\0" * 8)
        writer.transport.abort()
        broken.set()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal drained
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await broken.wait()
        with pytest.raises(OSError):
            while True:
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
        assert await receive() == {"type": "http.disconnect"}
        drained = True

    async with listening(peer) as address:
        event = {"httpMethod": "GET", "path": "/"}
        await serve(app, Connections(address), a_context(), json.dumps(event).encode())

    assert drained


async def test_an_app_cannot_write_after_its_response() -> None:
    refused = False

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n0\r\n\r\n")
        writer.write(b"HTTP/1.1 202 Accepted\r\n\r\n")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal refused
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"all"})
        with pytest.raises(OSError, match="ended"):
            await send({"type": "http.response.body", "body": b"more"})
        refused = True

    async with listening(peer) as address:
        event = {"httpMethod": "GET", "path": "/"}
        await serve(app, Connections(address), a_context(), json.dumps(event).encode())

    assert refused


INVOCATION = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nLambda-Runtime-Aws-Request-Id: request-%d\r\n"
    b"Lambda-Runtime-Deadline-Ms: 0\r\nConnection: %b\r\n\r\n{}"
)


async def test_a_poll_survives_a_connection_that_died_meanwhile() -> None:
    polls = 0

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Promises to keep the connection, but answers one poll on each."""
        nonlocal polls
        await reader.readuntil(b"\r\n\r\n")
        polls += 1
        writer.write(INVOCATION % (polls, b"close" if polls == 3 else b"keep-alive"))

    async with listening(peer) as address:
        api = RuntimeApi(Config(runtime_api=address))
        contexts = [(await api.next_invocation())[0] for _ in range(3)]
        api.close()

    assert [context.aws_request_id for context in contexts] == [
        "request-1",
        "request-2",
        "request-3",
    ]


async def test_a_refused_poll_ends_the_process() -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    async with listening(peer) as address:
        with pytest.raises(RuntimeApiError, match="403"):
            await RuntimeApi(Config(runtime_api=address)).next_invocation()


async def test_lambda_that_takes_one_response_slowly_holds_up_only_that_one() -> None:
    taking = asyncio.Event()
    sent = 0

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"/slow/" in head:
            await taking.wait()
        last = b""
        while not last.endswith(b"\r\n0\r\n\r\n"):
            last = last[-8:] + await reader.read(65_536)
        writer.write(b"HTTP/1.1 202 Accepted\r\n\r\n")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(1_000 if scope["path"] == "/slow" else 1):
            await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
            sent += 65_536
        await send({"type": "http.response.body", "body": b""})

    def call(name: str, address: str) -> Coroutine[Any, Any, None]:
        headers = {"lambda-runtime-aws-request-id": name, "lambda-runtime-deadline-ms": FAR}
        event = {"httpMethod": "GET", "path": f"/{name}"}
        context = LambdaContext(headers, Config())
        return serve(app, Connections(address), context, json.dumps(event).encode())

    async with listening(peer) as address:
        slow = asyncio.create_task(call("slow", address))
        for number in range(20):
            await call(f"quick-{number}", address)
        assert not slow.done()
        assert sent < 2**25, "what nobody takes is not made"
        taking.set()
        await slow

    assert sent == (1_000 + 20) * 65_536


async def test_an_app_that_never_stops_loses_its_process_no_poller(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stop = asyncio.Event()

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n0\r\n\r\n")
        writer.write(b"HTTP/1.1 202 Accepted\r\n\r\n")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while not stop.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await stop.wait()

    monkeypatch.setattr("losi.aws.runtime.exchange.GIVE_UP_S", 0)
    headers = {"lambda-runtime-aws-request-id": "one", "lambda-runtime-deadline-ms": "0"}
    async with listening(peer) as address:
        await serve(app, Connections(address), LambdaContext(headers, Config()), EVENT)
        stop.set()
