"""The app factory: one app per function, or one app with all of them for `make run`.

FastAPI serves the buffered endpoints, plain Starlette those that stream.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from losi.config import read_config
from losi.errors import (
    InvalidRequestError,
    LosiError,
    MethodNotAllowedError,
    NotFoundError,
    ServerError,
    echo,
    place,
    support,
    support_address,
)
from losi.identity import audit
from losi.identity.audit import Origin
from losi.observe import lines
from losi.observe.metrics import Metrics
from losi.observe.request import Observed, RequestLine, client_family, note, observed
from losi.web.dependencies import Services
from losi.web.endpoints import CONSOLE, ENDPOINTS, METHODS
from losi.web.headers import EXPOSED, header_of, request_id_of, trace_id_of
from losi.web.responses import JsonResponse, render
from losi.web.site import stage_prefix
from losi.web.unknown_url import unknown_url

logger = logging.getLogger("losi.web")

KNOWN_METHODS = (*METHODS, "HEAD", "OPTIONS")
#: The handlers of endpoints that stream, by method and path.
Streams = dict[tuple[str, str], Callable[[Request], Awaitable[Response]]]

_VARY = (b"vary", b"origin")
#: For requests of a browser's pages.
_CORS = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", ", ".join(EXPOSED).encode()),
    _VARY,
]


def create_app(*functions: str, services: Services | None = None) -> Starlette:
    """An app that serves the endpoints of these functions, and answers all other requests with our
    error envelope. openapi.json is an endpoint like the others (openapi.py).
    """
    endpoints = [each for each in (*ENDPOINTS, *CONSOLE) if each.function in functions]
    buffered = [endpoint for endpoint in endpoints if not endpoint.streams]
    app = Starlette()
    if buffered:
        from losi.web.declared import declared  # 100 ms of CPU that no stream should wait for

        app = declared(buffered)
    streams: Streams = {}
    for endpoint in endpoints:
        if endpoint.streams:
            handler = endpoint.handler()
            streams[endpoint.method, endpoint.path] = handler
            app.add_route(endpoint.route, handler, [endpoint.method], endpoint.name)
    return finished(app, services or Services(read_config()), streams)


def finished(app: Starlette, services: Services, streams: Streams | None = None) -> Starlette:
    """Adds to the app what all responses share, and the short way to the endpoints that stream."""
    app.router.redirect_slashes = False
    app.state.services = services
    app.add_exception_handler(LosiError, _losi_error)
    app.add_exception_handler(HTTPException, _http_exception)
    config = services.config
    metrics = Metrics(config.metrics_namespace, config.metrics_details)
    outermost = app.build_middleware_stack()
    assert isinstance(outermost, ServerErrorMiddleware)  # EveryRequest stands in its place
    short_way = ShortWay(outermost.app, streams or {})
    app.middleware_stack = EveryRequest(short_way, config.support, metrics)
    return app


class ShortWay:
    """Calls the handler of an endpoint that streams. Starlette's router and its layers cost a tenth
    of such a request, and have nothing to do for it: they keep all other requests.
    """

    def __init__(self, app: ASGIApp, streams: Streams) -> None:
        self.app = app
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        handler = self._streams.get((scope.get("method", ""), scope.get("path", "")))
        if handler is None:
            await self.app(scope, receive, send)
            return
        scope["endpoint"] = handler
        try:
            response = await handler(Request(scope, receive))
        except LosiError as error:
            response = render(error)
        await response(scope, receive, send)


class EveryRequest:
    """What all requests and responses have: a request id, common headers and those of CORS, a log
    line at the end. An exception that nobody caught becomes a 500 in our envelope, and a log line
    with its place but nothing of the request.

    `support` is the contact that messages name.
    """

    def __init__(self, app: ASGIApp, support: str, metrics: Metrics) -> None:
        self.app = app
        self.support = support
        self.metrics = metrics
        self._was_called = False
        self._preflights = CORSMiddleware(
            app,
            allow_origins=["*"],
            allow_methods=METHODS,
            allow_headers=["*"],
            max_age=86400,
            allow_private_network=True,  # Chrome asks before a page may call `make run`
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        line = self._line(scope)
        scope.setdefault("state", {})["request_id"] = line.request_id
        client = scope.get("client")
        support_address.set(self.support)
        audit.origin.set(Origin(client[0] if client else "", line.request_id))
        try:
            with observed(line) as request:
                await self._answer(request, scope, receive, send)
        finally:
            lines.write(line, self.metrics)

    def _line(self, scope: Scope) -> RequestLine:
        """The log line has no text of the caller in it."""
        is_cold, self._was_called = not self._was_called, True
        return RequestLine(
            request_id=request_id_of(scope),
            method=scope["method"] if scope["method"] in KNOWN_METHODS else "other",
            user_agent=client_family(header_of(scope, b"user-agent")),
            trace_id=trace_id_of(scope),
            cold_start=is_cold,
        )

    async def _answer(self, request: Observed, scope: Scope, receive: Receive, send: Send) -> None:
        line = request.line
        asks_first = scope["method"] == "OPTIONS"
        is_preflight = asks_first and header_of(scope, b"access-control-request-method") != ""
        cors = [] if is_preflight else _CORS if header_of(scope, b"origin") else [_VARY]

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                line.status = message["status"]
                message["headers"] = [
                    *message.get("headers", []),
                    *cors,
                    (b"x-request-id", line.request_id.encode()),
                    (b"openai-processing-ms", str(request.watch.elapsed_ms()).encode()),
                    (b"openai-version", b"2020-10-01"),
                ]
            try:
                await send(message)
            except OSError:  # ASGI's word for "the client has disconnected"
                line.client_gone = True
                raise

        app = self._preflights if is_preflight else self.app
        try:
            await app(scope, receive, send_with_headers)
        except asyncio.CancelledError:  # the function's time is up, or the process stops
            note(error_type="server_error", error="stopped")
            raise
        except Exception as error:
            if line.client_gone or isinstance(error, ClientDisconnect):
                logger.info("%s the client went away", line.request_id)
                return
            log_failure(error, line.request_id)
            if line.status is None:
                await render(internal_error(line.request_id))(scope, receive, send_with_headers)
        finally:
            line.endpoint = getattr(scope.get("endpoint"), "__name__", None)


def log_failure(error: BaseException, request_id: str) -> None:
    """Log where the request failed. The message is left out, because it may quote a prompt."""
    logger.error("%s failed: %s at %s", request_id, type(error).__name__, place(error))


def internal_error(request_id: str) -> ServerError:
    return ServerError(
        "An unexpected error occurred on our servers. Try again; if it stays, contact "
        f"{support()} with the request id {request_id}."
    )


async def _losi_error(_: Request, error: Any) -> JsonResponse:
    return render(error)


async def _http_exception(request: Request, error: Any) -> JsonResponse:
    """Renders Starlette's own refusals: unknown path, method not allowed, a client that left."""
    if error.status_code == 404:
        return render(
            NotFoundError(
                unknown_url(request.method, request.url.path, stage_prefix(request.scope)),
                code="unknown_url",
            )
        )
    if error.status_code == 405:
        allowed = ", ".join(_allowed_methods(request))
        what = echo(f"{request.method} {request.url.path}")
        refusal = MethodNotAllowedError(f"Not allowed: {what}. Use {allowed}.")
        refusal.headers["allow"] = allowed
        return render(refusal)
    return render(InvalidRequestError(str(error.detail)))


def _allowed_methods(request: Request) -> list[str]:
    """All methods of the path; Starlette's refusal names only those of its first route."""
    return [
        method
        for method in METHODS
        for scope in [{**request.scope, "method": method}]
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)
    ]
