"""The streaming runtime as a client sees it: real processes behind the test front door."""

import base64
import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from losi.web.parsing import TOO_LARGE
from tests.front_door import FrontDoor, Function, Upstream

HANDLERS = Path(__file__).parents[1] / "front_door/handlers"
STREAMING = Function("streaming", HANDLERS / "streaming", streaming=True)
BUFFERED = Function("buffered", HANDLERS / "buffered")
ROUTES = {
    "ANY /{path}": STREAMING,
    "ANY /{path}/{more}": STREAMING,
    "POST /buffered/{path}": BUFFERED,
}
SECRET = "a prompt that must not be logged"


@pytest.fixture(scope="module")
def door() -> Iterator[FrontDoor]:
    with FrontDoor({**ROUTES}, concurrency=1) as door:
        yield door


@pytest.fixture(scope="module")
def hasty_door() -> Iterator[FrontDoor]:
    """Its functions have few seconds; the last half one is the runtime's own."""
    with FrontDoor({"ANY /{path}": STREAMING}, concurrency=1, timeout_s=4) as door:
        yield door


@pytest.fixture
def client(door: FrontDoor) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=door.url, timeout=30) as client:
        yield client


def error_of(response: httpx.Response) -> dict[str, Any]:
    (name,) = response.json()
    assert name == "error"
    error: dict[str, Any] = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


def header_values(seen: dict[str, Any], name: str) -> list[str]:
    return [value for key, value in seen["headers"] if key == name]


class TestRequest:
    def test_reaches_the_app_as_the_client_sent_it(self, client: httpx.Client) -> None:
        headers = [("X-Twice", "1"), ("X-Twice", "2"), ("Cookie", "a=1; b=2")]

        response = client.post("/a%20b/c.d?x=1&x=2&y=%26", headers=headers, content='{"ä": 1}')

        seen = response.json()
        assert (seen["method"], seen["path"], seen["raw_path"]) == (
            "POST",
            "/a b/c.d",
            "/a%20b/c.d",
        )
        assert seen["query"] == "x=1&x=2&y=%26"
        assert header_values(seen, "x-twice") == ["1", "2"]
        assert header_values(seen, "cookie") == ["a=1; b=2"]
        assert base64.b64decode(seen["body"]).decode() == '{"ä": 1}'
        assert response.headers["content-type"] == "application/json"
        assert "content-length" not in response.headers, "a stream has no length"

    def test_carries_the_event_and_context_of_lambda(
        self, door: FrontDoor, client: httpx.Client
    ) -> None:
        seen = client.get("/echo").json()

        invocation = door.invocations("streaming")[-1]
        assert seen["request_id"] == invocation.request_id
        assert seen["stage"] == "prod"
        assert seen["time_is_left"]
        assert seen["trace_id"] == f"Root=1-5bef4de7-{invocation.trace}"
        assert seen["trace_of_the_process"] is None, "a process has many at once"

    def test_may_have_a_binary_body(self, client: httpx.Client) -> None:
        seen = client.post("/echo", content=b"\xff\x00\xfe").json()

        assert base64.b64decode(seen["body"]) == b"\xff\x00\xfe"

    def test_one_process_serves_one_after_another(self, client: httpx.Client) -> None:
        assert client.get("/echo").json()["pid"] == client.get("/echo").json()["pid"]


class TestResponse:
    def test_arrives_chunk_by_chunk(self, door: FrontDoor, client: httpx.Client) -> None:
        """Each chunk is seen by the client before the upstream gives the next one away."""
        with Upstream() as upstream, client.stream("GET", f"/relay?port={upstream.port}") as answer:
            assert answer.status_code == 200  # before anything was released
            events = answer.iter_text()
            for text in ("one", "two", "three"):
                upstream.release(text)
                assert next(events) == f"data: {text}\n\n"
            upstream.close()
            assert list(events) == []

    def test_has_status_cookies_and_repeated_headers(self, client: httpx.Client) -> None:
        response = client.get("/many-headers")

        assert response.status_code == 201
        assert response.headers.get_list("set-cookie") == ["a=1; Path=/", "b=2"]
        assert response.headers.get_list("x-many") == ["one", "two"]
        assert response.content == b""

    def test_is_not_ended_by_an_empty_chunk(self, client: httpx.Client) -> None:
        assert client.get("/empty-chunks").text == "one two"

    def test_to_head_has_no_body(self, door: FrontDoor, client: httpx.Client) -> None:
        response = client.head("/echo")

        assert (response.status_code, response.content) == (200, b"")
        door.wait_idle()
        assert door.invocations("streaming")[-1].error_type is None

    def test_whose_headers_pass_16_kb_is_refused_by_the_gateway(self, client: httpx.Client) -> None:
        response = client.get("/huge-header")

        assert response.status_code == 502
        assert error_of(response)["type"] == "server_error"


class TestBufferedFunction:
    def test_is_served_by_the_runtime_of_lambda(self, client: httpx.Client) -> None:
        response = client.post("/buffered/a", content=b"\xff")

        assert response.text == "POST /buffered/a /w=="
        assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]

    def test_that_fails_is_a_502_in_our_envelope(self, client: httpx.Client) -> None:
        response = client.post("/buffered/crash")

        assert error_of(response)["type"] == "server_error"


class TestGateway:
    def test_knows_no_other_path(self, client: httpx.Client) -> None:
        response = client.get("/a/b/c/d")

        assert response.status_code == 404
        assert error_of(response)["code"] == "unknown_url"

    @pytest.mark.parametrize(
        ("fits", "too_large"),
        [
            pytest.param(b"x" * 6_200_000, b"x" * 6_300_000, id="Lambda's event"),
            pytest.param(b'"' * 3_100_000, b'"' * 3_150_000, id="its escapes"),
            pytest.param(b"", b"x" * 10_500_000, id="API Gateway's request"),
        ],
    )
    def test_takes_what_lambda_takes_and_no_more(
        self, client: httpx.Client, fits: bytes, too_large: bytes
    ) -> None:
        response = client.post("/echo", content=too_large)

        assert client.post("/echo", content=fits).status_code == 200
        assert response.status_code == 413
        assert error_of(response)["code"] == "request_too_large"
        assert error_of(response)["message"] == TOO_LARGE


class TestFailure:
    def test_before_the_first_byte_is_a_500(self, door: FrontDoor, client: httpx.Client) -> None:
        response = client.get("/crash-before")

        assert response.status_code == 500
        assert error_of(response)["code"] == "internal_error"

    def test_in_an_event_stream_is_its_last_event(self, client: httpx.Client) -> None:
        first, last, rest = client.get("/crash-in-events").text.split("\n\n")

        assert (first, rest) == ("data: one", "")
        assert json.loads(last.removeprefix("data: "))["error"]["type"] == "server_error"

    def test_in_any_other_stream_cuts_the_connection(
        self, door: FrontDoor, client: httpx.Client
    ) -> None:
        with (
            pytest.raises(httpx.RemoteProtocolError, match="incomplete"),
            client.stream("GET", "/crash-in-text") as answer,
        ):
            chunks = answer.iter_text()
            assert next(chunks) == "half of"
            next(chunks)

        door.wait_idle()
        invocation = door.invocations("streaming")[-1]
        assert invocation.error_type == "ValueError"
        assert SECRET not in invocation.error_message

    def test_is_logged_in_one_line_with_the_place_and_without_the_message(
        self, door: FrontDoor, client: httpx.Client
    ) -> None:
        client.get("/crash-before")
        door.wait_idle()

        line = json.loads(door.logs("streaming")[-1])
        assert (line["level"], line["errorType"]) == ("ERROR", "ValueError")
        assert "in crash_before" in line["location"][-1]
        assert line["requestId"] == door.invocations("streaming")[-1].request_id
        assert not any(SECRET in line for line in door.logs("streaming"))

    def test_to_answer_is_a_500(self, client: httpx.Client) -> None:
        assert client.get("/no-answer").status_code == 500

    @pytest.mark.parametrize(
        "payload", [b"[]", b'"text"', b"{}", b'{"httpMethod": "GET", "path": "/", "headers": 1}']
    )
    def test_to_send_an_event_of_api_gateway_is_reported_to_lambda(
        self, door: FrontDoor, payload: bytes
    ) -> None:
        invocation = door.invoke("streaming", payload)

        assert invocation.error_type == "MalformedEventError"

    def test_to_send_the_base64_one_promised_is_a_400(self, door: FrontDoor) -> None:
        event = {"httpMethod": "POST", "path": "/echo", "body": "%%%", "isBase64Encoded": True}

        invocation = door.invoke("streaming", json.dumps(event).encode())

        assert invocation.error_type is None
        assert b'"statusCode": 400' in invocation.response


class TestDeadline:
    def test_before_the_first_byte_is_a_504(self, hasty_door: FrontDoor) -> None:
        response = httpx.get(f"{hasty_door.url}/hang", timeout=30)

        assert response.status_code == 504
        assert error_of(response)["code"] == "timeout"
        assert response.headers["x-should-retry"] == "false"

    def test_in_an_event_stream_is_its_last_event(self, hasty_door: FrontDoor) -> None:
        text = httpx.get(f"{hasty_door.url}/hang-in-events", timeout=30).text

        first, last, rest = text.split("\n\n")
        assert (first, rest) == ("data: one", "")
        assert json.loads(last.removeprefix("data: "))["error"]["code"] == "timeout"

    def test_leaves_the_process_in_order(self, hasty_door: FrontDoor) -> None:
        before = httpx.get(f"{hasty_door.url}/echo", timeout=30).json()["pid"]
        httpx.get(f"{hasty_door.url}/hang", timeout=30)

        assert httpx.get(f"{hasty_door.url}/echo", timeout=30).json()["pid"] == before

    def test_answers_for_an_app_that_does_not_stop_and_lambda_then_ends_it(
        self, hasty_door: FrontDoor
    ) -> None:
        before = httpx.get(f"{hasty_door.url}/echo", timeout=30).json()["pid"]

        response = httpx.get(f"{hasty_door.url}/hang-deaf", timeout=30)

        assert response.status_code == 504
        assert httpx.get(f"{hasty_door.url}/echo", timeout=30).json()["pid"] != before


class TestDisconnect:
    def test_of_the_client_lets_the_function_run_to_its_end(self, door: FrontDoor) -> None:
        with Upstream() as upstream:
            host, port = door.url.removeprefix("http://").split(":")
            with socket.create_connection((host, int(port))) as client:
                client.sendall(f"GET /relay?port={upstream.port} HTTP/1.1\r\n".encode())
                client.sendall(b"Host: front-door\r\n\r\n")
                upstream.release("one")
                received = b""
                while b"data: one" not in received:
                    received += client.recv(65536)
            upstream.release("two")
            upstream.close()

            assert upstream.heard() == "read to the end"
        door.wait_idle()
        invocation = door.invocations("streaming")[-1]
        assert invocation.error_type is None
        assert b"data: two" in invocation.response

    def test_by_kill_9_cuts_the_stream_and_the_next_request_gets_a_fresh_process(
        self, door: FrontDoor, client: httpx.Client
    ) -> None:
        before = client.get("/echo").json()["pid"]
        with (
            Upstream() as upstream,
            pytest.raises(httpx.RemoteProtocolError, match="incomplete"),
            client.stream("GET", f"/relay?port={upstream.port}") as answer,
        ):
            events = answer.iter_text()
            upstream.release("one")
            assert next(events) == "data: one\n\n"
            door.kill("streaming")
            next(events)

        assert client.get("/echo").json()["pid"] != before

    def test_by_a_crash_before_the_first_byte_is_a_502(
        self, door: FrontDoor, client: httpx.Client
    ) -> None:
        response = client.get("/exit")

        assert response.status_code == 502
        assert error_of(response)["type"] == "server_error"
        assert door.invocations("streaming")[-1].error_type == "Runtime.ExitError"
        assert client.get("/echo").status_code == 200


class TestShutdown:
    def test_sigterm_ends_an_idle_process(self, door: FrontDoor, client: httpx.Client) -> None:
        before = client.get("/echo").json()["pid"]

        door.kill("streaming", signal.SIGTERM)

        assert door.wait_exit("streaming") == 0
        assert client.get("/echo").json()["pid"] != before

    def test_sigterm_lets_a_busy_process_finish_its_response(
        self, door: FrontDoor, client: httpx.Client
    ) -> None:
        with Upstream() as upstream, client.stream("GET", f"/relay?port={upstream.port}") as answer:
            events = answer.iter_text()
            upstream.release("one")
            assert next(events) == "data: one\n\n"
            door.kill("streaming", signal.SIGTERM)
            upstream.release("two")
            assert next(events) == "data: two\n\n"
            upstream.close()
            assert list(events) == []

        assert door.wait_exit("streaming") == 0


class TestInit:
    def test_error_is_reported_and_the_client_gets_a_502(self) -> None:
        broken = Function("broken", HANDLERS / "broken", streaming=True)
        with FrontDoor({"GET /": broken}) as door:
            response = httpx.get(door.url, timeout=30)

            assert response.status_code == 502
            invocation = door.invocations("broken")[-1]
            assert invocation.error_type == "Runtime.ImportError"
            assert invocation.error_message == "no module named nowhere"

    @pytest.mark.parametrize("handler", ["app", "app.nothing", "nowhere.handler"])
    def test_error_in_the_name_of_the_handler_is_reported(self, handler: str) -> None:
        wrong = Function("wrong", HANDLERS / "streaming", streaming=True, handler=handler)
        with FrontDoor({"GET /": wrong}) as door:
            assert httpx.get(door.url, timeout=30).status_code == 502
            assert (door.invocations("wrong")[-1].error_type or "").startswith("Runtime.")


class TestSnapStart:
    ENV = {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}  # noqa: RUF012
    FUNCTION = Function("snapshot", HANDLERS / "snapshot", streaming=True)

    def test_hooks_run_around_the_snapshot(self) -> None:
        with FrontDoor({"GET /": self.FUNCTION}, env=self.ENV) as door:
            assert httpx.get(door.url, timeout=30).text == "restored"

            expected = ["before 2", "before 1", "RESTORE_START", "after 1", "after 2"]
            assert sorted(door.logs("snapshot")) == sorted(expected)
            assert [line for line in door.logs("snapshot") if line != "RESTORE_START"] == [
                line for line in expected if line != "RESTORE_START"
            ]

    @pytest.mark.parametrize(
        ("hook", "error"),
        [("before 1", "Runtime.BeforeSnapshotError"), ("after 1", "Runtime.AfterRestoreError")],
    )
    def test_failing_hook_is_reported(self, hook: str, error: str) -> None:
        env = {**self.ENV, "LOSI_TEST_HOOK": hook}
        with FrontDoor({"GET /": self.FUNCTION}, env=env) as door:
            assert httpx.get(door.url, timeout=30).status_code == 502

            assert door.invocations("snapshot")[-1].error_type == error
