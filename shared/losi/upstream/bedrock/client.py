"""Bedrock's Converse and ConverseStream, signed with the function's own IAM role.

boto3 blocks, so each call has one thread of its own and the event loop none of the waiting.
docs/decisions/0004-bedrock-converse.md says what maps to what, and why.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing, closing, suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from losi.errors import LosiError, UpstreamError
from losi.upstream.batch import Batch
from losi.upstream.bedrock import shapes
from losi.upstream.bedrock.errors import translate_error
from losi.upstream.bedrock.request import ConverseRequest, converse_request, left_out, mapped
from losi.upstream.bedrock.response import StreamState, completion, usage
from losi.upstream.format import UpstreamCall

if TYPE_CHECKING:
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient

    from losi.wire import JsonObject
    from losi.wire.chat import Chunk, Completion

#: The most events read ahead of the caller; beyond that the thread waits, and TCP slows Bedrock
#: down.
READ_AHEAD = 64


def bedrock_client(region: str | None = None) -> BedrockRuntimeClient:
    """A client; without a region, boto3 takes the function's own.

    Routes have timeouts and retries of their own, so botocore's only end what nobody waits for.
    """
    import boto3
    from botocore.config import Config

    # a session of its own: boto3's default one is not safe for the threads this is called in
    return boto3.session.Session().client(
        "bedrock-runtime",
        region_name=region,
        config=Config(
            retries={"mode": "standard", "total_max_attempts": 1},
            connect_timeout=5,
            read_timeout=900,
            max_pool_connections=100,
            tcp_keepalive=True,
        ),
    )


class BedrockConverse:
    def __init__(self, client_factory: Callable[[], BedrockRuntimeClient]) -> None:
        self._client = cache(client_factory)  # made on first use, in the thread of a call

    def prepare(self, call: UpstreamCall) -> ConverseExchange:
        request = converse_request(call)
        return ConverseExchange(
            self._client, call, request, left_out(call.body, request), mapped(call.body)
        )


@dataclass(frozen=True, slots=True)
class ConverseExchange:
    _client: Callable[[], BedrockRuntimeClient]
    _call: UpstreamCall
    request: ConverseRequest
    left_out: frozenset[str]
    mapped: frozenset[str]

    async def complete(self) -> Completion:
        reader = _Reader(lambda: self._client().converse(**self.request))
        async with aclosing(reader.events()) as answers:
            (answer,) = await anext(answers)
        try:
            return completion(shapes.answer(answer), self._call)
        except UpstreamError as error:
            error.spent = usage(answer.get("usage"))
            raise

    async def stream(self) -> AsyncGenerator[Batch]:
        reader = _Reader(lambda: self._client().converse_stream(**self.request))
        state = StreamState(self._call)
        async with aclosing(reader.events()) as events:
            async for together in events:
                batch: list[Chunk] = []
                try:
                    for event in together:
                        batch += state.chunks(shapes.event(event))
                except LosiError:
                    if batch:
                        yield batch
                    raise
                if batch:
                    yield batch
        state.end()


class _Reader:
    """One blocking call of boto3 in a thread; what it yields arrives as an async generator.

    Closing the generator, or cancelling who reads it, returns at once and hangs up on Bedrock:
    the loop only wakes the thread, because closing a socket that is being read waits for it.
    """

    _END = object()

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Any] = asyncio.Queue()
        self._room = threading.Semaphore(READ_AHEAD)
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._stream: Any = None

    async def events(self) -> AsyncGenerator[list[JsonObject]]:
        """All events that have arrived."""
        threading.Thread(target=self._run, name="bedrock", daemon=True).start()
        ended = False
        try:
            while not ended:
                items = [await self._queue.get()]
                while not self._queue.empty():
                    items.append(self._queue.get_nowait())
                last = items[-1]
                if ended := last is self._END or isinstance(last, Exception):
                    items.pop()
                for _ in items:
                    self._room.release()
                if items:
                    yield items
                if isinstance(last, Exception):
                    if (translated := translate_error(last)) is None:
                        raise last
                    raise translated from last
        finally:
            self._hang_up()

    def _hang_up(self) -> None:
        self._closed.set()
        self._room.release()
        with self._lock:
            if self._stream is not None:
                interrupt(self._stream)

    def _run(self) -> None:
        try:
            with closing(self._items()) as items:
                for item in items:
                    self._room.acquire()
                    if self._closed.is_set():
                        return
                    self._deliver(item)
            self._deliver(self._END)
        except Exception as error:
            self._deliver(error)

    def _items(self) -> Generator[JsonObject]:
        answer = self._call()
        stream = answer.get("stream")
        if stream is None:
            yield answer
            return
        with closing(stream):
            with self._lock:
                self._stream = stream
            try:
                if not self._closed.is_set():  # closed while Bedrock was being called
                    yield from stream
            finally:
                with self._lock:
                    self._stream = None

    def _deliver(self, item: Any) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits for this any more
            self._loop.call_soon_threadsafe(self._queue.put_nowait, item)


def interrupt(stream: Any) -> None:
    """Wake a thread that waits for this event stream's next bytes; it finds the stream ended.

    botocore offers only close(), which would wait for that thread. A stream that cannot be
    woken (an older urllib3, or one that just ended) is closed after its next event.
    """
    raw = getattr(stream, "_raw_stream", None)
    with suppress(AttributeError, ValueError, RuntimeError, OSError):
        raw.shutdown()  # type: ignore[union-attr]
