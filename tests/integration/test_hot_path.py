"""What a metered request may not cost: counted, never timed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from losi.identity.key import NewKey
from losi.management.accounts import Accounts
from losi.metering.books import Books
from tests.catalogue import CATALOGUE
from tests.dynamodb_local import dynamodb_environment

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ROOT = Path(__file__).parents[2]

#: Serves three requests as a deployed function does, and reports the statuses, what was imported,
#: the second one's calls of the store (operation, bytes sent, bytes received), and how many Python
#: functions the third one called, and how many timers it made.
PROBE = """
import asyncio, json, sys

from functions.chat_completions.app import app
from losi.store.dynamodb import DynamoDB

post, calls = DynamoDB._post, []

async def counted(self, headers, body):
    response, raw = await post(self, headers, body)
    calls.append((headers["x-amz-target"].partition(".")[2], len(body), len(raw)))
    return response, raw

DynamoDB._post = counted

async def main():
    body = json.dumps({
        "model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}],
        "stream": sys.argv[2] == "stream",
    }).encode()
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1",
        "method": "POST", "scheme": "https", "path": "/api/v1/chat/completions", "root_path": "",
        "raw_path": b"/api/v1/chat/completions", "query_string": b"", "server": None,
        "client": ("127.0.0.1", 1), "headers": [
            (b"authorization", b"Bearer " + sys.argv[1].encode()),
            (b"content-type", b"application/json"),
        ],
    }
    statuses = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        statuses.append(message.get("status"))

    await app(dict(scope), receive, send)
    calls.clear()
    await app(dict(scope), receive, send)
    told_calls = list(calls)
    loop, functions, timers = asyncio.get_running_loop(), 0, 0
    call_at = loop.call_at

    def timed(*arguments, **named):
        nonlocal timers
        timers += 1
        return call_at(*arguments, **named)

    def profiled(frame, event, argument):
        nonlocal functions
        functions += event == "call"

    loop.call_at = timed
    sys.setprofile(profiled)
    await app(dict(scope), receive, send)
    sys.setprofile(None)
    told = {"statuses": [one for one in statuses if one], "modules": list(sys.modules)}
    print(json.dumps({**told, "calls": told_calls, "functions": functions, "timers": timers}))

asyncio.run(main())
"""


#: Bytes of a request's two writes and their answers, for an account with one key and one model;
#: 2,800 were counted.
MOST_STORE_BYTES = 3_000
#: About a third more than was counted.
MOST_FUNCTIONS = {"stream": 2_200, "plain": 1_160}
#: The timer that all time limits share may have to be set for an earlier one.
MOST_TIMERS = 1


@pytest.fixture(params=["stream", "plain"])
def told(
    request: pytest.FixtureRequest,
    dynamodb: DynamoDBClient,
    dynamodb_endpoint: str,
    losi_table: str,
) -> Any:
    """What the probe reports."""
    accounts = Accounts(dynamodb, losi_table, Books(dynamodb, losi_table), CATALOGUE.plans)
    account = accounts.create_account("ultra")
    new = NewKey("one", frozenset({"chat.completions"}), test=True)
    _, secret = accounts.create_key(account.id, new)

    ran = subprocess.run(
        [sys.executable, "-c", PROBE, secret.text, request.param],
        env={
            **os.environ,
            **dynamodb_environment(dynamodb_endpoint, losi_table),
            "LOSI_SETTLEMENTS_QUEUE": "http://127.0.0.1:1/queue",  # as deployed; it is not called
            "PYTHONPATH": f"{ROOT / 'shared'}:{ROOT}",
        },
        capture_output=True,
        text=True,
    )

    told = json.loads(ran.stdout.splitlines()[-1]) if ran.returncode == 0 else {}
    assert told.get("statuses") == [200, 200, 200], ran.stderr
    return {**told, "kind": request.param}


def test_a_metered_request_imports_neither_boto3_nor_httpx(told: Any) -> None:
    packages = {name.partition(".")[0] for name in told["modules"]}
    assert packages & {"boto3", "botocore", "httpx", "h11", "aws_lambda_powertools"} == set()


def test_a_metered_request_is_two_short_writes_to_the_store(told: Any) -> None:
    """Fails when a key is read again for each request (`Authenticator.known` returns None), or when
    every write asks for the whole item (`ReturnValues` in `DynamoDBWrites.update`).
    """
    assert [operation for operation, _, _ in told["calls"]] == ["UpdateItem", "UpdateItem"]
    assert sum(sent + received for _, sent, received in told["calls"]) <= MOST_STORE_BYTES
    assert told["calls"][1][2] == len("{}"), "only the admission tells what is left of the limits"


def test_a_metered_request_calls_few_functions_and_makes_few_timers(told: Any) -> None:
    """Fails when a time limit has a timer of its own again (`asyncio.timeout`), or when a layer is
    put around the app that every message passes.
    """
    assert told["functions"] <= MOST_FUNCTIONS[told["kind"]]
    assert told["timers"] <= MOST_TIMERS
