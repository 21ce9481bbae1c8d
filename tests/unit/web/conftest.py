"""The API of `losi.web` on this test's table, and a key with every permission."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import httpx
import pytest

from losi.identity.authenticator import Authenticator
from losi.identity.principal import Principal
from losi.identity.secret import Secret
from losi.management.accounts import Accounts, NewKey
from losi.store import client as store
from losi.web import chat_completions, dependencies
from losi.web.app import create_app
from losi.web.endpoints import FUNCTIONS
from tests.api_description import check_answer

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

from tests.unit.web.api_keys_world import ALL, Api


@pytest.fixture
def accounts(client: DynamoDBClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[Accounts]:
    """The app's own, on this test's table."""
    monkeypatch.setattr(store, "client", lambda: client)
    made = (
        dependencies.ledger,
        dependencies.accounts,
        dependencies.authenticator,
        dependencies.gate,
        chat_completions.chat_completions,
    )
    for function in made:
        function.cache_clear()
    yield dependencies.accounts()
    for function in made:
        function.cache_clear()


@pytest.fixture
def account_id(accounts: Accounts) -> str:
    return accounts.create_account("ultra").id


@pytest.fixture
def secret(accounts: Accounts, account_id: str) -> Secret:
    return accounts.create_key(account_id, NewKey("admin", ALL))[1]


@pytest.fixture
def principal(authenticator: Authenticator, secret: Secret) -> Principal:
    return authenticator.authenticate(secret)


@pytest.fixture
async def http(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    """The whole API without a key; every answer must be one that openapi.json documents."""
    monkeypatch.setenv("LOSI_SANDBOX_FALLBACK", "1")
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=create_app(*FUNCTIONS)),
        base_url="http://api.test",
        event_hooks={"response": [check_answer]},
    ) as client:
        yield client


@pytest.fixture
def api(http: httpx.AsyncClient, secret: Secret) -> Api:
    return Api(http, secret)
