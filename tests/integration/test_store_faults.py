"""The store fails, between real sockets and DynamoDB Local: what a caller sees and pays
(docs/reliability.md).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.table import create_table
from losi.metering.settler import drain
from losi.store.dynamodb import DynamoDB
from losi.store.queue import settlements
from tests.fake_upstream import FakeUpstream, Received, Reply
from tests.faults import broken
from tests.faults.api import Api, Caller, new_caller, open_api
from tests.faults.page import Row, rows
from tests.faults.proxy import Store

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ADMITTING = rows("integration/test_store_faults.py::test_as_a_request_is_admitted")
SETTLING = rows("integration/test_store_faults.py::test_as_an_answer_ends")
LASTING = rows("integration/test_store_faults.py::test_until_the_invocation_ends")
LETS_LAND = {"loses its answer", "writes late", "is slow"}
#: How long an admission may take here; a call to the store takes half of it.
STORE_SECONDS = 0.5


@pytest.fixture(scope="module")
def table(dynamodb: DynamoDBClient) -> str:
    create_table(dynamodb, "store-faults")
    return "store-faults"


@pytest.fixture(scope="module")
def caller(dynamodb: DynamoDBClient, table: str) -> Caller:
    return new_caller(dynamodb, table)


@pytest.fixture
def world(
    dynamodb: DynamoDBClient,
    table: str,
    caller: Caller,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Any:
    """A warm API, its store, and a provider that answers whole."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")

    @asynccontextmanager
    async def opened(seconds: float = 60.0) -> AsyncIterator[tuple[Api, Store, FakeUpstream]]:
        async with Store(dynamodb.meta.endpoint_url) as store, FakeUpstream() as upstream:
            upstream.answer = broken.whole
            admitting, settling = (
                DynamoDB("us-east-1", store.url, STORE_SECONDS / 2) for _ in range(2)
            )
            async with open_api(
                dynamodb,
                table,
                caller,
                tmp_path,
                admitting,
                settling=settling,
                store_seconds=STORE_SECONDS,
                providers={"openai": upstream.url},
                seconds=seconds,
            ) as here:
                assert await here.sees(stream=False) == "the answer"
                here.forget()
                yield here, store, upstream
                admitting.close()
                settling.close()

    return opened


def begins_to_fail(store: Store, fault: str) -> Any:
    """A provider that answers whole, and is asked: so the request is admitted by now."""

    def answer(asked: Received) -> Reply:
        store.fail(fault)
        return broken.whole(asked)

    return answer


@pytest.mark.parametrize("row", ADMITTING, ids=[row.id for row in ADMITTING])
async def test_as_a_request_is_admitted(row: Row, world: Any) -> None:
    async with world() as (here, store, upstream):
        asked_before = len(upstream.requests)
        store.fail(row.fault)
        assert await here.sees(stream=row.streams) == row.sees
        await store.well()
        assert await here.billed() == row.billed
        assert len(upstream.requests) - asked_before == (row.sees == "the answer")


@pytest.mark.parametrize("row", SETTLING, ids=[row.id for row in SETTLING])
async def test_as_an_answer_ends(row: Row, world: Any) -> None:
    async with world() as (here, store, upstream):
        fault = row.fault.removesuffix(" as the answer ends")
        upstream.answer = begins_to_fail(store, fault)
        assert await here.sees(stream=row.streams) == row.sees
        if fault not in LETS_LAND:
            assert here.booked(all_settled=False) == "nothing"
        await store.well()
        assert await here.billed() == row.billed


@pytest.mark.parametrize("row", LASTING, ids=[row.id for row in LASTING])
async def test_until_the_invocation_ends(row: Row, world: Any) -> None:
    """What is handed over then is settled by the queue's consumer."""
    async with world(seconds=1.0) as (here, store, upstream):
        fault = row.fault.removesuffix(" until the invocation has ended")
        upstream.answer = begins_to_fail(store, fault)
        assert await here.sees(stream=row.streams) == row.sees
        await here.idle()
        assert here.booked(all_settled=False) == "nothing"

        await store.well()
        await drain(settlements(here.services.config), here.services.ledger)

        assert await here.billed() == row.billed
