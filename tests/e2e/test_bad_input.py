"""Whatever is sent, the answer is a 4xx in the error envelope that says what to do, never a 500."""

import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.e2e.server import Server

GOOD: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}
CHAT = "/chat/completions"


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    key = {"Authorization": f"Bearer {server.api_key}"}
    with httpx.Client(base_url=server.base_url, headers=key, timeout=60) as client:
        yield client


def refused(response: httpx.Response, status: int) -> dict[str, Any]:
    """Assert the status and the whole envelope; give the error."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"].startswith("req_")
    body = response.json()
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"message", "type", "param", "code"}
    error: dict[str, Any] = body["error"]
    assert error["message"] and error["type"]
    return error


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (b"hello", "not valid JSON"),
        (b'{"model": "gpt-4o"', "not valid JSON"),
        (b"[1, 2]", "must be a JSON object, not an array"),
        (b"null", "must be a JSON object, not null"),
        (b'{"model": "\xff\xfe"}', "not valid JSON"),
        (b'{"model": "\\ud800"}', "not valid JSON"),
        (b'{"temperature": NaN}', "not valid JSON"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "more than 50,000 values"),
        (b'{"a": ' + b"[" * 40_000 + b"]" * 40_000 + b"}", "not valid JSON"),
        (b'{"a": ' + b"[" * 300 + b"]" * 300 + b"}", "nested more than"),
        (b'{"a": ' + b'{"a":' * 300 + b"1" + b"}" * 300 + b"}", "nested more than"),
    ],
)
def test_a_body_that_is_not_a_json_object(http: httpx.Client, body: bytes, says: str) -> None:
    error = refused(http.post(CHAT, content=body), 400)

    assert error["type"] == "invalid_request_error"
    assert says in error["message"]


def test_a_body_of_20_mb(http: httpx.Client) -> None:
    body = b'{"model": "gpt-4o", "messages": [{"role": "user", "content": "' + b"x" * 20_000_000

    error = refused(http.post(CHAT, content=body), 413)

    assert "6 MB" in error["message"]


def test_a_body_of_20_mb_that_does_not_say_its_size(http: httpx.Client) -> None:
    pieces = (b"x" * 1_000_000 for _ in range(20))

    refused(http.post(CHAT, content=pieces), 413)


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"temperature": 3}, "temperature"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"n": "two"}, "n"),
        ({"stream": 1}, "stream"),
        ({"model": None}, "model"),
    ],
)
def test_a_parameter_that_is_wrong_is_named(
    http: httpx.Client, change: dict[str, Any], param: str
) -> None:
    error = refused(http.post(CHAT, json={**GOOD, **change}), 400)

    assert error["param"] == param


def test_an_unknown_model(http: httpx.Client) -> None:
    error = refused(http.post(CHAT, json={**GOOD, "model": "gpt-99"}), 404)

    assert (error["code"], error["param"]) == ("model_not_found", "model")
    assert "losi-omega" in error["message"]
    refused(http.get("/models/gpt-99"), 404)


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Basic abc", "losi-abc", "Bearer sk-abc", "Bearer losi-x y"],
)
@pytest.mark.parametrize("path", [CHAT, "/models", "/api-keys", "/api-usage"])
def test_without_a_good_key(server: Server, header: str | None, path: str) -> None:
    headers = {} if header is None else {"Authorization": header}
    method = "POST" if path == CHAT else "GET"

    error = refused(httpx.request(method, server.base_url + path, headers=headers), 401)

    assert error["type"] == "authentication_error"


def test_a_key_comes_before_everything_else(server: Server) -> None:
    refused(httpx.post(server.base_url + CHAT, content=b"not json"), 401)


def test_bytes_in_the_key_that_are_no_text(server: Server) -> None:
    url = urlsplit(server.base_url)
    with socket.create_connection((url.hostname or "", url.port or 0), timeout=30) as raw:
        raw.sendall(
            b"GET /api/v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            b"Authorization: Bearer losi-\xff\xfe\x80\r\n\r\n"
        )
        answer = raw.recv(65536)

    assert answer.startswith(b"HTTP/1.1 401")


def test_an_unknown_url(http: httpx.Client) -> None:
    error = refused(http.get("/completions"), 404)

    assert error["code"] == "unknown_url"
    assert "/api/v1/completions" in error["message"]


def test_a_method_that_is_not_allowed(http: httpx.Client) -> None:
    response = http.get(CHAT)

    assert "POST" in refused(response, 405)["message"]
    assert response.headers["allow"] == "POST"


def test_the_methods_of_a_path_with_several_are_all_named(http: httpx.Client) -> None:
    response = http.put("/api-keys", json={})

    assert "Use GET, POST, PATCH, DELETE." in refused(response, 405)["message"]
    assert response.headers["allow"] == "GET, POST, PATCH, DELETE"


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"start_date": "yesterday"}, "start_date"),
        ({"start_date": "2026-02-30"}, "start_date"),
        ({"start_date": "20260101"}, "start_date"),
        ({"end_date": "2026-1-1"}, "end_date"),
        ({"start_date": "2026-02-02", "end_date": "2026-02-01"}, "start_date"),
        ({"start_date": "2020-01-01", "end_date": "2026-01-01"}, "start_date"),
        ({"group_by": "phase_of_the_moon"}, "group_by"),
    ],
)
def test_usage_of_a_range_that_makes_no_sense(
    http: httpx.Client, query: dict[str, str], param: str
) -> None:
    error = refused(http.get("/api-usage", params=query), 400)

    assert (error["param"], error["code"]) == (param, "invalid_value")


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_usage_of_the_far_past_and_future_is_empty(http: httpx.Client, day: str) -> None:
    response = http.get("/api-usage", params={"start_date": day, "end_date": day})

    assert response.status_code == 200
    assert response.json()["data"]["usage"] == []


def test_a_browser_may_call_and_read_our_headers(http: httpx.Client) -> None:
    preflight = http.options(
        CHAT,
        headers={
            "Origin": "https://app.example.com",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type,x-stainless-lang",
        },
    )
    answer = http.post(CHAT, json=GOOD, headers={"Origin": "https://app.example.com"})

    assert preflight.status_code == 200
    assert "authorization" in preflight.headers["access-control-allow-headers"].lower()
    assert answer.headers["access-control-allow-origin"] == "*"
    exposed = answer.headers["access-control-expose-headers"]
    assert "x-request-id" in exposed and "x-ratelimit-remaining-tokens" in exposed


@pytest.mark.parametrize(
    "request_line", [b"GET", b"G\x01T / HTTP/1.1", b"GET / HTTP/9.9", b"\x16\x03\x01\x02\x00"]
)
def test_what_is_no_http_gets_the_envelope_too(server: Server, request_line: bytes) -> None:
    url = urlsplit(server.base_url)
    with socket.create_connection((url.hostname or "", url.port or 0), timeout=30) as raw:
        raw.sendall(request_line + b"\r\nHost: x\r\n\r\n")
        head, _, body = raw.makefile("rb").read().partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n")
    assert json.loads(body)["error"]["code"] == "bad_request"
