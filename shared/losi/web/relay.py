"""Writes the response of a completion, so that all that was produced is metered.

If the client disconnects, the relay goes on: it reads the events to their end (which settles what
the provider produced) and sends nothing. While the provider is silent, a heartbeat without meaning
(a comment, or a space in JSON) keeps the connection open.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Generic, NamedTuple, TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from losi.dialects.form import Form
from losi.errors import LosiError, ServerError
from losi.observe.request import failed
from losi.time_limit import Reminder, TimeLimit, TimeLimits, until

#: Seconds after the end of a request in which the error event may still be sent.
WRITING_SECONDS = 1.0

T = TypeVar("T")


class Pieces(NamedTuple, Generic[T]):
    """An answer that is written as its events come, each with `written`."""

    events: AsyncGenerator[T]
    written: Callable[[T], bytes]


#: A whole answer or its pieces, and its headers.
Opened = tuple[bytes | Pieces[Any], Mapping[str, str]]
Render = Callable[[LosiError], Callable[[Scope, Receive, Send], Awaitable[None]]]


class RelayResponse(Response):
    """Subclasses Response only for FastAPI's check of return types.

    `opening` returns the answer and its headers, or raises a LosiError. An error before anything
    was sent is rendered with its status; once the answer has begun (with the first event, or a
    heartbeat) it is written in the answer's form. After `seconds`, the longest time of the request,
    nothing is written: a slow reader cannot hold it longer. `unfinished` tasks are awaited after
    the answer.
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
        try:
            try:
                answer, headers = await self._opening
            except Exception as error:
                await writer.finish_heartbeat()
                await writer.stop()
                if not writer.begun and not isinstance(error, LosiError):
                    raise  # the app turns it into a 500
                failure = error if isinstance(error, LosiError) else _broken()
                if not writer.begun:
                    await self._render(failure)(scope, receive, send)
                    return
                failed(failure)
                await writer.write(self._form.error(failure), last=True)
                return
            writer.headers.update(headers)
            if isinstance(answer, bytes):
                await writer.write(answer, last=True)
                return
            async with aclosing(answer.events) as events:
                async for event in events:
                    await writer.write(answer.written(event))
            await writer.write(b"", last=True)
        finally:
            writer.close()
            await writer.stop()


def _broken() -> ServerError:
    return ServerError("The answer could not be started. Try again.")


class _Writer:
    """Writes to the client. After a disconnect, writes are dropped."""

    def __init__(self, send: Send, form: Form, deadline: float) -> None:
        self._deadline = deadline
        self.headers = dict(form.headers)
        self._form = form
        self.begun = False
        self._send = send
        self._limits = TimeLimits()
        self._gone = False
        self._loop = asyncio.get_running_loop()
        #: When something was written last; infinite while it is being written.
        self._last_write = self._loop.time()
        self._beating: asyncio.Task[None] | None = None
        self._remind()

    def _remind(self) -> None:
        last = min(self._last_write, self._loop.time())
        self._reminder = Reminder(last + self._form.heartbeat_seconds, self._listen)

    def _listen(self) -> None:
        """Write a heartbeat after each interval in which nothing was written."""
        if self._loop.time() - self._last_write >= self._form.heartbeat_seconds:
            self._last_write = float("inf")
            self._beating = self._loop.create_task(self._beat())
        self._remind()

    async def _beat(self) -> None:
        if not self._gone:
            await self._write(self._form.heartbeat, until(self._deadline))

    async def finish_heartbeat(self) -> None:
        """Wait for the heartbeat that is being written."""
        while self._beating is not None and not self._beating.done():
            await asyncio.wait({self._beating})

    async def stop(self) -> None:
        """No more heartbeats, whatever they wait for."""
        self._reminder.cancel()
        if self._beating is not None:
            self._beating.cancel()
            await self.finish_heartbeat()

    def close(self) -> None:
        """Nothing more is written."""
        self._limits.close()

    async def write(self, data: bytes, *, last: bool = False) -> None:
        if self._beating is not None:
            await self.finish_heartbeat()
        if not self._gone:
            await self._write(data, self._limits.until(self._deadline), last=last)

    async def _write(self, data: bytes, limit: TimeLimit, *, last: bool = False) -> None:
        self._last_write = float("inf")
        try:
            with limit:
                if not self.begun:
                    self.begun = True
                    raw = [(name.encode(), value.encode()) for name, value in self.headers.items()]
                    await self._send({"type": "http.response.start", "status": 200, "headers": raw})
                await self._send(
                    {"type": "http.response.body", "body": data, "more_body": not last}
                )
        except OSError:  # ASGI's word for "the client has disconnected", and TimeoutError
            self._gone = True
        self._last_write = self._loop.time()
