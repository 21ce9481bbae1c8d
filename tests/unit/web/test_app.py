"""What every response has, whatever becomes of its request."""

import contextlib
import logging
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.requests import ClientDisconnect

from losi.config import Config
from losi.web.app import finished
from losi.web.declared import declared
from losi.web.dependencies import Services
from losi.web.headers import EXPOSED
from tests.request_lines import written_lines

SECRET = "a prompt that must not be logged"


def crash() -> None:
    raise RuntimeError(SECRET)


def left() -> None:
    raise ClientDisconnect


def fine() -> dict[str, str]:
    return {"all": "well"}


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    app = declared([])
    app.get("/crash")(crash)
    app.get("/left")(left)
    app.get("/fine")(fine)
    transport = httpx.ASGITransport(finished(app, Services(Config())))
    async with httpx.AsyncClient(transport=transport, base_url="http://losi") as client:
        yield client


async def test_a_crash_is_a_500_in_our_envelope_that_browsers_can_read(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    response = await http.get("/crash", headers={"Origin": "https://app.example.com"})

    error = response.json()["error"]
    assert response.status_code == 500
    assert (error["type"], error["code"]) == ("server_error", "internal_error")
    assert response.headers["x-request-id"] in error["message"]
    assert response.headers["access-control-allow-origin"] == "*"


async def test_a_client_that_left_while_it_was_read_is_no_fault_of_ours(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    missed = contextlib.suppress(AssertionError)  # httpx's transport wants an answer
    with written_lines() as written, caplog.at_level(logging.INFO), missed:
        await http.get("/left")

    (line,) = written
    assert (line["endpoint"], line["status"], line["error"]) == ("left", None, None)
    assert "the client went away" in caplog.text and "failed" not in caplog.text


async def test_a_crash_is_logged_by_its_place_and_not_by_its_words(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        response = await http.get("/crash")

    assert response.headers["x-request-id"] in caplog.text
    assert "RuntimeError at" in caplog.text and "test_app:" in caplog.text
    assert SECRET not in caplog.text + response.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/fine", 200),
        ("GET", "/nowhere", 404),
        ("PUT", "/fine", 405),
        ("GET", "/crash", 500),
    ],
)
async def test_every_response_has_an_id_of_its_own(
    http: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    one, other = await http.request(method, path), await http.request(method, path)

    assert one.status_code == status
    assert one.headers["x-request-id"].startswith("req_")
    assert one.headers["x-request-id"] != other.headers["x-request-id"]
    assert one.headers["openai-version"] == "2020-10-01"


async def test_a_preflight_has_one_too(http: httpx.AsyncClient) -> None:
    asked = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "GET"}

    response = await http.options("/fine", headers=asked)

    assert response.status_code == 200
    assert response.headers["x-request-id"].startswith("req_")


async def test_browsers_may_read_our_headers(http: httpx.AsyncClient) -> None:
    page = {"Origin": "https://app.example.com"}
    # only OPTIONS asks first, whatever other requests carry
    response = await http.get("/fine", headers={**page, "Access-Control-Request-Method": "GET"})

    exposed = response.headers["access-control-expose-headers"].split(", ")
    assert set(EXPOSED) == set(exposed)


@pytest.mark.parametrize(
    ("support", "words"),
    [("", "contact support with"), ("help@example.com", "contact support at help@example.com")],
)
async def test_a_crash_says_where_help_is(support: str, words: str) -> None:
    app = declared([])
    app.get("/crash")(crash)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(finished(app, Services(Config(support=support)))),
        base_url="http://losi",
    ) as client:
        assert words in (await client.get("/crash")).json()["error"]["message"]
