"""The lean client against an AWS that looks at signatures, clocks and credentials as AWS does."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.utils import format_datetime
from types import SimpleNamespace

import pytest

from losi.http1 import ConnectionLostError
from losi.store.dynamodb import DynamoDB, DynamoDBError
from losi.store.signing import Credentials, signed_headers

REGION = "us-east-1"
#: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv4-troubleshooting.html
MOST_SKEW_SECONDS = 300

Answer = tuple[int, bytes]
DONE: Answer = 200, b'{"Attributes": {}}'


def refusal(code: str) -> Answer:
    told = {"__type": f"com.amazon.coral.service#{code}", "message": "no"}
    return 400, json.dumps(told).encode()


class AWS:
    """DynamoDB, as far as a signature takes it: who signed, when, and with which credentials.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/CommonErrors.html
    """

    def __init__(self) -> None:
        self.credentials = Credentials("AKID", "secret", "token")
        self.ended: set[str] = set()
        self.has_date = True
        self.answer: Answer | None = DONE
        #: What became of each request: "done", or the code of a refusal.
        self.outcomes: list[str] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:-2]
                headers = dict(line.split(": ", 1) for line in head)
                body = await reader.readexactly(int(headers["content-length"]))
                if (answer := self._answer(headers, body)) is None:
                    continue
                status, raw = answer
                date = f"date: {format_datetime(datetime.now(UTC), usegmt=True)}\r\n"
                writer.write(
                    f"HTTP/1.1 {status} X\r\n{date if self.has_date else ''}"
                    f"content-length: {len(raw)}\r\n\r\n".encode()
                    + raw
                )
        except asyncio.IncompleteReadError:
            writer.close()

    def _answer(self, headers: dict[str, str], body: bytes) -> Answer | None:
        code = self._mistake(headers, body)
        self.outcomes.append(code or "done")
        return refusal(code) if code else self.answer

    def _mistake(self, headers: dict[str, str], body: bytes) -> str | None:
        stamp = datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        signed_at, token = stamp.timestamp(), headers.get("x-amz-security-token", "")
        if token in self.ended:
            return "ExpiredTokenException"
        if token != self.credentials.token:
            return "UnrecognizedClientException"
        right = signed_headers(
            headers["host"], headers["x-amz-target"], body, REGION, self.credentials, signed_at
        )
        if abs(time.time() - signed_at) > MOST_SKEW_SECONDS:
            return "InvalidSignatureException"
        return None if headers["authorization"] == right["authorization"] else "InvalidSignature"


@pytest.fixture
async def aws(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AWS]:
    aws = AWS()
    hold(monkeypatch, aws.credentials)
    server = await asyncio.start_server(aws.serve, "127.0.0.1", 0)
    aws.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield aws
    server.close()


def hold(monkeypatch: pytest.MonkeyPatch, credentials: Credentials) -> None:
    """What Lambda puts into a function's environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", credentials.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", credentials.secret_key)
    monkeypatch.setenv("AWS_SESSION_TOKEN", credentials.token or "")


@pytest.fixture
async def dynamodb(aws: AWS) -> AsyncIterator[DynamoDB]:
    client = DynamoDB(REGION, aws.url)
    yield client
    client.close()
    await asyncio.sleep(0)  # lets the transports end


@pytest.mark.parametrize("seconds", [-900, -301, -299, 0, 299, 301, 86_400])
async def test_a_clock_that_is_wrong_is_corrected_once(
    aws: AWS, dynamodb: DynamoDB, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    """Of a process that slept, or a machine whose clock nobody sets."""
    now = time.time
    clock = SimpleNamespace(time=lambda: now() + seconds)
    monkeypatch.setattr("losi.store.dynamodb.time", clock)

    for _ in range(2):
        assert await dynamodb.call("UpdateItem", {}) == {"Attributes": {}}

    refused = ["InvalidSignatureException"] if abs(seconds) > MOST_SKEW_SECONDS else []
    assert aws.outcomes == [*refused, "done", "done"]


async def test_credentials_that_have_ended_are_read_again(
    aws: AWS, dynamodb: DynamoDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    await dynamodb.call("UpdateItem", {})
    aws.ended.add("token")
    aws.credentials = Credentials("AKID2", "secret2", "token2")
    hold(monkeypatch, aws.credentials)

    for _ in range(2):
        await dynamodb.call("UpdateItem", {})

    assert aws.outcomes == ["done", "ExpiredTokenException", "done", "done"]


@pytest.mark.parametrize("has_date", [True, False])
async def test_credentials_that_are_good_for_nothing_are_tried_twice(
    aws: AWS, dynamodb: DynamoDB, has_date: bool
) -> None:
    aws.credentials, aws.has_date = Credentials("AKID2", "secret2", "token2"), has_date

    with pytest.raises(DynamoDBError, match="UnrecognizedClientException"):
        await dynamodb.call("UpdateItem", {})

    assert aws.outcomes == ["UnrecognizedClientException"] * 2


@pytest.mark.parametrize(
    "code", ["ThrottlingException", "ConditionalCheckFailedException", "InternalServerError"]
)
async def test_any_other_refusal_is_for_the_caller_who_knows_what_another_try_is_worth(
    aws: AWS, dynamodb: DynamoDB, code: str
) -> None:
    aws.answer = refusal(code)

    with pytest.raises(DynamoDBError) as caught:
        await dynamodb.call("UpdateItem", {})

    assert (caught.value.code, caught.value.status) == (code, 400)
    assert aws.outcomes == ["done"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, b"<html>"), "is not JSON"),
        ((503, b""), "is not JSON"),
        ((200, b"[1]"), "is no object"),
    ],
)
async def test_what_dynamodb_never_says_is_a_lost_answer(
    aws: AWS, dynamodb: DynamoDB, answer: Answer, said: str
) -> None:
    aws.answer = answer

    with pytest.raises(ConnectionLostError, match=said):
        await dynamodb.call("UpdateItem", {})


async def test_an_answer_is_waited_for_so_long(
    aws: AWS, dynamodb: DynamoDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    await dynamodb.call("UpdateItem", {})  # connects, which a slow machine may not do in time
    monkeypatch.setattr(dynamodb, "_seconds", 0.05)
    aws.answer = None

    with pytest.raises(ConnectionLostError, match="did not answer in time"):
        await dynamodb.call("UpdateItem", {})


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-central-1", "dynamodb.eu-central-1.amazonaws.com"),
        ("cn-north-1", "dynamodb.cn-north-1.amazonaws.com.cn"),
    ],
)
async def test_without_an_endpoint_it_is_aws_s_own_over_tls(
    monkeypatch: pytest.MonkeyPatch, region: str, host: str
) -> None:
    hold(monkeypatch, Credentials("AKID", "secret", "token"))
    asked: list[str] = []

    async def request(_client: object, method: str, url: str, *_: object) -> None:
        asked.append(f"{method} {url}")
        raise ConnectionLostError

    monkeypatch.setattr("losi.http1.Client.request", request)

    with pytest.raises(ConnectionLostError):
        await DynamoDB(region).call("UpdateItem", {})

    assert asked == [f"POST https://{host}/"]
