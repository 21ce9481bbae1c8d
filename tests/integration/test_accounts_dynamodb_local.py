"""Keys under concurrency, on Amazon's DynamoDB Local, from processes of their own.

The warm process serves chat completions as a deployed function does, by the whole app; what the
operator or another key does happens in this process, which shares nothing with it but the table.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from local.table import create_table
from losi.config import read_config
from losi.errors import LosiError
from losi.identity.audit import Actor
from losi.identity.key import NewKey
from losi.identity.principal import PERMISSIONS
from losi.identity.secret import Secret, parse
from losi.management.accounts import Accounts
from losi.metering.books import Books
from losi.store.dynamodb import SendsToDynamoDB
from losi.store.table import Table
from losi.web.app import create_app
from losi.web.dependencies import Services
from tests.catalogue import CATALOGUE
from tests.dynamodb_local import dynamodb_environment
from tests.loose import Json

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ALL = frozenset(PERMISSIONS)
A_KEY = NewKey("a key", ALL)


@pytest.fixture(scope="module")
def losi_table(dynamodb: DynamoDBClient) -> Iterator[str]:
    """One for all tests here, as each has accounts of its own: so one process stays warm."""
    name = f"losi-{uuid.uuid4().hex}"
    create_table(dynamodb, name)
    yield name
    dynamodb.delete_table(TableName=name)


@pytest.fixture(scope="module")
def accounts(dynamodb: DynamoDBClient, losi_table: str) -> Accounts:
    return Accounts(dynamodb, losi_table, Books(dynamodb, losi_table), CATALOGUE.plans)


@pytest.fixture(scope="module")
def environment(dynamodb_endpoint: str, losi_table: str) -> dict[str, str]:
    return {**dynamodb_environment(dynamodb_endpoint, losi_table), "LOSI_SANDBOX_FALLBACK": "1"}


@pytest.fixture(scope="module")
def warm(environment: dict[str, str]) -> Iterator[ProcessPoolExecutor]:
    with processes(1, environment) as pool:
        yield pool


def processes(number: int, environment: dict[str, str]) -> ProcessPoolExecutor:
    # spawned, so that they have no client, no cache and no lock of this process
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(number, spawn, set_environment, (environment,))


def stored_keys(client: DynamoDBClient, table: str, account_id: str) -> list[str]:
    return [item["sk"]["S"] for item in Table(client, table).query(account_id, "KEY#")]


# In processes of their own


def set_environment(environment: dict[str, str]) -> None:
    os.environ.update(environment)


def own_actor(text: str) -> Actor:
    secret = parse(text)
    assert secret is not None
    return Actor.of(Services(read_config()).authenticator.authenticate(secret))


def own_accounts() -> Accounts:
    return Services(read_config()).accounts


def outcome(action: Callable[[], object]) -> str:
    try:
        action()
    except LosiError as error:
        return error.code or ""
    return "done"


def at_once(number: int, action: Callable[[], object]) -> list[str]:
    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(lambda _: outcome(action), range(number)))


def create_keys(account_id: str, number: int, text: str) -> list[str]:
    """By the key `text`, as the API does it."""
    accounts, by = own_accounts(), own_actor(text)
    return at_once(number, lambda: accounts.create_key(account_id, A_KEY, by=by))


def delete_key(account_id: str, key_id: str, number: int) -> list[str]:
    accounts = own_accounts()
    return at_once(number, lambda: accounts.delete_key(account_id, key_id))


def create_and_delete(account_id: str, rounds: int) -> list[str]:
    accounts = own_accounts()

    def both() -> None:
        key, _ = accounts.create_key(account_id, A_KEY)
        accounts.delete_key(account_id, key.id)

    return [outcome(both) for _ in range(rounds)]


@dataclass(frozen=True)
class Answer:
    process: int
    status: int
    code: str | None
    #: BatchGetItem calls, which is how a key is looked up.
    lookups: int


class Noting:
    """The function's own client, and the names of what it was asked."""

    def __init__(self, client: SendsToDynamoDB) -> None:
        self._client = client
        self.asked: list[str] = []

    async def call(self, operation: str, request: Json) -> Json:
        self.asked.append(operation)
        return await self._client.call(operation, request)


@cache
def chat_app() -> tuple[Any, Noting]:
    services = Services(read_config())
    noting = Noting(services.dynamodb)
    services.dynamodb = noting
    return create_app("chat_completions", services=services), noting


def chat(key: str) -> Answer:
    app, noting = chat_app()
    before = noting.asked.count("BatchGetItem")

    async def post() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://warm.test") as client:
            return await client.post(
                "/api/v1/chat/completions",
                headers={"Authorization": f"Bearer {key}"},
                json={"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]},
            )

    response = asyncio.run(post())
    code = response.json().get("error", {}).get("code")
    return Answer(
        os.getpid(), response.status_code, code, noting.asked.count("BatchGetItem") - before
    )


# What is tested


class TestConcurrentCreates:
    def test_fifty_at_once_get_the_plan_s_ten_keys(
        self,
        dynamodb: DynamoDBClient,
        losi_table: str,
        accounts: Accounts,
        environment: dict[str, str],
    ) -> None:
        account = accounts.create_account("ultra")
        _, first = accounts.create_key(account.id, A_KEY)

        with processes(5, environment) as pool:
            runs = list(pool.map(create_keys, [account.id] * 5, [10] * 5, [first.text] * 5))

        outcomes = [outcome for run in runs for outcome in run]
        assert outcomes.count("done") == 9
        assert outcomes.count("key_limit_reached") == 41
        assert accounts.account(account.id).key_count == 10
        assert len(stored_keys(dynamodb, losi_table, account.id)) == 10

    def test_one_of_many_deletes_counts(
        self,
        dynamodb: DynamoDBClient,
        losi_table: str,
        accounts: Accounts,
        environment: dict[str, str],
    ) -> None:
        account = accounts.create_account("plus")
        doomed, _ = accounts.create_key(account.id, A_KEY)
        kept, _ = accounts.create_key(account.id, A_KEY)

        with processes(2, environment) as pool:
            runs = list(pool.map(delete_key, [account.id] * 2, [doomed.id] * 2, [4] * 2))

        outcomes = [outcome for run in runs for outcome in run]
        assert outcomes.count("done") == 1
        assert outcomes.count("not_found") == 7
        assert accounts.account(account.id).key_count == 1
        assert stored_keys(dynamodb, losi_table, account.id) == [f"KEY#{kept.id}"]

    def test_the_count_is_right_after_a_crowd_of_creates_and_deletes(
        self,
        dynamodb: DynamoDBClient,
        losi_table: str,
        accounts: Accounts,
        environment: dict[str, str],
    ) -> None:
        account = accounts.create_account("plus")

        with processes(4, environment) as pool:
            runs = list(pool.map(create_and_delete, [account.id] * 4, [5] * 4))

        assert {outcome for run in runs for outcome in run} <= {"done", "key_limit_reached"}
        assert accounts.account(account.id).key_count == 0
        assert stored_keys(dynamodb, losi_table, account.id) == []


def change(**changes: Any) -> Callable[[Accounts, Secret], object]:
    return lambda accounts, key: accounts.change_key(
        key.account_id, key.key_id, lambda stored: replace(stored, **changes)
    )


def rotate_at_once(accounts: Accounts, key: Secret) -> object:
    return accounts.rotate_key(key.account_id, key.key_id, timedelta(0))


CHANGES = [
    pytest.param(
        lambda accounts, key: accounts.delete_key(key.account_id, key.key_id),
        (401, "invalid_api_key"),
        id="revoked",
    ),
    pytest.param(change(is_enabled=False), (401, "key_disabled"), id="disabled"),
    pytest.param(
        change(permissions=ALL - {"chat.completions"}),
        (403, "missing_permission"),
        id="down-scoped",
    ),
    pytest.param(rotate_at_once, (401, "key_expired"), id="rotated"),
    pytest.param(
        lambda accounts, key: accounts.set_api_access(key.account_id, False),
        (403, "api_access_disabled"),
        id="api-access-off",
    ),
    pytest.param(
        lambda accounts, key: accounts.set_disabled(key.account_id, True),
        (403, "api_access_disabled"),
        id="account-disabled",
    ),
    pytest.param(
        lambda accounts, key: accounts.set_plan(key.account_id, "free"),
        (403, "model_not_in_plan"),
        id="smaller-plan",
    ),
    pytest.param(
        lambda accounts, key: accounts.delete_account(key.account_id),
        (401, "invalid_api_key"),
        id="account-deleted",
    ),
]


class TestAWarmProcess:
    """The very next request after a change, in a process that has the key cached."""

    @pytest.mark.parametrize(("make", "expected"), CHANGES)
    def test_it_refuses_what_was_changed_elsewhere(
        self,
        accounts: Accounts,
        warm: ProcessPoolExecutor,
        make: Callable[[Accounts, Secret], object],
        expected: tuple[int, str],
    ) -> None:
        _, key = accounts.create_key(accounts.create_account("ultra").id, A_KEY)
        first, second = (warm.submit(chat, key.text).result() for _ in range(2))
        assert (first.status, first.lookups) == (200, 1)
        assert (second.status, second.lookups) == (200, 0)

        make(accounts, key)
        after = warm.submit(chat, key.text).result()

        assert (after.status, after.code) == expected
        assert after.process == first.process != os.getpid()

    def test_it_serves_what_a_larger_plan_allows(
        self, accounts: Accounts, warm: ProcessPoolExecutor
    ) -> None:
        account = accounts.create_account("free")
        _, key = accounts.create_key(account.id, A_KEY)
        assert warm.submit(chat, key.text).result().code == "model_not_in_plan"

        accounts.set_plan(account.id, "ultra")

        assert warm.submit(chat, key.text).result().status == 200

    def test_it_serves_a_key_that_was_given_the_permission(
        self, accounts: Accounts, warm: ProcessPoolExecutor
    ) -> None:
        account = accounts.create_account("ultra")
        new = NewKey("weak", frozenset({"models.list"}))
        _, key = accounts.create_key(account.id, new)
        assert warm.submit(chat, key.text).result().code == "missing_permission"

        change(permissions=ALL)(accounts, key)

        assert warm.submit(chat, key.text).result().status == 200
