"""The DynamoDB client, and the primary keys of the one table."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

from losi.errors import StoreUnavailableError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

T = TypeVar("T")

Item = dict[str, Any]

#: The codes of a write whose condition was not met: alone, and in a transaction.
FAILED_CONDITION = {"ConditionalCheckFailedException", "ConditionalCheckFailed"}

PROFILE = "PROFILE"
#: Prefix of the lookup from an issuer's person to an account, and of the note in that account's
#: partition.
LOGIN = "LOGIN#"


def client() -> "DynamoDBClient":
    """A boto3 client that is made on first use, not at import: with SnapStart that is after the
    restore, and requests that are only metered (losi.store.dynamodb) never import boto3.

    Standard retries back off with jitter; the timeouts keep four attempts within a few seconds.
    """
    return on_first_use(_client)


def _client() -> "DynamoDBClient":
    import boto3
    from botocore.config import Config

    return boto3.client(
        "dynamodb",
        config=Config(
            retries={"mode": "standard", "total_max_attempts": 4},
            connect_timeout=1,
            read_timeout=3,
            max_pool_connections=64,
            tcp_keepalive=True,
        ),
    )


def on_first_use(make: Callable[[], T]) -> T:
    """A stand-in for what `make` returns, made when its first attribute is read."""
    return cast("T", _OnFirstUse(make))


class _OnFirstUse:
    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def __getattr__(self, name: str) -> Any:
        return getattr(self._made, name)

    @cached_property
    def _made(self) -> Any:
        return self._make()


def partition(account_id: str) -> str:
    return f"ACCOUNT#{account_id}"


def key_sort(key_id: str) -> str:
    return f"KEY#{key_id}"


def primary_key(account_id: str, sort: str) -> Any:
    """The item's key in DynamoDB's wire form."""
    return {"pk": {"S": partition(account_id)}, "sk": {"S": sort}}


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn every failure of the store into `StoreUnavailableError`, except failed conditions and
    cancelled transactions: their answers are for the caller.
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
