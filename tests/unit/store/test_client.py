"""The DynamoDB client: when it is made, how long it tries, and what its failures become."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from losi.errors import StoreUnavailableError
from losi.store import client
from losi.store.client import on_first_use, store_errors


def test_a_client_is_made_once_and_not_before_it_is_needed() -> None:
    made: list[str] = []

    def make() -> str:
        made.append("one")
        return "a client"

    stand_in = on_first_use(make)

    assert made == []
    assert (stand_in.upper(), stand_in.title()) == ("A CLIENT", "A Client")
    assert made == ["one"]


def test_four_attempts_end_within_a_few_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    config: Any = client.client().meta.config

    assert (config.connect_timeout, config.read_timeout) == (1, 3)
    assert config.retries["mode"] == "standard"
    assert config.retries["total_max_attempts"] == 4
    assert config.max_pool_connections == 64


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": ""}}, "UpdateItem")


@pytest.mark.parametrize(
    "failure",
    [
        refusal("InternalServerError"),
        refusal("ResourceNotFoundException"),
        ClientError({}, "UpdateItem"),
        EndpointConnectionError(endpoint_url="http://127.0.0.1"),
    ],
    ids=repr,
)
def test_a_failure_is_a_store_that_is_away(failure: Exception) -> None:
    with pytest.raises(StoreUnavailableError) as caught, store_errors():
        raise failure

    assert caught.value.__cause__ is failure


@pytest.mark.parametrize(
    "failure",
    [
        refusal("ConditionalCheckFailedException"),
        refusal("TransactionCanceledException"),
        ZeroDivisionError(),
    ],
    ids=repr,
)
def test_a_condition_that_failed_is_for_the_caller_as_mistakes_of_ours_are(
    failure: Exception,
) -> None:
    with pytest.raises(type(failure)), store_errors():
        raise failure
