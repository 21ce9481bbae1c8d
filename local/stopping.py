"""How the local server stops: requests that are still being answered end with an error of ours."""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import uvicorn

from losi.dialects.openai import error_event, error_object
from losi.errors import ServerError
from losi.web.responses import render

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger("local")

#: Seconds that running answers have to end by themselves, and then to write their last words.
GRACE_SECONDS = 1.0
LAST_WORDS_SECONDS = 1.0
EVENTS = b"text/event-stream"


class StoppingError(ServerError):
    status = 503
    code = "server_stopping"

    def __init__(self) -> None:
        super().__init__("The server was stopped before the answer was complete. Try again later.")


class Server(uvicorn.Server):
    """uvicorn waits, then cuts connections; this server first cancels what EndsWithTheServer then
    ends properly.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        if self.server_state.tasks:
            _, open_ = await asyncio.wait(set(self.server_state.tasks), timeout=GRACE_SECONDS)
            for task in open_:
                task.cancel()
        await super().shutdown(sockets)


class EndsWithTheServer:
    """ASGI middleware: even a request whose task is cancelled gets the end of its answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = _Answer(send)
        try:
            await self._app(scope, receive, answer.send)
        except asyncio.CancelledError:  # the app has settled by now what was delivered
            logger.info("the server stops: %s %s was ended", scope["method"], scope["path"])
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(LAST_WORDS_SECONDS):
                    await answer.end(scope, receive)


class _Answer:
    """How much of an answer was sent."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._ended = False

    async def send(self, message: Message) -> None:
        await self._send(message)
        if message["type"] == "http.response.start":
            self._start = message
        elif not message.get("more_body", False):
            self._ended = True

    async def end(self, scope: Scope, receive: Receive) -> None:
        error = StoppingError()
        if self._start is None:
            if request_id := scope.get("state", {}).get("request_id"):  # unless it was the site's
                error.headers["x-request-id"] = request_id
            await render(error)(scope, receive, self._send)
        elif not self._ended:
            # a JSON answer that has begun is spaces so far (losi/web/relay.py)
            types = [value for name, value in self._start["headers"] if name == b"content-type"]
            is_events = any(value.startswith(EVENTS) for value in types)
            body = error_event(error) if is_events else error_object(error)
            await self._send({"type": "http.response.body", "body": body, "more_body": False})
