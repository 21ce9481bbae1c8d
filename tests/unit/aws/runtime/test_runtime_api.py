"""The function's side of Lambda's Runtime API, against a server that answers as it is told."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from losi.aws.runtime.runtime_api import LambdaContext, RuntimeApi, RuntimeApiError
from losi.config import Config

NEXT = "/2018-06-01/runtime/invocation/next"
INVOCATION = {
    "Lambda-Runtime-Aws-Request-Id": "id-1",
    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:1:function:f",
    "Lambda-Runtime-Deadline-Ms": "4102444800000",  # in the year 2100
}


class Service:
    """Answers every request with `status`, and notes what was asked."""

    def __init__(self) -> None:
        self.status = 200
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                service.seen.append((self.command, self.path, dict(self.headers), body))
                self.send_response(service.status)
                for name, value in INVOCATION.items():
                    self.send_header(name, value)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            do_GET = do_POST = _answer

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.server_port}"


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    thread = threading.Thread(target=service.server.serve_forever, args=(0.01,))
    thread.start()
    yield service
    service.server.shutdown()
    thread.join()
    service.server.server_close()


async def next_invocation(service: Service) -> tuple[LambdaContext, bytes]:
    api = RuntimeApi(Config(runtime_api=service.address))
    try:
        return await api.next_invocation()
    finally:
        api.close()


async def test_an_invocation_comes_with_its_context(service: Service) -> None:
    context, payload = await next_invocation(service)

    assert payload == b"{}"
    assert context.aws_request_id == "id-1"
    assert context.invoked_function_arn.endswith(":function:f")
    assert context.seconds_left() > 3600
    assert service.seen[0][:2] == ("GET", NEXT)


@pytest.mark.parametrize(("now", "seconds"), [(4102444797.5, 2.5), (4102444801.0, 0.0)])
async def test_its_context_knows_what_time_is_left(
    service: Service, monkeypatch: pytest.MonkeyPatch, now: float, seconds: float
) -> None:
    context, _ = await next_invocation(service)

    monkeypatch.setattr("losi.aws.runtime.runtime_api.time.time", lambda: now)

    assert context.seconds_left() == seconds
    assert context.get_remaining_time_in_millis() == seconds * 1_000


async def test_an_error_is_reported_with_its_type(service: Service) -> None:
    service.status = 202

    api = RuntimeApi(Config(runtime_api=service.address))
    await api.report_error("/init/error", "ImportError", "x" * 1_000)
    api.close()

    method, path, headers, body = service.seen[0]
    assert (method, path) == ("POST", "/2018-06-01/runtime/init/error")
    assert headers["Lambda-Runtime-Function-Error-Type"] == "ImportError"
    error = json.loads(body)
    assert error["errorType"] == "ImportError" and len(error["errorMessage"]) == 500


@pytest.mark.parametrize("status", [300, 403, 500])
async def test_a_refusal_ends_the_process(service: Service, status: int) -> None:
    service.status = status
    api = RuntimeApi(Config(runtime_api=service.address))

    for call in (
        api.next_invocation,
        api.wait_for_restore,
        lambda: api.report_error("/init/error", "ImportError", "x"),
    ):
        with pytest.raises(RuntimeApiError, match=str(status)):
            await call()
    api.close()
