"""The port of the lean client on a boto3 client: for the model in this process, and for tests that
hang their meters on boto3's events. On DynamoDB Local the ledger has the lean client.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
)

from losi.http1 import ConnectError, ConnectionLostError
from losi.store.dynamodb import DynamoDBError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class OverBoto3:
    def __init__(self, client: DynamoDBClient) -> None:
        self._client = client

    async def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        method = getattr(self._client, re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower())
        try:
            answer: dict[str, Any] = await anyio.to_thread.run_sync(
                lambda: method(**request), abandon_on_cancel=True
            )
        except ClientError as error:
            told: Any = error.response
            status = told.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
            raise DynamoDBError(told["Error"]["Code"], status, told) from error
        except (EndpointConnectionError, ConnectTimeoutError) as error:
            raise ConnectError("nobody took the request") from error
        except BotoCoreError as error:
            raise ConnectionLostError("the answer was lost") from error
        return answer

    def close(self) -> None:
        """The connections are boto3's, and stay."""
