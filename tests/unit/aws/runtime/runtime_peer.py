"""A Runtime API of a test's own, and an invocation of it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from losi.aws.runtime.runtime_api import LambdaContext
from losi.config import Config
from tests.front_door.http_server import port_of

Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]
FAR = str(2**42)
EVENT = json.dumps({"httpMethod": "GET", "path": "/"}).encode()


def a_context() -> LambdaContext:
    headers = {
        "lambda-runtime-aws-request-id": "request-1",
        "lambda-runtime-invocation-id": "invocation-1",
        "lambda-runtime-deadline-ms": FAR,
    }
    return LambdaContext(headers, Config())


@asynccontextmanager
async def listening(peer: Peer) -> AsyncIterator[str]:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer(reader, writer)
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{port_of(server)}"
