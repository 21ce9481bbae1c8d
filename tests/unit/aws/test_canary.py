"""The canary: it asks as a customer would, and counts what fails."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from losi.aws.canary import KEY_VARIABLE, Canary
from losi.config import Config
from losi.observe import lines
from tests.dynamodb_local import free_port

KEY = "losi-test-must-not-be-shown"
MODELS = {"data": [{"id": "embedder", "kind": "embedding"}, {"id": "talker", "kind": "chat"}]}
ANSWER = {"choices": [{"message": {"content": "Hello"}}]}


class Api(BaseHTTPRequestHandler):
    """Answers what a test has put there, and keeps what was asked."""

    answers: dict[str, tuple[int, Any]]
    asked: list[tuple[str, str, Any]]

    def do_GET(self) -> None:
        assert self.path == "/v1/models"
        self._answer(None)

    def do_POST(self) -> None:
        if self.path != "/v1/chat/completions":  # as the API refuses another method
            return self.send_error(405)
        self._answer(json.loads(self.rfile.read(int(self.headers["content-length"]))))

    def _answer(self, body: Any) -> None:
        assert self.headers["content-type"] == "application/json"
        self.asked.append((self.path, self.headers["authorization"], body))
        status, answer = self.answers[self.path]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(answer if isinstance(answer, bytes) else json.dumps(answer).encode())

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def api() -> Iterator[Any]:
    answers = {"/v1/models": (200, MODELS), "/v1/chat/completions": (200, ANSWER)}
    handler = type("OneApi", (Api,), {"answers": answers, "asked": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    handler.url = f"http://127.0.0.1:{server.server_port}/v1"  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield handler
    server.shutdown()
    server.server_close()


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The lines that CloudWatch would read."""
    found: list[dict[str, Any]] = []

    keep = lambda line: found.append(json.loads(orjson.dumps(line)))  # noqa: E731
    monkeypatch.setattr(lines, "to_standard_output", keep)
    return found


def canary(url: str, key: str = KEY) -> Canary:
    variables = {KEY_VARIABLE: key} if key else {}
    return Canary(Config(canary_url=url, variables=variables, metrics_namespace="losi/test"))


def test_it_asks_for_the_models_and_a_completion(api: Any, written: list[dict[str, Any]]) -> None:
    assert canary(api.url)({}, None) == {"failure": None}

    assert [path for path, _, _ in api.asked] == ["/v1/models", "/v1/chat/completions"]
    assert {credential for _, credential, _ in api.asked} == {f"Bearer {KEY}"}
    assert api.asked[1][2] == {
        "model": "talker",
        "messages": [{"role": "user", "content": "Hello"}],
    }
    [line] = written
    assert (line["run"], line["counts"]) == ("canary", {})


def test_it_says_how_long_it_took(
    api: Any, written: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(monotonic=iter([100.0, 102.5]).__next__)
    monkeypatch.setattr("losi.aws.canary.time", clock)

    canary(api.url)({}, None)

    assert written[0]["milliseconds"] == 2_500


def test_an_api_that_says_nothing_is_not_waited_for_without_end(
    written: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("losi.aws.canary.SECONDS", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        told = canary(f"http://127.0.0.1:{silent.getsockname()[1]}")({}, None)["failure"]

    assert told == "/models gave no answer: TimeoutError"


def test_it_logs_what_the_operator_wants() -> None:
    Canary(Config(log_level="ERROR"))
    assert logging.getLogger("losi").level == logging.ERROR

    Canary(Config())
    assert logging.getLogger("losi").level == logging.INFO


@pytest.mark.parametrize(
    ("path", "answer", "failure"),
    [
        ("/v1/models", (503, {}), "/models answered 503"),
        ("/v1/models", (200, {"data": []}), "no chat model"),
        ("/v1/models", (200, []), "AttributeError"),
        ("/v1/chat/completions", (401, {}), "/chat/completions answered 401"),
        ("/v1/chat/completions", (200, b"<html>"), "gave no answer"),
        ("/v1/chat/completions", (200, {"choices": []}), "is no completion"),
    ],
)
def test_a_failure_is_counted_and_named_without_the_key(
    api: Any,
    written: list[dict[str, Any]],
    caplog: pytest.LogCaptureFixture,
    path: str,
    answer: tuple[int, Any],
    failure: str,
) -> None:
    api.answers[path] = answer

    told = canary(api.url)({}, None)["failure"]

    assert failure in told and failure in caplog.text
    assert KEY not in caplog.text + told
    [line] = written
    assert line["losi.canary.failures"] == 1


def test_an_api_that_is_not_there(written: list[dict[str, Any]]) -> None:
    told = canary(f"http://127.0.0.1:{free_port()}")({}, None)["failure"]

    assert told == "/models gave no answer: URLError"


@pytest.mark.parametrize("key", ["", "losi-a-live-key"])
def test_without_a_test_key_nothing_is_asked(
    api: Any, written: list[dict[str, Any]], key: str
) -> None:
    assert "is not set to a test key" in canary(api.url, key)({}, None)["failure"]
    assert api.asked == []
