"""What Mangum would fail on never reaches it, and what it hands on stays as it was."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from losi.aws.handler import Handler
from losi.observe import lines
from tests.lambda_process import event_loop


def scope_and_body(event: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """What the app gets of an event."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http", "no lifespan"
        seen.extend([scope, (await receive())["body"]])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    whole = {
        "httpMethod": "GET",
        "path": "/llm/x",
        "resource": "/x",
        "headers": {},
        "multiValueHeaders": {},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "requestContext": {"identity": {"sourceIp": "192.0.2.1"}},
        "body": None,
        "isBase64Encoded": False,
        **event,
    }
    with event_loop():
        answer = Handler(app)(whole, None)
    assert answer["statusCode"] == 204
    return seen[0], seen[1]


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Any:
    outputs, make = list(lines.outputs), logging.getLogRecordFactory()
    yield
    lines.write_to(*outputs)
    logging.setLogRecordFactory(make)


def test_the_path_comes_without_a_base_path() -> None:
    assert scope_and_body({})[0]["path"] == "/x"


@pytest.mark.parametrize(
    ("host", "kept"),
    [
        ("api.test", True),
        ("api_1.test:8080", True),
        ("192.0.2.1:65535", True),
        ("api.test:123456", False),
        ("api.test:", False),
        ("a b", False),
        ("", False),
        ("\u00e4.test", False),
        ("api.test\n", False),
    ],
)
def test_a_host_that_is_no_name_is_left_out(host: str, kept: bool) -> None:
    headers = {"Host": host, "x-a": "1"}
    scope, _ = scope_and_body(
        {"headers": headers, "multiValueHeaders": {name: [v] for name, v in headers.items()}}
    )

    found = dict(scope["headers"])
    assert found.get(b"host") == (host.encode() if kept else None)
    assert found[b"x-a"] == b"1"


def test_where_a_host_comes_twice_the_last_counts() -> None:
    odd = {"headers": {"host": "b c"}, "multiValueHeaders": {"HOST": ["a", "b c"], "x-a": ["1"]}}

    assert dict(scope_and_body(odd)[0]["headers"]) == {b"x-a": b"1"}


def test_a_header_without_values_is_none() -> None:
    empty = {"headers": {}, "multiValueHeaders": {"Host": [], "x-a": ["1"]}}

    assert dict(scope_and_body(empty)[0]["headers"]) == {b"x-a": b"1"}


@pytest.mark.parametrize("missing", [None, {}])
def test_an_event_may_have_no_headers(missing: Any) -> None:
    scope, _ = scope_and_body({"headers": missing, "multiValueHeaders": missing})

    assert list(scope["headers"]) == []


@pytest.mark.parametrize(
    ("body", "is_base64", "received"),
    [
        ("eyJ9", True, b'{"}'),
        ("eyJ9", False, b"eyJ9"),
        ("%%", True, b"%%"),
        ("YQ", True, b"YQ"),  # padding is missing
        ("\u00e4", True, "\u00e4".encode()),
        (None, True, b""),
        ("", True, b""),
    ],
)
def test_a_body_that_is_not_base64_is_the_app_s_to_refuse(
    body: str | None, is_base64: bool, received: bytes
) -> None:
    assert scope_and_body({"body": body, "isBase64Encoded": is_base64})[1] == received


def test_it_writes_the_lines_of_requests_to_standard_output(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_LOG_LEVEL", "ERROR")
    scope_and_body({})

    assert lines.outputs == [lines.to_standard_output]
    assert logging.getLogger("losi").level == logging.ERROR
    logging.getLogger("losi").setLevel(logging.NOTSET)
