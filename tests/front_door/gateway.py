"""API Gateway: requests become REST proxy events, answers of functions become HTTP responses.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

import base64
import json
import re
import uuid
import zlib
from collections.abc import Coroutine, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import h11

from tests.front_door.http_server import Connection
from tests.front_door.lambda_service import LambdaService
from tests.front_door.sandbox import FunctionError, Invocation

STAGE = "prod"
#: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
MAX_REQUEST_BYTES = 10 * 1024 * 1024
#: Of a synchronous invocation. Lambda refuses more with 413 RequestTooLargeException, which API
#: Gateway hands on as its own REQUEST_TOO_LARGE.
#: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
MAX_EVENT_BYTES = 6 * 1024 * 1024
MAX_PRELUDE_BYTES = 16 * 1024
DELIMITER = b"\0" * 8
FRAMING = ("content-length", "transfer-encoding", "connection")
BODILESS = (204, 304)

Json = dict[str, Any]


class BadAnswerError(Exception):
    """The function's answer is not in API Gateway's format."""


class Route:
    """`METHOD /path/{parameter}`, or {rest+} for several segments; the method ANY takes all."""

    def __init__(self, key: str, service: LambdaService) -> None:
        self.method, _, self.resource = key.partition(" ")
        self.service = service
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(self.resource))
        pattern = re.sub(r"\\{(\w+)\\\+\\}", r"(?P<\1>.+)", pattern)
        self._pattern = re.compile(pattern)

    @property
    def rank(self) -> tuple[int, bool]:
        """The most specific route wins."""
        return self.resource.count("{"), self.method == "ANY"

    def match(self, method: str, path: str) -> dict[str, str] | None:
        found = self._pattern.fullmatch(path)
        if found is None or self.method not in ("ANY", method):
            return None
        return {name: unquote(value) for name, value in found.groupdict().items()}


class Gateway:
    """`responses` are those of the template: what API Gateway answers by itself, by its name.

    `prefix` is the stage's, `/prod`, in AWS's own address, and nothing under a domain.
    """

    def __init__(
        self,
        routes: Mapping[str, LambdaService],
        responses: Mapping[str, tuple[int, str]],
        prefix: str = "",
    ) -> None:
        self._prefix = prefix
        every = [Route(key, service) for key, service in routes.items()]
        self._routes = sorted(every, key=lambda route: route.rank)
        self._responses = responses

    async def answer(self, connection: Connection, request: h11.Request) -> None:
        body, size = bytearray(), 0
        async for part in connection.body():
            size += len(part)
            if size <= MAX_REQUEST_BYTES:
                body += part
        method, url = request.method.decode(), urlsplit(request.target.decode("ascii"))
        if size > MAX_REQUEST_BYTES:
            return await self._own_answer(connection, "REQUEST_TOO_LARGE")
        try:
            plain = inflated(bytes(body), header(request, "content-encoding"))
        except zlib.error:
            return await self._own_answer(connection, "UNSUPPORTED_MEDIA_TYPE")
        if not url.path.startswith(self._prefix):
            return await connection.respond(403, b'{"message":"Forbidden"}')
        path = url.path.removeprefix(self._prefix) or "/"
        for route in self._routes:
            parameters = route.match(method, path)
            if parameters is not None:
                event = proxy_event(request, plain, connection.peer, self._prefix)
                event["resource"], event["pathParameters"] = route.resource, parameters or None
                return await self._integrate(connection, route.service, event)
        await self._own_answer(connection, "MISSING_AUTHENTICATION_TOKEN")

    async def _own_answer(self, connection: Connection, name: str) -> None:
        status, template = self._responses[name]
        request_id = str(uuid.uuid4())
        headers = [
            ("content-type", "application/json"),
            ("access-control-allow-origin", "*"),
            ("x-request-id", request_id),
        ]
        body = template.replace("$context.requestId", request_id)
        await connection.respond(status, body.encode(), headers)

    async def _integrate(self, connection: Connection, service: LambdaService, event: Json) -> None:
        payload = json.dumps(event, ensure_ascii=False).encode("utf-8", "surrogatepass")
        if len(payload) > MAX_EVENT_BYTES:
            return await self._own_answer(connection, "REQUEST_TOO_LARGE")
        invocation = service.invoke(payload)
        relay = _Relay(connection)
        try:
            async with connection.watched():
                if service.function.streaming:
                    await relay.stream(invocation)
                else:
                    await relay.buffered(invocation)
        except (FunctionError, BadAnswerError):
            if relay.started:
                return connection.cut()
            if not connection.peer_gone:
                await self._own_answer(connection, "INTEGRATION_FAILURE")
        finally:
            if connection.peer_gone:
                connection.cut()


class _Relay:
    """Carries one answer to the client; when the client is gone, reads it to its end all the same.

    That is what Lambda does too: the function is not told, and runs on.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.started = False

    async def stream(self, invocation: Invocation) -> None:
        chunks = invocation.chunks()
        head = b""
        async for data in chunks:
            head += data
            if DELIMITER in head:
                break
            if len(head) > MAX_PRELUDE_BYTES:
                break
        prelude, delimiter, rest = head.partition(DELIMITER)
        if not delimiter or len(prelude) > MAX_PRELUDE_BYTES:
            raise BadAnswerError(f"no delimiter in the first {MAX_PRELUDE_BYTES} bytes")
        await self._start(parse_answer(prelude), {"transfer-encoding": "chunked"})
        await self._write(rest)
        async for data in chunks:
            await self._write(data)
        await self._finish()

    async def buffered(self, invocation: Invocation) -> None:
        answer = parse_answer(b"".join([data async for data in invocation.chunks()]))
        body = (answer.get("body") or "").encode()
        if answer.get("isBase64Encoded"):
            body = base64.b64decode(body)
        await self._start(answer, {"content-length": str(len(body))})
        await self._write(body)
        await self._finish()

    async def _start(self, answer: Json, framing: Mapping[str, str]) -> None:
        status = answer["statusCode"]
        extra = () if status in BODILESS else framing.items()
        await self._try(self._connection.start(status, [*response_headers(answer), *extra]))
        self.started = True

    async def _write(self, data: bytes) -> None:
        if data:
            await self._try(self._connection.write(data))

    async def _finish(self) -> None:
        await self._try(self._connection.finish())

    async def _try(self, sending: Coroutine[Any, Any, None]) -> None:
        if self._connection.peer_gone:
            sending.close()
            return
        try:
            await sending
        except OSError:
            self._connection.peer_gone = True


def header(request: h11.Request, name: str) -> str:
    values = (value.decode("latin-1") for known, value in request.headers if known.decode() == name)
    return next(values, "")


def inflated(body: bytes, coding: str) -> bytes:
    """The body as functions get it. Raises zlib.error for what is answered with 415.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-make-request-with-compressed-payload.html
    """
    if coding.lower() in ("", "identity"):
        return body
    window = {"gzip": 31, "deflate": 15}.get(coding.lower())
    if window is None:
        raise zlib.error(f"the coding {coding} is not supported")
    return zlib.decompress(body, window)


def proxy_event(request: h11.Request, body: bytes, client: str, prefix: str = "") -> Json:
    """The path stays as the client encoded it, the query is decoded; as API Gateway does it.

    `requestContext.path` alone has the stage's prefix.
    """
    url = urlsplit(request.target.decode("ascii"))
    headers: dict[str, list[str]] = {}
    for raw_name, value in request.headers.raw_items():
        headers.setdefault(raw_name.decode(), []).append(value.decode("latin-1"))
    headers |= {"X-Forwarded-For": [client], "X-Forwarded-Proto": ["https"]}
    query: dict[str, list[str]] = {}
    for name, text in parse_qsl(url.query, keep_blank_values=True):
        query.setdefault(name, []).append(text)
    try:
        text_body, is_base64 = body.decode(), False
    except UnicodeDecodeError:
        text_body, is_base64 = base64.b64encode(body).decode(), True
    method = request.method.decode()
    path = url.path.removeprefix(prefix) or "/"
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": {name: values[-1] for name, values in headers.items()},
        "multiValueHeaders": headers,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "requestId": str(uuid.uuid4()),
            "stage": STAGE,
            "path": url.path,
            "httpMethod": method,
            "identity": {"sourceIp": client},
        },
        "body": text_body or None,
        "isBase64Encoded": is_base64,
    }


def parse_answer(data: bytes) -> Json:
    try:
        answer: Json = json.loads(data)
        answer["statusCode"] = int(answer["statusCode"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadAnswerError(f"not a proxy response: {data[:80]!r}") from error
    return answer


def response_headers(answer: Json) -> list[tuple[str, str]]:
    values = {name.lower(): [str(value)] for name, value in (answer.get("headers") or {}).items()}
    for name, several in (answer.get("multiValueHeaders") or {}).items():
        values[name.lower()] = [str(value) for value in several]
    values["set-cookie"] = [*values.get("set-cookie", []), *answer.get("cookies", [])]
    return [(n, value) for n, several in values.items() if n not in FRAMING for value in several]
