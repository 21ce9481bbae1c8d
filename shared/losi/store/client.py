"""The DynamoDB client, and the keys of the one table."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from losi.errors import StoreUnavailableError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]

PROFILE = "PROFILE"


def client() -> "DynamoDBClient":
    """Created on first use, not at import: under SnapStart that is after the restore.

    Standard retries back off with jitter; the timeouts keep four attempts within a few seconds.
    """
    return _client(attempts=4, read_timeout=3)


def single_try_client() -> "DynamoDBClient":
    """A new client, with connections of its own, that leaves retries to its caller."""
    return _client(attempts=1, read_timeout=1.4)


def _client(attempts: int, read_timeout: float) -> "DynamoDBClient":
    import boto3
    from botocore.config import Config

    return boto3.client(
        "dynamodb",
        config=Config(
            retries={"mode": "standard", "total_max_attempts": attempts},
            connect_timeout=1,
            read_timeout=read_timeout,
            max_pool_connections=64,
            tcp_keepalive=True,
        ),
    )


def partition(account_id: str) -> str:
    return f"ACCOUNT#{account_id}"


def key_sort(key_id: str) -> str:
    return f"KEY#{key_id}"


def primary_key(account_id: str, sort: str) -> Any:
    """The item's key in DynamoDB's wire form."""
    return {"pk": {"S": partition(account_id)}, "sk": {"S": sort}}


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn every failure of the store but a failed condition into `StoreUnavailableError`.

    Condition failures and cancelled transactions carry an answer; the caller reads them.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code")
        if code in ("ConditionalCheckFailedException", "TransactionCanceledException"):
            raise
        raise StoreUnavailableError from error
    except BotoCoreError as error:
        raise StoreUnavailableError from error
