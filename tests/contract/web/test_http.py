"""Requests as HTTP has them, on every server alike: uvicorn, the streaming runtime and Mangum."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import logging
import zlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from losi.aws.handler import Handler
from losi.aws.runtime.event import request_body, to_scope
from losi.aws.runtime.runtime_api import LambdaContext
from losi.config import Config
from losi.identity.secret import Secret, mint
from losi.logs import set_levels
from losi.web.app import finished
from losi.web.credentials import api_key
from losi.web.declared import declared
from losi.web.dependencies import Services
from losi.web.parsing import EVENT_RESERVE, MAX_EVENT_BYTES, read_json
from losi.web.site import stage_prefix
from tests.lambda_process import event_loop

BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Grüße"}]}
PLAIN = json.dumps(BODY, ensure_ascii=False).encode()
PATH = "/api/v1/echo"


async def echo_body(request: Request) -> dict[str, Any]:
    return {"body": await read_json(request), "path": request.url.path}


def whose_key(request: Request) -> dict[str, Any]:
    return {"key": api_key(request.headers).key_id}


def echo_app() -> Any:
    app = declared([])
    app.post(PATH, response_model=None)(echo_body)
    app.get("/api/v1/models/{id:path}")(lambda id: {"id": id})
    app.get("/api/v1/key")(whose_key)
    return finished(app, Services(Config()))


KEY, TEST_KEY = mint("Account001"), mint("Account001", test=True)


class Answer:
    def __init__(self, status: int, body: bytes | str) -> None:
        self.status = status
        self.json = json.loads(body)

    @property
    def error(self) -> dict[str, Any]:
        found: dict[str, Any] = self.json["error"]
        return found


def event_of(method: str, path: str, body: bytes, headers: dict[str, str]) -> dict[str, Any]:
    """As API Gateway hands on what it has not touched."""
    try:
        text, is_base64 = body.decode(), False
    except UnicodeDecodeError:
        text, is_base64 = base64.b64encode(body).decode(), True
    return {
        "httpMethod": method,
        "path": path,
        "resource": path,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "requestContext": {"identity": {"sourceIp": "192.0.2.1"}},
        "body": text,
        "isBase64Encoded": is_base64,
    }


async def by_uvicorn(event: dict[str, Any]) -> Answer:
    transport = httpx.ASGITransport(echo_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://losi") as client:
        response = await client.request(
            event["httpMethod"],
            event["path"],
            content=request_body(event),
            headers=[(name, v) for name, vs in event["multiValueHeaders"].items() for v in vs],
        )
    return Answer(response.status_code, response.content)


def context() -> LambdaContext:
    headers = {"lambda-runtime-aws-request-id": "request-1", "lambda-runtime-deadline-ms": "0"}
    return LambdaContext(headers, Config())


async def by_runtime(event: dict[str, Any]) -> Answer:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": request_body(event), "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await echo_app()(to_scope(event, context()), receive, send)
    return Answer(sent[0]["status"], b"".join(message.get("body", b"") for message in sent))


async def by_mangum(event: dict[str, Any]) -> Answer:
    def call() -> dict[str, Any]:
        with event_loop():
            return Handler(echo_app())(event, None)

    answer = await asyncio.to_thread(call)
    return Answer(answer["statusCode"], answer["body"])


Server = Callable[[dict[str, Any]], Awaitable[Answer]]
SERVERS = {"uvicorn": by_uvicorn, "runtime": by_runtime, "mangum": by_mangum}


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Server:
    return SERVERS[request.param]


def post(body: bytes, **headers: str) -> dict[str, Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return event_of("POST", PATH, body, {"content-type": "application/json", **named})


CODED = {
    "gzip": (gzip.compress(PLAIN), "gzip"),
    "its old name": (gzip.compress(PLAIN), "x-gzip"),
    "deflate": (zlib.compress(PLAIN), "deflate"),
    "any case": (gzip.compress(PLAIN), "GZIP"),
    "identity": (PLAIN, "identity"),
    "two names for one": (gzip.compress(PLAIN), "identity, gzip"),
    "inflated by API Gateway": (PLAIN, "gzip"),
    "inflated, with blanks": (b" \n" + PLAIN, "deflate"),
    "inflated, with a mark": (b"\xef\xbb\xbf" + PLAIN, "gzip"),
    "a mark inside": (gzip.compress(b"\xef\xbb\xbf" + PLAIN), "gzip"),
    "a mark": (b"\xef\xbb\xbf" + PLAIN, ""),
}


@pytest.mark.parametrize(("body", "coding"), CODED.values(), ids=CODED.keys())
async def test_a_coded_body_is_read(server: Server, body: bytes, coding: str) -> None:
    answer = await server(post(body, content_encoding=coding))

    assert (answer.status, answer.json.get("body")) == (200, BODY), answer.json


@pytest.mark.parametrize("coding", ["zstd", "br", "compress", "gzip, br", "gzip, gzip"])
async def test_another_coding_is_refused_by_its_name(server: Server, coding: str) -> None:
    answer = await server(post(b"\x28\xb5\x2f\xfd rest", content_encoding=coding))

    assert (answer.status, answer.error["code"]) == (415, "unsupported_media_type")
    assert f"'{coding}'" in answer.error["message"]


BROKEN = {
    "not of the coding": (b"\x1f not gzip", "gzip"),
    "of the other": (zlib.compress(PLAIN), "gzip"),
    "cut off": (gzip.compress(PLAIN)[:-9], "gzip"),
    "no JSON either": (b"hello", "deflate"),
    "damaged": (gzip.compress(PLAIN)[:-8] + b"\0" * 8, "gzip"),
}


@pytest.mark.parametrize(("body", "coding"), BROKEN.values(), ids=BROKEN.keys())
async def test_what_is_not_in_its_coding_is_refused(
    server: Server, body: bytes, coding: str
) -> None:
    answer = await server(post(body, content_encoding=coding))

    assert (answer.status, answer.error["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "text",
    [
        b" " * (MAX_EVENT_BYTES - EVENT_RESERVE),
        b'\\"' * (MAX_EVENT_BYTES // 3),  # each character counts twice, as in Lambda's event
    ],
    ids=["long", "of what counts twice"],
)
async def test_a_small_body_that_becomes_a_large_one_is_refused(
    server: Server, text: bytes
) -> None:
    large = b'{"a": "' + text + b'"}'

    answer = await server(post(gzip.compress(large), content_encoding="gzip"))

    assert (answer.status, answer.error["code"]) == (413, "request_too_large")


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/form-data; boundary=x",
        "Multipart/Form-Data; boundary=x",
        "multipart/mixed",
        "multipart/related; type=application/json",
        "multipart/form-data",
    ],
)
async def test_a_form_is_refused(server: Server, kind: str) -> None:
    answer = await server(event_of("POST", PATH, b"--x\r\n", {"content-type": kind}))

    assert (answer.status, answer.error["code"]) == (415, "unsupported_media_type")
    assert "multipart" in answer.error["message"]


class TestBasePath:
    """A domain of the operator's own may put its base path before the path of each event."""

    @pytest.mark.parametrize("base", ["", "/llm", "/a/b", "/v1", "/api"])
    @pytest.mark.parametrize("server", [by_runtime, by_mangum])
    async def test_it_is_not_part_of_the_path(self, server: Server, base: str) -> None:
        event = {**post(PLAIN), "path": base + PATH, "resource": PATH}

        answer = await server(event)

        assert (answer.status, answer.json.get("path")) == (200, PATH), answer.json

    @pytest.mark.parametrize(
        ("end", "value", "id"),
        [
            ("gpt-4o", "gpt-4o", "gpt-4o"),
            ("org/model", "org/model", "org/model"),
            ("a%2Fb%20c", "a%2Fb%20c", "a/b c"),
            ("a%2Fb%20c", "a/b c", "a/b c"),
            ("x/api/v1/models/x", "x/api/v1/models/x", "x/api/v1/models/x"),
        ],
    )
    @pytest.mark.parametrize("base", ["", "/llm"])
    @pytest.mark.parametrize("server", [by_runtime, by_mangum])
    async def test_nor_where_the_path_has_parameters(
        self, server: Server, base: str, end: str, value: str, id: str
    ) -> None:
        event = event_of("GET", f"{base}/api/v1/models/{end}", b"", {})
        event |= {"resource": "/api/v1/models/{id+}", "pathParameters": {"id": value}}

        assert (await server(event)).json == {"id": id}

    @pytest.mark.parametrize(
        ("path", "resource", "value", "whole", "expected"),
        [
            ("/llm/console/", "/{path+}", "console/", "/llm/console/", ("/console/", "/llm")),
            ("/llm", "/", None, "/llm", ("/", "/llm")),
            ("/console/", "/{path+}", "console", "/prod/console/", ("/console/", "/prod")),
            ("/", "/", None, "/prod/", ("/", "/prod")),
            ("/a/b", "/{x}/{y}", None, "/prod/a/b", ("/a/b", "/prod")),
            ("/a%20b", "/{path+}", "a b", "/prod/a%20b", ("/a b", "/prod")),
            ("/a/b/docs/x", "/{path+}", "docs/x", "/a/b/docs/x", ("/docs/x", "/a/b")),
        ],
    )
    def test_the_site_knows_it_as_the_prefix_of_its_links(
        self, path: str, resource: str, value: str | None, whole: str, expected: tuple[str, str]
    ) -> None:
        event = event_of("GET", path, b"", {})
        event |= {"resource": resource, "pathParameters": value and {"path": value}}
        event["requestContext"]["path"] = whole

        scope = to_scope(event, context())

        assert (scope["path"], stage_prefix(scope)) == expected


def get(path: str, **headers: list[str]) -> dict[str, Any]:
    """`headers` with all their values; API Gateway hands on the last by itself as well."""
    event = event_of("GET", path, b"", {name: values[-1] for name, values in headers.items()})
    return event | {"multiValueHeaders": headers}


class TestCredentials:
    GOOD = f"Bearer {KEY.text}"

    async def test_one_is_read(self, server: Server) -> None:
        assert (await server(get("/api/v1/key", authorization=[self.GOOD]))).json == {
            "key": KEY.key_id
        }

    async def test_two_are_refused_whichever_is_good(self, server: Server) -> None:
        for second in ("Bearer junk", "Basic junk", self.GOOD):
            for values in ([self.GOOD, second], [second, self.GOOD], [f"{self.GOOD}, {second}"]):
                answer = await server(get("/api/v1/key", authorization=values))

                assert (answer.status, answer.error["code"]) == (401, "invalid_api_key")
                assert "more than once" in answer.error["message"]


@pytest.mark.parametrize("key", [KEY, TEST_KEY], ids=["live", "test"])
async def test_a_key_in_a_url_is_in_no_log(
    server: Server, key: Secret, caplog: pytest.LogCaptureFixture
) -> None:
    set_levels("DEBUG")  # as what starts a process does
    caplog.set_level(logging.DEBUG)

    for path in (f"/api/v1/models/{key.text}", f"/api/v1/nothing/{key.text}"):
        with suppress(json.JSONDecodeError):  # a page of the site
            await server(get(path))

    assert key.secret not in caplog.text
    assert key.text[-30:] not in "".join(repr(record.__dict__) for record in caplog.records)


def test_lines_of_servers_and_libraries_hold_no_key(caplog: pytest.LogCaptureFixture) -> None:
    set_levels("INFO")
    caplog.set_level(logging.DEBUG)

    for name in ("mangum.http", "uvicorn.access", "losi.web", "any.library"):
        logger = logging.getLogger(name)
        logger.info("%s %s", "GET", f"/api/v1/models/{KEY.text}?key={TEST_KEY.text}")
        logger.info(f"GET /{KEY.text}")

    assert caplog.text.count("losi-********") == 8
    assert caplog.text.count("losi-test-********") == 4
    assert KEY.secret not in caplog.text and TEST_KEY.secret not in caplog.text


@pytest.mark.parametrize("leaves", ["with its body half sent", "before its answer", "during it"])
async def test_a_client_that_hangs_up_is_no_error(
    leaves: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    messages = [{"type": "http.request", "body": b"{", "more_body": True}]
    if leaves != "with its body half sent":
        messages = [{"type": "http.request", "body": PLAIN, "more_body": False}]
    sent: list[str] = []

    async def receive() -> Any:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message["type"])
        if leaves == "before its answer" or message["type"] == "http.response.body":
            raise BrokenPipeError

    await echo_app()(to_scope(post(PLAIN), context()), receive, send)

    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []
    assert "the client went away" in caplog.text
    assert sent.count("http.response.start") <= 1


async def test_a_page_may_reach_a_private_network() -> None:
    """https://wicg.github.io/private-network-access/#cors-preflight"""
    asked = {
        "Origin": "https://app.example.com",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Private-Network": "true",
    }
    transport = httpx.ASGITransport(echo_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://losi") as client:
        response = await client.options(PATH, headers=asked)

    assert response.status_code == 200
    assert response.headers["access-control-allow-private-network"] == "true"


async def test_an_unknown_url_has_the_one_that_was_meant(server: Server) -> None:
    answer = await server(event_of("POST", "/api/v1/chat/completions/", b"{}", {}))

    assert (answer.status, answer.error["code"]) == (404, "unknown_url")
    assert "Did you mean /api/v1/chat/completions?" in answer.error["message"]
