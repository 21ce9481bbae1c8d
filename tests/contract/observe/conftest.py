"""The whole API with a provider on a real socket, and the lines that it writes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from losi.config import Config
from losi.identity.key import NewKey
from losi.identity.principal import PERMISSIONS
from losi.identity.secret import Secret
from losi.web.app import create_app
from losi.web.dependencies import Services
from losi.web.endpoints import FUNCTIONS
from tests.dynamodb_client import TABLE
from tests.fake_upstream import FakeUpstream, Reply
from tests.over_boto3 import OverBoto3
from tests.request_lines import Line, written_lines

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from starlette.types import ASGIApp

#: As they stand in no catalogue, and in no line.
PROVIDER_KEY = "sk-canary-of-the-provider"
NAMESPACE = "losi/test"


@dataclass
class World:
    services: Services
    app: ASGIApp
    http: httpx.AsyncClient
    upstream: FakeUpstream
    secret: Secret
    lines: list[Line]

    async def chat(self, **fields: Any) -> httpx.Response:
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}], **fields}
        return await self.http.post("/api/v1/chat/completions", json=body)


@pytest.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    async with FakeUpstream() as server:
        server.replies = [Reply.json(ANSWER)]
        yield server


@pytest.fixture
def lines() -> Iterator[list[Line]]:
    with written_lines() as found:
        yield found


@pytest.fixture
async def world(
    client: DynamoDBClient, upstream: FakeUpstream, lines: list[Line]
) -> AsyncIterator[World]:
    variables = {"LOSI_OPENAI_BASE_URL": upstream.url, "LOSI_OPENAI_API_KEY": PROVIDER_KEY}
    services = Services(
        Config(table=TABLE, variables=variables, metrics_namespace=NAMESPACE, metrics_details=True)
    )
    services.client = client
    services.dynamodb = services.settling_dynamodb = OverBoto3(client)
    account = services.accounts.create_account("ultra")
    secret = services.accounts.create_key(account.id, NewKey("key", frozenset(PERMISSIONS)))[1]
    app = create_app(*FUNCTIONS, services=services)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app),
        base_url="http://api.test",
        headers={"Authorization": f"Bearer {secret.text}", "User-Agent": "OpenAI/Python 3.54.0"},
    ) as http:
        yield World(services, app, http, upstream, secret, lines)


USAGE = {
    "prompt_tokens": 1_000,
    "completion_tokens": 100,
    "total_tokens": 1_100,
    "prompt_tokens_details": {"cached_tokens": 400},
}
ANSWER = {
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello"},
            "finish_reason": "stop",
        }
    ],
    "usage": USAGE,
}
#: 600 at 2.50, 400 at 1.25 and 100 at 10 dollars a million.
MICRO_USD = 3_000
