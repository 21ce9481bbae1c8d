"""The API of `losi.web` on this test's table, and a key with every permission."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import cache
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.applications import Starlette

from losi.config import Config
from losi.identity.key import NewKey
from losi.identity.principal import Principal
from losi.identity.secret import Secret
from losi.management.accounts import Accounts
from losi.web.app import create_app
from losi.web.dependencies import Services
from losi.web.endpoints import FUNCTIONS
from tests.api_description import check_answer

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

from local.sign_in import add_demo_sign_in
from tests.contract.web.api_keys_world import ALL, Api
from tests.dynamodb_client import TABLE
from tests.over_boto3 import OverBoto3

#: What a browser sends from a page of the console.
ORIGIN = "http://127.0.0.1:3000"
WRITE = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin", "X-Losi-Console": "1"}


@pytest.fixture
def services(client: DynamoDBClient) -> Services:
    """The app's own, on this test's table; the sandbox answers for every model."""
    made = Services(Config(table=TABLE, sandbox_fallback=True))
    made.client = client
    made.dynamodb = made.settling_dynamodb = OverBoto3(client)
    return made


@pytest.fixture
def accounts(services: Services) -> Accounts:
    return services.accounts


@pytest.fixture
def account_id(accounts: Accounts) -> str:
    return accounts.create_account("ultra").id


def app_of(services: Services) -> Starlette:
    """The whole API on these services."""
    app = _app()
    app.state.services = services
    return app


@cache
def _app() -> Starlette:
    """One for all tests: FastAPI takes longer to read our declarations than a test takes."""
    return create_app(*FUNCTIONS, services=Services(Config(table=TABLE)))


@pytest.fixture
async def visitor(services: Services, account_id: str) -> AsyncIterator[httpx.AsyncClient]:
    """A browser at the console of `make run`, not signed in."""
    app = app_of(services)
    add_demo_sign_in(app, account_id)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=WRITE) as http:
        yield http
    app.router.routes.pop()  # the demo account is this test's


@pytest.fixture
async def browser(visitor: httpx.AsyncClient) -> httpx.AsyncClient:
    """A browser that is signed in to the console."""
    await visitor.post("/api/v1/session/demo")
    return visitor


@pytest.fixture
def secret(accounts: Accounts, account_id: str) -> Secret:
    return accounts.create_key(account_id, NewKey("admin", ALL))[1]


@pytest.fixture
def principal(services: Services, secret: Secret) -> Principal:
    return services.authenticator.authenticate(secret)


@pytest.fixture
async def http(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    """The whole API without a key; every answer must be one that openapi.json documents."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app_of(services)),
        base_url="http://api.test",
        event_hooks={"response": [check_answer]},
    ) as client:
        yield client


@pytest.fixture
def api(http: httpx.AsyncClient, secret: Secret) -> Api:
    return Api(http, secret)
