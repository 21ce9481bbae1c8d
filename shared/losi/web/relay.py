"""The response of a completion, written so that nothing that was produced goes unmetered.

A client that disconnects does not stop the relay: the events are read to their end (which settles
what the provider produced) and no longer sent. While the provider is silent, something that means
nothing (a comment, in JSON a space) keeps whatever lies between from closing the connection.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import Any

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from losi.dialects.form import Form
from losi.errors import LosiError, ServerError
from losi.observe.request import failed

#: Left after the end of a request for its last words: the error event.
WRITING_SECONDS = 1.0

#: Events that wait for a slow client; with more, the provider is not read on.
MAX_WAITING_EVENTS = 64

Opened = tuple[AsyncGenerator[bytes], Mapping[str, str]]
Render = Callable[[LosiError], Callable[[Scope, Receive, Send], Awaitable[None]]]


class RelayResponse(Response):
    """Subclasses Response only for FastAPI's check of return types.

    `opening` gives the events and their headers, or raises a LosiError.

    An error before anything was sent is rendered with its status; once the answer has begun
    (the first event, or a heartbeat while the provider was silent) it is written in the form.
    After `seconds`, which the request may last, nothing more is written: a client that reads slowly
    cannot hold it longer. What is `unfinished` goes on when the answer is written.
    """

    def __init__(
        self,
        opening: Coroutine[Any, Any, Opened],
        render: Render,
        form: Form,
        seconds: float,
        unfinished: Sequence[asyncio.Task[None]] = (),
    ) -> None:
        self.background = None
        self._opening = opening
        self._render = render
        self._form = form
        self._deadline = asyncio.get_running_loop().time() + seconds + WRITING_SECONDS
        self._unfinished = unfinished

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._answer(scope, receive, send)
        finally:
            if self._unfinished:
                await asyncio.wait(self._unfinished)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        writer = _Writer(send, self._form, self._deadline)
        heartbeat = asyncio.create_task(writer.keep_alive())
        try:
            try:
                events, headers = await self._opening
            except Exception as error:
                async with writer.lock:  # not in the middle of its writing
                    heartbeat.cancel()
                if not writer.begun and not isinstance(error, LosiError):
                    raise  # becomes the app's 500
                failure = error if isinstance(error, LosiError) else _broken()
                if not writer.begun:
                    await self._render(failure)(scope, receive, send)
                    return
                failed(failure)
                await writer.write(self._form.error(failure))
            else:
                async with aclosing(events):
                    writer.headers.update(headers)
                    async with aclosing(_pieces(events)) as pieces:
                        async for piece in pieces:
                            await writer.write(piece)
        finally:
            heartbeat.cancel()
            with suppress(asyncio.CancelledError):
                await heartbeat
        await writer.end()


async def _pieces(events: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """Events that came together in one piece: what one read of the provider brought is one write
    to the client. Raises what the events raise, after those before it.
    """
    ready: list[bytes] = []
    arrived, taken = asyncio.Event(), asyncio.Event()

    async def read() -> None:
        try:
            async for event in events:
                ready.append(event)
                arrived.set()
                if len(ready) >= MAX_WAITING_EVENTS:
                    taken.clear()
                    await taken.wait()
        finally:
            arrived.set()

    reading = asyncio.create_task(read())
    try:
        while ready or not reading.done():
            await arrived.wait()
            arrived.clear()
            piece = b"".join(ready)
            ready.clear()
            taken.set()
            if piece:
                yield piece
        await reading
    finally:
        reading.cancel()
        await asyncio.wait({reading})


def _broken() -> ServerError:
    return ServerError("The answer could not be started. Try again.")


class _Writer:
    """Writes to the client; after it has disconnected, writes are dropped."""

    def __init__(self, send: Send, form: Form, deadline: float) -> None:
        self._deadline = deadline
        self.headers = dict(form.headers)
        self._form = form
        self.begun = False
        self._send = send
        self._gone = False
        self.lock = asyncio.Lock()  # the heartbeat writes too
        self._last_write = asyncio.get_running_loop().time()

    async def keep_alive(self) -> None:
        seconds = self._form.heartbeat_seconds
        loop = asyncio.get_running_loop()
        while True:
            silent = loop.time() - self._last_write
            if silent >= seconds:
                await self.write(self._form.heartbeat)
                silent = 0.0
            await asyncio.sleep(seconds - silent)

    async def write(self, data: bytes) -> None:
        async with self.lock:
            if not self.begun:
                self.begun = True
                raw = [(name.encode(), value.encode()) for name, value in self.headers.items()]
                await self._try({"type": "http.response.start", "status": 200, "headers": raw})
            await self._try({"type": "http.response.body", "body": data, "more_body": True})
            self._last_write = asyncio.get_running_loop().time()

    async def end(self) -> None:
        await self._try({"type": "http.response.body", "body": b"", "more_body": False})

    async def _try(self, message: Message) -> None:
        if self._gone:
            return
        try:
            async with asyncio.timeout_at(self._deadline):
                await self._send(message)
        except OSError:  # ASGI's word for "the client has disconnected", and TimeoutError
            self._gone = True
