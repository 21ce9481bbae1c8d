"""One request of the ASGI app and its response, whatever becomes of either."""

import asyncio
from typing import TYPE_CHECKING

from losi.aws.runtime.event import parse_event, request_body, to_scope
from losi.aws.runtime.logs import error_type, logger
from losi.aws.runtime.response_stream import Connections, ResponseStream
from losi.aws.runtime.runtime_api import LambdaContext
from losi.dialects.openai import error_event, error_object
from losi.errors import InvalidRequestError, LosiError, ServerError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message

#: The app is stopped this long before Lambda would kill the process with the response unfinished.
HARD_STOP_S = 0.5
#: An app that has not stopped so long after its deadline is left behind. Lambda has ended the
#: process by then, except on managed instances, where it ends nothing and other answers go on:
#: https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-execution-environment.html
GIVE_UP_S = 5


JSON_HEADERS = [
    (b"content-type", b"application/json"),
    (b"access-control-allow-origin", b"*"),  # or pages could not read the error
]


class DeadlineExceededError(ServerError):
    """The same as API Gateway's own answer to this (template.yaml, INTEGRATION_TIMEOUT)."""

    status = 504
    code = "timeout"

    def __init__(self) -> None:
        super().__init__(
            "The answer took too long. Ask for less, with a smaller max_tokens, or stream it.",
            headers={"x-should-retry": "false"},
        )


class Exchange:
    def __init__(self, stream: ResponseStream, body: bytes) -> None:
        self._stream = stream
        self._request: Message | None = {"type": "http.request", "body": body, "more_body": False}
        self._over = asyncio.Event()

    async def receive(self) -> "Message":
        if self._request is not None:
            request, self._request = self._request, None
            return request
        await self._over.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: "Message") -> None:
        try:
            if message["type"] == "http.response.start":
                await self._stream.start(message["status"], list(message.get("headers", ())))
            elif message["type"] == "http.response.body":
                body = message.get("body", b"")
                if message.get("more_body", False):
                    await self._stream.write(body)
                else:
                    await self._stream.finish(body)
                    self._over.set()
        except OSError:
            self._over.set()
            raise

    async def fail(self, error: LosiError, reason: str) -> None:
        """Says in the best way still possible that there will be no (more) answer."""
        self._over.set()
        stream = self._stream
        if stream.finished or stream.broken:
            return
        try:
            if not stream.started:
                extra = [(name.encode(), value.encode()) for name, value in error.headers.items()]
                await stream.start(error.status, [*JSON_HEADERS, *extra])
                await stream.write(error_object(error))
                await stream.finish()
            elif stream.is_event_stream:
                await stream.write(error_event(error))
                await stream.finish()
            else:
                await stream.abort(reason, error.message)
        except OSError:
            logger.info("the client was gone before its answer: %s", error.code)


async def serve(
    app: "ASGIApp", connections: Connections, context: LambdaContext, payload: bytes
) -> None:
    """Runs the app on one event, to its end. Raises MalformedEventError, nothing else."""
    event = parse_event(payload)
    scope = to_scope(event, context)
    stream = ResponseStream(connections, context, head=scope["method"] == "HEAD")
    try:
        exchange = Exchange(stream, request_body(event))
    except InvalidRequestError as refusal:
        await Exchange(stream, b"").fail(refusal, error_type(refusal))
        return
    call = asyncio.ensure_future(app(scope, exchange.receive, exchange.send))
    await asyncio.wait({call}, timeout=max(0.0, context.seconds_left() - HARD_STOP_S))
    if not call.done():
        await _stop(call, exchange, context)
    if not call.done():
        return
    error = None if call.cancelled() else call.exception()
    if stream.broken:
        logger.info("the client went away", exc_info=error)
    elif error is not None:
        logger.error("the app failed", exc_info=error)
    if not stream.finished:
        crash = ServerError("An unexpected error occurred on our servers. Try again.")
        await exchange.fail(crash, error_type(error) if error else "IncompleteResponse")


#: Kept here, because the event loop itself may forget them.
_left_behind: set[asyncio.Future[None]] = set()


async def _stop(call: asyncio.Future[None], exchange: Exchange, context: LambdaContext) -> None:
    logger.error("the app ran into the function's timeout")
    timeout = DeadlineExceededError()
    call.cancel()
    await asyncio.gather(
        exchange.fail(timeout, error_type(timeout)),
        # the app may use what is left to clean up
        asyncio.wait({call}, timeout=context.seconds_left() + GIVE_UP_S),
    )
    if not call.done():
        logger.error("the app does not stop: it is left behind")
        _left_behind.add(call)
        call.add_done_callback(_left_behind.discard)
