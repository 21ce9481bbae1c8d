"""A plain ASGI app, each path of which behaves as no real function should."""

import asyncio
import base64
import json
import logging
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from mangum import Mangum

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

SSE = [(b"content-type", b"text/event-stream")]
TEXT = [(b"content-type", b"text/plain")]
LOGGER = logging.getLogger("app")
BARRIERS: dict[str, asyncio.Barrier] = {}
SECRET = "a prompt that must not be logged"


async def start(send: "Send", headers: list[tuple[bytes, bytes]], status: int = 200) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def body(send: "Send", data: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": more})


async def echo(scope: "Scope", receive: "Receive", send: "Send") -> None:
    """What the app sees of a request, as JSON."""
    request: Message = await receive()
    seen: dict[str, Any] = {
        "method": scope["method"],
        "path": scope["path"],
        "raw_path": scope["raw_path"].decode(),
        "query": scope["query_string"].decode(),
        "headers": [[name.decode(), value.decode()] for name, value in scope["headers"]],
        "body": base64.b64encode(request["body"]).decode(),
        "request_id": scope["aws.context"].aws_request_id,
        "stage": scope["aws.event"]["requestContext"]["stage"],
        "time_is_left": scope["aws.context"].get_remaining_time_in_millis() > 0,
        "pid": os.getpid(),
        "trace_id": scope["aws.context"].trace_id,
        "trace_of_the_process": os.environ.get("_X_AMZN_TRACE_ID"),
    }
    await start(send, [(b"content-type", b"application/json"), (b"content-length", b"7")])
    await body(send, json.dumps(seen).encode(), more=False)


async def relay(scope: "Scope", receive: "Receive", send: "Send") -> None:
    """Each line of the upstream becomes an event; the upstream is read to its end regardless."""
    port = int(parse_qs(scope["query_string"].decode())["port"][0])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await start(send, SSE)
    async for line in reader:
        await body(send, b"data: %b\n\n" % line.rstrip())
    await body(send, b"", more=False)
    writer.write(b"read to the end\n")
    await writer.drain()
    writer.close()


async def in_step(scope: "Scope", receive: "Receive", send: "Send") -> None:
    """Three events, each of which is sent once as many requests as the query says are as far."""
    query = parse_qs(scope["query_string"].decode())
    all_here = BARRIERS.setdefault("in step", asyncio.Barrier(int(query["many"][0])))
    context = scope["aws.context"]
    await start(send, SSE)
    for number in range(3):
        await all_here.wait()
        LOGGER.warning("%s, event %d", context.aws_request_id, number)
        mine = {"caller": query["caller"][0], "trace_id": context.trace_id, "pid": os.getpid()}
        await body(send, b"data: %b\n\n" % json.dumps(mine).encode())
    await body(send, b"", more=False)


async def many_headers(scope: "Scope", receive: "Receive", send: "Send") -> None:
    headers = [*TEXT, (b"set-cookie", b"a=1; Path=/"), (b"set-cookie", b"b=2")]
    await start(send, [*headers, (b"x-many", b"one"), (b"X-Many", b"two")], status=201)
    await body(send, b"", more=False)


async def huge_header(scope: "Scope", receive: "Receive", send: "Send") -> None:
    await start(send, [*TEXT, (b"x-huge", b"x" * 20_000)])
    await body(send, b"unreachable", more=False)


async def empty_chunks(scope: "Scope", receive: "Receive", send: "Send") -> None:
    await start(send, TEXT)
    for data in (b"", b"one ", b"", b"two", b""):
        await body(send, data)
    await body(send, b"", more=False)


async def no_answer(scope: "Scope", receive: "Receive", send: "Send") -> None:
    await receive()


async def crash_before(scope: "Scope", receive: "Receive", send: "Send") -> None:
    raise ValueError(SECRET)


async def crash_in_events(scope: "Scope", receive: "Receive", send: "Send") -> None:
    await start(send, SSE)
    await body(send, b"data: one\n\n")
    raise ValueError(SECRET)


async def crash_in_text(scope: "Scope", receive: "Receive", send: "Send") -> None:
    await start(send, TEXT)
    await body(send, b"half of")
    raise ValueError(SECRET)


async def exit_process(scope: "Scope", receive: "Receive", send: "Send") -> None:
    os._exit(3)


async def hang(scope: "Scope", receive: "Receive", send: "Send") -> None:
    await asyncio.Event().wait()


async def hang_in_events(scope: "Scope", receive: "Receive", send: "Send") -> None:
    await start(send, SSE)
    await body(send, b"data: one\n\n")
    await asyncio.Event().wait()


async def hang_deaf(scope: "Scope", receive: "Receive", send: "Send") -> None:
    """Does not even stop when it is told to."""
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            continue


PATHS: dict[str, Callable[["Scope", "Receive", "Send"], Awaitable[None]]] = {
    "/relay": relay,
    "/in-step": in_step,
    "/many-headers": many_headers,
    "/huge-header": huge_header,
    "/empty-chunks": empty_chunks,
    "/no-answer": no_answer,
    "/crash-before": crash_before,
    "/crash-in-events": crash_in_events,
    "/crash-in-text": crash_in_text,
    "/exit": exit_process,
    "/hang": hang,
    "/hang-in-events": hang_in_events,
    "/hang-deaf": hang_deaf,
}


async def app(scope: "Scope", receive: "Receive", send: "Send") -> None:
    await PATHS.get(scope["path"], echo)(scope, receive, send)


handler = Mangum(app, lifespan="off")
