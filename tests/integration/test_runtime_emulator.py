"""The streaming runtime under AWS's own Runtime Interface Emulator, the Go code of Lambda itself.

It buffers what the runtime streams, so this proves the protocol; tests/e2e proves the streaming.
"""

import base64
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.listening import wait_until_listening
from losi.aws.runtime.response_stream import DELIMITER
from tests.dynamodb_local import free_port
from tests.obtain import skip_or_fail

ROOT = Path(__file__).parents[2]
WRAPPER = ROOT / "shared/losi/aws/runtime/exec-wrapper"
HANDLERS = ROOT / "tests/front_door/handlers"
ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64"}
TIMEOUT_SECONDS = 2


def find_emulator() -> Path:
    name = f"aws-lambda-rie-{ARCHITECTURES.get(platform.machine())}"
    folders = ROOT.glob(".venv-sam/lib/python*/site-packages/samcli/local/rapid")
    for folder in folders:
        if (folder / name).exists():
            return folder / name
    skip_or_fail(f"the SAM CLI, which carries {name}, is missing: run `make .venv-sam`")


def proxy_event(path: str) -> dict[str, Any]:
    context = {"stage": "prod"}
    return {"httpMethod": "GET", "resource": path, "path": path, "requestContext": context}


class Emulator:
    def __init__(self, url: str) -> None:
        self._url = url

    def invoke(self, event: Any) -> bytes:
        url = f"{self._url}/2015-03-31/functions/function/invocations"
        return httpx.post(url, content=json.dumps(event), timeout=60).content

    def get(self, path: str, **changes: Any) -> tuple[dict[str, Any], bytes]:
        """Metadata and body of the streamed response."""
        answer = self.invoke(proxy_event(path) | changes)
        metadata, delimiter, body = answer.partition(DELIMITER)
        assert delimiter == DELIMITER, metadata
        decoded: dict[str, Any] = json.loads(metadata)
        return decoded, body


@contextmanager
def running(folder: str, env: Mapping[str, str] | None = None) -> Iterator[Emulator]:
    port = free_port()
    addresses = {"interface-emulator": port, "api": free_port()}
    options = [f"--runtime-{name}-address=127.0.0.1:{at}" for name, at in addresses.items()]
    stock = [sys.executable, "-m", "awslambdaric", "app.handler"]
    directory = HANDLERS / folder
    process = subprocess.Popen(
        [find_emulator(), *options, WRAPPER, *stock],
        cwd=directory,
        env={
            **os.environ,
            "_HANDLER": "app.handler",
            "LAMBDA_TASK_ROOT": str(directory),
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(TIMEOUT_SECONDS),
            **(env or {}),
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_listening(process, port, "the emulator")
        yield Emulator(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with running("streaming") as emulator:
        yield emulator


def test_a_response_is_metadata_and_body(emulator: Emulator) -> None:
    assert emulator.get("/empty-chunks") == (
        {"statusCode": 200, "headers": {"content-type": "text/plain"}},
        b"one two",
    )


def test_cookies_and_repeated_headers_survive(emulator: Emulator) -> None:
    metadata, body = emulator.get("/many-headers")

    assert metadata["cookies"] == ["a=1; Path=/", "b=2"]
    assert metadata["multiValueHeaders"] == {"x-many": ["one", "two"]}
    assert (metadata["statusCode"], body) == (201, b"")


def test_the_app_sees_the_request(emulator: Emulator) -> None:
    body = base64.b64encode(b"\xff").decode()

    _, answer = emulator.get("/a", httpMethod="POST", body=body, isBase64Encoded=True)

    seen = json.loads(answer)
    assert (seen["method"], seen["path"]) == ("POST", "/a")
    assert base64.b64decode(seen["body"]) == b"\xff"
    assert seen["time_is_left"]


def test_one_process_serves_one_after_another(emulator: Emulator) -> None:
    (_, first), (_, second) = emulator.get("/echo"), emulator.get("/echo")

    assert json.loads(first)["pid"] == json.loads(second)["pid"]
    assert json.loads(first)["request_id"] != json.loads(second)["request_id"]


@pytest.mark.parametrize("path", ["/crash-before", "/crash-in-events", "/crash-in-text"])
def test_a_failing_app_leaves_the_runtime_in_order(emulator: Emulator, path: str) -> None:
    _, before = emulator.get("/echo")

    emulator.get(path)

    _, after = emulator.get("/echo")
    assert json.loads(after)["pid"] == json.loads(before)["pid"]


def test_the_deadline_is_answered_before_lambda_acts(emulator: Emulator) -> None:
    metadata, body = emulator.get("/hang")

    assert metadata["statusCode"] == 504
    assert json.loads(body)["error"]["code"] == "timeout"


def test_lambda_ends_an_app_that_does_not_stop(emulator: Emulator) -> None:
    _, before = emulator.get("/echo")

    assert b"timed out" in emulator.invoke(proxy_event("/hang-deaf"))

    _, after = emulator.get("/echo")
    assert json.loads(after)["pid"] != json.loads(before)["pid"]


def test_a_malformed_event_is_a_function_error(emulator: Emulator) -> None:
    error = json.loads(emulator.invoke([]))

    assert error["errorType"] == "MalformedEventError"
    assert "not a JSON object" in error["errorMessage"]


def test_an_init_error_is_reported() -> None:
    with running("broken") as emulator:
        error = json.loads(emulator.invoke({}))

    assert error["errorType"] == "Runtime.ImportError"
    assert error["errorMessage"] == "no module named nowhere"


def test_under_sam_local_pythons_own_runtime_answers_in_one_json() -> None:
    with running("streaming", {"AWS_SAM_LOCAL": "true"}) as emulator:
        answer = json.loads(emulator.invoke(proxy_event("/empty-chunks")))

    assert answer["statusCode"] == 200
    assert answer["body"] == "one two"
